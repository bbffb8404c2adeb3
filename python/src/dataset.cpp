// Dataset: pictures from files, memory, and sources written in Python.
#include "dataset.h"

#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "bindings.h"
#include "callbacks.h"

namespace fovea::python {
namespace {

// Pictures that Python has in memory: arrays where they are, bytes of files decoded when they are asked for.
class InMemory : public DatasetSource {
 public:
  InMemory(const nb::sequence& pictures, std::vector<Labels> labels, std::vector<std::string> names, std::vector<std::string> groups,
           bool bgr)
      : labels_(std::move(labels)), names_(std::move(names)), groups_(std::move(groups)) {
    std::vector<nb::object> keep;
    for (nb::handle one : pictures) pictures_.push_back(picture_of(one, bgr, keep));
    for (const nb::object& one : keep) keep_.emplace_back(one);
  }

  int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
  Image picture(int64_t i) const override { return image_of(pictures_[at(i)], {}); }
  Labels labels(int64_t i) const override { return labels_[at(i)]; }
  std::string name(int64_t i) const override { return names_.empty() ? DatasetSource::name(i) : names_[at(i)]; }
  std::string group(int64_t i) const override { return groups_.empty() ? std::string() : groups_[at(i)]; }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }

  const std::vector<Labels> labels_;
  const std::vector<std::string> names_, groups_;
  std::vector<Picture> pictures_;
  std::vector<Kept> keep_;
};

// An object of Python's with these methods.
class OfPython : public DatasetSource {
 public:
  explicit OfPython(nb::handle source) : source_(source) {
    const Py_ssize_t size = PyObject_Size(source.ptr());
    if (size < 0) throw nb::python_error();
    size_ = size;
  }

  int64_t size() const override { return size_; }
  Image picture(int64_t i) const override {
    const nb::gil_scoped_acquire acquire;
    try {
      std::vector<nb::object> keep;
      keep.push_back((*source_).attr("picture")(i));
      const Picture one = picture_of(keep.front(), false, keep);
      const nb::gil_scoped_release release;
      return image_of(one, {});
    } catch (const nb::python_error& error) {
      // As of a file that cannot be read.
      const nb::object unreadable = nb::module_::import_("fovea.errors").attr("InputError");
      if (error.matches(unreadable)) throw Error(ErrorKind::input, nb::cast<std::string>(nb::str(error.value())));
      throw;
    }
  }
  Labels labels(int64_t i) const override {
    const nb::gil_scoped_acquire acquire;
    return nb::cast<Labels>((*source_).attr("labels")(i));
  }
  std::string name(int64_t i) const override {
    const nb::gil_scoped_acquire acquire;
    return nb::cast<std::string>((*source_).attr("name")(i));
  }
  std::string group(int64_t i) const override {
    const nb::gil_scoped_acquire acquire;
    return nb::cast<std::string>((*source_).attr("group")(i));
  }

 private:
  const Kept source_;
  int64_t size_ = 0;
};

Part part_of(const std::string& name) {
  if (name == "train") return Part::train;
  if (name == "validation") return Part::validation;
  if (name == "test") return Part::test;
  throw Error(ErrorKind::usage, "part " + name + "; train, validation or test expected");
}

const char* name_of(Part part) { return part == Part::train ? "train" : part == Part::validation ? "validation" : "test"; }

}  // namespace

void bind_dataset(nb::module_& m) {
  nb::class_<Dataset>(m, "Dataset")
      .def_static("load", [](const std::string& path) { return outside([&] { return Dataset::load(path); }); })
      .def_static("from_files", [](const std::vector<std::string>& files) { return outside([&] { return Dataset::from_files(files); }); })
      .def_static("from_memory",
                  [](const nb::sequence& pictures, std::vector<Labels> labels, std::vector<std::string> names,
                     std::vector<std::string> groups, const std::vector<std::string>& classes, bool independent, bool bgr) {
                    const auto source =
                        std::make_shared<const InMemory>(pictures, std::move(labels), std::move(names), std::move(groups), bgr);
                    return outside([&] { return Dataset::from_source(source, {classes, independent}); });
                  })
      .def_static("from_source",
                  [](nb::handle source, const std::vector<std::string>& classes, bool independent) {
                    const auto own = std::make_shared<const OfPython>(source);
                    return outside([&] { return Dataset::from_source(own, {classes, independent}); });
                  })
      .def("__len__", &Dataset::size)
      .def_prop_ro("classes", &Dataset::classes)
      .def_prop_ro("independent", &Dataset::independent)
      .def("name", &Dataset::name)
      .def("labels", &Dataset::labels)
      .def("part", [](const Dataset& data, int64_t index) { return name_of(data.part(index)); })
      .def("group", &Dataset::group)
      .def("picture", [](const Dataset& data, int64_t index) { return array_of(outside([&] { return data.picture(index); })); })
      .def("subset", [](const Dataset& data, const std::vector<int64_t>& indices) { return data.subset(indices); })
      .def("join", [](const Dataset& data, const Dataset& other) { return outside([&] { return data.join(other); }); })
      .def("as_part", [](const Dataset& data, const std::string& part) { return data.as(part_of(part)); })
      .def("only", [](const Dataset& data, const std::string& part) { return data.only(part_of(part)); })
      .def("grouped", [](const Dataset& data, const std::function<std::string(int64_t)>& group_of) { return data.grouped(group_of); })
      .def("split", [](const Dataset& data, double validation, double test, uint64_t seed) {
        return outside([&] { return data.split({validation, test, seed}); });
      });
}

}  // namespace fovea::python
