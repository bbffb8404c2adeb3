// fovea predict: classes and probabilities.
#include <fovea/pictures.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kPredictFooter =
    R"(Prints each file as soon as it was looked at, and below it its most probable classes. With --json: a list of {"file", "classes": [{"name", "probability"}]}.
The probabilities of a model of classes that do not exclude each other are each class's own: their sum is not 1. Beside them stands
yes or no, by the thresholds that training chose on the validation pictures; with --json, "told": true or false.
A picture that cannot be read gets one line on standard error and is left out; the exit status is 1 only if none could be read.

Examples:
  fovea predict tf_efficientnet_lite0 coffee.jpg           with published ImageNet weights
  fovea predict run/model.safetensors photos --top 1       a folder, with a model of your own
  find . -name '*.png' | fovea predict resnet50 - --json   a list of files)";

struct PredictArguments {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::vector<std::string> data;
  int64_t top = 5;
  ListFormat json;
};

// `several`: a picture may have several of the classes, or none.
void print_text(const Prediction& picture, bool several) {
  print("{}\n", picture.file);
  for (const ClassProbability& one : picture.classes)
    print("  {:>7}  {}{}\n", as_percent(one.probability), several ? (one.told ? "yes  " : "no   ") : "", one.name);
}

Json to_json(const Prediction& picture, bool several) {
  Json classes = Json::array();
  for (const ClassProbability& one : picture.classes) {
    Json json{{"name", one.name}, {"probability", one.probability}};
    if (several) json.set("told", one.told);
    classes.push_back(json);
  }
  return {{"file", picture.file}, {"classes", classes}};
}

int predict(const PredictArguments& options) {
  const std::vector<std::string> files = picture_files(options.data);
  Model model = load(options.model);
  apply(model, options.preprocessing);
  Progress progress;
  PictureOptions pictures;
  pictures.top = options.top;
  if (files.size() > 1) {
    pictures.progress = [&](int64_t done, int64_t total) {
      progress.show("predicting", static_cast<double>(done), static_cast<double>(total), fmt::format("{} of {} pictures", done, total));
      return true;
    };
  }
  ListPrinter list(options.json);
  const bool several = model.head().independent;
  bool any = false;
  const std::vector<BadPicture> left_out = predict_files(model, files, pictures, [&](const Prediction& picture) {
    any = true;
    progress.clear();
    options.json.any() ? list.add(to_json(picture, several)) : print_text(picture, several);
  });
  progress.clear();
  if (options.json.any()) list.finish();
  report_left_out(left_out);
  if (any) return 0;
  return files.size() > 1 ? report_error(fmt::format("none of {} files could be read", files.size()), 1) : 1;
}

}  // namespace

void add_predict(Command& program) {
  Command command = program.command("predict", "Classes and probabilities of pictures");
  const auto options = std::make_shared<PredictArguments>();
  add_model(command, options->model);
  add_data(command, options->data);
  command.option("--top", options->top, "Classes to show for each picture").type("N").positive().shows_default();
  add_preprocessing(command, options->preprocessing, "what the model has; crop for published weights", kAnswerFits);
  add_decode(command, options->preprocessing);
  add_json_list(command, options->json, R"([{"file", "classes": [{"name", "probability"}]}])");
  command.footer(kPredictFooter);
  command.runs([options] { return predict(*options); });
}

}  // namespace fovea::cli
