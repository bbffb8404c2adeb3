// Memory for tensors and weights, from a 64-byte boundary on.
#pragma once

#include <cstddef>
#include <memory>

namespace fovea {

// What is large is mapped by itself, so that its pages go back to the system with it. An allocator may keep what is freed for what comes
// next; of weights, moments and their copies that would be more than a training says it takes.
std::shared_ptr<std::byte> aligned_memory(size_t bytes);
std::shared_ptr<std::byte> zeroed_memory(size_t bytes);

}  // namespace fovea
