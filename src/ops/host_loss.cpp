#include "ops/host_loss.h"

#include <map>
#include <mutex>

#include "ops/check.h"

namespace fovea {
namespace {

struct HostLosses {
  std::mutex mutex;
  int64_t next = 1;
  std::map<int64_t, std::shared_ptr<const HostLossFunction>> functions;
};

HostLosses& host_losses() {
  static HostLosses all;
  return all;
}

}  // namespace

HostLossHandle::HostLossHandle(HostLossFunction function) {
  HostLosses& all = host_losses();
  auto shared = std::make_shared<const HostLossFunction>(std::move(function));
  const std::lock_guard lock(all.mutex);
  number_ = all.next++;
  all.functions.emplace(number_, std::move(shared));
}

HostLossHandle::~HostLossHandle() {
  HostLosses& all = host_losses();
  const std::lock_guard lock(all.mutex);
  all.functions.erase(number_);
}

std::shared_ptr<const HostLossFunction> host_loss_function(int64_t number) {
  HostLosses& all = host_losses();
  const std::lock_guard lock(all.mutex);
  const auto found = all.functions.find(number);
  if (found == all.functions.end()) fail(ErrorKind::internal, "the loss function {} is gone", number);
  return found->second;
}

Types infer(const HostLoss& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const NamedType logits{"logits", inputs[0]}, targets{"targets", inputs[1]};
  check_floating(op.kName, {logits, targets});
  check_rank(op.kName, logits, 4);
  const Shape& shape = logits.type.shape;
  check_shape(op.kName, logits, {shape.batch(), shape.channels(), 1, 1});
  check_shape(op.kName, targets, shape);
  return {{inputs[0].dtype, {}}, inputs[0]};
}

}  // namespace fovea
