#include <algorithm>
#include <cmath>
#include <filesystem>

#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

int64_t correct_of(const json& evaluation) {
  int64_t correct = 0;
  for (const json& one : evaluation.at("classes")) correct += one.at("correct").get<int64_t>();
  return correct;
}

// Always saying the most frequent class.
struct Baseline {
  std::string name;
  double share = 0;
};
Baseline baseline_of(const json& evaluation) {
  Baseline best;
  for (const json& one : evaluation.at("classes")) {
    const double share = one.at("pictures").get<double>() / std::max(1.0, evaluation.at("pictures").get<double>());
    if (share > best.share) best = {one.at("name"), share};
  }
  return best;
}

std::string worst_pair(const Shown& shown) {
  const json& confusion = shown.evaluation->at("confusion");
  int64_t most = 0;
  std::string words;
  for (size_t i = 0; i < confusion.size(); ++i) {
    for (size_t j = 0; j < confusion[i].size(); ++j) {
      const int64_t count = confusion[i][j];
      if (i == j || count <= most) continue;
      most = count;
      words = fmt::format("; most often it takes “{}” for “{}” ({})", escaped(shown.classes[i]), escaped(shown.classes[j]),
                          count == 1   ? "once"
                          : count == 2 ? "twice"
                                       : fmt::format("{} times", count));
    }
  }
  return words;
}

// The pictures of an evaluation that the model knows from its training; null: nobody knows.
const json* seen_pictures(const Shown& shown) {
  const auto seen = shown.evaluation->find("seen_in_training");
  return seen == shown.evaluation->end() ? nullptr : &*seen;
}

std::string unseen(const Shown& shown) {
  if (shown.key == "test" && shown.of_run) return "kept for the test";
  if (shown.key == "test") {
    const json* seen = seen_pictures(shown);
    return seen && seen->at("pictures").empty() && seen->at("all").get<bool>() ? "that it never saw in training" : "that it was given";
  }
  if (shown.key == "validation") return "kept for validation";
  return "of the folds that it was not trained on";
}

std::string verdict(const Shown& shown) {
  const json& evaluation = *shown.evaluation;
  const int64_t correct = correct_of(evaluation), pictures = evaluation.at("pictures");
  const double low = evaluation.at("interval").at(0), high = evaluation.at("interval").at(1), accuracy = evaluation.at("accuracy");
  const Baseline baseline = baseline_of(evaluation);
  const char* compared = low > baseline.share        ? "clearly better than"
                         : accuracy > baseline.share ? "not surely better than"
                                                     : "no better than";
  const json* seen = seen_pictures(shown);
  if (seen && !seen->at("pictures").empty())  // of new pictures they tell nothing
    return fmt::format("Right on {} of {} {}, {} of which it knows from its training.", with_commas(correct),
                       counted(pictures, "picture", "pictures"), unseen(shown),
                       with_commas(static_cast<int64_t>(seen->at("pictures").size())));
  std::string text = fmt::format(
      "Right on {} of {} {}: of new pictures like these it would get {} right (95\u202F% confidence), {} the {} of always "
      "saying “{}”",
      with_commas(correct), counted(pictures, "picture", "pictures"), unseen(shown), percent_range(low, high), compared,
      percent(baseline.share), escaped(baseline.name));
  if (correct < pictures) text += worst_pair(shown);
  return text + ".";
}

// Where pictures have several labels.
std::string labels_verdict(const Shown& shown) {
  const json& evaluation = *shown.evaluation;
  const auto right = std::llround(evaluation.at("accuracy").get<double>() * evaluation.at("pictures").get<double>());
  return fmt::format(
      "Mean average precision {} over {} {}: every label is told rightly of {} of them, so of {} of new pictures like these (95\u202F% "
      "confidence).",
      percent(evaluation.at("mean_average_precision")), counted(evaluation.at("pictures"), "picture", "pictures"), unseen(shown),
      with_commas(right), percent_range(evaluation.at("interval").at(0), evaluation.at("interval").at(1)));
}

