// fovea embed: one feature vector a picture.
#include <fmt/format.h>
#include <fovea/features.h>
#include <fovea/pictures.h>

#include <filesystem>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kEmbedFooter =
    R"HELP(-o FILE.npy writes a NumPy file, float32 [pictures, width], and beside it a CSV of the files in the same order; -o FILE.csv one table of both,
"file,f0,f1,...". FILE.json says how they were made (model, digest of its weights, tap, preprocessing), so that `fovea neighbors` treats other
pictures the same way.
--tap takes the output of another layer: feature maps are [pictures, channels, height, width], tokens [pictures, tokens, channels]. `fovea summary
MODEL` lists the taps, with --nodes every layer; pooled (the mean of the last map, or the class token) and logits are there too.
--mirror averages a picture's vector with its mirror image's, as training does where that answers better: features that do not tell left from right.
--pca keeps the N principal components, of maps those of all their numbers; FILE.pca.npy holds the mean and the components. --normalize divides
by the length (L2), after the PCA where there is one.
A picture that cannot be read gets one line on standard error and has no row; the exit status is 1 only if none could be read.

Examples:
  fovea embed resnet50 photos -o features.npy
  fovea embed resnet50 photos --pca 32 --normalize -o features.csv
  fovea embed resnet50 photos --tap layer3 -o maps.npy
  fovea embed vit_b_16 photos --tap encoder.layers.encoder_layer_5:tokens -o tokens.npy
  python3 -c "import numpy; print(numpy.load('features.npy').shape)")HELP";

struct EmbedArguments {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::vector<std::string> data;
  std::string out, tap = "pre_logits";
  int64_t pca = 0;
  bool mirror = false, normalize = false, json = false;
};

// With what the options ask for done to them.
FeatureSet feature_set(const EmbedArguments& options, const Model& model, const Embeddings& embeddings) {
  FeatureSet set;
  set.record = record_of(model, options.model.model, options.model.weights, options.tap);
  set.files = embeddings.files;
  set.features = embeddings.features;
  set.record.mirrored = options.mirror;
  if (options.pca > 0) {
    set.pca = fit_pca(set.features, options.pca);
    set.features = project(*set.pca, set.features);
    set.record.pca = options.pca;
  }
  if (options.normalize) set.features = normalized(set.features);
  set.record.normalized = options.normalize;
  return set;
}

void print_result(const EmbedArguments& options, const FeatureSet& set, const std::vector<BadPicture>& left_out,
                  const std::vector<std::string>& written) {
  const auto& shape = set.features.shape();
  double share = 0;
  if (set.pca)
    for (double one : set.pca->shares) share += one;
  if (options.json) {
    Json json{{"features", options.out}, {"files", std::filesystem::path(options.out).replace_extension(".csv").string()},
              {"written", written},      {"pictures", shape[0]},
              {"width", shape[1]},       {"tap", options.tap},
              {"shape", shape},          {"left_out", left_out_json(left_out)}};
    if (set.pca) json.set("variance", share);
    return print_json(json);
  }
  result_is_in_files();
  const std::vector<int64_t> one(shape.begin() + 1, shape.end());
  print("{} of {} {} each: {}\n", counted(shape[0], "picture", "pictures"), options.tap, shape_string(one),
        fmt::format("{}", fmt::join(written, ", ")));
  if (set.pca)
    print("{} keep {} of the variance\n", counted(options.pca, "principal component", "principal components"), as_percent(share));
}

int embed(const EmbedArguments& options) {
  const std::string extension = std::filesystem::path(options.out).extension().string();
  if (extension != ".npy" && extension != ".csv") throw Error(ErrorKind::usage, options.out + ": end it with .npy or .csv");
  const std::vector<std::string> files = picture_files(options.data);
  for (const char* ending : {extension.c_str(), ".csv", ".json"})
    check_output(std::filesystem::path(options.out).replace_extension(ending).string());
  if (options.pca > 0) check_output(std::filesystem::path(options.out).replace_extension(".pca.npy").string());
  Model model = load(options.model);
  apply(model, options.preprocessing);
  Progress progress;
  PictureOptions pictures;
  pictures.output = options.tap;
  pictures.mirrored = options.mirror;
  pictures.progress = [&](int64_t done, int64_t total) {
    progress.show("embedding", static_cast<double>(done), static_cast<double>(total), fmt::format("{} of {} pictures", done, total));
    return true;
  };
  const Embeddings embeddings = embed_files(model, files, pictures);
  progress.clear();
  report_left_out(embeddings.left_out);
  if (embeddings.files.empty())
    return report_error(fmt::format("none of {} could be read", counted(static_cast<int64_t>(files.size()), "file", "files")), 1);
  const FeatureSet set = feature_set(options, model, embeddings);
  print_result(options, set, embeddings.left_out, save_features(set, options.out));
  return 0;
}

}  // namespace

void add_embed(Command& program) {
  Command command = program.command("embed", "Feature vectors of pictures, for search, clustering or a classifier of your own");
  const auto options = std::make_shared<EmbedArguments>();
  add_model(command, options->model);
  add_data(command, options->data);
  command.option("-o,--out", options->out, "The file to write").required().type("FILE.npy|FILE.csv");
  command.option("--tap", options->tap, "Whose output: a tap, a layer, pooled, pre_logits or logits").type("NAME").shows_default();
  command.flag("--mirror", options->mirror, "The mean of the vectors of a picture and of its mirror image (twice the time)");
  command.option("--pca", options->pca, "Keep this many principal components of the pictures embedded").type("N").positive();
  command.flag("--normalize", options->normalize, "Divide each picture's numbers by their length (L2)");
  add_preprocessing(command, options->preprocessing, "what the model has; crop for published weights");
  add_decode(command, options->preprocessing);
  add_json(command, options->json,
           R"({"features", "files", "written", "pictures", "tap", "shape", "width", "variance", "left_out": [{"file", "reason"}]})");
  command.footer(kEmbedFooter);
  command.runs([options] { return embed(*options); });
}

}  // namespace fovea::cli
