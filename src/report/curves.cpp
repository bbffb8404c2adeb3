#include <algorithm>

#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

Series series_of(const json& history, const char* key, std::string name, std::string look) {
  Series series{std::move(name), std::move(look), {}};
  for (const json& row : history)
    if (row.contains(key) && row[key].is_number()) series.points.emplace_back(row.at("epoch").get<double>(), row[key].get<double>());
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
  if (metrics.contains("best_epoch")) chart.mark = metrics["best_epoch"].get<double>();
  return figure(line_chart(chart), "");
}

}  // namespace

std::string curves_section(const json& metrics) {
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
  std::vector<std::string> phases;
  for (const LineChart::Band& band : bands_of(history))
    phases.push_back(fmt::format(
        "{} ({})", escaped(band.name),
        band.first == band.last ? fmt::format("epoch {:g}", band.first) : fmt::format("epochs {:g} to {:g}", band.first, band.last)));
  std::string text = fmt::format("<p class=\"note\">{} epochs, the best one {}. {}: {}.</p>",
                                 shown_value("epochs", with_commas(metrics.value("epochs", int64_t{0}))),
                                 shown_value("best_epoch", with_commas(metrics.value("best_epoch", int64_t{0}))),
                                 phases.size() == 1 ? "Phase" : "Phases", joined(phases));
  return section("curves", "Training", text + "<div class=\"charts\">" + charts + "</div>");
}

}  // namespace fovea::report
