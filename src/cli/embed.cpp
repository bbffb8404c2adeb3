// fovea embed: one feature vector a picture.
#include <fmt/format.h>
#include <fovea/features.h>
#include <fovea/pictures.h>
#include <fovea/shards.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
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
--shards FOLDER is for more pictures than one run or one machine shall do: every --shard-size of them become FOLDER/shard-000000.npy and so on, each
with its .csv and .json, and with the pictures that could not be read in .errors.csv. A shard that is there is not made again, so the same command
goes on after a crash. A list on standard input is read as it is needed. With --part 2/8 this process makes every eighth shard from the second on:
eight of them, on as many machines as share the folder and have the same list, make all.

Examples:
  fovea embed resnet50 photos -o features.npy
  fovea embed resnet50 photos --pca 32 --normalize -o features.csv
  fovea embed resnet50 photos --tap layer3 -o maps.npy
  fovea embed vit_b_16 photos --tap encoder.layers.encoder_layer_5:tokens -o tokens.npy
  fovea embed resnet50 - --shards features --shard-size 20000 <list.txt
  python3 -c "import numpy; print(numpy.load('features.npy').shape)")HELP";

struct EmbedArguments {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::vector<std::string> data;
  std::string out, shards, part = "1/1", tap = "pre_logits";
  int64_t pca = 0, shard_size = ShardOptions{}.size;
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

// "2/8".
void set_part(ShardOptions& options, const std::string& text) {
  const char *const end = text.data() + text.size(), *slash = std::find(text.data(), end, '/');
  const auto [first, bad_first] = std::from_chars(text.data(), slash, options.part);
  const auto [second, bad_second] = std::from_chars(std::min(slash + 1, end), end, options.parts);
  if (bad_first != std::errc() || bad_second != std::errc() || first != slash || second != end || options.part < 1 ||
      options.part > options.parts)
    throw Error(ErrorKind::usage, "--part " + text + ": I/N with I from 1 to N expected, as in 2/8");
  --options.part;
}

// What is given as DATA, one path after the other; a list on standard input is not held.
std::function<bool(std::string&)> paths_of(const std::vector<std::string>& data) {
  if (data == std::vector<std::string>{"-"})
    return [](std::string& file) {
      while (std::getline(std::cin, file)) {
        if (!file.empty() && file.back() == '\r') file.pop_back();
        if (!file.empty()) return true;
      }
      return false;
    };
  const auto files = std::make_shared<std::vector<std::string>>(picture_files(data));
  return [files, next = size_t{0}](std::string& file) mutable {
    if (next == files->size()) return false;
    file = (*files)[next++];
    return true;
  };
}

int embed_in_shards(const EmbedArguments& options) {
  if (options.pca > 0) throw Error(ErrorKind::usage, "--pca is of all pictures together, and --shards makes them part by part");
  ShardOptions shards;
  shards.size = options.shard_size;
  set_part(shards, options.part);
  Model model = load(options.model);
  apply(model, options.preprocessing);
  Progress progress;
  int64_t done_before = 0;
  shards.progress = [&](int64_t done, int64_t) {
    progress.show("embedding", static_cast<double>(done_before + done), 0, fmt::format("{} pictures", done_before + done));
    return true;
  };
  shards.on_shard = [&](int64_t, bool made, const std::vector<BadPicture>& left_out) {
    if (made) done_before += options.shard_size;
    if (!left_out.empty()) progress.clear();
    report_left_out(left_out);
    return true;
  };
  const Shards done = embed_shards(model, record_for(options, model), paths_of(options.data), options.shards, shards);
  progress.clear();
  if (done.made + done.there == 0 && shards.part == 0) throw Error(ErrorKind::input, "a list without a picture");
  if (options.json) {
    print_json(
        {{"shards", options.shards}, {"made", done.made}, {"there", done.there}, {"pictures", done.pictures}, {"left_out", done.left_out}});
  } else {
    result_is_in_files();
    print("{}: {} made, {} there already; {}, {} could not be read\n", options.shards, counted(done.made, "shard", "shards"), done.there,
          counted(done.pictures, "picture", "pictures"), done.left_out);
  }
  if (done.pictures == 0 && done.left_out > 0)
    return report_error(fmt::format("none of {} could be read", counted(done.left_out, "file", "files")), 1);
  return 0;
}

int embed(const EmbedArguments& options) {
  if (options.out.empty() == options.shards.empty())
    throw Error(ErrorKind::usage, options.out.empty() ? "where to? -o FILE.npy, -o FILE.csv or --shards FOLDER expected"
                                                      : "-o " + options.out + " and --shards " + options.shards + ": one of them expected");
  if (!options.shards.empty()) return embed_in_shards(options);
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
  command.option("-o,--out", options->out, "The file to write").type("FILE.npy|FILE.csv");
  command
      .option("--shards", options->shards, "The folder to write to, in files of --shard-size pictures, of which those that are there stay")
      .type("DIR");
  command.option("--shard-size", options->shard_size, "Pictures of a shard").type("N").positive().shows_default().needs("--shards");
  command.option("--part", options->part, "Which of the shards this process makes: every N-th, from the I-th on")
      .type("I/N")
      .needs("--shards");
  command.option("--tap", options->tap, "Whose output: a tap, a layer, pooled, pre_logits or logits").type("NAME").shows_default();
  command.flag("--mirror", options->mirror, "The mean of the vectors of a picture and of its mirror image (twice the time)");
  command.option("--pca", options->pca, "Keep this many principal components of the pictures embedded").type("N").positive();
  command.flag("--normalize", options->normalize, "Divide each picture's numbers by their length (L2)");
  add_preprocessing(command, options->preprocessing, "what the model has; crop for published weights");
  add_decode(command, options->preprocessing);
  add_json(command, options->json,
           R"({"features", "files", "written", "pictures", "tap", "shape", "width", "variance", "left_out": [{"file", "reason"}]})"
           R"(, of shards {"shards", "made", "there", "pictures", "left_out"} in numbers)");
  command.footer(kEmbedFooter);
  command.runs([options] { return embed(*options); });
}

}  // namespace fovea::cli
