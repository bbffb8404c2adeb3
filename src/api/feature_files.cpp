// .npy, .csv and .json of a set of features.
#include <fovea/features.h>
#include <fovea/pictures.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "api/feature_files.h"
#include "base/atomic_file.h"
#include "base/csv.h"
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

// The type as NumPy writes it, little-endian.
const char* numpy_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::i64:
      return "<i8";
    case DType::i32:
      return "<i4";
    case DType::u8:
      return "|u1";
    default:
      fail(ErrorKind::unsupported, "{} has no form in .npy files; f32, f64, i64, i32 and u8 have", to_string(dtype));
  }
}

// Writes it as NumPy does, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, with its room for the first dimension to
// grow, so that the header of the same file with more rows is as long.
std::string npy_header(DType dtype, const std::vector<int64_t>& shape) {
  constexpr size_t kPreamble = 10, kAlignment = 64;  // of the data
  constexpr size_t kMostDigits = 21;                 // of the first dimension
  std::string dims;
  for (const int64_t dim : shape) dims += fmt::format("{}{}", dims.empty() ? "" : ", ", dim);
  if (shape.size() == 1) dims += ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", numpy_type(dtype), dims);
  if (!shape.empty()) header.append(kMostDigits - std::to_string(shape[0]).size(), ' ');
  header.append(kAlignment - 1 - (kPreamble + header.size()) % kAlignment, ' ');
  header += '\n';
  std::string preamble("\x93NUMPY\x01\x00", 8);
  preamble += static_cast<char>(header.size() & 0xFF);
  preamble += static_cast<char>(header.size() >> 8);
  return preamble + header;
}

void write_npy(const Tensor& tensor, AtomicFile& file) {
  file.write(npy_header(tensor.dtype(), tensor.shape()));
  file.write(tensor.raw(), tensor.bytes());
}

}  // namespace

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

class [[gnu::visibility("hidden")]] FeatureFiles::Implementation {
 public:
  explicit Implementation(const std::string& path) : path_(path), table_(fs::path(path).extension() == ".csv") {
    if (!table_ && fs::path(path).extension() != ".npy") fail(ErrorKind::usage, "{}: features are written as .npy or .csv", path);
    features_.emplace(path, true);
    if (!table_) names_.emplace(beside(path, ".csv"));
  }

  void add(const std::string& file, std::vector<int64_t> shape, std::span<const float> values) {
    if (!begun_)
      begin(std::move(shape));
    else if (!std::equal(shape.begin() + 1, shape.end(), shape_.begin() + 1, shape_.end()))
      fail(ErrorKind::mismatch, "{}: features {}, those before are {}", file, shape_string(shape), shape_string(this->shape()));
    ++rows_;
    std::string line = csv_field(file);
    if (table_) {
      for (const float value : values) line += fmt::format(",{}", value);
      features_->write(line + "\n");
    } else {
      features_->write(values.data(), values.size_bytes());
      names_->write(line + "\n");
    }
  }

  // The rows' shape is that of a set, whose first dimension is not looked at.
  void begin(std::vector<int64_t> shape) {
    shape_ = std::move(shape);
    begun_ = true;
    if (!table_) {
      features_->write(npy_header(DType::f32, this->shape()));
      names_->write("file\n");
      return;
    }
    int64_t width = shape_.size() > 1 ? 1 : 0;
    for (size_t i = 1; i < shape_.size(); ++i) width *= shape_[i];
    std::string line = "file";
    for (int64_t i = 0; i < width; ++i) line += fmt::format(",f{}", i);
    features_->write(line + "\n");
  }

  std::vector<int64_t> shape() const {
    std::vector<int64_t> shape = shape_;
    shape[0] = rows_;
    return shape;
  }

  std::vector<std::string> finish(const FeatureRecord& record, const std::optional<Pca>& pca) {
    if (!begun_) begin(shape_);
    if (!table_) {
      const std::string header = npy_header(DType::f32, shape());
      features_->write_at(0, header.data(), header.size());
    }
    // Those of an earlier call stay whole until all of these are on the disk.
    std::vector<std::string> written{path_};
    std::optional<AtomicFile> components;
    if (!table_) written.push_back(beside(path_, ".csv").string());
    if (pca) {
      written.push_back(beside(path_, ".pca.npy").string());
      write_npy(mean_and_components(*pca), components.emplace(written.back()));
    }
    written.push_back(beside(path_, ".json").string());
    AtomicFile text(written.back());
    text.write(json_text(to_json(record, shape()), 2) + "\n");
    std::vector<AtomicFile*> files{&*features_};
    if (names_) files.push_back(&*names_);
    if (components) files.push_back(&*components);
    files.push_back(&text);
    for (AtomicFile* file : files) file->flush();
    for (AtomicFile* file : files) file->commit();
    return written;
  }

 private:
  const std::string path_;
  const bool table_;                            // files and features in one .csv
  std::optional<AtomicFile> features_, names_;  // names_: of a .npy
  std::vector<int64_t> shape_{0};
  bool begun_ = false;
  int64_t rows_ = 0;
};

FeatureFiles::FeatureFiles(const std::string& path) : implementation_(std::make_unique<Implementation>(path)) {}
FeatureFiles::~FeatureFiles() = default;
FeatureFiles::FeatureFiles(FeatureFiles&&) noexcept = default;
FeatureFiles& FeatureFiles::operator=(FeatureFiles&&) noexcept = default;

void FeatureFiles::add(const std::string& file, const Tensor& features) {
  if (features.shape().size() < 2 || features.shape()[0] != 1)
    fail(ErrorKind::mismatch, "{}: features {}, [1, ...] expected of one picture", file, shape_string(features.shape()));
  implementation_->add(file, features.shape(), features.values<float>());
}
std::vector<int64_t> FeatureFiles::shape() const { return implementation_->shape(); }
std::vector<std::string> FeatureFiles::finish(const FeatureRecord& record, const std::optional<Pca>& pca) {
  return implementation_->finish(record, pca);
}

std::vector<std::string> save_features(const FeatureSet& set, const std::string& path) {
  FeatureFiles::Implementation files(path);
  const auto values = set.features.values<float>();
  const size_t width = set.files.empty() ? 0 : values.size() / set.files.size();
  files.begin(set.features.shape());
  for (size_t row = 0; row < set.files.size(); ++row) files.add(set.files[row], set.features.shape(), values.subspan(row * width, width));
  return files.finish(set.record, set.pca);
}

void save_npy(const Tensor& tensor, const std::string& path) {
  AtomicFile file(path);
  write_npy(tensor, file);
  file.commit();
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
