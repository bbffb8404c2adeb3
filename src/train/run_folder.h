// The folder of a run, with those of its folds and seeds.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace fovea::training {

constexpr const char *kCheckpointFile = "last.ckpt", *kRunFile = "run.json", *kLockFile = "run.lock";

// Throws Error(usage) where the run in `out`, or one of its folds or seeds, was interrupted: whatever begins anew there would take its
// place. Folds and seeds run before the run in `out` itself, so that without a checkpoint of that they are unfinished too.
void require_no_interrupted_run(const std::filesystem::path& out);

// Whether a run is in the folder, finished or not.
bool holds_run(const std::filesystem::path& out);

// Before anything is read: throws Error where the run that the options ask for may not or cannot be written (usage for a run that is there
// and is neither to be continued nor to be replaced, io for a folder that cannot be made or written to). Changes nothing.
void check_run_folder(const TrainOptions& options);

// A run's folder, made and locked for one training.
class RunFolder {
 public:
  // Throws Error(io) for a folder that cannot be made, with less room than `bytes`, or that another training writes to.
  RunFolder(const TrainOptions& options, uint64_t bytes);
  // A folder that it made goes, where it is still empty. What a training wrote that an error ended before its first step goes first, so
  // that the corrected command finds no run in its way.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }  // where the run is written: beside a run that it will replace
  // The run is whole: it takes the place of the one that was there. What others put into that one's folder stays there.
  void finish();

 private:
  static int lock(const std::filesystem::path& folder);
  void unlock();

  const std::filesystem::path out_;
  std::filesystem::path path_;
  const bool continues_;
  const int exceptions_;  // under way when it was made
  bool made_ = false;
  int lock_ = -1, replaced_lock_ = -1;  // of path_, and of the run that will be replaced
};

// Deletes the checkpoints of the run in `out` and of its folds and seeds, so that no continuation picks one up. Returns true if there were
// any.
bool forget_runs(const std::filesystem::path& out);

}  // namespace fovea::training
