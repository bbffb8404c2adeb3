// Options that several commands share.
#pragma once

#include <fovea/model.h>
#include <fovea/result_fields.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/json.h"

namespace fovea::cli {

// MODEL and how to get it.
struct ModelOptions {
  std::string model;
  std::string weights = "default";
  std::string dtype = "f32";
  int64_t channels = 0;  // 0: the model's own
  int threads = 0;       // 0: every core
};

// MODEL as the first argument, --weights, --dtype and --threads.
void add_model(Command& command, ModelOptions& options);
void add_weights_option(Command& command, ModelOptions& options);
void add_compute(Command& command, ModelOptions& options);
void use_threads(const ModelOptions& options);

struct PictureSize {
  int64_t height = 0, width = 0;  // 0: the model's own
};
// "224" or "HEIGHTxWIDTH".
void add_size(Command& command, std::string& size, const char* what);
PictureSize parse_size(const std::string& size);  // throws Error(usage)
// "500M", "1.5G", "2Gi": bytes; the letters count in thousands, with an i in steps of 1024. Throws Error(usage).
int64_t parse_bytes(const std::string& text);

// How pictures become the network's input, where the user wants it another way than the model has it.
struct PreprocessingOptions {
  std::string size, fit, alpha, decode, range;
  int64_t page = 0;       // 0: as the model has it
  bool two_fits = false;  // `fit` may name two
};
// What --fit takes where features are asked for, and where answers are: these can be averaged.
constexpr const char* kFits = "crop|pad|squash";
constexpr const char* kAnswerFits = "crop|pad|squash|squash+pad";
void add_preprocessing(Command& command, PreprocessingOptions& options, const char* fit_default, const char* fits = kFits);
void add_page_and_range(Command& command, PreprocessingOptions& options);  // which add_preprocessing has, too
void add_decode(Command& command, PreprocessingOptions& options);          // of commands that read pictures for nothing but the network
Preprocessing changed(Preprocessing preprocessing, const PreprocessingOptions& options);
void apply(Model& model, const PreprocessingOptions& options);

// Whether a pattern of fnmatch(3), with capital letters or small ones, stands for the name.
bool matches(const std::string& pattern, const std::string& name);

// One line where published weights ("default" or empty: the default ones) may not or cannot be used for everything.
void say_limits(const std::string& model, const std::string& tag);
// Loads with a progress bar where weights are fetched.
Model load(const ModelOptions& options, uint64_t seed = 0);

// DATA: pictures, folders, or "-" for a list on standard input. The files that they name.
void add_data(Command& command, std::vector<std::string>& data);
// Throws Error(usage) where what is to be written is what was given to be read.
void require_other_file(const std::string& out, const std::vector<std::string>& inputs);

std::vector<std::string> picture_files(const std::vector<std::string>& data);

// DATA of pictures whose classes are known: one folder, a CSV file, or the files of a list, in which the name of a picture's folder is its
// class.
struct LabelledData {
  std::string folder;  // or a CSV file; empty: files
  std::vector<std::string> files;
};
void add_labelled_data(Command& command, std::vector<std::string>& data, bool required = true);
LabelledData labelled_data(const std::vector<std::string>& data);  // throws Error(input) for what is not there

// The numbers of a result (fovea/result_fields.h).
template <class Result>
void add_fields(Json& json, const Result& result) {
  fields(result, [&](const auto& name, const auto& value) { json.set(name, value); });
}
template <class Result>
Json json_of(const Result& result) {
  Json json = Json::object();
  add_fields(json, result);
  return json;
}

void add_json(Command& command, bool& json, const char* form);
// --json, and --jsonl for the same list with an element a line.
struct ListFormat {
  bool json = false, lines = false;
  bool any() const { return json || lines; }
};
void add_json_list(Command& command, ListFormat& format, const char* form);
// Prints a list as such, each element as soon as it is there.
class ListPrinter {
 public:
  explicit ListPrinter(const ListFormat& format) : format_(format) {}
  void add(const Json& element);
  void finish();

 private:
  const ListFormat format_;
  bool empty_ = true;
};

}  // namespace fovea::cli
