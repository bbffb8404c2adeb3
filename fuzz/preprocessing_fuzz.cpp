// Any text gives a preprocessing, which is written and read again the same, or an Error.
#include <fovea/preprocess.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<fovea::Preprocessing> read;
  try {
    read = fovea::parse_preprocessing({reinterpret_cast<const char*>(data), size});
  } catch (const fovea::Error&) {
  }
  if (read && fovea::parse_preprocessing(to_string(*read)) != *read) std::abort();
  return 0;
}
