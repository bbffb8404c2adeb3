#include "report/charts.h"

#include <algorithm>
#include <cmath>

#include "report/html.h"

namespace fovea::report {
namespace {

// In the units of viewBox; a page shows one for about one pixel.
constexpr double kWidth = 480, kHeight = 260, kLeft = 58, kRight = 24, kTop = 44, kBottom = 44;
constexpr double kCharacter = 6.6;  // of small text, at most

struct Frame {
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;

  double x(double value) const { return kLeft + (value - x_low) / (x_high - x_low) * (kWidth - kLeft - kRight); }
  double y(double value) const { return kHeight - kBottom - (value - y_low) / (y_high - y_low) * (kHeight - kTop - kBottom); }
};

std::string text(double x, double y, const char* look, const std::string& content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>", x, y, look, escaped(content));
}

std::string line(double x1, double y1, double x2, double y2, const char* look) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>", x1, y1, x2, y2, look);
}

std::string rectangle(double x, double y, double width, double height, const char* look) {
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"/>", x, y, width, height, look);
}

std::string axes(const Frame& frame, const std::string& x_label, const std::string& y_label) {
  const double middle = (kTop + kHeight - kBottom) / 2;
  return line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "axis") +
         text((kLeft + kWidth - kRight) / 2, kHeight - 8, "label middle", x_label) +
         fmt::format("<text transform=\"translate(11 {:.1f}) rotate(-90)\" class=\"label middle\">{}</text>", middle, escaped(y_label)) +
         (frame.y_low < 0 && frame.y_high > 0 ? line(kLeft, frame.y(0), kWidth - kRight, frame.y(0), "axis") : "");
}

std::string tick_text(double value, bool percent) {
  return percent ? fmt::format("{:g}\u202F%", std::round(1000 * value) / 10) : fmt::format("{:g}", value);
}

std::string y_ticks(const Frame& frame, bool percent) {
  std::string svg;
  for (double value : ticks(frame.y_low, frame.y_high, 4)) {
    if (value < frame.y_low - 1e-12 || value > frame.y_high + 1e-12) continue;
    svg += line(kLeft, frame.y(value), kWidth - kRight, frame.y(value), "grid");
    svg += text(kLeft - 7, frame.y(value) + 4, "tick end", tick_text(value, percent));
  }
  return svg;
}

constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};

// "10⁻³"
std::string power_of_ten(int power) {
  std::string result = power < 0 ? "10⁻" : "10";
  for (char digit : std::to_string(std::abs(power))) result += kDigits[digit - '0'];
  return result;
}

std::string x_ticks(const Frame& frame, bool whole, bool powers) {
  std::string svg;
  for (double value : ticks(frame.x_low, frame.x_high, 6)) {
    if (value < frame.x_low || value > frame.x_high || (whole && value != std::floor(value))) continue;
    svg += line(frame.x(value), kHeight - kBottom, frame.x(value), kHeight - kBottom + 4, "axis");
    svg += text(frame.x(value), kHeight - kBottom + 17, "tick middle",
                powers ? power_of_ten(static_cast<int>(value)) : tick_text(value, false));
  }
  return svg;
}

Frame frame_of(const LineChart& chart) {
  Frame frame;
  bool first = true;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) {
      if (first) frame = {x, x, y, y};
      first = false;
      frame.x_low = std::min(frame.x_low, x), frame.x_high = std::max(frame.x_high, x);
      frame.y_low = std::min(frame.y_low, y), frame.y_high = std::max(frame.y_high, y);
    }
  }
  if (frame.x_high <= frame.x_low) frame.x_low -= 1, frame.x_high += 1;
  if (chart.percent) {
    frame.y_high = 1;
    frame.y_low = chart.from_zero ? 0 : std::floor(10 * frame.y_low) / 10;
    if (frame.y_low >= frame.y_high) frame.y_low = 0.9;
    return frame;
  }
  if (chart.from_zero) frame.y_low = std::min(0.0, frame.y_low);
  if (frame.y_high <= frame.y_low) frame.y_high = frame.y_low + 1;
  frame.y_high += 0.05 * (frame.y_high - frame.y_low);
  return frame;
}

std::string bands_of(const LineChart& chart, const Frame& frame) {
  if (chart.bands.size() < 2) return "";
  std::string svg;
  bool shaded = false;
  for (const LineChart::Band& band : chart.bands) {
    const double left = std::max(kLeft, frame.x(band.first - 0.5)), right = std::min(kWidth - kRight, frame.x(band.last + 0.5));
    if (shaded) svg += rectangle(left, kTop, right - left, kHeight - kTop - kBottom, "band");
    if (&band != &chart.bands.front()) svg += line(left, kTop, left, kHeight - kBottom, "divide");
    shaded = !shaded;
    if (kCharacter * static_cast<double>(band.name.size()) < right - left)
      svg += text((left + right) / 2, kTop - 6, "tick middle", band.name);
  }
  return svg;
}

std::string legend_of(const LineChart& chart) {
  std::string svg;
  double x = kLeft;
  for (const Series& series : chart.series) {
    svg += fmt::format("<line x1=\"{:.1f}\" y1=\"12\" x2=\"{:.1f}\" y2=\"12\" class=\"line {}\"/>", x, x + 24, series.look);
    svg += text(x + 30, 16, "tick", series.name);
    x += 46 + kCharacter * static_cast<double>(series.name.size());
  }
  if (chart.mark) {
    svg += fmt::format("<line x1=\"{:.1f}\" y1=\"12\" x2=\"{:.1f}\" y2=\"12\" class=\"mark\"/>", x, x + 24);
    svg += text(x + 30, 16, "tick", chart.mark_name);
  }
  return svg;
}

