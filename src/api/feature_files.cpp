// .npy, .csv and .json of a set of features.
#include <fovea/features.h>
#include <fovea/pictures.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "fovea features 1";

fs::path beside(const std::string& path, const char* extension) { return fs::path(path).replace_extension(extension); }

// RFC 4180.
std::string csv_field(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

// The first field of every row but the header.
std::vector<std::string> first_fields(const std::string& csv) {
  std::vector<std::string> fields;
  bool quoted = false, first = true;
  std::string field;
  for (size_t i = 0; i < csv.size(); ++i) {
    const char c = csv[i];
    if (c == '"') {
      if (quoted && i + 1 < csv.size() && csv[i + 1] == '"') {
        if (first) field += c;
        ++i;
      } else {
        quoted = !quoted;
      }
    } else if (!quoted && c == ',') {
      first = false;
    } else if (!quoted && c == '\n') {
      fields.push_back(std::exchange(field, {}));
      first = true;
    } else if (first && (quoted || c != '\r')) {
      field += c;
    }
  }
  if (!field.empty()) fields.push_back(field);
  if (!fields.empty()) fields.erase(fields.begin());
  return fields;
}

json to_json(const FeatureRecord& record, const std::vector<int64_t>& shape) {
  return {{"format", kFormat},
          {"model", record.model},
          {"weights", record.weights},
          {"channels", record.channels},
          {"architecture", record.architecture},
          {"weights_sha256", record.digest},
          {"output", record.output},
          {"preprocessing", to_string(record.preprocessing)},
          {"mirrored", record.mirrored},
          {"pca", record.pca},
          {"normalized", record.normalized},
          {"folder", record.folder},
          {"shape", shape}};
}

FeatureRecord read_record(const fs::path& path, std::vector<int64_t>& shape) {
  const std::string text = read_text(path);
  return in_context(path.string(), [&] {
    FeatureRecord record;
    try {
      const json root = parse_json(text);
      if (!root.is_object() || root.value("format", "") != kFormat) fail(ErrorKind::format, "is no record of features ('{}')", kFormat);
      record.model = root.at("model");
      record.weights = root.at("weights");
      record.channels = root.at("channels");
      record.architecture = root.at("architecture");
      record.digest = root.at("weights_sha256");
      record.output = root.at("output");
      record.preprocessing = parse_preprocessing(root.at("preprocessing"));
      record.mirrored = root.value("mirrored", false);
      record.pca = root.at("pca");
      record.normalized = root.at("normalized");
      record.folder = root.at("folder");
      shape = root.at("shape").get<std::vector<int64_t>>();
    } catch (const json::exception&) {
      fail(ErrorKind::format, "cannot be read as a record of features: it is no JSON, or an entry is missing or of another kind");
    }
    return record;
  });
}

// What follows KEY in a .npy header, up to a comma or a brace outside parentheses.
std::string header_value(const std::string& header, const std::string& key) {
  size_t at = header.find("'" + key + "':");
  if (at == std::string::npos) fail(ErrorKind::format, "the header does not say '{}'", key);
  at = header.find_first_not_of(' ', at + key.size() + 3);
  const size_t end = at == std::string::npos ? at : header[at] == '(' ? header.find(')', at) : header.find_first_of(",}", at);
  if (end == std::string::npos) fail(ErrorKind::format, "the header ends in '{}'", key);
  return header.substr(at, end - at);
}

DType npy_type(const std::string& text) {
  constexpr std::pair<const char*, DType> kTypes[] = {
      {"'<f4'", DType::f32}, {"'<f8'", DType::f64}, {"'<i8'", DType::i64}, {"'<i4'", DType::i32}, {"'|u1'", DType::u8}};
  for (const auto& [name, type] : kTypes)
    if (text == name) return type;
  fail(ErrorKind::unsupported, "elements of {}; '<f4', '<f8', '<i8', '<i4' and '|u1' can be read", text);
}

std::vector<int64_t> npy_shape(const std::string& text) {
  std::vector<int64_t> shape;
  const char *at = text.data() + 1, *const end = text.data() + text.size();
  while (at < end) {
    int64_t dim = 0;
    const auto [next, error] = std::from_chars(at, end, dim);
    if (error != std::errc() || dim < 0) fail(ErrorKind::format, "the shape {}) cannot be read", text);
    shape.push_back(dim);
    for (at = next; at < end && (*at == ',' || *at == ' ');) ++at;
  }
  return shape;
}

void check_together(const FeatureSet& set, const std::vector<int64_t>& recorded, const std::string& path) {
  const auto& shape = set.features.shape();
  if (shape.size() < 2) fail(ErrorKind::mismatch, "{}: shape {}, features are [pictures, ...]", path, shape_string(shape));
  if (shape != recorded)
    fail(ErrorKind::mismatch, "{}: shape {}, {} says {}", path, shape_string(shape), beside(path, ".json").string(),
         shape_string(recorded));
  if (static_cast<size_t>(shape[0]) != set.files.size())
    fail(ErrorKind::mismatch, "{}: {} rows, {} names {} files", path, shape[0], beside(path, ".csv").string(), set.files.size());
}

std::optional<Pca> read_pca(const std::string& path, int64_t count) {
  if (count == 0) return std::nullopt;
  const fs::path file = beside(path, ".pca.npy");
  const Tensor both = load_npy(file.string());
  if (both.dtype() != DType::f32 || both.shape().size() != 2 || both.shape()[0] != count + 1)
    fail(ErrorKind::mismatch, "{}: {} {}, a mean and {} components are f32 [{}, width]", file.string(), to_string(both.dtype()),
         shape_string(both.shape()), count, count + 1);
  const int64_t width = both.shape()[1];
  Pca pca;
  pca.mean = Tensor(DType::f32, {width});
  pca.components = Tensor(DType::f32, {count, width});
  const auto values = both.values<float>();
  std::copy_n(values.begin(), width, pca.mean.mutable_values<float>().begin());
  std::copy(values.begin() + width, values.end(), pca.components.mutable_values<float>().begin());
  return pca;
}

Tensor mean_and_components(const Pca& pca) {
  Tensor both(DType::f32, {pca.components.shape()[0] + 1, pca.mean.size()});
  const auto values = both.mutable_values<float>();
  const auto end = std::ranges::copy(pca.mean.values<float>(), values.begin()).out;
  std::ranges::copy(pca.components.values<float>(), end);
  return both;
}

std::string table(const FeatureSet& set) {
  const size_t rows = set.files.size(), width = rows == 0 ? 0 : static_cast<size_t>(set.features.size()) / rows;
  std::string csv = "file";
  for (size_t i = 0; i < width; ++i) csv += fmt::format(",f{}", i);
  csv += "\n";
  const auto values = set.features.values<float>();
  for (size_t row = 0; row < rows; ++row) {
    csv += csv_field(set.files[row]);
    for (size_t i = 0; i < width; ++i) csv += fmt::format(",{}", values[row * width + i]);
    csv += "\n";
  }
  return csv;
}

}  // namespace

