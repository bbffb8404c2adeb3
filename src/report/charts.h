// Drawings as SVG, in the page's colours: lines over epochs, intervals, reliability.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fovea::report {

struct Series {
  std::string name;
  std::string look;  // "training", "validation" or "rate": a class of the style sheet
  std::vector<std::pair<double, double>> points;
};

struct LineChart {
  std::string id, title;
  std::string x_label, y_label;  // with units
  std::vector<Series> series;
  bool percent = false;   // y from 0 to 1, told in percent
  bool from_zero = true;  // y begins at 0
  // Parts of the x axis with a name each, one after the other: first and last x.
  struct Band {
    std::string name;
    double first = 0, last = 0;
  };
  std::vector<Band> bands;
  std::optional<double> mark = {};  // x of the best
  std::string mark_name = {};       // as the legend tells it
  bool powers_of_ten = false;       // x is the power
};
std::string line_chart(const LineChart& chart);

// One row of a list: a share from 0 to 1 and its interval, drawn on a line from 0 to 1. Without text: the row has the numbers.
std::string interval_row(double share, double low, double high);

struct ReliabilityBin {
  double low = 0, high = 0;
  int64_t pictures = 0;
  double confidence = 0, accuracy = 0;
  double accuracy_low = 0, accuracy_high = 0;
};
std::string reliability_chart(const std::vector<ReliabilityBin>& bins);

// Round numbers that cover low..high in about `count` steps: 1, 2 or 5 times a power of ten apart.
std::vector<double> ticks(double low, double high, int count);

}  // namespace fovea::report
