// Model, Predictor and published weights.
#include <fovea/model.h>
#include <fovea/pictures.h>
#include <fovea/weights.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"

namespace fovea::python {
namespace {

constexpr const char* kPrepared = "prepared pictures as float32 [N,channels,height,width]";

using Progress = std::optional<nb::callable>;  // called with what is done and what there is

nb::dict arrays_of(const std::map<std::string, Tensor>& tensors) {
  nb::dict result;
  for (const auto& [name, tensor] : tensors) result[name.c_str()] = array_of(tensor);
  return result;
}

HeadOptions head_of(const std::string& kind, int64_t hidden, double dropout, bool independent) {
  HeadOptions head;
  if (kind == "mlp")
    head.kind = HeadKind::mlp;
  else if (kind == "concat_pool")
    head.kind = HeadKind::concat_pool;
  else if (kind != "linear")
    throw Error(ErrorKind::usage, "a head of the kind " + kind + "; linear, mlp or concat_pool expected");
  head.hidden = hidden;
  head.dropout = dropout;
  head.independent = independent;
  return head;
}

Held* load(const std::string& name, const std::string& weights, uint64_t seed, const std::string& dtype, int64_t channels,
           const Progress& progress) {
  LoadOptions options{weights, seed, dtype, channels};
  Listener listener;
  options.progress = [&](int64_t done, int64_t total) {
    listener.or_throw([&] {
      if (progress) (*progress)(done, total);
      return true;
    });
  };
  return new Held(listener.run([&] { return Model::load(name, options); }));  // Python owns it
}

// A list of pictures, decoded as the cores come to them.
class List {
 public:
  List(const nb::sequence& pictures, bool bgr) {
    for (nb::handle one : pictures) pictures_.push_back(picture_of(one, bgr, keep_));
  }

  PictureSource source(const Preprocessing& preprocessing) const {
    return {static_cast<int64_t>(pictures_.size()),
            [this, preprocessing](int64_t i) { return image_of(pictures_[static_cast<size_t>(i)], preprocessing); }};
  }
  std::vector<Image> images(const Preprocessing& preprocessing) const {
    std::vector<Image> images;
    for (const Picture& picture : pictures_) images.push_back(image_of(picture, preprocessing));
    return images;
  }

