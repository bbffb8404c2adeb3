// fovea export: the network as an ONNX file.
#include <fovea/export.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kExportFooter =
    R"(The file runs in ONNX Runtime and the like, for any number of pictures. Its input is "image", f32 [batch,channels,height,width], prepared as
fovea.preprocessing in the file's metadata says; the classes' names are there as fovea.classes. With --preprocess the input is u8
[batch,height,width,3], RGB, of any size, and the file resizes, crops and normalizes by itself: bytes may differ by one level from what fovea
itself gets, since each runtime rounds in its own way.

Examples:
  fovea export run/model.safetensors -o model.onnx
  fovea export resnet50 -o features.onnx --output pooled --output layer4
  fovea export vit_b_16 -o vit.onnx --size 384x256 --preprocess)";

struct ExportArguments {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::string out;
  std::vector<std::string> outputs;
  bool keep_batch_norm = false, preprocess = false, json = false;
};

// A free dimension is a question mark.
std::string shape_text(const ExportedValue& value) {
  std::string text;
  for (int64_t dim : value.shape) text += (text.empty() ? "" : ",") + (dim < 0 ? "?" : std::to_string(dim));
  return fmt::format("{} [{}]", to_string(value.dtype), text);
}

Json to_json(const std::vector<ExportedValue>& values) {
  Json list = Json::array();
  for (const ExportedValue& value : values) {
    Json shape = Json::array();
    for (int64_t dim : value.shape) shape.push_back(dim < 0 ? Json() : dim);
    list.push_back({{"name", value.name}, {"type", to_string(value.dtype)}, {"shape", shape}});
  }
  return list;
}

// What `predict` does beyond one run of the network.
void say_views(const Preprocessing& p) {
  const size_t views = fits_of(p).size() * (p.mirrored ? 2 : 1);
  if (views > 1)
    say(fmt::format("the file answers one view of a picture ({}); fovea predict averages {}: fit {}{}", to_string(p.fit), views,
                    to_string(fits_of(p)), p.mirrored ? ", each with its mirror image" : ""));
}

int run_export(const ExportArguments& options) {
  Model model = load(options.model);
  apply(model, options.preprocessing);
  const ExportResult result = export_onnx(model, options.out, {options.outputs, !options.keep_batch_norm, options.preprocess});
  say_views(model.preprocessing());
  if (options.json) {
    print_json({{"file", options.out},
                {"inputs", to_json(result.inputs)},
                {"outputs", to_json(result.outputs)},
                {"nodes", result.nodes},
                {"weights", result.weights},
                {"opset", result.opset}});
    return 0;
  }
  result_is_in_files();
  print("{}: {}, {} weights, operator set {}\n", options.out, counted(result.nodes, "node", "nodes"), with_commas(result.weights),
        result.opset);
  Table table("<<<");
  for (const ExportedValue& input : result.inputs) table.add({"input", input.name, shape_text(input)});
  for (const ExportedValue& output : result.outputs) table.add({"output", output.name, shape_text(output)});
  print("{}", table.text());
  return 0;
}

}  // namespace

void add_export(Command& program) {
  Command command = program.command("export", "A network as an ONNX file, for other runtimes");
  const auto options = std::make_shared<ExportArguments>();
  add_model(command, options->model);
  command.option("-o,--out", options->out, "The file to write").required().type("FILE.onnx");
  command
      .option("--output", options->outputs,
              "What the file gives: logits, pooled, pre_logits, a tap of `fovea summary` or any layer; repeat it for several (default: "
              "logits, or pre_logits without a head)")
      .type("NAME")
      .each();
  add_preprocessing(command, options->preprocessing, "what the model has; crop for published weights");
  command.flag("--keep-batch-norm", options->keep_batch_norm, "Batch norms as nodes of their own, not folded into convolutions");
  command.flag("--preprocess", options->preprocess, "Resizing, cropping and normalization in the file");
  add_json(command, options->json, R"({"file", "inputs": [{"name", "type", "shape"}], "outputs", "nodes", "weights", "opset"})");
  command.footer(kExportFooter);
  command.runs([options] { return run_export(*options); });
}

}  // namespace fovea::cli