// How much of an accuracy is that of pictures which were learnt by heart, as far as anybody knows.
std::string acquaintance(const Shown& shown) {
  if (shown.key != "test") return "";
  const auto paragraph = [](const std::string& text) { return "<p class=\"note\" id=\"seen\">" + text + "</p>"; };
  const json* seen = seen_pictures(shown);
  if (!seen)
    return shown.of_run ? ""
                        : paragraph("Which pictures the model was trained on is not recorded in it, so some of these may be among them.");
  const auto known = static_cast<int64_t>(seen->at("pictures").size()),
             same = static_cast<int64_t>(
                 std::ranges::count_if(seen->at("pictures"), [](const json&one) { return one.at("same_pixels").get<bool>(); }));
  const int64_t pictures = shown.evaluation->at("pictures");
  const std::string others = seen->at("all").get<bool>() ? "" : " What the weights that training began with were trained on is not known.";
  if (known == 0)
    return shown.of_run
               ? ""
               : paragraph(fmt::format("None of them is among the {} that it was trained on or chosen by, by their fingerprints.{}",
                                       shown_value(shown.key + ".seen_in_training.recorded", with_commas(seen->at("recorded"))), others));
  std::string text = fmt::format("{} of {} {} used in its training ({} pixel by pixel, {} nearly), and tell{} nothing of new ones. ",
                                 with_commas(known), counted(pictures, "picture", "pictures"), known == 1 ? "was" : "were",
                                 with_commas(same), with_commas(known - same), known == 1 ? "s" : "");
  const json& rest = seen->at("others");
  const std::string path = shown.key + ".seen_in_training.others.";
  if (rest.at("pictures").get<int64_t>() == 0)
    text += "There are no others.";
  else if (rest.contains("mean_average_precision"))
    text += fmt::format("Without them: mean average precision {} over {} pictures.",
                        shown_value(path + "mean_average_precision", percent(rest.at("mean_average_precision"))),
                        shown_value(path + "pictures", with_commas(rest.at("pictures"))));
  else
    text += fmt::format("Without them: {} right of {} pictures, {} of new ones (95\u202F% confidence).",
                        shown_value(path + "accuracy", percent(rest.at("accuracy"))),
                        shown_value(path + "pictures", with_commas(rest.at("pictures"))),
                        shown_value(path + "interval", percent_range(rest.at("interval").at(0), rest.at("interval").at(1))));
  return paragraph(text + others);
}

std::string advice(const json& metrics, const Shown& shown) {
  const double low = shown.evaluation->at("interval").at(0), high = shown.evaluation->at("interval").at(1);
  std::string text;
  if (shown.key == "validation" && metrics.contains("epochs"))
    text += "The best epoch was chosen by these pictures, so new ones will come out a little worse; --test 0.2 keeps some aside. ";
  constexpr double kWide = 0.1;
  if (high - low > kWide && metrics.contains("epochs") && !metrics.contains("folds") && shown.key != "out_of_fold")
    text += fmt::format("The interval is {:.0f} points wide since {} were tested; --folds 5 tests on every picture. ", 100 * (high - low),
                        counted(shown.evaluation->at("pictures"), "picture", "pictures"));
  return text.empty() ? "" : "<p class=\"note\">" + text + "</p>";
}

std::string tile(const char* name, const std::string& value, const std::string& below) {
  return fmt::format("<div class=\"tile\"><div class=\"name\">{}</div><div class=\"value\">{}</div><div class=\"below\">{}</div></div>",
                     name, value, below);
}

std::string score_tile(const json& metrics, const char* key, const char* name) {
  const json& evaluation = metrics.at(key);
  const std::string path = key;
  std::string below = shown_value(path + ".pictures", with_commas(evaluation.at("pictures"))) + " pictures";
  if (evaluation.contains("interval")) {
    const double low = evaluation["interval"][0], high = evaluation["interval"][1];
    below = interval_row(evaluation.at("accuracy"), low, high) + shown_value(path + ".interval", percent_range(low, high)) + "<br>" + below;
  }
  return tile(name, shown_value(path + ".accuracy", percent(evaluation.at("accuracy"))), below);
}

