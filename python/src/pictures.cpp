// Pictures, preprocessing, features kept in files, and audits.
#include <fovea/audit.h>
#include <fovea/features.h>
#include <fovea/heat_map.h>
#include <fovea/pictures.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"

namespace fovea::python {
namespace {

void bind_preprocessing(nb::module_& m) {
  nb::class_<Preprocessing>(m, "Preprocessing", "What happens to a picture before a network sees it.")
      .def(nb::init<>())
      .def(nb::init<const Preprocessing&>())
      .def_rw("height", &Preprocessing::height)
      .def_rw("width", &Preprocessing::width)
      .def_rw("resize", &Preprocessing::resize)
      .def_prop_rw(
          "interpolation", [](const Preprocessing& p) { return to_string(p.interpolation); },
          [](Preprocessing& p, const std::string& text) { p.interpolation = parse_interpolation(text); })
      .def_prop_rw(
          "fit", [](const Preprocessing& p) { return to_string(fits_of(p)); },
          [](Preprocessing& p, const std::string& text) { set_fits(p, parse_fits(text)); })
      .def_prop_rw(
          "alpha", [](const Preprocessing& p) { return to_string(p.alpha); },
          [](Preprocessing& p, const std::string& text) { p.alpha = parse_alpha(text); })
      .def_prop_rw(
          "decode", [](const Preprocessing& p) { return to_string(p.decode); },
          [](Preprocessing& p, const std::string& text) { p.decode = parse_decode(text); })
      .def_prop_rw(
          "range", [](const Preprocessing& p) { return p.range ? std::optional(to_string(*p.range)) : std::nullopt; },
          [](Preprocessing& p, const std::optional<std::string>& text) {
            p.range = text ? std::optional(parse_range(*text)) : std::nullopt;
          },
          nb::arg("range").none())
      .def_prop_rw(
          "resizer", [](const Preprocessing& p) { return to_string(p.resizer); },
          [](Preprocessing& p, const std::string& text) { p.resizer = parse_resizer(text); })
      .def_rw("mean", &Preprocessing::mean)
      .def_rw("std", &Preprocessing::std)
      .def_rw("mirrored", &Preprocessing::mirrored)
      .def_rw("page", &Preprocessing::page)
      .def_static("parse", &parse_preprocessing, nb::arg("text"))
      .def("__str__", [](const Preprocessing& p) { return to_string(p); })
      .def("__repr__", [](const Preprocessing& p) { return "Preprocessing(" + to_string(p) + ")"; })
      .def("__eq__", [](const Preprocessing& p, const Preprocessing& other) { return p == other; })
      .def("__getstate__", [](const Preprocessing& p) { return to_string(p); })
      .def("__setstate__", [](Preprocessing& p, const std::string& text) { new (&p) Preprocessing(parse_preprocessing(text)); });
}

void bind_images(nb::module_& m) {
  m.def("picture_formats", &picture_formats);
  m.def("pixels", [](nb::handle picture, bool bgr, const Preprocessing& preprocessing) {
    std::vector<nb::object> keep;
    const Picture one = picture_of(picture, bgr, keep);
    return array_of(outside([&] { return image_of(one, preprocessing); }));
  });
  m.def(
      "prepare",
      [](nb::handle picture, bool bgr, const Preprocessing& preprocessing) {
        std::vector<nb::object> keep;
        const Picture one = picture_of(picture, bgr, keep);
        return array_of(outside([&] { return preprocess(image_of(one, preprocessing), preprocessing); }));
      },
      nb::arg("picture").none(), nb::arg("bgr"), nb::arg("preprocessing"));
  m.def("encode_png", [](nb::handle picture, bool bgr) {
    std::vector<nb::object> keep;
    const Picture one = picture_of(picture, bgr, keep);
    const auto bytes = outside([&] { return encode_png(image_of(one, {})); });
    return nb::bytes(bytes.data(), bytes.size());
  });
  m.def("list_pictures", [](const std::vector<std::string>& paths) { return outside([&] { return list_pictures(paths); }); });
}

void bind_heat(nb::module_& m) {
  m.def("heat_map", [](const Held& held, nb::handle picture, const std::string& method, const std::string& tap,
                       const std::string& class_name, bool bgr) {
    std::vector<nb::object> keep;
    const Picture one = picture_of(picture, bgr, keep);
    struct Drawn {
      HeatMap map;
      Image picture, overlay;
    };
    Drawn drawn = held.read([&](const Model& model) {
      const Image image = image_of(one, model.preprocessing());
      const HeatMap map = heat_map(model, image, {parse_heat_method(method), tap, class_name});
      return Drawn{map, image, overlay(image, map.heat)};
    });
    nb::dict result;
    result["method"] = to_string(drawn.map.method);
    result["tap"] = drawn.map.tap;
    result["class_name"] = drawn.map.explained.name;
    result["class_index"] = drawn.map.explained.index;
    result["probability"] = drawn.map.explained.probability;
    result["heat"] = array_of(drawn.map.heat);
    result["map"] = array_of(drawn.map.map);
    result["picture"] = array_of(std::move(drawn.picture));
    result["overlay"] = array_of(std::move(drawn.overlay));
    return result;
  });
}

void bind_feature_files(nb::module_& m) {
  nb::class_<FeatureSet>(m, "FeatureSet")
      .def_ro("files", &FeatureSet::files)
      .def_prop_ro("features", [](const FeatureSet& set) { return array_of(set.features); })
      .def_prop_ro("model", [](const FeatureSet& set) { return set.record.model; })
      .def_prop_ro("output", [](const FeatureSet& set) { return set.record.output; })
      .def_prop_ro("normalized", [](const FeatureSet& set) { return set.record.normalized; });
  m.def("load_features", [](const std::string& path) { return outside([&] { return load_features(path); }); });
  m.def("feature_set", [](const Held& held, nb::handle features, const std::vector<std::string>& files, const std::string& loaded_by,
                          const std::string& weights, const std::string& output, bool mirrored) {
    FeatureSet set;
    set.features = floats_of(features, "features as float32 [pictures,width]");
    set.files = files;
    set.record = held.read([&](const Model& model) { return record_of(model, loaded_by, weights, output); });
    set.record.mirrored = mirrored;
    return set;
  });
  m.def("save_features", [](const FeatureSet& set, const std::string& path) { return outside([&] { return save_features(set, path); }); });
  m.def("query_features", [](const Held& held, const FeatureSet& set, nb::handle picture, bool bgr) {
    std::vector<nb::object> keep;
    const Picture one = picture_of(picture, bgr, keep);
    return array_of(held.read([&](const Model& model) {
      require_same_model(set.record, model);
      return query_features(model, set, image_of(one, model.preprocessing()));
    }));
  });
  m.def("nearest", [](const FeatureSet& set, nb::handle query, int64_t count) {
    const Tensor vector = floats_of(query, "a vector as float32 [width]");
    std::vector<std::tuple<int64_t, std::string, double>> result;
    for (const Neighbor& one : outside([&] { return nearest_pictures(set, vector, count); }))
      result.emplace_back(one.row, one.file, one.similarity);
    return result;
  });
}

void bind_audit(nb::module_& m) {
  nb::class_<BadPicture>(m, "BadPicture").def_ro("file", &BadPicture::file).def_ro("reason", &BadPicture::reason);
  m.def(
      "audit",
      [](const std::vector<std::string>& data, bool list, const std::optional<nb::callable>& progress) {
        Listener listener;
        AuditOptions options;
        options.progress = [&](int64_t done, int64_t total) {
          listener.or_throw([&] {
            if (progress) (*progress)(done, total);
            return true;
          });
        };
        const Audit found = listener.run([&] { return list ? audit(data, options) : audit(data.at(0), options); });
        return std::pair(to_json(found), found.problems());
      },
      nb::arg("data"), nb::arg("list"), nb::arg("progress").none());
}

}  // namespace

void bind_pictures(nb::module_& m) {
  bind_preprocessing(m);
  bind_images(m);
  bind_heat(m);
  bind_feature_files(m);
  bind_audit(m);
}

}  // namespace fovea::python
