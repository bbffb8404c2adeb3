// fovea neighbors: the pictures most like another one.
#include <fovea/features.h>
#include <fovea/pictures.h>

#include <filesystem>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kNeighborsFooter =
    R"(FEATURES.npy is what `fovea embed` wrote, with the files beside it (FEATURES.csv, FEATURES.json). Each picture goes through the same model,
weights, preprocessing, tap, PCA and normalization; where the weights are others by now, both digests are named and nothing is compared.
Similarity is the cosine of the angle between the features: 1 for the same direction, 0 for nothing in common.
-o PAGE.html writes a page of the pictures, in one file that opens offline.

Examples:
  fovea embed tf_efficientnet_lite0 photos -o photos.npy
  fovea neighbors photos.npy new.jpg
  fovea neighbors photos.npy new.jpg other.jpg --top 12 -o neighbors.html)";

struct NeighborsArguments {
  PreprocessingOptions preprocessing;
  std::string features, out;
  std::vector<std::string> data;
  ModelOptions compute;
  int64_t top = 6;
  ListFormat json;
};

void print_text(const Neighborhood& one) {
  print("{}\n", one.file);
  for (const Neighbor& neighbor : one.neighbors) print("  {:>6.3f}  {}\n", neighbor.similarity, neighbor.file);
}

Json to_json(const Neighborhood& one) {
  Json neighbors = Json::array();
  for (const Neighbor& neighbor : one.neighbors)
    neighbors.push_back({{"file", neighbor.file}, {"row", neighbor.row}, {"similarity", neighbor.similarity}});
  return {{"file", one.file}, {"neighbors", neighbors}};
}

// The nearest but for the picture itself, where it is among the features.
std::vector<Neighbor> others(const FeatureSet& features, const Tensor& query, const std::string& file, int64_t top) {
  std::vector<Neighbor> found = nearest_pictures(features, query, top + 1);
  std::erase_if(found, [&](const Neighbor& one) {
    std::error_code none;
    return std::filesystem::equivalent(one.file, file, none) ||
           std::filesystem::equivalent(std::filesystem::path(features.record.folder) / one.file, file, none);
  });
  if (static_cast<int64_t>(found.size()) > top) found.resize(static_cast<size_t>(top));
  return found;
}

int neighbors(const NeighborsArguments& options) {
  if (!options.out.empty() && !options.out.ends_with(".html"))
    throw Error(ErrorKind::usage, options.out + ": the page is HTML; end its name with .html");
  if (!options.out.empty()) check_output(options.out);
  use_threads(options.compute);
  const FeatureSet features = load_features(options.features);
  const std::vector<std::string> files = picture_files(options.data);
  const Model model = load_model(features.record);
  const Preprocessing preprocessing = changed(features.record.preprocessing, options.preprocessing);
  std::vector<Neighborhood> found;
  std::vector<BadPicture> left_out;
  for (const std::string& file : files) {
    try {
      const Tensor query = query_features(model, features, read_image(file, preprocessing));
      found.push_back({file, others(features, query, file, options.top)});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      left_out.push_back({file, error.what()});
    }
  }
  report_left_out(left_out);
  if (found.empty())
    return report_error(fmt::format("none of {} could be read", counted(static_cast<int64_t>(files.size()), "file", "files")), 1);
  if (!options.out.empty()) save_text(neighbors_page(features, found), options.out);
  ListPrinter list(options.json);
  for (const Neighborhood& one : found) options.json.any() ? list.add(to_json(one)) : print_text(one);
  if (options.json.any()) list.finish();
  if (!options.out.empty() && !options.json.any()) print("{}\n", options.out);
  return 0;
}

}  // namespace

void add_neighbors(Command& program) {
  Command command = program.command("neighbors", "The pictures whose features are most like another picture's");
  const auto options = std::make_shared<NeighborsArguments>();
  command.positional("FEATURES", options->features, "What `fovea embed` wrote").type("FILE.npy");
  add_data(command, options->data);
  command.option("--top", options->top, "Pictures to show for each").type("N").positive().shows_default();
  command.option("-o,--out", options->out, "A page of them").type("PAGE.html");
  add_page_and_range(command, options->preprocessing);
  add_compute(command, options->compute);
  add_json_list(command, options->json, R"([{"file", "neighbors": [{"file", "row", "similarity"}]}])");
  command.footer(kNeighborsFooter);
  command.runs([options] { return neighbors(*options); });
}

}  // namespace fovea::cli
