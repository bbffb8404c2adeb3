// fovea summary: stages, taps, parameters, multiply-adds, memory, receptive fields and the formulas of a network's kind.
#include <fovea/inspect.h>
#include <fovea/weights.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/explanations.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kSummaryFooter =
    R"(A tap is a place in the network that has a name: --tap of `fovea embed` takes features there, --freeze of `fovea train` freezes up to
it. Multiply-adds and activations are of one picture: for inference the most that is held at once while a stage runs, for training what is
held until the backward pass reads it. Memory is planned for the whole batch, before anything runs.

Examples:
  fovea summary resnet50 --size 320x240
  fovea summary tf_efficientnet_lite0 --batch 16 --freeze blocks.2   what freezing saves
  fovea summary vit_b_16 --nodes                                     every output that can be asked for
  fovea summary resnet18 --graph)";

struct SummaryArguments {
  ModelOptions model;
  std::string size, freeze = "none";
  int64_t batch = 1;
  bool nodes = false, graph = false, compiled = false, json = false;
};

// "427", "299x427"; "1,155 *" where gates, attention or group statistics bring the rest of the picture; "all" for what is no map.
std::string field_of(const ReceptiveField& field) {
  if (field.height == 0) return "all";
  const std::string size = field.height == field.width ? std::to_string(field.height) : fmt::format("{}x{}", field.height, field.width);
  return size + (field.whole ? " *" : "");
}

// Small stages too: "9.5 k".
std::string as_short(int64_t number) {
  if (number == 0 || number >= 1'000'000) return number == 0 ? "0" : as_millions(number);
  return number < 1000 ? std::to_string(number) : fmt::format("{:.1f} k", static_cast<double>(number) / 1e3);
}

void print_stages(const Summary& summary) {
  Table table("<>>>>>>>");
  table.add({"up to", "output", "stride", "sees", "params", "mult-adds", "inference", "training"});
  bool gated = false;
  for (const StageSummary& stage : summary.stages) {
    table.add({stage.name, as_shape(stage.shape), stage.is_tap ? fmt::format("{:g}", stage.stride) : "", field_of(stage.field),
               as_short(stage.parameters), as_short(stage.multiply_adds), as_megabytes(stage.inference_bytes),
               as_megabytes(stage.training_bytes)});
    gated = gated || (stage.field.whole && stage.field.height > 0);
  }
  table.add({"in all", "", "", "", as_short(summary.parameters), as_short(summary.multiply_adds), as_megabytes(summary.inference_bytes),
             as_megabytes(summary.training_bytes)});
  print("{}\n", table.text());
  print("{}",
        wrapped("Rows with a stride are taps. \"sees\" is the receptive field in pixels; inference and training are activations of one "
                "picture, held at once and held for the backward pass.",
                0));
  if (gated)
    print("{}", wrapped("* through convolutions and pools; means over the map (squeeze-excite), attention or group statistics bring "
                        "the whole picture.",
                        0));
}

void print_sums(const Summary& summary) {
  Table sums("<>");
  sums.add({"parameters", with_commas(summary.parameters)});
  if (summary.trainable_parameters != summary.parameters) sums.add({"that train", with_commas(summary.trainable_parameters)});
  sums.add({"multiply-adds", as_millions(summary.multiply_adds)});
  sums.add({"memory: weights", as_megabytes(summary.memory.weights)});
  sums.add({fmt::format("memory: inference, batch {}", summary.batch), as_megabytes(summary.memory.inference)});
  sums.add({"memory: inference, packed weights", as_megabytes(summary.memory.inference_weights)});
  if (summary.memory.training > 0) {
    sums.add({"multiply-adds of a training step", as_millions(summary.training_multiply_adds)});
    sums.add({fmt::format("memory: training, batch {}", summary.batch), as_megabytes(summary.memory.training)});
    sums.add({"memory: training, momentum of SGD", as_megabytes(summary.memory.optimizer)});
  } else if (summary.classes > 0) {
    sums.add({fmt::format("memory: training, batch {}", summary.batch), "none: batch norm needs two values a channel"});
  }
  print("\n{}", sums.text());
}

void print_nodes(const Summary& summary) {
  Table table("<<>");
  table.add({"node", "operation", "output"});
  for (const NodeSummary& node : summary.nodes) table.add({node.name, node.operation, as_shape(node.shape)});
  print("{}", table.text());
}

