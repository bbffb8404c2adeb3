#include "callbacks.h"

#include <fovea/architecture.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <span>
#include <tuple>

#include "arrays.h"
#include "bindings.h"

namespace fovea::python {
namespace {

double number_of(const nb::object& result, const char* whose) {
  const double number = PyFloat_AsDouble(result.ptr());
  if (number == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    throw nb::type_error((std::string(whose) + " gave " + nb::cast<std::string>(nb::repr(result)) + ", a number wanted").c_str());
  }
  return number;
}

Tensor copy_of(std::span<const float> values, int64_t rows, int64_t columns) {
  Tensor copy(DType::f32, {rows, columns});
  std::copy(values.begin(), values.end(), copy.mutable_values<float>().begin());
  return copy;
}

double loss_of(const Kept& function, const LossAnswers& answers) {
  const nb::gil_scoped_acquire acquire;
  const nb::object result = (*function)(array_of(copy_of(answers.logits, answers.pictures, answers.classes)),
                                        array_of(copy_of(answers.targets, answers.pictures, answers.classes)));
  const std::vector<int64_t> wanted{answers.pictures, answers.classes};
  const std::string words = "loss_callback gives (loss, gradient), the gradient by the logits as float32 " + shape_string(wanted);
  if (!nb::isinstance<nb::tuple>(result) || nb::len(result) != 2)
    throw nb::type_error((words + "; it gave " + nb::cast<std::string>(nb::str(nb::getattr(result.type(), "__name__")))).c_str());
  const Tensor gradient = floats_of(nb::borrow(result[1]), words.c_str());
  if (gradient.shape() != wanted) throw nb::type_error((words + "; it gave " + shape_string(gradient.shape())).c_str());
  std::ranges::copy(gradient.values<float>(), answers.gradient.begin());
  return number_of(nb::borrow(result[0]), "loss_callback");
}

Image augmented(const Kept& function, const Image& picture, uint64_t random) {
  const nb::gil_scoped_acquire acquire;
  std::vector<nb::object> keep;
  keep.push_back((*function)(array_of(Image(picture)), random));
  const Picture result = picture_of(keep.front(), false, keep);
  const nb::gil_scoped_release release;
  return image_of(result, {});
}

Map composed(const Kept& function, Map logits, Map targets) {
  const nb::gil_scoped_acquire acquire;
  const nb::object result = (*function)(logits, targets);
  if (!nb::isinstance<Map>(result))
    throw nb::type_error("loss_of_maps gives one number as a Map of shape [1,1,1,1], as fovea.maps.sum does");
  return nb::cast<Map>(result);
}

}  // namespace

nb::dict dict_of(const TrainProgress& step) {
  const auto unless_negative = [](double value) { return value < 0 ? nb::object(nb::none()) : nb::cast(value); };
  nb::dict result;
  result["phase"] = step.phase;
  result["epoch"] = step.epoch;
  result["epochs"] = step.epochs;
  result["step"] = step.step;
  result["steps"] = step.steps;
  result["loss"] = step.loss;
  result["best"] = unless_negative(step.best);
  result["run"] = step.run;
  result["runs"] = step.runs;
  result["validation_loss"] = unless_negative(step.validation_loss);
  result["rate"] = step.rate;
  result["pictures"] = step.pictures;
  return result;
}

nb::dict dict_of(const EpochRow& row) {
  nb::dict result;
  result["epoch"] = row.epoch;
  result["phase"] = row.phase;
  result["train_loss"] = row.train_loss;
  result["train_accuracy"] = row.train_accuracy;
  result["validation_loss"] = row.validation_loss;
  result["validation_accuracy"] = row.validation_accuracy;
  result["validation_precision"] = row.validation_precision;
  result["rate"] = row.rate;
  result["seconds"] = row.seconds;
  result["waited_seconds"] = row.waited_seconds;
  result["metrics"] = row.metrics;
  return result;
}

void set_callbacks(TrainOptions& options, const Callbacks& callbacks) {
  if (callbacks.on_epoch)
    options.run.on_epoch = [function = Kept(*callbacks.on_epoch)](const EpochRow& row) {
      const nb::gil_scoped_acquire acquire;
      return (*function)(dict_of(row)).ptr() != Py_False;
    };
  if (callbacks.on_step)
    options.run.on_step = [function = Kept(*callbacks.on_step)](const TrainProgress& step) {
      const nb::gil_scoped_acquire acquire;
      return (*function)(dict_of(step)).ptr() != Py_False;
    };
  if (callbacks.rate_of_step)
    options.optimizer.lr_of_step = [function = Kept(*callbacks.rate_of_step)](int64_t step, int64_t steps) {
      const nb::gil_scoped_acquire acquire;
      return number_of((*function)(step, steps), "rate_of_step");
    };
  if (callbacks.augment_picture)
    options.augmentation.of_picture = [function = Kept(*callbacks.augment_picture)](const Image& picture, uint64_t random) {
      return augmented(function, picture, random);
    };
  if (callbacks.loss_callback)
    options.regularization.loss_callback = [function = Kept(*callbacks.loss_callback)](const LossAnswers& answers) {
      return loss_of(function, answers);
    };
  if (callbacks.loss_of_maps)
    options.regularization.loss_of_maps = [function = Kept(*callbacks.loss_of_maps)](Map logits, Map targets) {
      return composed(function, logits, targets);
    };
  for (const auto& [name, metric] : callbacks.metrics)
    options.run.metrics[name] = [function = Kept(metric)](const Evaluation& evaluation) {
      const nb::gil_scoped_acquire acquire;
      return number_of((*function)(evaluation), "a metric");
    };
}

void bind_callbacks(nb::module_& m) {
  nb::class_<Callbacks>(m, "Callbacks")
      .def(nb::init<>())
      .def_rw("on_epoch", &Callbacks::on_epoch, nb::arg().none())
      .def_rw("on_step", &Callbacks::on_step, nb::arg().none())
      .def_rw("rate_of_step", &Callbacks::rate_of_step, nb::arg().none())
      .def_rw("augment_picture", &Callbacks::augment_picture, nb::arg().none())
      .def_rw("loss_callback", &Callbacks::loss_callback, nb::arg().none())
      .def_rw("loss_of_maps", &Callbacks::loss_of_maps, nb::arg().none())
      .def_rw("metrics", &Callbacks::metrics);

  nb::class_<Map>(m, "Map", "A value of a network's graph; valid while the function that got it runs.")
      .def_prop_ro("shape", [](const Map& x) { return std::tuple(x.batch(), x.channels(), x.height(), x.width()); })
      .def("__add__", [](Map a, Map b) { return a + b; })
      .def("__add__", [](Map a, double b) { return a + b; })
      .def("__radd__", [](Map a, double b) { return a + b; })
      .def("__sub__", [](Map a, Map b) { return a - b; })
      .def("__sub__", [](Map a, double b) { return a + -b; })
      .def("__rsub__", [](Map a, double b) { return -1.0 * a + b; })
      .def("__mul__", [](Map a, Map b) { return a * b; })
      .def("__mul__", [](Map a, double b) { return b * a; })
      .def("__rmul__", [](Map a, double b) { return b * a; })
      .def("__truediv__", [](Map a, double b) { return 1 / b * a; })
      .def("__neg__", [](Map a) { return -1.0 * a; });
  const auto def = [&](const char* name, Map (*function)(Map)) { m.def(("map_" + std::string(name)).c_str(), function, nb::arg("x")); };
  def("relu", relu);
  def("sigmoid", sigmoid);
  def("exp", exp);
  def("log", log);
  def("softplus", softplus);
  def("log_softmax", log_softmax);
  def("sum_channels", sum_channels);
  def("sum", sum);
  def("mean", mean);
}

}  // namespace fovea::python