std::string curve(const Series& series, const std::vector<LineChart::Band>& bands, const Frame& frame) {
  // A line for each part of the x axis: what happens in one is no continuation of the one before.
  std::string svg, points;
  const auto end_line = [&] {
    if (!points.empty()) points.pop_back();
    if (!points.empty()) svg += fmt::format("<polyline points=\"{}\" class=\"line {}\"/>", points, series.look);
    points.clear();
  };
  auto band = bands.begin();
  for (const auto& [x, y] : series.points) {
    while (band != bands.end() && x > band->last) {
      end_line();
      ++band;
    }
    points += fmt::format("{:.1f},{:.1f} ", frame.x(x), frame.y(y));
  }
  end_line();
  constexpr size_t kFew = 16;  // points of so few epochs are marked, of one alone nothing else would show
  if (series.points.size() <= kFew)
    for (const auto& [x, y] : series.points)
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\" class=\"dot {}\"/>", frame.x(x), frame.y(y), series.look);
  return svg;
}

// Small numbers, such as rates, as multiples of a power of ten that the label names.
LineChart with_readable_numbers(LineChart chart) {
  double largest = 0;
  for (const Series& series : chart.series)
    for (const auto& [x, y] : series.points) largest = std::max(largest, std::abs(y));
  constexpr double kSmall = 0.01;
  if (largest >= kSmall || largest == 0 || chart.percent) return chart;
  const auto power = static_cast<int>(std::floor(std::log10(largest)));
  for (Series& series : chart.series)
    for (auto& [x, y] : series.points) y /= std::pow(10, power);
  chart.y_label += " (in " + power_of_ten(power) + ")";
  return chart;
}

std::string open_svg(const std::string& id, const std::string& title, double height = kHeight) {
  return fmt::format("<svg id=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">", id, kWidth, height, escaped(title));
}

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  if (!(rough > 0) || !std::isfinite(rough)) return {low};
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double rest = rough / power, step = power * (rest < 1.41 ? 1 : rest < 3.16 ? 2 : rest < 7.07 ? 5 : 10);
  std::vector<double> values;
  for (double at = std::ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; ++at) values.push_back(at == 0 ? 0 : at * step);
  return values;
}

std::string line_chart(const LineChart& given) {
  const LineChart chart = with_readable_numbers(given);
  const Frame frame = frame_of(chart);
  std::string svg = open_svg(chart.id, chart.title);
  svg += bands_of(chart, frame) + y_ticks(frame, chart.percent) + axes(frame, chart.x_label, chart.y_label) +
         x_ticks(frame, true, chart.powers_of_ten);
  if (chart.mark && *chart.mark >= frame.x_low && *chart.mark <= frame.x_high) {
    svg += line(frame.x(*chart.mark), kTop, frame.x(*chart.mark), kHeight - kBottom, "mark");
  }
  for (const Series& series : chart.series) svg += curve(series, chart.bands, frame);
  return svg + legend_of(chart) + "</svg>";
}

std::string interval_row(double share, double low, double high) {
  // Stretched to the row's width, so strokes keep their own.
  return fmt::format(
      "<svg class=\"interval\" viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      "<rect x=\"0\" y=\"2\" width=\"100\" height=\"10\" class=\"track\"/><rect x=\"0\" y=\"2\" width=\"{0:.2f}\" height=\"10\" "
      "class=\"bar\"/>"
      "<line x1=\"{1:.2f}\" y1=\"7\" x2=\"{2:.2f}\" y2=\"7\" class=\"whisker\"/><line x1=\"{1:.2f}\" y1=\"4\" x2=\"{1:.2f}\" y2=\"10\" "
      "class=\"whisker\"/><line x1=\"{2:.2f}\" y1=\"4\" x2=\"{2:.2f}\" y2=\"10\" class=\"whisker\"/></svg>",
      100 * share, 100 * low, 100 * high);
}

std::string reliability_chart(const std::vector<ReliabilityBin>& bins) {
  const Frame frame;
  std::string svg = open_svg("reliability", "Accuracy by confidence");
  svg += y_ticks(frame, true) + axes(frame, "confidence: probability of the guess (%)", "accuracy (%)");
  for (double share : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0})
    svg += text(frame.x(share), kHeight - kBottom + 17, "tick middle", tick_text(share, true));
  svg += line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), "ideal");
  for (const ReliabilityBin& bin : bins) {
    if (bin.pictures == 0) continue;
    const double left = frame.x(bin.low) + 2, right = frame.x(bin.high) - 2, middle = (left + right) / 2;
    svg += rectangle(left, frame.y(bin.accuracy), right - left, frame.y(0) - frame.y(bin.accuracy), "bar");
    svg += line(middle, frame.y(bin.accuracy_low), middle, frame.y(bin.accuracy_high), "whisker");
    svg += line(left, frame.y(bin.confidence), right, frame.y(bin.confidence), "expected");
    svg += text(middle, kTop - 8, "tick middle", with_commas(bin.pictures));
  }
  svg += text(kLeft - 7, kTop - 8, "tick end", "n");
  return svg + "</svg>";
}

}  // namespace fovea::report
