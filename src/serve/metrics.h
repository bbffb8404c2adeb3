// What is told to Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace fovea::serve {

// Counts of values up to each bound, and their sum.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void add(double value);
  // `labels`: "" or `model="a"`.
  std::string text(const std::string& name, const std::string& labels) const;

 private:
  std::vector<double> bounds_;
  std::vector<int64_t> counts_;  // the last: above every bound
  double sum_ = 0;
};

// Safe to use from any thread.
class Metrics {
 public:
  void answered(const std::string& model, const std::string& route, int status);
  // Seconds that a request spent in "queue", "decode", "compute", and as a whole, "request".
  void spent(const std::string& phase, const std::string& model, double seconds);
  void batch(const std::string& model, int64_t pictures);

  struct Now {
    int64_t queue = 0, connections = 0;
    std::vector<std::string> models;
  };
  std::string text(const Now& now) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int64_t> answers_;                          // by labels
  std::map<std::string, std::map<std::string, Histogram>> phases_;  // by phase, then labels
  std::map<std::string, Histogram> batches_;
};

}  // namespace fovea::serve
