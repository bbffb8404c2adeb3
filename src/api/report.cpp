#include "report/report.h"

#include <fmt/format.h>
#include <fovea/heat_map.h>
#include <fovea/report.h>
#include <fovea/version.h>

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "api/dataset.h"
#include "api/device.h"
#include "api/report.h"
#include "backends/cpu/cpu.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/parallel.h"
#include "image/picture.h"
#include "saliency/heat_maps.h"
#include "train/evaluation_json.h"
#include "weights/digest.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

// JSON has no way to write NaN, and null stands in its place.
void restore_numbers(json& value) {
  static const std::set<std::string> numbers{"loss", "train_loss", "confidence", "label_probability", "expected_error", "rate", "seconds"};
  if (!value.is_structured()) return;
  for (auto one = value.begin(); one != value.end(); ++one) {
    const bool number = value.is_object() && numbers.count(one.key()) > 0;
    if (number && one->is_null())
      *one = std::numeric_limits<double>::quiet_NaN();
    else
      restore_numbers(*one);
  }
}

json read_metrics_json(const fs::path& path) {
  return in_context(path.string(), [&] {
    try {
      json metrics = parse_json(read_text(path));
      if (!metrics.is_object()) fail(ErrorKind::format, "cannot be read as the metrics of a run: it holds no object");
      restore_numbers(metrics);
      return metrics;
    } catch (const json::exception&) {
      fail(ErrorKind::format, "cannot be read as the metrics of a run: it is no JSON, or not all of it");
    }
  });
}

// The model is the one that the metrics are about: a run that was replaced in part leaves files of two.
void require_of_one_run(const fs::path& folder) {
  const json metrics = read_metrics_json(folder / kMetricsFile);
  if (!metrics.contains("model_sha256")) return;  // of before
  const std::string told = metrics["model_sha256"].get<std::string>(), there = weights::sha256_of_file(folder / kModelFile);
  if (told != there)
    fail(ErrorKind::mismatch, "{}: {} and {} are of different runs: the SHA-256 of the model is {}, the metrics are of {}", folder.string(),
         kMetricsFile, kModelFile, there, told);
}

void write_evaluation_page(const Model& model, const Evaluation& evaluation, const std::string& path, const std::string& data,
                           const std::vector<std::string>& command, const PicturesByName& pictures) {
  const training::Origin origin = origin_of(model, data);
  json metrics{{"test", training::evaluation_json(evaluation)},
               {"model", model.name()},
               {"weights", origin.weights},
               {"data", data},
               {"command", command},
               {"threads", threads()},
               {"classes", model.classes()},
               {"preprocessing", to_string(model.preprocessing())},
               {"versions", json::array()},
               {"left_out", json::array()}};
  for (const auto& [name, version] : origin.versions) metrics["versions"].push_back({name, version});
  for (const BadPicture& bad : evaluation.left_out) metrics["left_out"].push_back({{"file", bad.file}, {"reason", bad.reason}});
  write_page(path, metrics, model.implementation(), pictures);
}

}  // namespace

training::Origin origin_of(const Model& model, std::string data) {
  training::Origin origin{std::move(data), model.loaded().source, {{"fovea", FOVEA_VERSION}, {"compiler", kCompiler}}};
  for (auto& version : cpu::versions()) origin.versions.push_back(std::move(version));
  return origin;
}

bool needs_page(const fs::path& run) {
  std::error_code missing;
  const auto page = fs::last_write_time(run / kReportFile, missing);
  return missing || page < fs::last_write_time(run / kMetricsFile, missing);
}

void add_pictures(PicturesByName& pictures, const std::vector<image::Sample>& samples) {
  for (const image::Sample& sample : samples)
    if (sample.source) pictures.emplace(sample.path, sample);
}

