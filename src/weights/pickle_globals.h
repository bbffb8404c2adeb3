// The names that mean something in a weights file: functions that rebuild tensors, containers, and the types of elements. Every other name
// stands for nothing.
#pragma once

#include <string_view>

#include "weights/pickle.h"

namespace fovea::weights {

enum class PickleFunction : uint8_t {
  dict,               // collections.OrderedDict, collections.Counter
  set,                // the list of what is in it
  size,               // torch.Size: the tuple it is given
  parameter,          // the tensor it is given
  tensor,             // _rebuild_tensor, _rebuild_tensor_v2
  tensor_typed,       // _rebuild_tensor_v3: the element type is an argument
  rebuild_from_type,  // _rebuild_from_type_v2: one of these two, with what it is given
  value,              // read and dropped: torch.device, encoded bytes
  untyped_storage,    // a storage of bytes
  element_type,       // a storage class or a torch.dtype; what it stands for is `type`
};

struct PickleGlobal {
  std::string_view module, name;
  PickleFunction function;
  const ElementType* type = nullptr;
};

// Null for every other name.
const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name);
// The bytes of torch.UntypedStorage.
extern const ElementType kUntypedBytes;

}  // namespace fovea::weights
