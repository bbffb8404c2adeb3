// fovea embed: one feature vector a picture.
#include <fovea/pictures.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kFooter =
    R"HELP(Writes a NumPy file, float32 [pictures, width], and beside it a CSV of the files in the same order (features.npy, features.csv).
--tap takes the output of another layer: feature maps are [pictures, channels, height, width], tokens [pictures, tokens, channels]. `fovea summary
MODEL` lists the taps, with --nodes every layer; pooled (the mean of the last map, or the class token) and logits are there too.
A picture that cannot be read gets one line on standard error and has no row; the exit status is 1 only if none could be read.

Examples:
  fovea embed resnet50 photos -o features.npy
  fovea embed resnet50 photos --tap layer3 -o maps.npy
  fovea embed vit_b_16 photos --tap encoder.layers.encoder_layer_5:tokens -o tokens.npy
  python3 -c "import numpy; print(numpy.load('features.npy').shape)")HELP";

struct Options {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::vector<std::string> data;
  std::string out, tap = "pre_logits";
  bool json = false;
};

// RFC 4180.
std::string csv_field(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

int embed(const Options& options) {
  const std::string list = std::filesystem::path(options.out).replace_extension(".csv").string();
  if (list == options.out) throw Error(ErrorKind::usage, options.out + ": the list of files would have the same name; end it with .npy");
  const std::vector<std::string> files = picture_files(options.data);
  Model model = load(options.model);
  apply(model, options.preprocessing);
  Progress progress;
  PictureOptions pictures;
  pictures.output = options.tap;
  pictures.progress = [&](int64_t done, int64_t total) {
    progress.show("embedding", static_cast<double>(done), static_cast<double>(total), fmt::format("{} of {} pictures", done, total));
    return true;
  };
  const Embeddings embeddings = embed_files(model, files, pictures);
  progress.clear();
  report_left_out(embeddings.left_out);
  if (embeddings.files.empty())
    return report_error(fmt::format("none of {} could be read", counted(static_cast<int64_t>(files.size()), "file", "files")), 1);

  std::string csv = "file\n";
  for (const std::string& file : embeddings.files) csv += csv_field(file) + "\n";
  save_npy(embeddings.features, options.out);
  save_text(csv, list);
  const auto& shape = embeddings.features.shape();
  if (options.json) {
    nlohmann::json left_out = nlohmann::json::array();
    for (const BadPicture& bad : embeddings.left_out) left_out.push_back({{"file", bad.file}, {"reason", bad.reason}});
    print_json({{"features", options.out},
                {"files", list},
                {"pictures", shape[0]},
                {"width", shape[1]},
                {"tap", options.tap},
                {"shape", shape},
                {"left_out", left_out}});
  } else {
    const std::vector<int64_t> one(shape.begin() + 1, shape.end());
    print("{} of {} {} each: {}, {}\n", counted(shape[0], "picture", "pictures"), options.tap, shape_string(one), options.out, list);
  }
  return 0;
}

}  // namespace

void add_embed(CLI::App& app, Run& run) {
  CLI::App* command = app.add_subcommand("embed", "Feature vectors of pictures, for search, clustering or a classifier of your own");
  const auto options = std::make_shared<Options>();
  add_model(*command, options->model);
  add_data(*command, options->data);
  command->add_option("-o,--out", options->out, "The file to write")->required()->type_name("FILE.npy");
  command->add_option("--tap", options->tap, "Whose output: a tap, a layer, pooled, pre_logits or logits")
      ->type_name("NAME")
      ->capture_default_str();
  add_preprocessing(*command, options->preprocessing, "what the model has; crop for published weights");
  add_json(*command, options->json, R"({"features", "files", "pictures", "tap", "shape", "width", "left_out": [{"file", "reason"}]})");
  command->footer(kFooter);
  command->callback([options, &run] { run = [options] { return embed(*options); }; });
}

}  // namespace fovea::cli