namespace {

using ReadPicture = std::function<Image(const std::string& name)>;

ReadPicture reader_of(const PicturesByName& pictures, const Preprocessing& preprocessing) {
  return [&pictures, preprocessing](const std::string& name) {
    const auto found = pictures.find(name);
    return image::read_picture(found == pictures.end() ? image::Sample{name} : found->second, {preprocessing});
  };
}

void write_page(const fs::path& path, const json& metrics, Model::Implementation& model, ReadPicture read) {
  const Preprocessing& preprocessing = model.network().preprocessing();
  const auto alone = model.session().alone();
  std::optional<saliency::HeatMaps> maps;
  report::Eyes eyes;
  eyes.preprocessing = preprocessing;
  eyes.read = std::move(read);
  eyes.look = [&](const Image& picture, const Image& thumbnail, int64_t class_index) {
    if (!maps) maps.emplace(model.shared_network(), device());
    const saliency::Grid grid = maps->look(picture, class_index).look.grid;
    return overlay(thumbnail, saliency::on_picture(grid, thumbnail.height, thumbnail.width, preprocessing));
  };
  write_text(path, report::page(metrics, eyes));
}

// The names of pictures without a file that an earlier page showed, and where they are kept.
std::map<std::string, fs::path> read_shown(const fs::path& run) {
  std::map<std::string, fs::path> shown;
  if (!fs::exists(run / kShownFile)) return shown;
  return in_context((run / kShownFile).string(), [&] {
    try {
      const json names = parse_json(read_text(run / kShownFile));
      for (const auto& [file, name] : names.items()) shown.emplace(name.get<std::string>(), run / kShownFolder / fs::path(file).filename());
    } catch (const json::exception& error) {
      fail(ErrorKind::format, "cannot be read as the names of pictures: {}", error.what());
    }
    return shown;
  });
}

}  // namespace

void write_page(const fs::path& path, const json& metrics, Model::Implementation& model, const PicturesByName& pictures) {
  write_page(path, metrics, model, reader_of(pictures, model.network().preprocessing()));
}

void write_run_page(const fs::path& run, Model::Implementation& model, const PicturesByName& pictures) {
  const json metrics = read_metrics_json(run / kMetricsFile);
  const ReadPicture read = reader_of(pictures, model.network().preprocessing());
  const std::map<std::string, fs::path> kept = read_shown(run);
  json names = json::object();
  write_page(run / kReportFile, metrics, model, [&](const std::string& name) {
    if (const auto found = kept.find(name); found != kept.end() && !pictures.contains(name)) return read_image(found->second.string());
    Image picture = read(name);
    if (!pictures.contains(name) || picture.channels != 3) return picture;
    const std::string file = fmt::format("{}.png", names.size() + 1);
    fs::create_directories(run / kShownFolder);
    write_png((run / kShownFolder / file).string(), picture);
    names[file] = name;
    return picture;
  });
  if (!names.empty()) write_text(run / kShownFile, json_text(names, 2) + "\n");
}

std::string write_report(const std::string& run) {
  const fs::path folder = run;
  for (const char* name : {kMetricsFile, kModelFile})
    if (!fs::exists(folder / name)) fail(ErrorKind::input, "{} holds no finished run: there is no {}", run, name);
  require_writable(folder / kReportFile);
  require_of_one_run(folder);
  const Model model = Model::load((folder / kModelFile).string());
  write_run_page(folder, model.implementation());
  return (folder / kReportFile).string();
}

void write_report(const Model& model, const Evaluation& evaluation, const std::string& path, const std::string& data,
                  const std::vector<std::string>& command) {
  write_evaluation_page(model, evaluation, path, data, command, {});
}

void write_report(const Model& model, const Evaluation& evaluation, const std::string& path, const Dataset& data,
                  const std::vector<std::string>& command) {
  PicturesByName pictures;
  add_pictures(pictures, data.implementation().samples);
  write_evaluation_page(model, evaluation, path, data.implementation().where, command, pictures);
}

}  // namespace fovea
