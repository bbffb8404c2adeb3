// The folder of a run, with those of its folds and seeds.
#pragma once

#include <filesystem>

namespace fovea::training {

constexpr const char* kCheckpointFile = "last.ckpt";

// Throws Error(usage) where the run in `out`, or one of its folds or seeds, was interrupted: whatever begins anew there would take its
// place. Folds and seeds run before the run in `out` itself, so that without a checkpoint of that they are unfinished too.
void require_no_interrupted_run(const std::filesystem::path& out);

// Deletes the checkpoints of the run in `out` and of its folds and seeds, so that no continuation picks one up. Returns true if there were
// any.
bool forget_runs(const std::filesystem::path& out);

}  // namespace fovea::training
