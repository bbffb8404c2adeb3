#include "ops/constant.h"

#include "ops/check.h"

namespace fovea {

Types infer(const Constant& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 0);
  return {{op.dtype, op.shape}};
}

}  // namespace fovea