 private:
  std::vector<Picture> pictures_;
  std::vector<nb::object> keep_;
};

auto told(Listener& listener, const Progress& progress) {
  return [&](int64_t done, int64_t total) {
    return listener([&] {
      if (progress) (*progress)(done, total);
      return true;
    });
  };
}

using Classes = std::vector<std::tuple<std::string, int64_t, double>>;
Classes classes_of(const std::vector<ClassProbability>& classes) {
  Classes result;
  for (const ClassProbability& one : classes) result.emplace_back(one.name, one.index, one.probability);
  return result;
}

using LeftOut = std::vector<std::tuple<int64_t, std::string>>;  // index, reason
LeftOut left_out_of(const std::vector<BadPicture>& pictures) {
  LeftOut result;
  for (const BadPicture& one : pictures) result.emplace_back(std::stoll(one.file), one.reason);
  return result;
}

std::tuple<std::vector<Classes>, LeftOut> predict_list(const Held& held, const nb::sequence& pictures, int64_t top, bool bgr,
                                                       const Progress& progress) {
  const List list(pictures, bgr);
  Listener listener;
  const Predictions found = held.read(listener, [&](const Model& model) {
    PictureOptions options;
    options.top = top;
    options.progress = told(listener, progress);
    return predict_pictures(model, list.source(model.preprocessing()), options);
  });
  std::vector<Classes> classes;
  for (const Prediction& one : found.pictures) classes.push_back(classes_of(one.classes));
  return {classes, left_out_of(found.left_out)};
}

std::tuple<nb::object, LeftOut> embed_list(const Held& held, const nb::sequence& pictures, const std::string& output, bool mirrored,
                                           bool bgr, const Progress& progress) {
  const List list(pictures, bgr);
  Listener listener;
  const Embeddings found = held.read(listener, [&](const Model& model) {
    PictureOptions options;
    options.output = output;
    options.mirrored = mirrored;
    options.progress = told(listener, progress);
    return embed_pictures(model, list.source(model.preprocessing()), options);
  });
  return {array_of(found.features), left_out_of(found.left_out)};
}

std::map<std::string, Tensor> tensors_of(const nb::dict& state) {
  std::map<std::string, Tensor> result;
  for (const auto& [name, array] : state) {
    const auto key = nb::cast<std::string>(name);
    result.emplace(key, tensor_of(array, (key + ": an array of the parameter's numbers").c_str()));
  }
  return result;
}

void bind_weights(nb::module_& m) {
  m.def("model_names", &model_names);
  m.def("cache_directory", &cache_directory);
  nb::class_<WeightsInfo>(m, "WeightsInfo")
      .def_ro("model", &WeightsInfo::model)
      .def_ro("tag", &WeightsInfo::tag)
      .def_ro("is_default", &WeightsInfo::is_default)
      .def_ro("file", &WeightsInfo::file)
      .def_ro("source", &WeightsInfo::source)
      .def_ro("licence", &WeightsInfo::licence)
      .def_ro("non_commercial", &WeightsInfo::non_commercial)
      .def_ro("classifies", &WeightsInfo::classifies)
      .def_ro("accuracy1", &WeightsInfo::accuracy1)
      .def_ro("accuracy5", &WeightsInfo::accuracy5)
      .def_ro("preprocessing", &WeightsInfo::preprocessing)
      .def_ro("path", &WeightsInfo::path)
      .def_ro("cached", &WeightsInfo::cached);
  m.def("published_weights", &published_weights);
}

void bind_summary_of_loading(nb::module_& m) {
  nb::class_<LoadSummary>(m, "LoadSummary")
      .def_ro("loaded", &LoadSummary::loaded)
      .def_ro("missing", &LoadSummary::missing)
      .def_ro("unexpected", &LoadSummary::unexpected)
      .def_ro("reshaped", &LoadSummary::reshaped)
      .def_ro("notes", &LoadSummary::notes)
      .def_ro("source", &LoadSummary::source)
      .def_ro("weights_note", &LoadSummary::weights_note)
      .def_ro("precision_note", &LoadSummary::precision_note);
  nb::class_<TapInfo>(m, "TapInfo")
      .def_ro("name", &TapInfo::name)
      .def_ro("channels", &TapInfo::channels)
      .def_ro("stride", &TapInfo::stride)
      .def_ro("shape", &TapInfo::shape)
      .def_ro("tokens", &TapInfo::tokens)
      .def_ro("class_token", &TapInfo::class_token);
}

void bind_predictor(nb::module_& m) {
  nb::class_<Predictor>(m, "Predictor")
      .def_prop_ro("classes", [](const Predictor& p) { return p.classes(); })
      .def_prop_ro("preprocessing", [](const Predictor& p) { return p.preprocessing(); })
      .def_prop_ro("feature_width", &Predictor::feature_width)
      .def_prop_ro("channels", &Predictor::channels)
      .def_prop_ro("threads_per_call", &Predictor::threads_per_call)
      .def("predict",
           [](const Predictor& p, const nb::sequence& pictures, int64_t top, bool bgr) {
             const List list(pictures, bgr);
             const auto found = outside([&] { return p.predict(list.images(p.preprocessing()), top); });
             std::vector<Classes> result;
             for (const auto& one : found) result.push_back(classes_of(one));
             return result;
           })
      .def("embed",
           [](const Predictor& p, const nb::sequence& pictures, bool bgr) {
             const List list(pictures, bgr);
             return array_of(outside([&] { return p.embed(list.images(p.preprocessing())); }));
           })
      .def(
          "logits",
          [](const Predictor& p, nb::handle images) {
            const Tensor tensor = floats_of(images, kPrepared);
            return array_of(outside([&] { return p.logits(tensor); }));
          },
          nb::arg("images").none())
      .def(
          "probabilities",
          [](const Predictor& p, nb::handle images) {
            const Tensor tensor = floats_of(images, kPrepared);
            return array_of(outside([&] { return p.probabilities(tensor); }));
          },
          nb::arg("images").none())
      .def(
          "features",
          [](const Predictor& p, nb::handle images, const std::vector<std::string>& names) {
            const Tensor tensor = floats_of(images, kPrepared);
            return arrays_of(outside([&] { return p.features(tensor, names); }));
          },
          nb::arg("images").none(), nb::arg("names"));
}

}  // namespace

void bind_model(nb::module_& m) {
  bind_weights(m);
  bind_summary_of_loading(m);
  bind_predictor(m);
  m.def("load", &load, nb::arg("name"), nb::arg("weights"), nb::arg("seed"), nb::arg("dtype"), nb::arg("channels"),
        nb::arg("progress").none());
  nb::class_<Held>(m, "Model")
      .def_prop_ro("name", [](const Held& h) { return h.look([](const Model& m) { return m.name(); }); })
      .def_prop_ro("classes", [](const Held& h) { return h.look([](const Model& m) { return m.classes(); }); })
      .def_prop_rw(
          "preprocessing", [](const Held& h) { return h.look([](const Model& m) { return m.preprocessing(); }); },
          [](Held& h, const Preprocessing& wanted) { h.change([&](Model& m) { m.set_preprocessing(wanted); }); })
      .def_prop_ro("loaded", [](const Held& h) { return h.look([](const Model& m) { return m.loaded(); }); })
      .def_prop_ro("parameter_count", [](const Held& h) { return h.look([](const Model& m) { return m.parameter_count(); }); })
      .def_prop_ro("feature_width", [](const Held& h) { return h.look([](const Model& m) { return m.feature_width(); }); })
      .def_prop_ro("channels", [](const Held& h) { return h.look([](const Model& m) { return m.channels(); }); })
      .def_prop_ro("dtype", [](const Held& h) { return h.look([](const Model& m) { return m.dtype(); }); })
      .def_prop_ro("frozen", [](const Held& h) { return h.look([](const Model& m) { return m.frozen(); }); })
      .def_prop_ro("independent", [](const Held& h) { return h.look([](const Model& m) { return m.head().independent; }); })
      .def("replace_head",
           [](Held& h, const std::vector<std::string>& classes, int64_t count, uint64_t seed, const std::string& kind, int64_t hidden,
              double dropout, bool independent) {
             const HeadOptions head = head_of(kind, hidden, dropout, independent);
             h.change([&](Model& m) { count > 0 ? m.replace_head(count, seed, head) : m.replace_head(classes, seed, head); });
           })
      .def("freeze", [](Held& h, const std::string& what) { h.change([&](Model& m) { m.freeze(what); }); })
      .def(
          "logits",
          [](const Held& h, nb::handle images) {
            const Tensor tensor = floats_of(images, kPrepared);
            return array_of(h.read([&](const Model& m) { return m.logits(tensor); }));
          },
          nb::arg("images").none())
      .def(
          "probabilities",
          [](const Held& h, nb::handle images) {
            const Tensor tensor = floats_of(images, kPrepared);
            return array_of(h.read([&](const Model& m) { return m.probabilities(tensor); }));
          },
          nb::arg("images").none())
      .def(
          "features",
          [](const Held& h, nb::handle images, const std::vector<std::string>& names) {
            const Tensor tensor = floats_of(images, kPrepared);
            return arrays_of(h.read([&](const Model& m) { return m.features(tensor, names); }));
          },
          nb::arg("images").none(), nb::arg("names"))
      .def(
          "behind_last_map",
          [](const Held& h, nb::handle map, const std::string& output) {
            const Tensor tensor = floats_of(map, "a last map as float32 [N,channels,height,width] or tokens [N,T,channels]");
            return array_of(h.read([&](const Model& m) { return m.behind_last_map(tensor, output); }));
          },
          nb::arg("map").none(), nb::arg("output"))
      .def("features_of_picture",
           [](const Held& h, nb::handle picture, const std::vector<std::string>& names, bool bgr) {
             std::vector<nb::object> keep;
             const Picture one = picture_of(picture, bgr, keep);
             return arrays_of(h.read([&](const Model& m) { return m.features(image_of(one, m.preprocessing()), names); }));
           })
      .def("predict", &predict_list)
      .def("embed", &embed_list)
      .def("taps", [](const Held& h, int64_t height,
                      int64_t width) { return h.read([&](const Model& m) { return height > 0 ? m.taps(height, width) : m.taps(); }); })
      .def("predictor", [](const Held& h, int threads) { return h.read([&](const Model& m) { return m.predictor({threads}); }); })
      .def("state_dict", [](const Held& h) { return arrays_of(h.read([](const Model& m) { return m.state_dict(); })); })
      .def("load_state_dict",
           [](Held& h, const nb::dict& state) {
             const std::map<std::string, Tensor> tensors = tensors_of(state);
             h.change([&](Model& m) { m.load_state_dict(tensors); });
           })
      .def("save", [](const Held& h, const std::string& path) { h.read([&](const Model& m) { m.save(path); }); });
}

}  // namespace fovea::python
