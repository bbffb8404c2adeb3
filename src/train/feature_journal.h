// What a frozen part has given so far, kept in the run's folder while it is computed, so that a kill loses as little as one within an
// epoch.
#pragma once

#include <fovea/train.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea::training {

// Rows, one picture after the other. Nothing is written before TrainOptions::checkpoint_seconds have passed, nor without a folder, nor
// where they would fill the disk by half; and what cannot be written is given up, since nothing depends on it.
class FeatureJournal {
 public:
  // Under this name there. `key` says what the rows depend on, and which pictures' they are; it is asked for only where something is there,
  // or is written. Takes up what an earlier attempt left.
  FeatureJournal(const TrainOptions& options, const std::string& name, std::function<std::string()> key, int64_t rows);
  ~FeatureJournal();
  FeatureJournal(const FeatureJournal&) = delete;
  FeatureJournal& operator=(const FeatureJournal&) = delete;

  int64_t rows() const { return static_cast<int64_t>(found_.size()); }  // that are there already, of the first pictures
  std::span<const float> row(int64_t index) const { return found_[static_cast<size_t>(index)]; }
  // The row of the next picture.
  void add(std::span<const float> row);

 private:
  using Clock = std::chrono::steady_clock;
  void read();
  void write();
  bool open(size_t width);
  void give_up();

  const std::filesystem::path file_;  // empty: nothing is kept
  const std::function<std::string()> key_;
  const int64_t rows_;
  const Clock::duration every_;
  std::shared_ptr<const void> owner_;
  std::vector<std::span<const float>> found_;
  uint64_t good_bytes_ = 0;  // of the file: what follows was being written when the process ended
  std::vector<float> pending_;
  size_t width_ = 0;
  int descriptor_ = -1;
  bool given_up_ = false;
  Clock::time_point written_ = Clock::now();
};

// Removes those of a run that needs them no more.
void remove_journals(const std::filesystem::path& folder);

}  // namespace fovea::training
