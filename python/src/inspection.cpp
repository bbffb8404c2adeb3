// What a network is made of, how fast it is, and networks for other runtimes.
#include <fovea/export.h>
#include <fovea/inspect.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"

namespace fovea::python {
namespace {

void bind_summary(nb::module_& m) {
  nb::class_<ModelInfo>(m, "ModelInfo")
      .def_ro("name", &ModelInfo::name)
      .def_ro("family", &ModelInfo::family)
      .def_ro("layout", &ModelInfo::layout)
      .def_ro("input_size", &ModelInfo::input_size)
      .def_ro("feature_width", &ModelInfo::feature_width)
      .def_ro("parameters", &ModelInfo::parameters);
  m.def("list_models", [] { return outside([] { return list_models(); }); });
  nb::class_<StageSummary>(m, "StageSummary")
      .def_ro("name", &StageSummary::name)
      .def_ro("is_tap", &StageSummary::is_tap)
      .def_ro("shape", &StageSummary::shape)
      .def_ro("stride", &StageSummary::stride)
      .def_prop_ro("field", [](const StageSummary& s) { return s.field.whole ? int64_t{0} : s.field.height; })
      .def_ro("layers", &StageSummary::layers)
      .def_ro("parameters", &StageSummary::parameters)
      .def_ro("multiply_adds", &StageSummary::multiply_adds)
      .def_ro("inference_bytes", &StageSummary::inference_bytes)
      .def_ro("training_bytes", &StageSummary::training_bytes);
  nb::class_<Summary>(m, "Summary")
      .def_ro("model", &Summary::model)
      .def_ro("height", &Summary::height)
      .def_ro("width", &Summary::width)
      .def_ro("batch", &Summary::batch)
      .def_ro("classes", &Summary::classes)
      .def_ro("parameters", &Summary::parameters)
      .def_ro("trainable_parameters", &Summary::trainable_parameters)
      .def_ro("multiply_adds", &Summary::multiply_adds)
      .def_ro("inference_bytes", &Summary::inference_bytes)
      .def_ro("training_bytes", &Summary::training_bytes)
      .def_ro("stages", &Summary::stages);
  m.def("summary", [](const Held& held, int64_t height, int64_t width, int64_t batch) {
    return held.read([&](const Model& model) {
      SummaryOptions options{height, width, batch};
      options.freeze = model.frozen() == "auto" ? "none" : model.frozen();
      return summary(model, options);
    });
  });
}

void bind_bench(nb::module_& m) {
  nb::class_<BenchResult>(m, "BenchResult", "Measured time and memory of a network.")
      .def_ro("least_milliseconds", &BenchResult::least_milliseconds)
      .def_ro("median_milliseconds", &BenchResult::median_milliseconds)
      .def_ro("pictures_per_second", &BenchResult::pictures_per_second)
      .def_ro("runs", &BenchResult::runs)
      .def_ro("threads", &BenchResult::threads)
      .def_ro("height", &BenchResult::height)
      .def_ro("width", &BenchResult::width)
      .def_ro("planned_bytes", &BenchResult::planned_bytes)
      .def_ro("measured_bytes", &BenchResult::measured_bytes);
  m.def("bench", [](const std::string& name, const std::string& mode, int64_t batch, int64_t height, int64_t width, double seconds,
                    const std::string& dtype, const std::string& freeze) {
    if (mode != "infer" && mode != "train") throw Error(ErrorKind::usage, "mode " + mode + ", infer or train expected");
    BenchOptions options;
    options.mode = mode == "train" ? BenchMode::train : BenchMode::infer;
    options.batch = batch;
    options.height = height;
    options.width = width;
    options.seconds = seconds;
    options.dtype = dtype;
    options.freeze = freeze;
    return outside([&] { return bench(name, options); });
  });
}

void bind_export(nb::module_& m) {
  nb::class_<ExportedValue>(m, "ExportedValue")
      .def_ro("name", &ExportedValue::name)
      .def_prop_ro("dtype", [](const ExportedValue& v) { return std::string(to_string(v.dtype)); })
      .def_ro("shape", &ExportedValue::shape);
  nb::class_<ExportResult>(m, "ExportResult", "What an ONNX file holds.")
      .def_ro("inputs", &ExportResult::inputs)
      .def_ro("outputs", &ExportResult::outputs)
      .def_ro("nodes", &ExportResult::nodes)
      .def_ro("weights", &ExportResult::weights)
      .def_ro("opset", &ExportResult::opset);
  m.def("export_onnx",
        [](const Held& held, const std::string& path, const std::vector<std::string>& outputs, bool fold_batch_norm, bool preprocess) {
          return held.read([&](const Model& model) { return export_onnx(model, path, {outputs, fold_batch_norm, preprocess}); });
        });
}

}  // namespace

void bind_inspection(nb::module_& m) {
  bind_summary(m);
  bind_bench(m);
  bind_export(m);
}

}  // namespace fovea::python
