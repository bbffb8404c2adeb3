#include "weights/read_weights.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "weights/hub_folder.h"
#include "weights/pth.h"
#include "weights/safetensors.h"
#include "weights/text.h"
#include "weights/transformers_layout.h"

namespace fovea::weights {
namespace {

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* what;
};

using std::string_view_literals::operator""sv;

constexpr Signature kSignatures[] = {
    {0, "\x89HDF\r\n\x1a\n"sv, "HDF5 (Keras)"},
    {0, "GGUF"sv, "GGUF"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "\x1f\x8b"sv, "compressed by gzip; decompress it first"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer: the file itself was not fetched"},
    {4, "TFL3"sv, "TensorFlow Lite"},
    {257, "ustar"sv, "a tar archive; unpack it first"},
    {0, "\x80\x02"sv, "a Python pickle that torch.save did not write"},
    {0, "\x80\x03"sv, "a Python pickle that torch.save did not write"},
    {0, "\x80\x04"sv, "a Python pickle that torch.save did not write"},
    {0, "\x80\x05"sv, "a Python pickle that torch.save did not write"},
    {0, "\x89PNG"sv, "a picture"},
    {0, "\xff\xd8\xff"sv, "a picture"},
};

// What a file that is neither looks like; empty where nothing is recognized.
std::string guess(std::string_view text) {
  for (const Signature& known : kSignatures) {
    if (text.size() > known.offset && text.substr(known.offset).starts_with(known.bytes)) return known.what;
  }
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '<') return "HTML: a web page was saved in place of the file";
  // An ONNX model begins with its version, a field of its own kind; a TensorFlow SavedModel with the schema's.
  if (text.size() > 64 && text[0] == '\x08' && text[1] < 32 && text.substr(0, 512).find("onnx") != std::string_view::npos) return "ONNX";
  if (text.size() > 64 && text.substr(0, 2) == "\x08\x08" && text[2] == '\x12') return "ONNX";
  if (text.size() > 64 && text.substr(0, 3) == "\x08\x01\x12") return "a TensorFlow SavedModel";
  return "";
}

}  // namespace

StateDict read_plain_weights(const std::filesystem::path& path, const std::string& part) {
  return in_context(path.string(), [&] {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    if (bytes.empty()) fail(ErrorKind::format, "is empty");
    if (is_pth_zip(bytes) || is_pth_stream(bytes)) return read_pth(bytes, file, part);
    if (is_safetensors(bytes)) {
      StateDict tensors = without_wrapper_prefix(read_safetensors(bytes, file));
      return part.empty() ? std::move(tensors) : without_wrapper_prefix(part_of(tensors, part));
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string looks = guess(text);
    fail(ErrorKind::format, "is not a .pth or .safetensors file: starts with {}{}", in_quotes(text, 16),
         looks.empty() ? "" : ", which is " + looks);
  });
}

StateDict read_weights(const std::filesystem::path& path, const std::string& part) {
  const bool folder = part.empty() && is_hub_folder(path);
  return in_context(path.string(), [&] { return with_joined_attention(folder ? read_hub_weights(path) : read_plain_weights(path, part)); });
}

WeightsFile weights_file(const std::string& text) {
  const size_t mark = text.rfind('#');
  std::error_code error;
  if (mark == std::string::npos || mark == 0 || std::filesystem::exists(text, error)) return {text, ""};
  return {text.substr(0, mark), text.substr(mark + 1)};
}

}  // namespace fovea::weights
