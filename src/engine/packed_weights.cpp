#include "engine/packed_weights.h"

#include "base/error.h"

namespace fovea::engine {
namespace {

constexpr size_t kFewBlocks = 16;  // names of blocks that are gone: not worth looking for

}  // namespace

std::shared_ptr<PackedBlock> PackedWeights::block(const std::string& name, size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (blocks_.size() >= 2 * swept_ + kFewBlocks) {
    std::erase_if(blocks_, [](const auto& entry) { return entry.second.expired(); });
    swept_ = blocks_.size();
  }
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
