#include <algorithm>
#include <cmath>
#include <set>

#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

Series series_of(const json& history, const char* key, std::string name, std::string look) {
  Series series{std::move(name), std::move(look), {}};
  for (const json& row : history)
    if (row.contains(key) && row[key].is_number() && std::isfinite(row[key].get<double>()))
      series.points.emplace_back(row.at("epoch").get<double>(), row[key].get<double>());
  return series;
}

std::vector<LineChart::Band> bands_of(const json& history) {
  std::vector<LineChart::Band> bands;
  for (const json& row : history) {
    const double epoch = row.at("epoch");
    const std::string phase = row.at("phase");
    if (bands.empty() || bands.back().name != phase) bands.push_back({phase, epoch, epoch});
    bands.back().last = epoch;
  }
  return bands;
}

std::string chart(const json& metrics, LineChart chart, std::vector<Series> series) {
  for (Series& one : series)
    if (!one.points.empty()) chart.series.push_back(std::move(one));
  if (chart.series.empty()) return "";
  chart.x_label = "epoch";
  chart.bands = bands_of(metrics.at("history"));
  if (metrics.contains("best_epoch")) {
    chart.mark = metrics["best_epoch"].get<double>();
    chart.mark_name = fmt::format("best epoch ({:g})", *chart.mark);
  }
  return figure(line_chart(chart), "");
}

// What the caller's own metrics were after an epoch.
json own_metrics_of(const json& row) { return row.value("metrics", json::object()); }

// A chart for each of them.
std::string own_charts(const json& metrics) {
  std::set<std::string> names;
  for (const json& row : metrics.at("history")) {
    const json own = own_metrics_of(row);
    for (const auto& [name, value] : own.items()) names.insert(name);
  }
  std::string charts;
  int number = 0;
  for (const std::string& name : names) {
    Series series{"validation", "validation", {}};
    for (const json& row : metrics.at("history")) {
      const json value = own_metrics_of(row).value(name, json());
      if (value.is_number() && std::isfinite(value.get<double>()))
        series.points.emplace_back(row.at("epoch").get<double>(), value.get<double>());
    }
    LineChart one;
    one.id = fmt::format("own-curve-{}", ++number), one.title = name + " over epochs", one.y_label = name;
    charts += chart(metrics, one, {series});
  }
  return charts;
}

// A head that was solved for has no epochs, but a penalty that was chosen.
bool only_solved(const json& metrics) {
  if (!metrics.contains("phases") || metrics["phases"].empty()) return false;
  return std::ranges::all_of(metrics["phases"], [](const json& phase) { return phase.value("solved", false); });
}

std::string probe_chart(const json& probe, const char* key, const char* id, const std::string& title, const std::string& y_label) {
  LineChart chart;
  chart.id = id, chart.title = title, chart.y_label = y_label;
  chart.x_label = "C, the inverse of the penalty (weaker to the right)";
  chart.percent = std::string(key) == "accuracy";
  chart.from_zero = !chart.percent;
  chart.powers_of_ten = true;
  Series series{chart.percent ? "accuracy" : "loss", "validation", {}};
  const double c = probe.at("C"), penalty = probe.at("best").at("penalty");
  for (const json& trial : probe.at("curve"))
    series.points.emplace_back(std::log10(c * penalty / trial.at("penalty").get<double>()), trial.at(key).get<double>());
  chart.series.push_back(std::move(series));
  chart.mark = std::log10(c);
  chart.mark_name = fmt::format("chosen ({:.2g})", c);
  return figure(line_chart(chart), "");
}

std::string way_text(const json& trial) {
  return fmt::format("{}{} {} (loss {:.3f})", trial.at("fit").get<std::string>(),
                     trial.at("mirrored").get<bool>() ? " with the mirror image" : "", percent(trial.at("accuracy")),
                     trial.at("loss").get<double>());
}

// How the penalty of a head that was solved for was chosen; empty where nothing was to choose by.
std::string probe_choice(const json& metrics) {
  if (!metrics.contains("probe") || metrics["probe"].value("folds", int64_t{0}) == 0 || !metrics["probe"].contains("curve")) return "";
  const json& probe = metrics["probe"];
  // Of several labels all of a picture's are right, or not.
  const bool labels = std::ranges::any_of(metrics.value("history", json::array()), [](const json& row) {
    return row.contains("validation_mean_average_precision") && row["validation_mean_average_precision"].is_number();
  });
  const std::string right = labels ? "every label right" : "accuracy";
  std::vector<std::string> ways;
  for (const json& trial : probe.at("trials")) ways.push_back(way_text(trial));
  const std::string text = fmt::format(
      "<p class=\"note\">The head was solved for (logistic regression on the features of the frozen backbone). Its penalty{} by the "
      "loss in {}-fold cross validation of the training pictures. {}: {}.</p>",
      ways.size() == 1 ? " was chosen" : " and how a picture is asked about were chosen",
      shown_value("probe.folds", std::to_string(probe.at("folds").get<int64_t>())), labels ? "Every label right" : "Accuracy",
      joined(ways));
  return text + "<div class=\"charts\">" +
         probe_chart(probe, "accuracy", "probe-accuracy", "Pictures held out: " + right + " over C", right + " (%)") +
         probe_chart(probe, "loss", "probe-loss", "Pictures held out: loss over C", "loss (nats a picture)") + "</div>";
}

