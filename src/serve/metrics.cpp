#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/process_memory.h"

namespace fovea::serve {
namespace {

// A label's value as the format has it.
std::string quoted(const std::string& value) {
  std::string result = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + "\"";
}

Histogram of_seconds() { return Histogram({0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}); }

std::string head(const char* name, const char* type, const char* help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

}  // namespace

void Histogram::add(double value) {
  ++counts_[static_cast<size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin())];
  sum_ += value;
}

std::string Histogram::text(const std::string& name, const std::string& labels) const {
  const std::string before = labels.empty() ? "" : labels + ",", alone = labels.empty() ? "" : "{" + labels + "}";
  std::string result;
  int64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    result +=
        fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, before, i < bounds_.size() ? fmt::format("{}", bounds_[i]) : "+Inf", count);
  }
  return result + fmt::format("{}_sum{} {}\n{}_count{} {}\n", name, alone, sum_, name, alone, count);
}

void Metrics::answered(const std::string& model, const std::string& route, int status) {
  const std::lock_guard lock(mutex_);
  ++answers_[fmt::format("model={},route={},status=\"{}\"", quoted(model), quoted(route), status)];
}

void Metrics::spent(const std::string& phase, const std::string& model, double seconds) {
  const std::lock_guard lock(mutex_);
  phases_[phase].try_emplace("model=" + quoted(model), of_seconds()).first->second.add(seconds);
}

void Metrics::batch(const std::string& model, int64_t pictures) {
  const std::lock_guard lock(mutex_);
  batches_.try_emplace("model=" + quoted(model), Histogram({1, 2, 4, 8, 16, 32, 64, 128})).first->second.add(static_cast<double>(pictures));
}

std::string Metrics::text(const Now& now) const {
  std::string result;
  const std::lock_guard lock(mutex_);
  result += head("fovea_requests_total", "counter", "Requests answered.");
  for (const auto& [labels, count] : answers_) result += fmt::format("fovea_requests_total{{{}}} {}\n", labels, count);
  for (const auto& [phase, by_model] : phases_) {
    const std::string name = "fovea_" + phase + "_seconds";
    result +=
        head(name.c_str(), "histogram", phase == "request" ? "From the request's headers to its answer." : "Part of a request's time.");
    for (const auto& [labels, histogram] : by_model) result += histogram.text(name, labels);
  }
  result += head("fovea_batch_pictures", "histogram", "Pictures that were computed together.");
  for (const auto& [labels, histogram] : batches_) result += histogram.text("fovea_batch_pictures", labels);
  result +=
      head("fovea_queue_requests", "gauge", "Requests that wait or are worked on.") + fmt::format("fovea_queue_requests {}\n", now.queue);
  result += head("fovea_connections", "gauge", "Open connections.") + fmt::format("fovea_connections {}\n", now.connections);
  result += head("fovea_model_loaded", "gauge", "Models that are served.");
  for (const std::string& model : now.models) result += fmt::format("fovea_model_loaded{{model={}}} 1\n", quoted(model));
  result += head("process_resident_memory_bytes", "gauge", "Resident memory.") +
            fmt::format("process_resident_memory_bytes {}\n", resident_bytes());
  return result;
}

}  // namespace fovea::serve
