// Several runs of one kind: folds and seeds.
#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

std::string spread_of(const json& metrics, const char* key, const char* title, const char* one) {
  if (!metrics.contains(key)) return "";
  const json& spread = metrics[key];
  const std::string path = key;
  std::string measure = "accuracy";
  for (const auto& [name, value] : spread.items())
    if (value.is_array() && spread.contains(name + "_mean")) measure = name;
  const double mean = spread.at(measure + "_mean"), deviation = spread.at(measure + "_std");
  std::string text = fmt::format("<h3>{}</h3><p>{} {} on average, standard deviation {}", title,
                                 shown_value(path + "." + measure + "_mean", percent(mean)),
                                 escaped(measure == "accuracy" ? "accuracy" : "mean average precision"),
                                 shown_value(path + "." + measure + "_std", percent(deviation)));
  if (spread.contains(measure + "_interval"))
    text += fmt::format("; 95\u202F% confidence interval of the mean {}",
                        shown_value(path + "." + measure + "_interval",
                                    percent_range(spread[measure + "_interval"].at(0), spread[measure + "_interval"].at(1))));
  text += ".</p><div class=\"scroll\"><table class=\"classes\"><tbody>";
  const json& values = spread.at(measure);
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    text += fmt::format("<tr><th scope=\"row\">{} {}</th><td class=\"drawing\">{}</td><td class=\"number\">{}</td></tr>", one, i + 1,
                        interval_row(value, value, value), shown_value(fmt::format("{}.{}.{}", path, measure, i), percent(value)));
  }
  return text + "</tbody></table></div>";
}

}  // namespace

std::string spread_section(const json& metrics) {
  const std::string text = spread_of(metrics, "folds", "Folds", "fold") + spread_of(metrics, "seeds", "Seeds", "seed");
  return text.empty() ? "" : section("spread", "Is it luck?", text);
}

}  // namespace fovea::report
