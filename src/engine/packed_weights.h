// Constants in the forms in which kernels read them: each is packed once and lies in memory once, however many executables read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace fovea::engine {

// A constant in one of the forms that kernels read it in.
struct PackedBlock {
  size_t bytes = 0;
  std::shared_ptr<void> memory;  // null until an executable that reads it is prepared
  uint64_t version = 0;          // of the weights (StateStore::version) from which it was packed; 0: none
};

// The blocks of one network. They live as long as an executable holds them.
class PackedWeights {
 public:
  // The block of this name, which tells what the constant is made of and its form.
  std::shared_ptr<PackedBlock> block(const std::string& name, size_t bytes);
  // Held while blocks are filled.
  std::mutex& mutex() { return mutex_; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<PackedBlock>> blocks_;  // with some that are gone
  size_t swept_ = 0;                                          // blocks after those that were gone were last removed
};

}  // namespace fovea::engine