std::string labels_tiles(const Shown& shown) {
  if (!shown.evaluation) return "";
  const json& evaluation = *shown.evaluation;
  if (!evaluation.contains("mean_average_precision")) return "";
  const auto share = [&](const char* name) { return shown_value(shown.key + "." + name, percent(evaluation.at(name))); };
  std::string tiles = tile("Mean average precision", share("mean_average_precision"), "over the classes, several labels a picture");
  if (evaluation.contains("f1_macro") && evaluation.contains("f1_micro"))
    tiles += tile("F1", share("f1_macro"), "mean of the classes; all answers together " + share("f1_micro"));
  return tiles;
}

std::string tiles(const json& metrics, const Shown& shown) {
  const bool several = shown.evaluation && shown.evaluation->contains("mean_average_precision");
  std::string text = labels_tiles(shown);
  if (has_pictures(metrics, "test")) text += score_tile(metrics, "test", several ? "All labels right, test" : "Test accuracy");
  if (has_pictures(metrics, "out_of_fold"))
    text += score_tile(metrics, "out_of_fold", several ? "All labels right, folds" : "Accuracy over the folds");
  if (has_pictures(metrics, "validation"))
    text += score_tile(metrics, "validation", several ? "All labels right, validation" : "Validation accuracy");
  if (shown.evaluation && shown.evaluation->contains("calibration"))
    text += tile("Calibration error",
                 shown_value(shown.key + ".calibration.expected_error", percent(shown.evaluation->at("calibration").at("expected_error"))),
                 "how far confidence and accuracy lie apart, on average");
  if (metrics.contains("seconds")) {
    std::string below = "from reading the pictures to the last test";
    if (metrics.contains("peak_bytes"))
      below += ", peak memory " + shown_value("peak_bytes.measured", as_bytes(metrics["peak_bytes"].at("measured")));
    text += tile("Time", shown_value("seconds", as_seconds(metrics.at("seconds"))), below);
  }
  return "<div class=\"tiles\">" + text + "</div>";
}

}  // namespace

std::string summary_section(const json& metrics, const Shown& shown) {
  const std::string model = metrics.value("model", "a network"), data = metrics.value("data", "");
  const std::string name = std::filesystem::path(data).filename().string();
  std::string facts;
  const auto add = [&](const std::string& fact) { facts += (facts.empty() ? "" : " · ") + fact; };
  if (metrics.contains("classes")) add(counted(static_cast<int64_t>(metrics["classes"].size()), "class", "classes"));
  if (metrics.contains("training_pictures"))
    add(shown_value("training_pictures", with_commas(metrics["training_pictures"])) + " pictures to train on");
  for (const char* key : {"validation", "test"})
    if (has_pictures(metrics, key))
      add(with_commas(metrics[key].at("pictures")) + (std::string(" to ") + (key[0] == 'v' ? "validate" : "test")));
  if (metrics.contains("recipe")) add("recipe " + shown_value("recipe", escaped(metrics["recipe"].get<std::string>())));
  if (metrics.contains("seed")) add("seed " + shown_value("seed", std::to_string(metrics["seed"].get<uint64_t>())));

  std::string text = fmt::format("<header><p class=\"kind\">{}</p><h1>{}{}</h1><p class=\"facts\">{}</p></header>\n",
                                 metrics.contains("epochs") ? "fovea · training report" : "fovea · evaluation report",
                                 shown_value("model", escaped(model)), name.empty() ? "" : " on " + escaped(name), facts);
  std::string body;
  if (shown.evaluation && shown.evaluation->contains("interval"))
    body += "<p class=\"verdict\" id=\"verdict\">" +
            (shown.evaluation->contains("mean_average_precision") ? labels_verdict(shown) : verdict(shown)) + "</p>" + acquaintance(shown) +
            advice(metrics, shown);
  body += tiles(metrics, shown);
  if (metrics.contains("reason"))
    body += fmt::format("<p class=\"note\">Why recipe {}: {}.</p>", escaped(metrics.at("recipe").get<std::string>()),
                        shown_value("reason", escaped(metrics["reason"].get<std::string>())));
  return text + section("summary", "Summary", body);
}

}  // namespace fovea::report
