// The steps of a phase, and what they take of memory, known before the first of them.
#pragma once

#include "engine/memory_account.h"
#include "ir/device_traits.h"
#include "train/feed.h"

namespace fovea::training {

// What a run takes of memory beside its states, its executables and its feed, in bytes.
struct Held {
  size_t now = 0;    // resident now
  size_t later = 0;  // resident while steps run or between them; includes `now`
};

// A runner of the feed's steps, which the feed has to outlive; nothing is compiled yet.
StepRunner runner_of(const Parts& parts, const Feed& feed, uint64_t seed);

// Compiles the steps of a phase and what validates between them; where the account has a limit so that all fits into it: then steps compute
// values again rather than keep them, as many as are needed, and no bit changes. Returns what is planned. Throws Error(usage) where the
// least possible is more than the limit.
size_t compile_steps(StepRunner& runner, Feed& feed, const Parts& parts, const Phase& phase, const Held& held,
                     engine::MemoryAccount& account);

// Bytes of the pictures that a validation or a test looks at at the same time.
size_t evaluation_bytes(const engine::Network& network, const DeviceTraits& device);

}  // namespace fovea::training
