#include "engine/packed_weights.h"

#include "base/error.h"

namespace fovea::engine {

std::shared_ptr<PackedBlock> PackedWeights::block(const std::string& name, size_t bytes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(blocks_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<PackedBlock>& known = blocks_[name];
  if (auto block = known.lock()) {
    if (block->bytes != bytes) fail(ErrorKind::internal, "{}: {} bytes in one kernel, {} in another", name, block->bytes, bytes);
    return block;
  }
  auto block = std::make_shared<PackedBlock>(PackedBlock{bytes, nullptr, 0});
  known = block;
  return block;
}

}  // namespace fovea::engine
