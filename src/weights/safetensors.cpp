#include "weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "weights/float8.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are read and written as they lie in the file");

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMostHeaderBytes = 100'000'000;  // as the reference implementation
constexpr std::string_view kMetadata = "__metadata__";

struct Described {
  std::string name, type;
  std::vector<int64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_shape = false;
};

// Follows the parser's events through the three levels a header has, so that a hostile header is refused where it leaves them and
// nothing is built but the list of tensors.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Described> tensors;
  std::map<std::string, std::string> metadata;
  std::string error;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_float(double, const std::string& text) override { return refuse("the number " + printable(text)); }
  bool number_integer(int64_t number) override { return refuse(fmt::format("the number {}", number)); }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(uint64_t number) override {
    if (where_ == Where::shape) {
      if (number > static_cast<uint64_t>(INT64_MAX)) return wrong(fmt::format("has a dimension of {}", number));
      if (tensors.back().shape.size() == kMostDimensions) return wrong(fmt::format("has more than {} dimensions", kMostDimensions));
      tensors.back().shape.push_back(static_cast<int64_t>(number));
      return true;
    }
    if (where_ == Where::offsets) {
      if (tensors.back().offsets.size() == 2) return wrong("has more than two offsets");
      tensors.back().offsets.push_back(number);
      return true;
    }
    return refuse(fmt::format("the number {}", number));
  }

  bool string(std::string& text) override {
    if (where_ == Where::metadata) {
      metadata[key_] = text;
      return true;
    }
    if (where_ == Where::tensor && key_ == "dtype") {
      tensors.back().type = text;
      return true;
    }
    return refuse("the text " + in_quotes(text));
  }

  bool start_object(size_t) override {
    if (where_ == Where::before) return move(Where::top);
    if (where_ != Where::top) return refuse("an object");
    if (key_ == kMetadata) return move(Where::metadata);
    tensors.emplace_back().name = key_;
    return move(Where::tensor);
  }

  bool key(std::string& text) override {
    key_ = text;
    if (where_ == Where::top) {
      if (!names_.insert(text).second) return stop(fmt::format("the header names {} twice", in_quotes(text)));
    } else if (where_ == Where::metadata) {
      if (metadata.count(text)) return stop(fmt::format("the metadata names {} twice", in_quotes(text)));
    } else if (where_ == Where::tensor) {
      const Described& tensor = tensors.back();
      const bool twice = (text == "dtype" && !tensor.type.empty()) || (text == "shape" && tensor.has_shape) ||
                         (text == "data_offsets" && !tensor.offsets.empty());
      if (twice) return wrong(fmt::format("names {} twice", in_quotes(text)));
      if (text != "dtype" && text != "shape" && text != "data_offsets") return wrong("has an unknown entry " + in_quotes(text));
    }
    return true;
  }

  bool end_object() override {
    if (where_ == Where::tensor) {
      const Described& tensor = tensors.back();
      if (tensor.type.empty() || !tensor.has_shape || tensor.offsets.size() != 2) return wrong("lacks its dtype, shape or data_offsets");
    }
    return move(where_ == Where::top ? Where::after : Where::top);
  }

  bool start_array(size_t) override {
    if (where_ == Where::tensor && key_ == "shape") {
      tensors.back().has_shape = true;
      return move(Where::shape);
    }
    if (where_ == Where::tensor && key_ == "data_offsets") return move(Where::offsets);
    return refuse("a list");
  }
  bool end_array() override { return move(Where::tensor); }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    return stop(fmt::format("the header is not JSON at its byte {}", position));
  }

 private:
  enum class Where { before, top, metadata, tensor, shape, offsets, after };

  bool move(Where where) {
    where_ = where;
    return true;
  }
  bool stop(std::string text) {
    if (error.empty()) error = std::move(text);
    return false;
  }
  bool wrong(std::string_view what) { return stop(fmt::format("{}: {}", printable(tensors.back().name), what)); }
  bool refuse(std::string_view found) {
    if (where_ == Where::before) return stop(fmt::format("the header is {} and not an object", found));
    return stop(fmt::format("the header has {} under {}, where the format has none", found, in_quotes(key_)));
  }

  Where where_ = Where::before;
  std::string key_;
  std::unordered_set<std::string> names_;
};

