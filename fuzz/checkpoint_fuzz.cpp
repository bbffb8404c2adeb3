// Any bytes give the progress of a run or an Error: a .safetensors as it is, else the text of the progress in one.
#include <cstdint>
#include <string>

#include "base/error.h"
#include "metadata.h"
#include "train/checkpoint.h"
#include "weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  const auto file = fovea::weights::is_safetensors(given)
                        ? std::vector(given.begin(), given.end())
                        : fovea::fuzz::file_with({{"fovea.run", std::string(reinterpret_cast<const char*>(data), size)}});
  try {
    const auto checkpoint = fovea::training::read_checkpoint(file, nullptr);
    (void)fovea::training::history_csv(checkpoint.state.history);
    fovea::training::require_same_record(checkpoint.state, checkpoint.state);
  } catch (const fovea::Error&) {
  }
  return 0;
}
