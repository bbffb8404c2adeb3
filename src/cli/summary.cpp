// fovea summary: layers, taps, parameters, multiply-adds, memory.
#include <fovea/inspect.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kFooter =
    R"(A tap is a place in the network that has a name: --freeze of `fovea train` takes it, and features are taken there. Multiply-adds are of one
picture; memory is planned for the whole batch, before anything runs.

Examples:
  fovea summary resnet50 --size 320x240
  fovea summary tf_efficientnet_lite0 --batch 16 --freeze blocks.2   what freezing saves
  fovea summary resnet18 --graph)";

struct Options {
  ModelOptions model;
  std::string size, freeze = "none";
  int64_t batch = 1;
  bool graph = false, compiled = false, json = false;
};

void print_text(const Summary& summary) {
  print("{}, {}x{}, {} classes\n\n", summary.model, summary.height, summary.width, summary.classes);
  Table table("<>>>>>>");
  table.add({"up to", "output", "stride", "layers", "parameters", "multiply-adds", "activations"});
  for (size_t i = 0; i < summary.stages.size(); ++i) {
    const StageSummary& stage = summary.stages[i];
    const std::string stride = i < summary.taps.size() ? fmt::format("{:g}", summary.taps[i].stride) : "";
    table.add({stage.name, as_shape(stage.shape), stride, std::to_string(stage.layers), with_commas(stage.parameters),
               as_millions(stage.multiply_adds), as_megabytes(stage.activation_bytes)});
  }
  print("{}\n", table.text());
  Table sums("<>");
  sums.add({"parameters", with_commas(summary.parameters)});
  if (summary.trainable_parameters != summary.parameters) sums.add({"that train", with_commas(summary.trainable_parameters)});
  sums.add({"multiply-adds", as_millions(summary.multiply_adds)});
  sums.add({"multiply-adds of a training step", as_millions(summary.training_multiply_adds)});
  sums.add({"memory: weights", as_megabytes(summary.memory.weights)});
  sums.add({fmt::format("memory: inference, batch {}", summary.batch), as_megabytes(summary.memory.inference)});
  sums.add({"memory: inference, packed weights", as_megabytes(summary.memory.inference_weights)});
  sums.add({fmt::format("memory: training, batch {}", summary.batch), as_megabytes(summary.memory.training)});
  sums.add({"memory: training, momentum of SGD", as_megabytes(summary.memory.optimizer)});
  print("{}", sums.text());
}

nlohmann::json to_json(const Summary& summary) {
  nlohmann::json taps = nlohmann::json::array(), stages = nlohmann::json::array();
  for (const TapInfo& tap : summary.taps)
    taps.push_back({{"name", tap.name}, {"channels", tap.channels}, {"stride", tap.stride}, {"shape", tap.shape}});
  for (const StageSummary& stage : summary.stages) {
    stages.push_back({{"name", stage.name},
                      {"shape", stage.shape},
                      {"layers", stage.layers},
                      {"parameters", stage.parameters},
                      {"multiply_adds", stage.multiply_adds},
                      {"activation_bytes", stage.activation_bytes}});
  }
  return {{"model", summary.model},
          {"height", summary.height},
          {"width", summary.width},
          {"batch", summary.batch},
          {"classes", summary.classes},
          {"parameters", summary.parameters},
          {"trainable_parameters", summary.trainable_parameters},
          {"multiply_adds", summary.multiply_adds},
          {"training_multiply_adds", summary.training_multiply_adds},
          {"taps", taps},
          {"stages", stages},
          {"memory",
           {{"weights", summary.memory.weights},
            {"inference", summary.memory.inference},
            {"inference_weights", summary.memory.inference_weights},
            {"training", summary.memory.training},
            {"optimizer", summary.memory.optimizer}}}};
}

int summarize(const Options& options) {
  use_threads(options.model);
  const PictureSize size = parse_size(options.size);
  SummaryOptions summary_options{size.height, size.width, options.batch, options.freeze};
  if (options.graph || options.compiled) {
    print("{}", graph_text(options.model.model, summary_options, options.compiled));
    return 0;
  }
  // Only a file can change what the summary tells.
  const std::string& weights = options.model.weights;
  const bool plain = weights == "default" || weights == "none";
  const Summary result = plain ? summary(options.model.model, summary_options) : summary(load(options.model), summary_options);
  if (options.json)
    print_json(to_json(result));
  else
    print_text(result);
  return 0;
}

}  // namespace

void add_summary(CLI::App& app, Run& run) {
  CLI::App* command = app.add_subcommand("summary", "Layers, taps, parameters, multiply-adds and memory of a network");
  const auto options = std::make_shared<Options>();
  add_model(*command, options->model);
  add_size(*command, options->size, "Height and width of the pictures (default: the model's own)");
  command->add_option("--batch", options->batch, "Pictures that memory is planned for")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--freeze", options->freeze, "Plan training with everything up to and including a tap frozen")
      ->type_name("none|all|TAP")
      ->capture_default_str();
  command->add_flag("--graph", options->graph, "Print the network as text instead");
  command->add_flag("--compiled", options->compiled, "Print it as it runs, folded and fused");
  add_json(*command, options->json,
           R"({"parameters", "multiply_adds", "taps": [{"name", "channels", "stride", "shape"}], "stages", "memory", ...})");
  command->footer(kFooter);
  command->callback([options, &run] { run = [options] { return summarize(*options); }; });
}

}  // namespace fovea::cli