struct Header {
  HeaderReader content;
  std::span<const std::byte> data;
};

void read_header(std::span<const std::byte> bytes, Header& header) {
  if (bytes.size() < kLengthBytes)
    fail(ErrorKind::format, "is truncated: {} bytes, where the length of a header takes {}", bytes.size(), kLengthBytes);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMostHeaderBytes) fail(ErrorKind::format, "claims a header of {} bytes, at most {} are accepted", length, kMostHeaderBytes);
  if (length > bytes.size() - kLengthBytes) {
    fail(ErrorKind::format, "is truncated: its header takes {} bytes, the file has {}", length + kLengthBytes, bytes.size());
  }
  const char* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
  if (length == 0 || *text != '{') fail(ErrorKind::format, "has a header that does not begin with '{{'");
  if (!nlohmann::json::sax_parse(text, text + length, &header.content)) {
    fail(ErrorKind::format, "{}", header.content.error.empty() ? "the header is not JSON" : header.content.error);
  }
  header.data = bytes.subspan(kLengthBytes + length);
}

std::optional<DType> dtype_named(std::string_view name) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {{"F32", DType::f32},   {"F64", DType::f64}, {"F16", DType::f16},
                                                           {"BF16", DType::bf16}, {"I64", DType::i64}, {"I32", DType::i32},
                                                           {"U8", DType::u8},     {"BOOL", DType::u8}};
  for (const auto& [known, dtype] : kTypes) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

Float8 float8_named(std::string_view name) {
  constexpr std::pair<std::string_view, Float8> kTypes[] = {
      {"F8_E4M3", Float8::e4m3fn}, {"F8_E4M3FNUZ", Float8::e4m3fnuz}, {"F8_E5M2", Float8::e5m2}, {"F8_E5M2FNUZ", Float8::e5m2fnuz}};
  for (const auto& [known, kind] : kTypes) {
    if (known == name) return kind;
  }
  return Float8::none;
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::u8:
      return "U8";
  }
  return "?";
}

// Throws unless the tensors, sorted by offset, cover the data from its first to its last byte without gap or overlap.
void check_cover(const std::vector<Described>& tensors, size_t data_bytes) {
  std::vector<const Described*> sorted;
  for (const Described& tensor : tensors) sorted.push_back(&tensor);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Described* a, const Described* b) { return a->offsets < b->offsets; });
  uint64_t position = 0;
  for (const Described* tensor : sorted) {
    const uint64_t begin = tensor->offsets[0], end = tensor->offsets[1];
    if (begin > end || end > data_bytes) {
      fail(ErrorKind::format, "{}: lies at bytes {} to {}, the file has {} bytes of data", printable(tensor->name), begin, end, data_bytes);
    }
    if (begin != position)
      fail(ErrorKind::format, "{}: begins at byte {} of the data where {} is next", printable(tensor->name), begin, position);
    position = end;
  }
  if (position != data_bytes) fail(ErrorKind::format, "has {} bytes of data, its tensors take {}", data_bytes, position);
}

Tensor make_tensor(const Described& described, std::span<const std::byte> data, const std::shared_ptr<const void>& owner) {
  const Float8 float8 = float8_named(described.type);
  const DType dtype = float8 != Float8::none ? DType::u8 : *dtype_named(described.type);
  uint64_t bytes = size_of(dtype);
  for (int64_t dim : described.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes))
      fail(ErrorKind::format, "shape {} overflows", shape_string(described.shape));
  }
  const uint64_t there = described.offsets[1] - described.offsets[0];
  if (bytes != there) {
    fail(ErrorKind::format, "shape {} of {} takes {} bytes, the file gives it {}", shape_string(described.shape), described.type, bytes,
         there);
  }
  const std::byte* from = data.data() + described.offsets[0];
  if (float8 != Float8::none) return float8_values(float8, described.shape, {from, bytes});
  if (bytes > 0 && reinterpret_cast<uintptr_t>(from) % size_of(dtype) == 0) return Tensor::wrap(dtype, described.shape, owner, from);
  Tensor tensor(dtype, described.shape);
  if (bytes > 0) std::memcpy(tensor.mutable_raw(), from, bytes);
  return tensor;
}

