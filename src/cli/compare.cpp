// fovea compare: networks side by side.
#include <fovea/inspect.h>
#include <fovea/threads.h>

#include <algorithm>
#include <functional>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kCompareFooter =
    R"(Activations and multiply-adds are of one picture, as in `fovea summary`; accuracy is that of the default published weights. Time is that
of inference on random weights: every round runs each network once, so that whatever else the machine does meets all of them alike.

Examples:
  fovea compare resnet50 densenet121 convnext_tiny
  fovea compare run/model.safetensors resnet18 --batch 8 --size 224
  fovea compare vit_b_16 vit_b_32 --no-time --json)";

struct CompareArguments {
  std::vector<std::string> names;
  ModelOptions compute;  // --threads, --dtype
  std::string size;
  CompareOptions compare;
  bool no_time = false, json = false;
};

struct Row {
  const char* title;
  std::function<std::string(const Comparison&)> text;
};

std::string accuracy(const std::optional<double>& percent) { return percent ? fmt::format("{:.2f} %", *percent) : "-"; }

std::vector<Row> rows_for(const CompareOptions& options) {
  std::vector<Row> rows{
      {"picture", [](const Comparison& c) { return fmt::format("{}x{}", c.height, c.width); }},
      {"parameters", [](const Comparison& c) { return with_commas(c.parameters); }},
      {"multiply-adds", [](const Comparison& c) { return as_millions(c.multiply_adds); }},
      {"weights", [](const Comparison& c) { return as_megabytes(c.weights_bytes); }},
      {"activations, inference", [](const Comparison& c) { return as_megabytes(c.inference_bytes); }},
      {"activations, training", [](const Comparison& c) { return c.training_bytes > 0 ? as_megabytes(c.training_bytes) : "-"; }},
      {"planned for the batch, inference",
       [](const Comparison& c) { return as_megabytes(c.memory.weights + c.memory.inference_weights + c.memory.inference); }},
      {"planned for the batch, training",
       [](const Comparison& c) {
         return c.memory.training > 0 ? as_megabytes(c.memory.weights + c.memory.optimizer + c.memory.training) : "-";
       }},
      {"feature vector", [](const Comparison& c) { return std::to_string(c.feature_width); }},
      {"stride of the last map", [](const Comparison& c) { return fmt::format("{:g} px", c.stride); }},
      {"receptive field", [](const Comparison& c) { return fmt::format("{} px{}", c.field.height, c.field.whole ? " *" : ""); }},
      {"published weights", [](const Comparison& c) { return c.weights.empty() ? "-" : c.weights; }},
      {"ImageNet top-1", [](const Comparison& c) { return accuracy(c.accuracy1); }},
      {"ImageNet top-5", [](const Comparison& c) { return accuracy(c.accuracy5); }},
  };
  if (options.seconds > 0) {
    rows.push_back({"time of a batch, least", [](const Comparison& c) { return fmt::format("{:.2f} ms", c.least_milliseconds); }});
    rows.push_back({"time of a batch, median", [](const Comparison& c) { return fmt::format("{:.2f} ms", c.median_milliseconds); }});
    rows.push_back({"pictures a second", [batch = options.batch](const Comparison& c) {
                      return fmt::format("{:.1f}", 1000 * static_cast<double>(batch) / c.median_milliseconds);
                    }});
  }
  return rows;
}

// As many networks as fit a terminal of 100 columns, then the next ones.
void print_text(const std::vector<Comparison>& compared, const CompareArguments& options) {
  constexpr size_t kWidth = 100;
  const std::vector<Row> rows = rows_for(options.compare);
  const auto text_of = [&](std::span<const Comparison> part) {
    Table table("<" + std::string(part.size(), '>'));
    std::vector<std::string> head{""};
    for (const Comparison& one : part) head.push_back(one.name);
    table.add(head);
    for (const Row& row : rows) {
      std::vector<std::string> cells{row.title};
      for (const Comparison& one : part) cells.push_back(row.text(one));
      table.add(cells);
    }
    return table.text();
  };
  const auto width_of = [](const std::string& text) {
    size_t widest = 0;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) widest = std::max(widest, text.find('\n', at) - at);
    return widest;
  };
  print("batch {}{}\n", options.compare.batch,
        options.compare.seconds > 0
            ? ", " + counted(threads(), "thread", "threads") + ", " + counted(compared.front().runs, "round", "rounds")
            : "");
  for (size_t at = 0; at < compared.size();) {
    size_t count = 1;
    while (at + count < compared.size() && width_of(text_of({&compared[at], count + 1})) <= kWidth) ++count;
    print("\n{}", text_of({&compared[at], count}));
    at += count;
  }
  if (std::ranges::any_of(compared, [](const Comparison& one) { return one.field.whole; }))
    print("\n* through convolutions and pools; gates, attention or group statistics bring the whole picture\n");
}

Json to_json(const std::vector<Comparison>& compared, const CompareArguments& options) {
  Json models = Json::array();
  for (const Comparison& one : compared) {
    Json json{{"name", one.name},
              {"model", one.model},
              {"height", one.height},
              {"width", one.width},
              {"parameters", one.parameters},
              {"weights_bytes", one.weights_bytes},
              {"multiply_adds", one.multiply_adds},
              {"inference_bytes", one.inference_bytes},
              {"training_bytes", one.training_bytes},
              {"memory",
               {{"inference", one.memory.inference},
                {"inference_weights", one.memory.inference_weights},
                {"training", one.memory.training},
                {"optimizer", one.memory.optimizer}}},
              {"feature_width", one.feature_width},
              {"stride", one.stride},
              {"receptive_field", {{"height", one.field.height}, {"width", one.field.width}, {"whole", one.field.whole}}},
              {"weights", one.weights},
              {"accuracy1", one.accuracy1},
              {"accuracy5", one.accuracy5}};
    if (one.runs > 0) json.set("milliseconds", {{"least", one.least_milliseconds}, {"median", one.median_milliseconds}});
    models.push_back(json);
  }
  Json result{{"batch", options.compare.batch}, {"models", models}};
  if (options.compare.seconds > 0) {
    result.set("threads", threads());
    result.set("rounds", compared.front().runs);
  }
  return result;
}

int run_compare(CompareArguments options) {
  use_threads(options.compute);
  const PictureSize size = parse_size(options.size);
  options.compare.height = size.height;
  options.compare.width = size.width;
  if (options.no_time) options.compare.seconds = 0;
  const std::vector<Comparison> compared = compare(options.names, options.compare);
  if (options.json)
    print_json(to_json(compared, options));
  else
    print_text(compared, options);
  return 0;
}

}  // namespace

void add_compare(Command& program) {
  Command command = program.command("compare", "Networks side by side: size, work, memory, accuracy, time");
  const auto options = std::make_shared<CompareArguments>();
  command.positional("MODEL", options->names, "Registered names (`fovea models`) or model files").type("TEXT");
  command.option("--batch", options->compare.batch, "Pictures that memory is planned for and time is measured with")
      .type("N")
      .positive()
      .shows_default();
  add_size(command, options->size, "Height and width of the pictures (default: each model's own)");
  command.option("--seconds", options->compare.seconds, "How long to measure each, at least three rounds")
      .type("S")
      .not_negative()
      .shows_default();
  command.flag("--no-time", options->no_time, "Measure no time");
  add_compute(command, options->compute);
  add_json(command, options->json, R"({"batch", "rounds", "models": [{"name", "parameters", "multiply_adds", "milliseconds", ...}]})");
  command.footer(kCompareFooter);
  command.runs([options] { return run_compare(*options); });
}

}  // namespace fovea::cli
