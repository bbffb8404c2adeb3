#include "cli/options.h"

#include <fnmatch.h>
#include <fovea/pictures.h>
#include <fovea/threads.h>
#include <fovea/weights.h>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include <filesystem>
#include <iostream>

#include "cli/terminal.h"

namespace fovea::cli {
namespace {

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

void add_weights_option(Command& command, ModelOptions& options) {
  command
      .option("--weights", options.weights,
              "default: the published ones, or what the model file holds; none: random ones; a tag of `fovea weights list`; or a file "
              "(.pth or .safetensors; of several networks in it FILE#NAME takes one)")
      .type("default|none|TAG|FILE")
      .shows_default();
  command
      .option("--channels", options.channels,
              "Of the pictures that the network takes: 1 makes them grey and sums the first layer's weights (default: the model's own, 3)")
      .type("N")
      .between(1, 65536);
}

void add_compute(Command& command, ModelOptions& options) {
  command.option("--dtype", options.dtype, "What maps lie in memory as: f32, or bf16, half as large, on processors made for it faster")
      .type("f32|bf16")
      .shows_default();
  command.option("--threads", options.threads, "Cores to use (default: all)").type("N").between(1, 1024);
}

void add_model(Command& command, ModelOptions& options) {
  command.positional("MODEL", options.model, "A name of `fovea models`, or a model file that training wrote");
  add_weights_option(command, options);
  add_compute(command, options);
}

void use_threads(const ModelOptions& options) {
  if (options.threads > 0) set_threads(options.threads);
}

void add_size(Command& command, std::string& size, const char* what) { command.option("--size", size, what).type("N|HEIGHTxWIDTH"); }

int64_t parse_bytes(const std::string& text) {
  constexpr std::string_view kUnits = "kmgt";
  char* rest = nullptr;
  const double number = std::strtod(text.c_str(), &rest);
  std::string unit = lower_case(rest);
  if (!unit.empty() && unit.back() == 'b') unit.pop_back();
  const double step = unit.size() == 2 && unit[1] == 'i' ? 1024 : 1000;
  const size_t power = unit.empty() ? 0 : kUnits.find(unit[0]) + 1;  // 0 also where it is none of them
  const bool whole = unit.empty() || (power > 0 && (unit.size() == 1 || step == 1024));
  const double bytes = number * std::pow(step, static_cast<double>(power));
  if (rest == text.c_str() || !whole || !(bytes >= 1 && bytes < 1e18))
    throw Error(ErrorKind::usage, fmt::format("--memory {}: a number with K, M or G behind it is expected, as 500M or 1.5G", text));
  return static_cast<int64_t>(bytes);
}

PictureSize parse_size(const std::string& size) {
  if (size.empty()) return {};
  constexpr int64_t kMost = 4096;  // beyond it the first map of a network is more than libraries count in 32 bits
  const auto number = [&](const std::string& text) {
    int64_t value = 0;
    for (char c : text) value = c >= '0' && c <= '9' && value <= kMost ? 10 * value + (c - '0') : kMost + 1;
    if (text.empty() || value < 1 || value > kMost)
      throw Error(ErrorKind::usage,
                  fmt::format("--size {}: a number of pixels or HEIGHTxWIDTH, each from 1 to {}, is expected", size, kMost));
    return value;
  };
  const size_t cross = size.find('x');
  if (cross == std::string::npos) return {number(size), number(size)};
  return {number(size.substr(0, cross)), number(size.substr(cross + 1))};
}

void add_preprocessing(Command& command, PreprocessingOptions& options, const char* fit_default, const char* fits) {
  options.two_fits = std::string(fits).find('+') != std::string::npos;
  add_size(command, options.size, "Height and width of what the network gets (default: what the model was trained with)");
  command
      .option("--fit", options.fit,
              std::string("How a picture gets that shape: crop (the middle of it), pad (bands of the mean colour) or squash (its aspect "
                          "is lost)") +
                  (options.two_fits ? "; squash+pad: the mean of the answers to both" : "") + "; default: " + fit_default)
      .type(fits);
  command
      .option("--alpha", options.alpha,
              "What lies under transparency: white, or drop (the colour that the file has there); default: what the model has, white at "
              "first")
      .type("white|drop");
  add_page_and_range(command, options);
}

void add_page_and_range(Command& command, PreprocessingOptions& options) {
  command
      .option(
          "--page", options.page,
          "Which picture of a file that holds several (TIFF, HEIC, AVIF, ICO), counted from 1; default: what the model has, at first the "
          "one that stands for the file")
      .type("N")
      .positive();
  command
      .option("--range", options.range,
              "Grey pictures of 16 bits and of floats: which values become black and white, auto: the least and the greatest of each "
              "picture; default: what the model has, at first values are cut off at 255")
      .type("MIN MAX|auto");
}

void add_decode(Command& command, PreprocessingOptions& options) {
  command
      .option("--decode", options.decode,
              "fast: JPEGs of at least three times the size that is made use of are decoded at a half, a quarter or an eighth of their "
              "sides where it divides them, half as fast again, and to slightly other pixels; exact: as Pillow decodes them; "
              "default: what the model has, exact at first")
      .type("exact|fast");
}

Preprocessing changed(Preprocessing preprocessing, const PreprocessingOptions& options) {
  if (!options.size.empty()) {
    const PictureSize size = parse_size(options.size);
    // The crop keeps its share of the picture.
    const int64_t before = std::min(preprocessing.height, preprocessing.width), now = std::min(size.height, size.width);
    preprocessing.resize = (preprocessing.resize * now + before / 2) / before;
    preprocessing.height = size.height;
    preprocessing.width = size.width;
  }
  if (!options.fit.empty()) set_fits(preprocessing, options.two_fits ? parse_fits(options.fit) : std::vector{parse_fit(options.fit)});
  if (!options.alpha.empty()) preprocessing.alpha = parse_alpha(options.alpha);
  if (!options.decode.empty()) preprocessing.decode = parse_decode(options.decode);
  if (!options.range.empty()) preprocessing.range = parse_range(options.range);
  if (options.page > 0) preprocessing.page = options.page;
  return preprocessing;
}

void apply(Model& model, const PreprocessingOptions& options) {
  const Preprocessing wanted = changed(model.preprocessing(), options);
  if (wanted == model.preprocessing()) return;
  model.set_preprocessing(wanted);
}

bool matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(lower_case(pattern).c_str(), lower_case(name).c_str(), 0) == 0;
}

void say_limits(const std::string& model, const std::string& tag) {
  const auto weights = find_weights(model, tag == "default" ? "" : tag);
  if (!weights) return;
  if (weights->non_commercial) say(fmt::format("{} {}: licence {}", weights->model, weights->tag, weights->licence));
  if (!weights->classifies) say(fmt::format("{} {}: for features only, a classifier is trained first", weights->model, weights->tag));
}

namespace {

// MODEL and pictures are easily swapped.
[[noreturn]] void tell_of_pictures(const std::string& model) {
  bool picture = true;
  try {
    (void)read_image(model);
  } catch (const Error&) {
    picture = false;
  }
  if (picture) throw Error(ErrorKind::usage, model + ": is a picture, where a model is expected: the model comes first, then the pictures");
  throw;
}

}  // namespace

Model load(const ModelOptions& options, uint64_t seed) {
  use_threads(options);
  Progress progress;
  LoadOptions loading;
  loading.weights = options.weights;
  loading.dtype = options.dtype;
  loading.channels = options.channels;
  loading.seed = seed;
  bool fetched = false;
  loading.progress = [&](int64_t done, int64_t total) {
    fetched = true;
    progress.show("fetching weights", static_cast<double>(done), static_cast<double>(total),
                  total > 0 ? fmt::format("{} of {}", as_megabytes(done), as_megabytes(total)) : as_megabytes(done));
  };
  const auto loaded = [&]() -> Model {
    try {
      return Model::load(options.model, loading);
    } catch (const Error&) {
      if (std::error_code none; std::filesystem::is_regular_file(options.model, none)) tell_of_pictures(options.model);
      throw;
    }
  };
  Model model = loaded();
  progress.clear();
  if (fetched) say_limits(options.model, options.weights);
  for (const std::string& note : model.loaded().notes) say("fovea: " + note);
  for (const std::string& note : {model.loaded().precision_note, model.loaded().weights_note})
    if (!note.empty()) say("fovea: " + note);
  return model;
}

void add_data(Command& command, std::vector<std::string>& data) {
  command.positional("DATA", data, "Pictures, folders (every file in them), or - for a list on standard input, one path a line");
}

void require_other_file(const std::string& out, const std::vector<std::string>& inputs) {
  std::error_code none;
  for (const std::string& input : inputs)
    if (std::filesystem::equivalent(out, input, none))
      throw Error(ErrorKind::usage, out + ": is a picture that is read; name another file");
}

std::vector<std::string> picture_files(const std::vector<std::string>& data) {
  std::vector<std::string> files;
  std::vector<BadPicture> unused;
  for (const std::string& one : data) {
    if (one != "-") {
      const std::vector<std::string> found = list_pictures({one}, &unused);
      files.insert(files.end(), found.begin(), found.end());
      continue;
    }
    // A file of a list that is not there is a picture that cannot be read, not the end of the run.
    const size_t before = files.size();
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) files.push_back(line);
    }
    if (files.size() == before) throw Error(ErrorKind::input, "standard input: a list without a picture");
  }
  for (const std::string& line : unused_lines(unused)) say(line);
  return files;
}

