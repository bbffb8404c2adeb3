// What of one evaluation is shown: classes, confusion, calibration.
#include <algorithm>
#include <numeric>

#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"
#include "train/statistics.h"

namespace fovea::report {
namespace {

constexpr size_t kMostInMatrix = 40, kMostPairs = 30;

std::string scale_row() {
  return "<tr class=\"scale\"><th></th><td><div "
         "class=\"scale\"><span>0</span><span>25</span><span>50</span><span>75</span><span>100\u202F%</span></div></td>"
         "<td colspan=\"3\"></td></tr>";
}

// Rows of the matrix that have anything in them.
std::vector<size_t> used_classes(const json& confusion) {
  std::vector<size_t> used;
  for (size_t i = 0; i < confusion.size(); ++i) {
    bool any = false;
    for (size_t j = 0; j < confusion.size(); ++j) any = any || confusion[i][j] != 0 || confusion[j][i] != 0;
    if (any) used.push_back(i);
  }
  return used;
}

std::string matrix(const Shown& shown, const std::vector<size_t>& used) {
  const json& confusion = shown.evaluation->at("confusion");
  std::string text = fmt::format(
      "<div class=\"scroll\"><table class=\"matrix\" style=\"--n:{}\"><thead><tr><th class=\"corner\">true \\ taken for</th>", used.size());
  for (size_t j : used) text += fmt::format("<th scope=\"col\"><span>{}</span></th>", escaped(shown.classes[j]));
  text += "</tr></thead><tbody>";
  for (size_t i : used) {
    int64_t sum = 0;
    for (const json& cell : confusion[i]) sum += cell.get<int64_t>();
    text += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(shown.classes[i]));
    for (size_t j : used) {
      const int64_t count = confusion[i][j];
      if (count == 0) {
        text += i == j ? "<td class=\"diagonal\"></td>" : "<td></td>";
        continue;
      }
      const double share = static_cast<double>(count) / static_cast<double>(sum);
      text += fmt::format(
          "<td class=\"{}\" style=\"--s:{:.2f}\" title=\"{} taken for {}: {} of {}\" data-of=\"{}.confusion.{}.{}\">{}</td>",
          i == j ? "right" : "wrong", share, escaped(shown.classes[i]), escaped(shown.classes[j]), count, sum, shown.key, i, j, count);
    }
    text += "</tr>";
  }
  return text + "</tbody></table></div>";
}

std::string pairs(const Shown& shown) {
  struct Pair {
    size_t label = 0, predicted = 0;
    int64_t count = 0, of = 0;
  };
  const json& confusion = shown.evaluation->at("confusion");
  std::vector<Pair> found;
  for (size_t i = 0; i < confusion.size(); ++i) {
    int64_t sum = 0;
    for (const json& cell : confusion[i]) sum += cell.get<int64_t>();
    for (size_t j = 0; j < confusion[i].size(); ++j)
      if (i != j && confusion[i][j] > 0) found.push_back({i, j, confusion[i][j], sum});
  }
  std::stable_sort(found.begin(), found.end(), [](const Pair& a, const Pair& b) { return a.count > b.count; });
  const size_t all = found.size();
  if (found.size() > kMostPairs) found.resize(kMostPairs);
  if (found.empty()) return "<p>Nothing was taken for anything else.</p>";
  std::string text = fmt::format(
      "<p class=\"note\">{} of {} confused pairs, the most frequent first.</p><div class=\"scroll\"><table "
      "class=\"plain\"><thead><tr><th>true class</th><th>taken for</th><th "
      "class=\"number\">pictures</th><th class=\"number\">of the class</th></tr></thead><tbody>",
      found.size(), with_commas(static_cast<int64_t>(all)));
  for (const Pair& pair : found)
    text += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"number\" data-of=\"{}.confusion.{}.{}\">{}</td><td class=\"number\">{}</td></tr>",
        escaped(shown.classes[pair.label]), escaped(shown.classes[pair.predicted]), shown.key, pair.label, pair.predicted, pair.count,
        percent(static_cast<double>(pair.count) / static_cast<double>(pair.of)));
  return text + "</tbody></table></div>";
}

bool several_labels(const json& evaluation) { return evaluation.contains("mean_average_precision"); }

std::string labels_table(const Shown& shown) {
  std::string rows;
  const json& classes = shown.evaluation->at("classes");
  const auto number = [&](size_t i, const char* key) -> std::string {
    if (!classes[i].contains(key) || !classes[i][key].is_number() || classes[i][key].get<double>() < 0)
      return "<td class=\"number\">–</td>";
    return fmt::format("<td class=\"number\" data-of=\"{}.classes.{}.{}\">{}</td>", shown.key, i, key, percent(classes[i][key]));
  };
  for (size_t i = 0; i < classes.size(); ++i)
    rows += fmt::format("<tr><th scope=\"row\">{}</th>{}{}<td class=\"number\" data-of=\"{}.classes.{}.pictures\">{}</td></tr>",
                        escaped(classes[i].at("name").get<std::string>()), number(i, "average_precision"), number(i, "f1"), shown.key, i,
                        with_commas(classes[i].at("pictures")));
  return "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th>class</th><th class=\"number\">average precision</th><th "
         "class=\"number\">F1</th><th "
         "class=\"number\">pictures</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

}  // namespace

