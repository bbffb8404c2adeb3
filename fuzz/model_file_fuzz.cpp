// Any bytes give a model file or an Error: a .safetensors as it is, else lines that are the values of its metadata.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "base/error.h"
#include "metadata.h"
#include "weights/model_file.h"
#include "weights/safetensors.h"

namespace {

constexpr const char* kKeys[] = {"fovea.format",   "fovea.architecture", "fovea.classes", "fovea.preprocessing", "fovea.head",
                                 "fovea.channels", "fovea.native_size",  "source",        "fovea.thresholds",    "fovea.seen_pictures",
                                 "fovea.seen_pictures.all"};

std::vector<std::byte> file_of(std::string_view lines) {
  std::map<std::string, std::string> metadata;
  for (const char* key : kKeys) {
    if (lines.empty()) break;
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (end > 0) metadata[key] = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return fovea::fuzz::file_with(metadata);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  const auto file = fovea::weights::is_safetensors(given) ? std::vector(given.begin(), given.end())
                                                          : file_of({reinterpret_cast<const char*>(data), size});
  try {
    const auto model = fovea::weights::read_model_file(file, nullptr);
    if (!(model.head.dropout < 1) || model.head.hidden < 1 || model.channels < 1) std::abort();
    if (model.native_height < 0 || (model.native_height > 0) != (model.native_width > 0)) std::abort();
    if (!model.thresholds.empty() && model.thresholds.size() != model.classes.size()) std::abort();
    if (model.seen && std::ranges::adjacent_find(model.seen->prints, std::greater_equal()) != model.seen->prints.end()) std::abort();
    for (const auto& named : model.tensors) {
      if (named.tensor.size() > 0) (void)named.tensor.to(fovea::DType::f64);
    }
  } catch (const fovea::Error&) {
  }
  return 0;
}
