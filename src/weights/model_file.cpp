#include "weights/model_file.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>

#include <fmt/ranges.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "weights/safetensors.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

constexpr std::string_view kReserved = "fovea.";
constexpr const char *kFormat = "fovea.format", *kArchitecture = "fovea.architecture", *kClasses = "fovea.classes",
                     *kPreprocessing = "fovea.preprocessing", *kHead = "fovea.head", *kChannels = "fovea.channels",
                     *kNative = "fovea.native_size", *kThresholds = "fovea.thresholds", *kSeen = "fovea.seen_pictures",
                     *kSeenAll = "fovea.seen_pictures.all";

std::string classes_text(const std::vector<std::string>& classes) {
  for (const std::string& name : classes) {
    try {
      (void)strict_json_text(name);
    } catch (const nlohmann::json::exception&) {
      fail(ErrorKind::usage, "the class name {} is not UTF-8", in_quotes(name));
    }
  }
  return strict_json_text(classes);
}

std::vector<std::string> parse_classes(const std::string& text) {
  bool nested = false;  // what lies deeper than the list's elements is not built
  const auto keep = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    nested |= depth > 1;
    return depth <= 1;
  };
  const nlohmann::json list = nlohmann::json::parse(text, keep, false);
  bool good = list.is_array() && !nested;
  for (size_t i = 0; good && i < list.size(); ++i) good = list[i].is_string();
  if (!good) fail(ErrorKind::format, "{} is {} and not a JSON list of names", kClasses, in_quotes(text));
  return list.get<std::vector<std::string>>();
}

template <class T>
T parse_number(std::string_view text, bool& good) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  good = good && error == std::errc() && end == text.data() + text.size();
  return number;
}

std::string take(std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) fail(ErrorKind::format, "the metadata has no {}", key);
  std::string text = std::move(found->second);
  metadata.erase(found);
  return text;
}

// "0.5,0.25", a number a class.
std::vector<double> parse_thresholds(const std::string& text, size_t classes) {
  std::vector<double> thresholds;
  std::istringstream parts(text);
  bool good = true;
  for (std::string part; std::getline(parts, part, ',');) thresholds.push_back(parse_number<double>(part, good));
  for (const double one : thresholds) good = good && one > 0 && one < 1;
  if (!good || thresholds.size() != classes)
    fail(ErrorKind::format, "{} is {}, {} numbers above 0 and below 1 expected", kThresholds, in_quotes(text), classes);
  return thresholds;
}

// "linear", "mlp hidden=512 dropout=0.5", "linear independent": the kind, and what is not its default.
std::string head_text(const HeadOptions& head) {
  std::string text = name_of(kHeadKinds, head.kind);
  if (head.kind != HeadKind::linear) text += fmt::format(" hidden={}", head.hidden);
  if (head.dropout >= 0) text += fmt::format(" dropout={}", head.dropout);
  if (head.independent) text += " independent";
  return text;
}

HeadOptions parse_head(const std::string& text) {
  std::istringstream words(text);
  std::string kind, word;
  words >> kind;
  HeadOptions head;
  const auto named = value_of(kHeadKinds, kind);
  bool good = named.has_value();
  if (named) head.kind = *named;
  while (words >> word) {
    if (word.starts_with("hidden="))
      head.hidden = parse_number<int64_t>(word.substr(7), good);
    else if (word.starts_with("dropout="))
      head.dropout = parse_number<double>(word.substr(8), good);
    else if (word == "independent")
      head.independent = true;
    else
      good = false;
  }
  constexpr int64_t kWidest = 1 << 20;
  if (!good || head.hidden < 1 || head.hidden > kWidest || !(head.dropout < 1))
    fail(ErrorKind::format, "{} is {} and not a head that this fovea knows ({})", kHead, in_quotes(text), names_of(kHeadKinds));
  return head;
}

// "224x160" or "3": positive numbers, as many as `count`.
std::vector<int64_t> parse_sizes(const char* key, const std::string& text, size_t count) {
  constexpr int64_t kMost = 1 << 16;
  std::vector<int64_t> sizes;
  std::istringstream parts(text);
  bool good = true;
  for (std::string part; std::getline(parts, part, 'x');) sizes.push_back(parse_number<int64_t>(part, good));
  for (int64_t size : sizes) good = good && size >= 1 && size <= kMost;
  if (!good || sizes.size() != count)
    fail(ErrorKind::format, "{} is {}, {} expected", key, in_quotes(text), count == 1 ? "a number" : "HEIGHTxWIDTH");
  return sizes;
}

// 24 bytes a picture: the three hashes, each little-endian.
constexpr size_t kWords = 3;
constexpr size_t kMostPrints = 2'000'000;  // 64 MB of text; readers of the format stop at 100 MB

std::string seen_text(const SeenPictures& seen) {
  std::vector<uint64_t> words;
  words.reserve(kWords * std::min(seen.prints.size(), kMostPrints));
  for (const PicturePrint& print : std::span(seen.prints).first(std::min(seen.prints.size(), kMostPrints)))
    words.insert(words.end(), {print.pixels, print.coarse, print.detail});
  return base64(std::as_bytes(std::span(words)));
}