std::string classes_section(const Shown& shown) {
  if (!shown.evaluation || !shown.evaluation->contains("classes")) return "";
  const std::string title = fmt::format("Classes ({})", shown.title);
  if (several_labels(*shown.evaluation)) return section("classes", title, labels_table(shown));
  const json& classes = shown.evaluation->at("classes");
  std::vector<size_t> order;
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i].at("pictures") > 0 && classes[i].contains("interval")) order.push_back(i);
  if (order.empty()) return "";
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return classes[a].at("accuracy") < classes[b].at("accuracy"); });
  std::string rows;
  for (size_t i : order) {
    const json& one = classes[i];
    const double low = one.at("interval").at(0), high = one.at("interval").at(1), accuracy = one.at("accuracy");
    const std::string path = fmt::format("{}.classes.{}", shown.key, i);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"drawing\">{}</td><td class=\"number\">{}</td><td class=\"number range\">{}</td><td "
        "class=\"number\">{} of "
        "{}</td></tr>",
        escaped(one.at("name").get<std::string>()), interval_row(accuracy, low, high), shown_value(path + ".accuracy", percent(accuracy)),
        shown_value(path + ".interval", percent_range(low, high)), shown_value(path + ".correct", with_commas(one.at("correct"))),
        shown_value(path + ".pictures", with_commas(one.at("pictures"))));
  }
  return section(
      "classes", title,
      "<p class=\"note\">The weakest first. Bars are accuracies, whiskers 95\u202F% confidence intervals (Wilson): with few pictures "
      "of a class they are wide.</p><div class=\"scroll\"><table class=\"classes\"><thead><tr><th>class</th><th class=\"drawing\"></th><th "
      "class=\"number\">accuracy</th><th "
      "class=\"number range\">95\u202F% interval</th><th class=\"number\">correct</th></tr></thead><tbody>" +
          rows + scale_row() + "</tbody></table></div>");
}

std::string confusion_section(const Shown& shown) {
  if (!shown.evaluation || several_labels(*shown.evaluation) || !shown.evaluation->contains("confusion")) return "";
  const json& confusion = shown.evaluation->at("confusion");
  const std::vector<size_t> used = used_classes(confusion);
  if (used.empty()) return "";
  const std::string title = fmt::format("What is taken for what ({})", shown.title);
  if (used.size() > kMostInMatrix) return section("confusion", title, pairs(shown));
  return section("confusion", title,
                 "<p class=\"note\">A row is a true class, a column what the network said. Numbers are pictures, shades their share of the "
                 "row: <span class=\"key right\">right</span> <span class=\"key wrong\">wrong</span></p>" +
                     matrix(shown, used));
}

std::string calibration_section(const Shown& shown) {
  if (!shown.evaluation || several_labels(*shown.evaluation) || !shown.evaluation->contains("calibration")) return "";
  const json& calibration = shown.evaluation->at("calibration");
  std::vector<ReliabilityBin> bins;
  std::string rows;
  double confidence = 0;
  int64_t pictures = 0;
  for (size_t i = 0; i < calibration.at("bins").size(); ++i) {
    const json& one = calibration["bins"][i];
    ReliabilityBin bin{one.at("low"), one.at("high"), one.at("pictures"), one.at("confidence"), one.at("accuracy"), 0, 0};
    if (bin.pictures == 0) continue;
    const auto right = static_cast<int64_t>(std::llround(bin.accuracy * static_cast<double>(bin.pictures)));
    const training::Interval interval = training::wilson_interval(right, bin.pictures);
    bin.accuracy_low = interval.low, bin.accuracy_high = interval.high;
    confidence += bin.confidence * static_cast<double>(bin.pictures);
    pictures += bin.pictures;
    const std::string path = fmt::format("{}.calibration.bins.{}.", shown.key, i);
    rows += fmt::format(
        "<tr><td>{:.0f} to {:.0f}\u202F%</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
        100 * bin.low, 100 * bin.high, shown_value(path + "pictures", with_commas(bin.pictures)),
        shown_value(path + "confidence", percent(bin.confidence)), shown_value(path + "accuracy", percent(bin.accuracy)));
    bins.push_back(bin);
  }
  if (pictures == 0) return "";
  confidence /= static_cast<double>(pictures);
  const double accuracy = shown.evaluation->at("accuracy"), error = calibration.at("expected_error");
  constexpr double kClose = 0.03;
  const char* words = confidence > accuracy + kClose   ? "The network is surer of itself than it should be"
                      : confidence < accuracy - kClose ? "The network is right more often than it claims"
                                                       : "On the whole, confidence and accuracy agree";
  const std::string text =
      fmt::format("<p>{}: its mean confidence is {}, its accuracy {}. Expected calibration error {}.</p>", words, percent(confidence),
                  percent(accuracy), shown_value(shown.key + ".calibration.expected_error", percent(error)));
  const std::string table =
      "<table class=\"plain\"><thead><tr><th>confidence</th><th class=\"number\">pictures</th><th class=\"number\">mean confidence</th><th "
      "class=\"number\">accuracy</th></tr></thead><tbody>" +
      rows + "</tbody></table>";
  return section(
      "calibration", fmt::format("Can its confidence be believed? ({})", shown.title),
      text + "<div class=\"beside\">" +
          figure(reliability_chart(bins),
                 "Bars: accuracy of the pictures in a bin of confidence (n pictures), with its 95\u202F% interval. Short lines: their mean "
                 "confidence, which the bars should reach.") +
          table + "</div>");
}

}  // namespace fovea::report