void print_text(const Summary& summary) {
  const std::string head = summary.classes > 0 ? counted(summary.classes, "class", "classes") : "no head";
  print("{}, {}x{}, {}\n\n", summary.model, summary.height, summary.width, head);
  print_stages(summary);
  print_sums(summary);
  for (const Explanation& explanation : summary.explanations) print_explanation(explanation);
}

Json to_json(const std::vector<NodeSummary>& nodes) {
  Json list = Json::array();
  for (const NodeSummary& node : nodes) list.push_back({{"name", node.name}, {"operation", node.operation}, {"shape", node.shape}});
  return list;
}

Json to_json(const Summary& summary, bool nodes) {
  Json taps = Json::array(), stages = Json::array(), explanations = Json::array();
  for (const TapInfo& tap : summary.taps)
    taps.push_back({{"name", tap.name}, {"channels", tap.channels}, {"stride", tap.stride}, {"shape", tap.shape}});
  for (const StageSummary& stage : summary.stages) {
    stages.push_back({{"name", stage.name},
                      {"shape", stage.shape},
                      {"layers", stage.layers},
                      {"parameters", stage.parameters},
                      {"multiply_adds", stage.multiply_adds},
                      {"inference_bytes", stage.inference_bytes},
                      {"training_bytes", stage.training_bytes},
                      {"stride", stage.stride},
                      {"receptive_field", {{"height", stage.field.height}, {"width", stage.field.width}, {"whole", stage.field.whole}}}});
  }
  for (const Explanation& explanation : summary.explanations) explanations.push_back(cli::to_json(explanation));
  Json json{{"model", summary.model},
            {"height", summary.height},
            {"width", summary.width},
            {"batch", summary.batch},
            {"classes", summary.classes},
            {"parameters", summary.parameters},
            {"trainable_parameters", summary.trainable_parameters},
            {"multiply_adds", summary.multiply_adds},
            {"training_multiply_adds", summary.training_multiply_adds},
            {"inference_bytes", summary.inference_bytes},
            {"training_bytes", summary.training_bytes},
            {"taps", taps},
            {"stages", stages},
            {"explanations", explanations},
            {"memory",
             {{"weights", summary.memory.weights},
              {"inference", summary.memory.inference},
              {"inference_weights", summary.memory.inference_weights},
              {"training", summary.memory.training},
              {"optimizer", summary.memory.optimizer}}}};
  if (nodes) json.set("nodes", to_json(summary.nodes));
  return json;
}

int summarize(const SummaryArguments& options) {
  use_threads(options.model);
  const PictureSize size = parse_size(options.size);
  SummaryOptions summary_options{size.height, size.width, options.batch, options.freeze};
  if (options.graph || options.compiled) {
    print("{}", graph_text(options.model.model, summary_options, options.compiled));
    return 0;
  }
  // Published weights change nothing of what the summary tells but the size: none are fetched for it. A file's head or other channels do.
  ModelOptions model = options.model;
  const bool tagged = model.weights != "default" && find_weights(model.model, model.weights).has_value();
  if (tagged && model.channels == 0) summary_options.tag = model.weights;
  if (model.weights == "default" || !summary_options.tag.empty()) model.weights = "none";
  const bool plain = model.weights == "none" && model.channels == 0;
  const Summary result = plain ? summary(model.model, summary_options) : summary(load(model), summary_options);
  if (options.json)
    print_json(to_json(result, options.nodes));
  else if (options.nodes)
    print_nodes(result);
  else
    print_text(result);
  return 0;
}

}  // namespace

void add_summary(Command& program) {
  Command command = program.command("summary", "What a network is made of, what it costs and why");
  const auto options = std::make_shared<SummaryArguments>();
  add_model(command, options->model);
  add_size(command, options->size, "Height and width of the pictures (default: the model's own)");
  command.option("--batch", options->batch, "Pictures that memory is planned for").type("N").positive().shows_default();
  command.option("--freeze", options->freeze, "Plan training with everything up to and including a tap frozen")
      .type("none|all|TAP")
      .shows_default();
  command.flag("--nodes", options->nodes, "List every node whose result can be asked for, with its shape");
  command.flag("--graph", options->graph, "Print the network as text instead");
  command.flag("--compiled", options->compiled, "Print it as it runs, folded and fused");
  add_json(
      command, options->json,
      R"({"parameters", "multiply_adds", "taps": [{"name", "channels", "stride", "shape"}], "stages", "memory", "explanations": [{"topic", "formula", "facts", "rows"}], ...})");
  command.footer(kSummaryFooter);
  command.runs([options] { return summarize(*options); });
}

}  // namespace fovea::cli
