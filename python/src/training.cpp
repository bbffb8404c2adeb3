// Training, evaluation and reports.
#include <fovea/report.h>
#include <fovea/train.h>
#include <fovea/train_settings.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "options.h"

namespace fovea::python {

void shape(TrainOptions& options, const Shaping& shaping) {
  options.views.keep_size = shaping.height.has_value();
  options.views.fit_by_validation = shaping.fit == "auto";
  if (shaping.fit && !options.views.fit_by_validation) {
    const std::vector<Fit> fits = parse_fits(*shaping.fit);
    options.views.fit = fits.front();
    if (fits.size() > 1) options.views.second_fit = fits.back();
  }
  if (shaping.alpha) options.views.alpha = parse_alpha(*shaping.alpha);
  if (shaping.decode) options.views.decode = parse_decode(*shaping.decode);
  if (shaping.range) options.views.range = parse_range(*shaping.range);
  options.views.page = shaping.page;
}

void resize(Model& model, const Shaping& shaping) {
  if (!shaping.height) return;
  Preprocessing preprocessing = model.preprocessing();
  const int64_t before = std::min(preprocessing.height, preprocessing.width), now = std::min(*shaping.height, *shaping.width);
  preprocessing.resize = (preprocessing.resize * now + before / 2) / before;  // the crop keeps its share of the picture
  preprocessing.height = *shaping.height;
  preprocessing.width = *shaping.width;
  if (preprocessing != model.preprocessing()) model.set_preprocessing(preprocessing);
}

namespace {

using Callback = std::optional<nb::callable>;

TrainOptions options_of(const std::map<std::string, std::string>& settings, const Shaping& shaping, const Callback& progress,
                        const Callback& note, const Callbacks& callbacks, Listener& listener) {
  TrainOptions options = train_options(settings);
  shape(options, shaping);
  set_callbacks(options, callbacks);
  options.run.progress = [&](const TrainProgress& step) {
    // A callback that gives False ends the training as the interrupt key does; one that gives nothing does not.
    const auto tell = [&] { return !progress || (*progress)(dict_of(step)).ptr() != Py_False; };
    if (step.phase != "check") return listener(tell);
    listener.or_throw(tell);  // nothing is there to be saved
    return true;
  };
  options.run.note = [&](const std::string& line) {
    listener([&] {
      if (note) (*note)(line);
      return true;
    });
  };
  return options;
}

TrainResult train_model(Held& held, const Data& data, const std::map<std::string, std::string>& settings, const Shaping& shaping,
                        const Callback& progress, const Callback& note, const Callbacks& callbacks) {
  Listener listener;
  const TrainOptions options = options_of(settings, shaping, progress, note, callbacks, listener);
  return held.change(listener, [&](Model& model) {
    resize(model, shaping);
    return with(data, [&](const auto& pictures) { return train(model, pictures, options); });
  });
}

RateCurve search_rate(const Held& held, const Data& data, const std::map<std::string, std::string>& settings, const Shaping& shaping,
                      const Callback& progress, const Callbacks& callbacks) {
  Listener listener;
  const TrainOptions options = options_of(settings, shaping, progress, std::nullopt, callbacks, listener);
  return held.read(
      listener, [&](const Model& model) { return with(data, [&](const auto& pictures) { return find_rate(model, pictures, options); }); });
}

void bind_scores(nb::module_& m) {
  nb::class_<LabelScores>(m, "LabelScores")
      .def_ro("mean_average_precision", &LabelScores::mean_average_precision)
      .def_ro("f1_macro", &LabelScores::f1_macro)
      .def_ro("f1_micro", &LabelScores::f1_micro);
  nb::class_<Score>(m, "Score")
      .def_ro("accuracy", &Score::accuracy)
      .def_ro("pictures", &Score::pictures)
      .def_ro("labels", &Score::labels)
      .def("__repr__", [](const Score& s) {
        return "Score(accuracy=" + std::to_string(s.accuracy) + ", pictures=" + std::to_string(s.pictures) + ")";
      });
  nb::class_<Spread>(m, "Spread")
      .def_ro("mean", &Spread::mean)
      .def_ro("deviation", &Spread::deviation)
      .def_ro("low", &Spread::low)
      .def_ro("high", &Spread::high)
      .def_ro("values", &Spread::values)
      .def_ro("of", &Spread::of);
  nb::class_<ClassScore>(m, "ClassScore")
      .def_ro("name", &ClassScore::name)
      .def_ro("pictures", &ClassScore::pictures)
      .def_ro("correct", &ClassScore::correct)
      .def_ro("average_precision", &ClassScore::average_precision)
      .def_ro("f1", &ClassScore::f1);
  nb::class_<Outcome>(m, "Outcome")
      .def_ro("file", &Outcome::file)
      .def_ro("label", &Outcome::label)
      .def_ro("predicted", &Outcome::predicted)
      .def_ro("confidence", &Outcome::confidence)
      .def_ro("probabilities", &Outcome::probabilities)
      .def_ro("labels", &Outcome::labels);
  nb::class_<SeenPicture>(m, "SeenPicture")
      .def_ro("file", &SeenPicture::file)
      .def_ro("same_pixels", &SeenPicture::same_pixels, "False: rescaled, stored with losses, or mirrored.");
  nb::class_<SeenInTraining>(m, "SeenInTraining", "Pictures of an evaluation that the model knows from its training.")
      .def_ro("recorded", &SeenInTraining::recorded, "How many fingerprints of pictures the model holds.")
      .def_ro("all", &SeenInTraining::all, "No other picture was trained on: the first weights were random.")
      .def_ro("pictures", &SeenInTraining::pictures)
      .def_ro("others", &SeenInTraining::others, "Score of the pictures that are none of these.")
      .def_ro("others_top5", &SeenInTraining::others_top5)
      .def_ro("others_loss", &SeenInTraining::others_loss);
}

void bind_results(nb::module_& m) {
  nb::class_<Evaluation>(m, "Evaluation", "How a model does on labelled pictures.")
      .def_ro("score", &Evaluation::score)
      .def_prop_ro("accuracy", [](const Evaluation& e) { return e.score.accuracy; })
      .def_ro("top5", &Evaluation::top5)
      .def_ro("loss", &Evaluation::loss)
      .def_ro("classes", &Evaluation::classes)
      .def_ro("confusion", &Evaluation::confusion)
      .def_ro("thresholds", &Evaluation::thresholds)
      .def_ro("outcomes", &Evaluation::outcomes)
      .def_ro("left_out", &Evaluation::left_out)
      .def_ro("seen", &Evaluation::seen, "None where nobody knows which pictures the model was trained on.");
  nb::class_<EpochRow>(m, "EpochRow")
      .def_ro("epoch", &EpochRow::epoch)
      .def_ro("phase", &EpochRow::phase)
      .def_ro("train_loss", &EpochRow::train_loss)
      .def_ro("train_accuracy", &EpochRow::train_accuracy)
      .def_ro("validation_loss", &EpochRow::validation_loss)
      .def_ro("validation_accuracy", &EpochRow::validation_accuracy)
      .def_ro("validation_precision", &EpochRow::validation_precision)
      .def_ro("rate", &EpochRow::rate)
      .def_ro("seconds", &EpochRow::seconds)
      .def_ro("waited_seconds", &EpochRow::waited_seconds)
      .def_ro("metrics", &EpochRow::metrics);
  nb::class_<TrainResult>(m, "TrainResult")
      .def_ro("validation", &TrainResult::validation)
      .def_ro("test", &TrainResult::test)
      .def_ro("folds", &TrainResult::folds)
      .def_ro("seeds", &TrainResult::seeds)
      .def_ro("out_of_fold", &TrainResult::out_of_fold)
      .def_ro("seconds", &TrainResult::seconds)
      .def_ro("recipe", &TrainResult::recipe)
      .def_ro("reason", &TrainResult::reason)
      .def_ro("left_out", &TrainResult::left_out)
      .def_ro("epochs", &TrainResult::epochs)
      .def_ro("best_epoch", &TrainResult::best_epoch)
      .def_ro("history", &TrainResult::history)
      .def_ro("interrupted", &TrainResult::interrupted)
      .def_ro("planned_bytes", &TrainResult::planned_bytes)
      .def_ro("measured_bytes", &TrainResult::measured_bytes);
  nb::class_<RateTrial>(m, "RateTrial")
      .def_ro("rate", &RateTrial::rate)
      .def_ro("loss", &RateTrial::loss)
      .def_ro("smoothed", &RateTrial::smoothed);
  nb::class_<RateCurve>(m, "RateCurve", "Losses by rate, of a short training in which the rate grows.")
      .def_ro("trials", &RateCurve::trials)
      .def_ro("suggestion", &RateCurve::suggestion)
      .def_ro("diverged", &RateCurve::diverged)
      .def_ro("recipe", &RateCurve::recipe)
      .def_ro("optimizer", &RateCurve::optimizer)
      .def_ro("batches", &RateCurve::batches);
}

void bind_settings(nb::module_& m) {
  nb::class_<TrainSetting>(m, "TrainSetting")
      .def_ro("name", &TrainSetting::name)
      .def_ro("type", &TrainSetting::type)
      .def_ro("help", &TrainSetting::help)
      .def_ro("usual", &TrainSetting::usual)
      .def_ro("choices", &TrainSetting::choices)
      .def_ro("ranged", &TrainSetting::ranged)
      .def_ro("size", &TrainSetting::size);
  m.def("train_settings", &train_settings);
  nb::class_<Shaping>(m, "Shaping")
      .def(nb::init<>())
      .def_rw("fit", &Shaping::fit)
      .def_rw("alpha", &Shaping::alpha)
      .def_rw("decode", &Shaping::decode)
      .def_rw("range", &Shaping::range)
      .def_rw("page", &Shaping::page)
      .def_rw("height", &Shaping::height)
      .def_rw("width", &Shaping::width);
}

}  // namespace

void bind_training(nb::module_& m) {
  bind_callbacks(m);
  bind_dataset(m);
  bind_scores(m);
  bind_results(m);
  bind_settings(m);
  m.def("train", &train_model, nb::arg("model"), nb::arg("data"), nb::arg("settings"), nb::arg("shaping"), nb::arg("progress").none(),
        nb::arg("note").none(), nb::arg("callbacks"));
  m.def("find_rate", &search_rate, nb::arg("model"), nb::arg("data"), nb::arg("settings"), nb::arg("shaping"), nb::arg("progress").none(),
        nb::arg("callbacks"));
  m.def("evaluate", [](const Held& held, const Data& data) {
    return held.read([&](const Model& model) { return with(data, [&](const auto& pictures) { return evaluate(model, pictures); }); });
  });
  m.def("find_classes", [](const Data& data) {
    return outside([&] {
      if (const auto* dataset = std::get_if<Dataset>(&data)) return dataset->classes();
      if (const auto* files = std::get_if<std::vector<std::string>>(&data)) return find_classes(*files);
      return find_classes(std::get<std::string>(data));
    });
  });
  m.def("write_report", [](const std::string& run) { return outside([&] { return write_report(run); }); });
  m.def("write_report_of", [](const Held& held, const Evaluation& evaluation, const std::string& path, const std::string& data) {
    held.read([&](const Model& model) { write_report(model, evaluation, path, data); });
  });
}

}  // namespace fovea::python
