#include "train/event_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <protozero/pbf_writer.hpp>
#include <system_error>

#include "base/error.h"

namespace fovea::training {
namespace {

constexpr const char* kName = "events.out.tfevents.fovea";  // the readers want "tfevents" in it
constexpr const char* kEventVersion = "brain.Event:2";

// Fields of Event, Summary and Summary.Value.
enum : protozero::pbf_tag_type { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum : protozero::pbf_tag_type { kValue = 1 };
enum : protozero::pbf_tag_type { kTag = 1, kSimpleValue = 2 };

double wall_time() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string version_event() {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(kWallTime, wall_time());
  writer.add_string(kFileVersion, kEventVersion);
  return event;
}

std::string scalar_event(std::string_view tag, int64_t step, double value) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(kWallTime, wall_time());
  writer.add_int64(kStep, step);
  protozero::pbf_writer summary(writer, kSummary);
  protozero::pbf_writer one(summary, kValue);
  one.add_string(kTag, tag.data(), tag.size());
  one.add_float(kSimpleValue, static_cast<float>(value));
  return event;
}

void append(std::string& text, uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
}

// https://www.tensorflow.org/tutorials/load_data/tfrecord
uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

}  // namespace

uint32_t crc32c(std::string_view data) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> entries;
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0u);  // the polynomial, reflected
      entries[i] = crc;
    }
    return entries;
  }();
  uint32_t crc = ~0u;
  for (const char byte : data) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::string tf_record(std::string_view data) {
  std::string record;
  append(record, data.size(), 8);
  append(record, masked(crc32c(record)), 4);
  record += data;
  append(record, masked(crc32c(data)), 4);
  return record;
}

EventLog::EventLog(const std::filesystem::path& folder, EventPosition& position) : path_(folder / kName) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::io, "{}: cannot be created: {}", folder.string(), error.message());
  const uintmax_t size = std::filesystem::file_size(path_, error);
  if (error || size < static_cast<uintmax_t>(position.bytes)) position = {};
  if (!error) std::filesystem::resize_file(path_, static_cast<uintmax_t>(position.bytes), error);
  if (error && error != std::errc::no_such_file_or_directory)
    fail(ErrorKind::io, "{}: cannot be written: {}", path_.string(), error.message());
  bytes_ = position.bytes;
  if (bytes_ == 0) waiting_ = tf_record(version_event());
}

void EventLog::scalar(std::string_view tag, int64_t step, double value) { waiting_ += tf_record(scalar_event(tag, step, value)); }

int64_t EventLog::flush() {
  if (waiting_.empty()) return bytes_;
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  bool written = file >= 0;
  for (size_t done = 0; written && done < waiting_.size();) {
    const ssize_t count = write(file, waiting_.data() + done, waiting_.size() - done);
    if (count >= 0)
      done += static_cast<size_t>(count);
    else
      written = errno == EINTR;
  }
  written = written && fdatasync(file) == 0;
  const int reason = errno;
  if (file >= 0) close(file);
  if (!written) fail(ErrorKind::io, "{}: cannot be written: {}", path_.string(), std::strerror(reason));
  bytes_ += static_cast<int64_t>(waiting_.size());
  waiting_.clear();
  return bytes_;
}

}  // namespace fovea::training