std::vector<std::string> save_features(const FeatureSet& set, const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  const std::string record = beside(path, ".json").string();
  const std::string text = json_text(to_json(set.record, set.features.shape()), 2) + "\n";
  std::vector<std::string> written{path};
  if (extension == ".csv") {
    write_text(path, table(set));
  } else if (extension == ".npy") {
    std::string csv = "file\n";
    for (const std::string& file : set.files) csv += csv_field(file) + "\n";
    save_npy(set.features, path);
    written.push_back(beside(path, ".csv").string());
    write_text(written.back(), csv);
  } else {
    fail(ErrorKind::usage, "{}: features are written as .npy or .csv", path);
  }
  if (set.pca) {
    written.push_back(beside(path, ".pca.npy").string());
    save_npy(mean_and_components(*set.pca), written.back());
  }
  write_text(record, text);
  written.push_back(record);
  return written;
}

FeatureSet load_features(const std::string& path) {
  if (fs::path(path).extension() != ".npy") fail(ErrorKind::usage, "{}: a file of features ends with .npy (fovea embed writes it)", path);
  FeatureSet set;
  set.features = load_npy(path);
  if (set.features.dtype() != DType::f32)
    fail(ErrorKind::mismatch, "{}: elements of {}, features are f32", path, to_string(set.features.dtype()));
  std::vector<int64_t> shape;
  set.record = read_record(beside(path, ".json"), shape);
  set.files = first_fields(read_text(beside(path, ".csv")));
  check_together(set, shape, path);
  set.pca = read_pca(path, set.record.pca);
  return set;
}

Tensor load_npy(const std::string& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  return in_context(path, [&] {
    constexpr size_t kMagic = 8;  // https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    const auto byte = [&](size_t i) { return static_cast<size_t>(bytes[i]); };
    if (bytes.size() < kMagic + 4 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0)
      fail(ErrorKind::format, "is no NumPy file: {} bytes that do not begin with \\x93NUMPY", bytes.size());
    const bool first = byte(6) == 1;
    const size_t start = kMagic + (first ? 2 : 4);
    size_t length = 0;
    for (size_t i = start; i-- > kMagic;) length = length << 8 | byte(i);
    if (length > bytes.size() - start) fail(ErrorKind::format, "a header of {} bytes in a file of {}", length, bytes.size());
    const std::string header(reinterpret_cast<const char*>(bytes.data()) + start, length);
    if (header_value(header, "fortran_order") != "False") fail(ErrorKind::unsupported, "is in Fortran's order; write it in C's");
    const DType type = npy_type(header_value(header, "descr"));
    const std::vector<int64_t> shape = npy_shape(header_value(header, "shape"));
    const size_t data = start + length;
    int64_t claimed = static_cast<int64_t>(size_of(type));  // looked at before any memory is taken for it
    for (int64_t dim : shape)
      if (__builtin_mul_overflow(claimed, dim, &claimed)) fail(ErrorKind::format, "shape {} overflows", shape_string(shape));
    if (bytes.size() - data != static_cast<size_t>(claimed))
      fail(ErrorKind::format, "{} bytes of data, {} {} are {}", bytes.size() - data, to_string(type), shape_string(shape), claimed);
    Tensor tensor(type, shape);
    if (tensor.bytes() > 0) std::memcpy(tensor.mutable_raw(), bytes.data() + data, tensor.bytes());
    return tensor;
  });
}

}  // namespace fovea