std::string header_text(std::string_view text) {
  try {
    return strict_json_text(text);
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::usage, "{} is not UTF-8, which a .safetensors file demands", in_quotes(text));
  }
}

std::string make_header(const std::vector<LazyTensor>& tensors, const std::map<std::string, std::string>& metadata,
                        const std::vector<uint64_t>& offsets) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += fmt::format("\"{}\":{{", kMetadata);
    for (const auto& [key, text] : metadata) header += header_text(key) + ":" + header_text(text) + ",";
    header.back() = '}';
    header += ",";
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const LazyTensor& tensor = tensors[i];
    if (tensor.name == kMetadata) fail(ErrorKind::usage, "a tensor cannot be named {} in a .safetensors file", kMetadata);
    header += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}},", header_text(tensor.name), name_of(tensor.dtype),
                          shape_string(tensor.shape), offsets[i], offsets[i] + tensor.bytes());
  }
  if (header.back() == ',') header.pop_back();
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

bool is_safetensors(std::span<const std::byte> bytes) {
  if (bytes.size() <= kLengthBytes) return false;
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  return static_cast<char>(bytes[kLengthBytes]) == '{' && length >= 2 && length <= kMostHeaderBytes;
}

StateDict read_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  Header header;
  read_header(bytes, header);
  check_cover(header.content.tensors, header.data.size());
  StateDict result;
  result.metadata = std::move(header.content.metadata);
  for (const Described& described : header.content.tensors) {
    if (!dtype_named(described.type) && float8_named(described.type) == Float8::none) {
      result.unusable.emplace_back(described.name, "has elements of type " + in_quotes(described.type) + ", which fovea does not know");
      continue;
    }
    result.add(described.name, in_context(printable(described.name), [&] { return make_tensor(described, header.data, owner); }));
  }
  if (result.empty() && !result.unusable.empty())
    fail(ErrorKind::unsupported, "{}: {}", printable(result.unusable[0].first), result.unusable[0].second);
  return result;
}

StateDict read_safetensors(const std::filesystem::path& path) {
  return in_context(path.string(), [&] {
    const auto file = MappedFile::open(path);
    return read_safetensors(file->bytes(), file);
  });
}

std::map<std::string, std::string> read_safetensors_metadata(std::span<const std::byte> bytes) {
  Header header;
  read_header(bytes, header);
  return std::move(header.content.metadata);
}

size_t LazyTensor::bytes() const {
  size_t bytes = size_of(dtype);
  for (const int64_t side : shape) bytes *= static_cast<size_t>(side);
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, const StateDict& tensors) {
  std::vector<LazyTensor> lazy;
  for (const auto& [name, tensor] : tensors) lazy.push_back({name, tensor.dtype(), tensor.shape(), [&tensor = tensor] { return tensor; }});
  write_safetensors(path, lazy, tensors.metadata);
}

void write_safetensors(const std::filesystem::path& path, const std::vector<LazyTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<size_t> order(tensors.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return size_of(tensors[a].dtype) > size_of(tensors[b].dtype); });
  std::vector<uint64_t> offsets(tensors.size());
  uint64_t position = 0;
  for (size_t i : order) {
    offsets[i] = position;
    position += tensors[i].bytes();
  }
  const std::string header = in_context(path.string(), [&] { return make_header(tensors, metadata, offsets); });
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header);
  for (size_t i : order) {
    const Tensor tensor = tensors[i].make();
    file.write(tensor.raw(), tensor.bytes());
  }
  file.commit();
}

}  // namespace fovea::weights
