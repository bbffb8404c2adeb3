// Any bytes give a picture or an Error. tests/data/image/images is a corpus to begin with.
#include <fovea/error.h>
#include <fovea/image.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const fovea::Image image = fovea::decode_image({reinterpret_cast<const std::byte*>(data), size});
    if (image.width <= 0 || image.height <= 0 || image.pixels.size() != static_cast<size_t>(3 * image.width * image.height)) std::abort();
  } catch (const fovea::Error&) {
  }
  return 0;
}
