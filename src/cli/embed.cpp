// fovea embed: one feature vector a picture.
#include <fmt/format.h>
#include <fovea/features.h>
#include <fovea/pictures.h>

#include <filesystem>
#include <optional>

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
--pca keeps the N principal components, of maps those of all their numbers; FILE.pca.npy holds the mean and the components. Rows are written as
they come; with --pca all of them are in memory until the end. --normalize divides by the length (L2), after the PCA where there is one.
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

FeatureRecord record_for(const EmbedArguments& options, const Model& model) {
  FeatureRecord record = record_of(model, options.model.model, options.model.weights, options.tap);
  record.mirrored = options.mirror;
  record.pca = options.pca;
  record.normalized = options.normalize;
  return record;
}

// What was written, and of what.
struct Embedded {
  std::vector<std::string> written;
  std::vector<int64_t> shape{0};  // [pictures, ...]; written is empty where none could be read
  std::vector<BadPicture> left_out;
  std::optional<Pca> pca;
};

// Row by row, so that no more than one is held.
Embedded embed_each(const EmbedArguments& options, const Model& model, const std::vector<std::string>& files,
                    const PictureOptions& pictures) {
  Embedded result;
  FeatureFiles out(options.out);
  result.left_out = embed_files(model, files, pictures, [&](const std::string& file, const Tensor& row) {
    out.add(file, options.normalize ? normalized(row) : row);
  });
  result.shape = out.shape();
  if (result.shape[0] > 0) result.written = out.finish(record_for(options, model));
  return result;
}

// The components are known when all pictures are, so all rows are held until then.
Embedded embed_with_pca(const EmbedArguments& options, const Model& model, const std::vector<std::string>& files,
                        const PictureOptions& pictures) {
  Embeddings embeddings = embed_files(model, files, pictures);
  Embedded result;
  result.left_out = std::move(embeddings.left_out);
  if (embeddings.files.empty()) return result;
  FeatureSet set;
  set.pca = result.pca = fit_pca(embeddings.features, options.pca);
  set.features = project(*set.pca, embeddings.features);
  if (options.normalize) set.features = normalized(set.features);
  set.record = record_for(options, model);
  set.files = std::move(embeddings.files);
  result.shape = set.features.shape();
  result.written = save_features(set, options.out);
  return result;
}

void print_result(const EmbedArguments& options, const Embedded& done) {
  const auto& shape = done.shape;
  double share = 0;
  if (done.pca)
    for (double one : done.pca->shares) share += one;
  if (options.json) {
    Json json{{"features", options.out}, {"files", std::filesystem::path(options.out).replace_extension(".csv").string()},
              {"written", done.written}, {"pictures", shape[0]},
              {"width", shape[1]},       {"tap", options.tap},
              {"shape", shape},          {"left_out", left_out_json(done.left_out)}};
    if (done.pca) json.set("variance", share);
    return print_json(json);
  }
  result_is_in_files();
  const std::vector<int64_t> one(shape.begin() + 1, shape.end());
  print("{} of {} {} each: {}\n", counted(shape[0], "picture", "pictures"), options.tap, shape_string(one),
        fmt::format("{}", fmt::join(done.written, ", ")));
  if (done.pca)
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
  const Embedded done = (options.pca > 0 ? embed_with_pca : embed_each)(options, model, files, pictures);
  progress.clear();
  report_left_out(done.left_out);
  if (done.written.empty())
    return report_error(fmt::format("none of {} could be read", counted(static_cast<int64_t>(files.size()), "file", "files")), 1);
  print_result(options, done);
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