void add_labelled_data(Command& command, std::vector<std::string>& data, bool required) {
  constexpr const char* kHelp =
      "A folder with one folder a class; or a CSV or TSV file of files and labels; or pictures in folders that are named after their "
      "classes; or - for a list of them on standard input, one path a line";
  if (required)
    command.positional("DATA", data, kHelp);
  else
    command.option("DATA", data, kHelp).type("");
}

LabelledData labelled_data(const std::vector<std::string>& data) {
  std::error_code error;
  const std::string ending = data.size() == 1 ? lower_case(std::filesystem::path(data[0]).extension().string()) : "";
  const bool csv = ending == ".csv" || ending == ".tsv";
  if (csv || (data.size() == 1 && data[0] != "-" && std::filesystem::is_directory(data[0], error))) return {data[0], {}};
  return {"", picture_files(data)};
}

void add_json_list(Command& command, ListFormat& format, const char* form) {
  add_json(command, format.json, form);
  command.flag("--jsonl", format.lines, "The same, an element a line");
}

void ListPrinter::add(const Json& element) {
  if (format_.lines) return write_output(element.line() + "\n");
  std::string text = (empty_ ? "[\n" : ",\n") + element.text();
  empty_ = false;
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) text.insert(at + 1, "  ");
  write_output(text);
}

void ListPrinter::finish() {
  if (!format_.lines) write_output(empty_ ? "[]\n" : "\n]\n");
}

void add_json(Command& command, bool& json, const char* form) {
  command.flag("--json", json, std::string("For programs: ") + form + " on standard output");
}

}  // namespace fovea::cli
