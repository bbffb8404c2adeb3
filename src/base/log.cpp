#include "base/log.h"

#include <fovea/log.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "base/log_sink.h"

namespace fovea {
namespace {

struct Sink {
  LogSink take;
  std::string topics;  // "," between them and on both sides
  std::mutex taking;
};

std::mutex sink_mutex;  // of the pointer alone
std::shared_ptr<Sink> log_sink;

std::shared_ptr<Sink> current_sink() {
  const std::lock_guard lock(sink_mutex);
  return log_sink;
}

bool names_topic(const std::string& topics, std::string_view topic) {
  return topics.find(",all,") != std::string::npos || topics.find("," + std::string(topic) + ",") != std::string::npos;
}

}  // namespace

bool log_enabled(std::string_view topic) {
  static const std::string wanted = [] {
    const char* text = std::getenv("FOVEA_LOG");
    return std::string(",") + (text ? text : "") + ",";
  }();
  const std::shared_ptr<Sink> own = current_sink();
  return names_topic(wanted, topic) || (own && names_topic(own->topics, topic));
}

void log_line(std::string_view topic, std::string_view text) {
  if (const std::shared_ptr<Sink> own = current_sink()) {
    const std::lock_guard lock(own->taking);
    try {
      own->take(topic, text);
    } catch (...) {  // whoever logs has nobody to tell
    }
    return;
  }
  std::fprintf(stderr, "fovea %.*s: %.*s\n", static_cast<int>(topic.size()), topic.data(), static_cast<int>(text.size()), text.data());
}

bool has_log_sink() { return current_sink() != nullptr; }

void set_log_sink(LogSink take, const std::string& topics) {
  std::shared_ptr<Sink> next;
  if (take) {
    next = std::make_shared<Sink>();
    next->take = std::move(take);
    next->topics = "," + topics + ",";
  }
  const std::lock_guard lock(sink_mutex);
  log_sink = std::move(next);
}

}  // namespace fovea
