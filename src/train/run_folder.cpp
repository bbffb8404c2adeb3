#include "train/run_folder.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/checkpoint.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;

void collect(const fs::path& folder, std::vector<fs::path>& found) {
  std::error_code none;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with("fold-") && !name.starts_with("seed-")) continue;
    if (fs::exists(entry->path() / kCheckpointFile)) found.push_back(entry->path() / kCheckpointFile);
    if (name.starts_with("seed-")) collect(entry->path(), found);  // its folds
  }
}

// Of folds and seeds.
std::vector<fs::path> partial_checkpoints(const fs::path& out) {
  std::vector<fs::path> found;
  collect(out, found);
  std::ranges::sort(found);
  return found;
}

void require_finished(const fs::path& out, const fs::path& checkpoint) {
  const RunState there = read_checkpoint(checkpoint).state;
  if (!there.finished)
    fail(ErrorKind::usage, "{} holds a run that was interrupted after epoch {}: resume it, or remove {} to start anew", out.string(),
         there.history.size(), checkpoint.string());
}

}  // namespace

void require_no_interrupted_run(const fs::path& out) {
  const fs::path own = out / kCheckpointFile;
  if (fs::exists(own)) require_finished(out, own);
  const std::vector<fs::path> parts = partial_checkpoints(out);
  for (const fs::path& part : parts) require_finished(part.parent_path(), part);
  if (!parts.empty() && !fs::exists(own))
    fail(ErrorKind::usage, "{} holds a run of folds or seeds that was interrupted, the last part {}: resume it, or remove {} to start anew",
         out.string(), parts.back().parent_path().string(), out.string());
}

bool forget_runs(const fs::path& out) {
  std::vector<fs::path> checkpoints = partial_checkpoints(out);
  if (fs::exists(out / kCheckpointFile)) checkpoints.push_back(out / kCheckpointFile);
  // The whole run's last: killed between, it is as finished as it was.
  for (const fs::path& checkpoint : checkpoints) fs::remove(checkpoint);
  return !checkpoints.empty();
}

}  // namespace fovea::training