SeenPictures parse_seen(const std::string& text, const std::string& all) {
  const auto bytes = from_base64(text);
  constexpr size_t kBytes = kWords * sizeof(uint64_t);
  if (!bytes || bytes->size() % kBytes != 0) fail(ErrorKind::format, "{} holds {} characters that are no fingerprints", kSeen, text.size());
  if (all != "yes" && all != "no") fail(ErrorKind::format, "{} is {}, yes or no expected", kSeenAll, in_quotes(all));
  SeenPictures seen{std::vector<PicturePrint>(bytes->size() / kBytes), all == "yes"};
  for (size_t i = 0; i < seen.prints.size(); ++i) {
    uint64_t words[kWords];
    std::memcpy(words, bytes->data() + i * kBytes, kBytes);
    seen.prints[i] = {words[0], words[1], words[2]};
  }
  std::ranges::sort(seen.prints);
  seen.prints.erase(std::unique(seen.prints.begin(), seen.prints.end()), seen.prints.end());
  return seen;
}

int parse_version(const std::string& text) {
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 1) {
    fail(ErrorKind::format, "{} is {} and not a version", kFormat, in_quotes(text));
  }
  if (version > kModelFileVersion) {
    fail(ErrorKind::unsupported, "has model file format {}, this fovea reads up to {}: a newer one is needed", version, kModelFileVersion);
  }
  return version;
}

ModelFile parse(StateDict file) {
  ModelFile model;
  auto& metadata = file.metadata;
  if (!metadata.count(kFormat)) fail(ErrorKind::format, "is not a model file: the metadata has no {}", kFormat);
  model.format_version = parse_version(take(metadata, kFormat));
  model.architecture = take(metadata, kArchitecture);
  model.classes = parse_classes(take(metadata, kClasses));
  model.preprocessing = in_context(kPreprocessing, [&] { return parse_preprocessing(take(metadata, kPreprocessing)); });
  model.head = parse_head(take(metadata, kHead));
  if (metadata.count(kChannels)) model.channels = parse_sizes(kChannels, take(metadata, kChannels), 1)[0];
  if (metadata.count(kThresholds)) model.thresholds = parse_thresholds(take(metadata, kThresholds), model.classes.size());
  if (!model.thresholds.empty() && !model.head.independent) fail(ErrorKind::format, "{} of classes that exclude each other", kThresholds);
  if (metadata.count(kNative)) {
    const auto size = parse_sizes(kNative, take(metadata, kNative), 2);
    model.native_height = size[0];
    model.native_width = size[1];
  }
  if (metadata.count(kSeen)) {
    const std::string prints = take(metadata, kSeen);
    model.seen = std::make_shared<const SeenPictures>(parse_seen(prints, take(metadata, kSeenAll)));
  }
  model.extra = std::move(metadata);
  metadata.clear();
  model.tensors = std::move(file);
  return model;
}

}  // namespace

void write_model_file(const std::filesystem::path& path, const ModelFile& model) {
  StateDict file = model.tensors;
  file.metadata = model.extra;
  for (const auto& [key, text] : model.extra) {
    if (key.starts_with(kReserved)) fail(ErrorKind::usage, "{}: the metadata key '{}' is reserved", path.string(), key);
  }
  file.metadata[kFormat] = std::to_string(model.format_version);
  file.metadata[kArchitecture] = model.architecture;
  file.metadata[kClasses] = in_context(path.string(), [&] { return classes_text(model.classes); });
  file.metadata[kPreprocessing] = to_string(model.preprocessing);
  file.metadata[kHead] = head_text(model.head);
  if (!model.thresholds.empty()) file.metadata[kThresholds] = fmt::format("{}", fmt::join(model.thresholds, ","));
  if (model.channels != 3) file.metadata[kChannels] = std::to_string(model.channels);
  if (model.native_height > 0) file.metadata[kNative] = fmt::format("{}x{}", model.native_height, model.native_width);
  if (model.seen) {
    file.metadata[kSeen] = seen_text(*model.seen);
    file.metadata[kSeenAll] = model.seen->all && model.seen->prints.size() <= kMostPrints ? "yes" : "no";
  }
  write_safetensors(path, file);
}

ModelFile read_model_file(const std::filesystem::path& path) {
  return in_context(path.string(), [&] {
    const auto file = MappedFile::open(path);
    return read_model_file(file->bytes(), file);
  });
}

ModelFile read_model_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  if (!is_safetensors(bytes)) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    fail(ErrorKind::format, "is not a model file: {}", text.empty() ? "it is empty" : "starts with " + in_quotes(text, 16));
  }
  return parse(read_safetensors(bytes, std::move(owner)));
}

bool is_model_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  if (!is_safetensors(file->bytes())) return false;
  try {
    return read_safetensors_metadata(file->bytes()).count(kFormat) > 0;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace fovea::weights
