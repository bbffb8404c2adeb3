// Scalars for TensorBoard: TFRecord files of Event messages (tensorflow/core/util/event.proto), written without either.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace fovea::training {

// How far a log has come when a checkpoint was written.
struct EventPosition {
  int64_t bytes = 0;   // of the file
  int64_t epochs = 0;  // whose scalars are in it
};

class EventLog {
 public:
  // FOLDER/events.out.tfevents.fovea, cut to `position`, so that what a killed run wrote after its last checkpoint is not there twice. A
  // file that is not there or shorter starts anew, and so does the position. Throws Error(io) naming the file.
  EventLog(const std::filesystem::path& folder, EventPosition& position);

  void scalar(std::string_view tag, int64_t step, double value);
  // Appends what was added since, to the disk. Gives the file's bytes.
  int64_t flush();

 private:
  std::filesystem::path path_;
  int64_t bytes_ = 0;
  std::string waiting_;
};

// One record of a TFRecord file: its length, and both masked checksums.
std::string tf_record(std::string_view data);
// CRC-32C (Castagnoli), as of RFC 3720.
uint32_t crc32c(std::string_view data);

}  // namespace fovea::training
