// Features of many pictures in files of so many each.
#include <fovea/shards.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"

namespace fovea::python {
namespace {

using Callback = std::optional<nb::callable>;

Shards shards_of(const Held& held, const nb::iterable& files, const std::string& folder, const FeatureRecord& record, int64_t size,
                 int64_t part, int64_t parts, const Callback& progress, const Callback& on_shard) {
  Listener listener;
  ShardOptions options{size, part, parts};
  int64_t before = 0;
  options.progress = [&](int64_t done, int64_t) {
    return listener([&] {
      if (progress) (*progress)(before + done, 0);
      return true;
    });
  };
  options.on_shard = [&](int64_t shard, bool made, const std::vector<BadPicture>& left_out) {
    before += made ? size : 0;
    return listener([&] {
      if (on_shard) (*on_shard)(shard, made, left_out);
      return true;
    });
  };
  nb::iterator next = nb::iter(files);
  const auto give = [&](std::string& file) {
    bool more = false;
    listener.or_throw([&] {
      if (next == nb::iterator::sentinel()) return true;
      file = nb::cast<std::string>(nb::module_::import_("os").attr("fsdecode")(*next));
      ++next;
      more = true;
      return true;
    });
    return more;
  };
  return held.read(listener, [&](const Model& model) { return embed_shards(model, record, give, folder, options); });
}

}  // namespace

void bind_shards(nb::module_& m) {
  nb::class_<FeatureRecord>(m, "FeatureRecord", "How features are made.")
      .def_ro("architecture", &FeatureRecord::architecture)
      .def_ro("digest", &FeatureRecord::digest)
      .def_rw("output", &FeatureRecord::output)
      .def_rw("mirrored", &FeatureRecord::mirrored)
      .def_rw("normalized", &FeatureRecord::normalized);
  m.def("record_of", [](const Held& held, const std::string& loaded_by, const std::string& weights, const std::string& output) {
    return held.read([&](const Model& model) { return record_of(model, loaded_by, weights, output); });
  });
  nb::class_<Shards>(m, "Shards", "What there is of the shards of one process.")
      .def_ro("made", &Shards::made)
      .def_ro("there", &Shards::there)
      .def_ro("pictures", &Shards::pictures)
      .def_ro("left_out", &Shards::left_out);
  m.def("embed_shards", &shards_of, nb::arg("model"), nb::arg("files"), nb::arg("folder"), nb::arg("record"), nb::arg("size"),
        nb::arg("part"), nb::arg("parts"), nb::arg("progress").none(), nb::arg("on_shard").none());
}

}  // namespace fovea::python
