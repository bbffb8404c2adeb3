// fovea evaluate: accuracy, per class, confusion.
#include <fovea/report.h>
#include <fovea/train.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kEvaluateFooter =
    R"(DATA is a folder with one folder a class, named as the model's classes are. Or it is pictures, or - for a list of them on standard input:
then the name of the folder that a picture lies in is its class. Or a CSV file of files and labels (see fovea train --help). For a model
of classes that do not exclude each other: mean average precision and F1 in place of top 5 and confusion. Pictures that cannot be read are
listed on standard error and left out. Training leaves hashes of its pictures in the model: pictures that are among them, or nearly so, are
told, with the figures of the others.

Examples:
  fovea evaluate run/model.safetensors new-pictures
  fovea evaluate run/model.safetensors new-pictures --report mistakes.html
  fovea evaluate run/model.safetensors new-pictures/roses/*.jpg
  find new-pictures -newer run -name '*.jpg' | fovea evaluate run/model.safetensors -)";

struct EvaluateArguments {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::vector<std::string> data;
  std::string report;
  bool json = false;
};

double share(int64_t part, int64_t all) { return all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0; }

// What each class was most often taken for where it was not recognized.
std::string most_frequent_mistake(const Evaluation& evaluation, size_t of) {
  const std::vector<int64_t>& row = evaluation.confusion[of];
  size_t worst = of;
  for (size_t i = 0; i < row.size(); ++i)
    if (i != of && row[i] > 0 && (worst == of || row[i] > row[worst])) worst = i;
  return worst == of ? "" : fmt::format("{} ({})", evaluation.classes[worst].name, row[worst]);
}

std::string confusion_table(const Evaluation& evaluation, const std::vector<size_t>& shown) {
  Table table("<" + std::string(shown.size(), '>'));
  std::vector<std::string> head{""};
  for (size_t i = 0; i < shown.size(); ++i) head.push_back(fmt::format("({})", i + 1));
  table.add(head);
  for (size_t i = 0; i < shown.size(); ++i) {
    std::vector<std::string> row{fmt::format("({}) {}", i + 1, evaluation.classes[shown[i]].name)};
    for (size_t j : shown) row.push_back(evaluation.confusion[shown[i]][j] > 0 ? std::to_string(evaluation.confusion[shown[i]][j]) : ".");
    table.add(row);
  }
  return table.text();
}

// What the model knows of these pictures from its training.
void print_seen(const Evaluation& evaluation) {
  if (!evaluation.seen) return print("\nwhich pictures the model was trained on is not recorded in it: some of these may be among them\n");
  const SeenInTraining& seen = *evaluation.seen;
  const char* before = seen.all ? "" : "; what the weights before that were trained on is not known";
  const auto known = static_cast<int64_t>(seen.pictures.size());
  if (known == 0)
    return print("\nnone of them is among the {} that the model was trained on or chosen by{}\n",
                 counted(seen.recorded, "picture", "pictures"), before);
  const auto same = std::ranges::count_if(seen.pictures, &SeenPicture::same_pixels);
  print("\n{} of {} {} used in the model's training ({} pixel by pixel, {} nearly){}\n", known,
        counted(evaluation.score.pictures, "picture", "pictures"), known == 1 ? "was" : "were", same, known - same, before);
  constexpr size_t kNamed = 3;
  for (size_t i = 0; i < std::min(kNamed, seen.pictures.size()); ++i) print("  {}\n", seen.pictures[i].file);
  if (seen.pictures.size() > kNamed) print("  and {} more, which --json names\n", seen.pictures.size() - kNamed);
  if (seen.others.pictures == 0)
    print("without them no picture is left\n");
  else if (seen.others.labels)
    print("without them: mean average precision {} of {}, loss {:.4f}\n", as_percent(seen.others.labels->mean_average_precision),
          counted(seen.others.pictures, "picture", "pictures"), seen.others_loss);
  else
    print("without them: accuracy {} of {}, top 5 {}, loss {:.4f}\n", as_percent(seen.others.accuracy),
          counted(seen.others.pictures, "picture", "pictures"), as_percent(seen.others_top5), seen.others_loss);
}

void print_labels(const Evaluation& evaluation) {
  const LabelScores& scores = *evaluation.score.labels;
  print("mean average precision {}, F1 {} (macro) and {} (micro), all labels right {} of {}, loss {:.4f}\n\n",
        as_percent(scores.mean_average_precision), as_percent(scores.f1_macro), as_percent(scores.f1_micro),
        as_percent(evaluation.score.accuracy), counted(evaluation.score.pictures, "picture", "pictures"), evaluation.loss);
  Table table("<>>>>>");
  table.add({"class", "pictures", "found", "average precision", "F1", "told from"});
  for (size_t i = 0; i < evaluation.classes.size(); ++i) {
    const ClassScore& one = evaluation.classes[i];
    table.add({one.name, std::to_string(one.pictures), std::to_string(one.correct),
               one.average_precision < 0 ? "" : as_percent(one.average_precision), as_percent(one.f1),
               as_percent(evaluation.thresholds[i])});
  }
  print("{}", table.text());
}

void print_text(const Evaluation& evaluation) {
  if (evaluation.score.labels) return print_labels(evaluation);
  print("accuracy {} of {}, top 5 {}, loss {:.4f}\n\n", as_percent(evaluation.score.accuracy),
        counted(evaluation.score.pictures, "picture", "pictures"), as_percent(evaluation.top5), evaluation.loss);
  Table table("<>>><");
  table.add({"class", "pictures", "correct", "accuracy", "most often taken for"});
  std::vector<size_t> shown;
  for (size_t i = 0; i < evaluation.classes.size(); ++i) {
    const ClassScore& one = evaluation.classes[i];
    if (one.pictures == 0) continue;
    shown.push_back(i);
    table.add({one.name, std::to_string(one.pictures), std::to_string(one.correct), as_percent(share(one.correct, one.pictures)),
               most_frequent_mistake(evaluation, i)});
  }
  print("{}", table.text());
  constexpr size_t kMostShown = 30;
  if (shown.size() <= kMostShown)
    print("\nconfusion: a row for each true class, a column for each predicted one\n{}", confusion_table(evaluation, shown));
}

Json seen_json(const SeenInTraining& seen) {
  Json pictures = Json::array();
  for (const SeenPicture& one : seen.pictures) pictures.push_back(Json{{"file", one.file}, {"same_pixels", one.same_pixels}});
  Json others{
      {"accuracy", seen.others.accuracy}, {"pictures", seen.others.pictures}, {"top5", seen.others_top5}, {"loss", seen.others_loss}};
  if (seen.others.labels) add_fields(others, *seen.others.labels);
  return {{"recorded", seen.recorded}, {"all", seen.all}, {"pictures", pictures}, {"others", others}};
}

Json to_json(const Evaluation& evaluation) {
  Json classes = Json::array();
  for (size_t i = 0; i < evaluation.classes.size(); ++i) {
    const ClassScore& one = evaluation.classes[i];
    Json json{{"name", one.name}, {"pictures", one.pictures}, {"correct", one.correct}, {"accuracy", share(one.correct, one.pictures)}};
    if (evaluation.score.labels) {
      json.set("average_precision", one.average_precision < 0 ? Json() : one.average_precision);
      json.set("f1", one.f1);
      json.set("threshold", evaluation.thresholds[i]);
    }
    classes.push_back(json);
  }
  Json json{{"accuracy", evaluation.score.accuracy},
            {"pictures", evaluation.score.pictures},
            {"top5", evaluation.top5},
            {"loss", evaluation.loss},
            {"classes", classes},
            {"confusion", evaluation.confusion},
            {"left_out", left_out_json(evaluation.left_out)},
            {"unused", left_out_json(evaluation.unused)}};
  if (evaluation.score.labels) add_fields(json, *evaluation.score.labels);
  json.set("seen_in_training", evaluation.seen ? seen_json(*evaluation.seen) : Json());
  return json;
}

int evaluate(const EvaluateArguments& options) {
  const LabelledData data = labelled_data(options.data);
  if (!options.report.empty()) {
    if (!options.report.ends_with(".html") && !options.report.ends_with(".htm"))
      throw Error(ErrorKind::usage, options.report + ": the page is HTML; end its name with .html");
    check_output(options.report);
  }
  Model model = load(options.model);
  apply(model, options.preprocessing);
  Progress progress;
  EvaluateOptions keep;  // what each picture was taken for is shown on the page alone
  keep.outcomes = !options.report.empty();
  keep.probabilities = model.head().independent;
  keep.progress = [&](int64_t done, int64_t total) {
    progress.show("evaluating", static_cast<double>(done), static_cast<double>(total), fmt::format("{} of {} pictures", done, total));
    return true;
  };
  const Evaluation evaluation = data.folder.empty() ? fovea::evaluate(model, data.files, keep) : fovea::evaluate(model, data.folder, keep);
  progress.clear();
  for (const std::string& line : unused_lines(evaluation.unused)) say(line);
  report_left_out(evaluation.left_out);
  if (!options.report.empty()) {
    const std::string where =
        data.folder.empty() ? fmt::format("a list of {}", counted(static_cast<int64_t>(data.files.size()), "file", "files")) : data.folder;
    write_report(model, evaluation, options.report, where, command_line());
  }
  if (options.json) {
    print_json(to_json(evaluation));
    return 0;
  }
  print_text(evaluation);
  print_seen(evaluation);
  return 0;
}

}  // namespace

void add_evaluate(Command& program) {
  Command command = program.command("evaluate", "Accuracy on pictures whose classes are known, per class, and what is taken for what");
  const auto options = std::make_shared<EvaluateArguments>();
  add_model(command, options->model);
  add_labelled_data(command, options->data);
  add_preprocessing(command, options->preprocessing, "what the model has; crop for published weights", kAnswerFits);
  add_decode(command, options->preprocessing);
  command.option("--report", options->report, "Write a page with classes, confusion, calibration and the worst mistakes").type("FILE");
  add_json(command, options->json,
           R"({"accuracy", "pictures", "top5", "loss", "classes": [{"name", "pictures", "correct", "accuracy"}], "confusion", "left_out",
"unused", "seen_in_training": {"recorded", "all", "pictures": [{"file", "same_pixels"}], "others": {"accuracy", "pictures", "top5", "loss"}}})");
  command.footer(kEvaluateFooter);
  command.runs([options] { return evaluate(*options); });
}

}  // namespace fovea::cli
