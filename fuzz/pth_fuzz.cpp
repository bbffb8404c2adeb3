// Any bytes give tensors or an Error. tests/data/weights is a corpus to begin with.
#include <cstdint>

#include "base/error.h"
#include "weights/pth.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto dict = fovea::weights::read_pth(std::as_bytes(std::span(data, size)), nullptr);
    for (const auto& named : dict) {
      if (named.tensor.size() > 0) (void)named.tensor.to(fovea::DType::f64);
    }
  } catch (const fovea::Error&) {
  }
  return 0;
}