std::string solved_section(const json& metrics) {
  std::string text;
  if (metrics.contains("history") && !metrics["history"].empty()) {
    const json& last = metrics["history"].back();
    text = fmt::format(
        "<p class=\"note\">No epochs and no rate: a head alone was solved for. Its training pictures: loss {:.3f}, {} right.</p>",
        last.at("train_loss").get<double>(), percent(last.at("train_accuracy")));
  }
  return section("curves", "Training", text + probe_choice(metrics));
}

// What became of a phase that was tried beside another, and what a last one trains on; empty: nothing to be told.
std::string fate_of(const json& metrics, const std::string& name) {
  for (const json& phase : metrics.value("phases", json::array())) {
    if (phase.value("name", "") != name) continue;
    if (phase.value("trial", false)) return metrics.value("recipe", "") == "finetune" ? "tried and kept" : "tried and not kept";
    if (phase.value("with_validation_pictures", false)) return "the head once more, with the validation pictures";
  }
  return "";
}

// "all (epochs 2 to 7, tried and kept)", the one whose weights were kept first.
std::vector<std::string> phases_of(const json& metrics) {
  std::vector<std::string> phases;
  size_t kept = 0;
  for (const LineChart::Band& band : bands_of(metrics.at("history"))) {
    const std::string fate = fate_of(metrics, band.name);
    if (fate != "tried and not kept") kept = phases.size();
    phases.push_back(fmt::format(
        "{} ({}{})", escaped(band.name),
        band.first == band.last ? fmt::format("epoch {:g}", band.first) : fmt::format("epochs {:g} to {:g}", band.first, band.last),
        fate.empty() ? "" : ", " + fate));
  }
  if (!phases.empty())
    std::rotate(phases.begin(), phases.begin() + static_cast<std::ptrdiff_t>(kept), phases.begin() + static_cast<std::ptrdiff_t>(kept) + 1);
  return phases;
}

}  // namespace

std::string curves_section(const json& metrics) {
  if (only_solved(metrics)) return solved_section(metrics);
  if (!metrics.contains("history") || metrics["history"].empty()) return "";
  const json& history = metrics["history"];
  const Series precision = series_of(history, "validation_mean_average_precision", "validation", "validation");
  const bool labels = !precision.points.empty();
  LineChart loss, accuracy, rate, precisions;
  loss.id = "loss-curve", loss.title = "Loss over epochs", loss.y_label = "loss (nats a picture)";
  accuracy.id = "accuracy-curve", accuracy.title = "Accuracy over epochs", accuracy.y_label = "accuracy (%)", accuracy.percent = true;
  rate.id = "rate-curve", rate.title = "Rate over epochs", rate.y_label = "rate of the last step";
  std::string charts =
      chart(metrics, loss,
            {series_of(history, "train_loss", "training", "training"), series_of(history, "validation_loss", "validation", "validation")});
  precisions.id = "precision-curve", precisions.title = "Mean average precision over epochs";
  precisions.y_label = "mean average precision (%)", precisions.percent = true;
  if (labels) accuracy.title = "Pictures with every label right over epochs", accuracy.y_label = "every label right (%)";
  charts += chart(metrics, precisions, {precision});
  charts += chart(metrics, accuracy,
                  {series_of(history, "train_accuracy", "training", "training"),
                   series_of(history, "validation_accuracy", "validation", "validation")});
  charts += chart(metrics, rate, {series_of(history, "rate", "rate", "validation")});
  charts += own_charts(metrics);
  const std::vector<std::string> phases = phases_of(metrics);
  std::string text = fmt::format("<p class=\"note\">{} epochs, the best one {}. {}: {}.</p>",
                                 shown_value("epochs", with_commas(metrics.value("epochs", int64_t{0}))),
                                 shown_value("best_epoch", with_commas(metrics.value("best_epoch", int64_t{0}))),
                                 phases.size() == 1 ? "Phase" : "Phases", joined(phases));
  const std::string choice = probe_choice(metrics);
  return section("curves", "Training",
                 text + "<div class=\"charts\">" + charts + "</div>" + (choice.empty() ? "" : "<h3>The head</h3>" + choice));
}

}  // namespace fovea::report
