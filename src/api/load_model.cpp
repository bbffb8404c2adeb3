// Model::load: from a name, a tag or a file to a network with weights, classes and preprocessing.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "api/implementation.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "engine/precision.h"
#include "weights/fetch.h"
#include "weights/imagenet_classes.h"
#include "weights/load.h"
#include "weights/model_file.h"
#include "weights/published.h"
#include "weights/read_weights.h"
#include "weights/usual_preprocessing.h"

namespace fovea {

std::vector<std::string> numbered(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

namespace {

namespace fs = std::filesystem;

std::vector<std::string> classes_for(int64_t count) {
  const auto& imagenet = weights::imagenet_classes();
  return count == static_cast<int64_t>(imagenet.size()) ? imagenet : numbered(count);
}

// Where nothing is known of a network's weights: the usual share of a picture's shorter side.
Preprocessing usual_preprocessing(const models::Variant& variant) {
  if (const auto* published = weights::look_up_published(variant.name)) return published->preprocessing;
  if (const auto known = weights::usual_preprocessing(variant.name)) return *known;
  Preprocessing usual;
  usual.height = usual.width = variant.input_size;
  usual.resize = (variant.input_size * 256 + 112) / 224;
  return usual;
}

int64_t channels_of(const LoadOptions& options) { return options.channels > 0 ? options.channels : 3; }

LoadSummary to_summary(const weights::LoadReport& report, const std::string& source) {
  LoadSummary summary;
  summary.loaded = static_cast<int64_t>(report.loaded.size());
  summary.missing = report.missing;
  summary.missing.insert(summary.missing.end(), report.skipped.begin(), report.skipped.end());
  summary.unexpected = report.unexpected;
  for (const auto& one : report.reshaped)
    summary.reshaped.push_back(fmt::format("{} {} -> {}", one.name, shape_string(one.from), shape_string(one.to)));
  summary.notes = report.notes;
  summary.source = source;
  return summary;
}

// A network whose parameters have the pictures' size in their shapes gets them for the size that its weights were made for.
Size2 native_size(const models::Variant& variant, const Preprocessing& preprocessing) {
  if (variant.size_multiple == 1) return {0, 0};
  return {preprocessing.height, preprocessing.width};
}

// The same share of a picture at another size.
void resize(Preprocessing& preprocessing, Size2 size) {
  if (preprocessing.resize > 0) preprocessing.resize = preprocessing.resize * size.height / preprocessing.height;
  preprocessing.height = size.height;
  preprocessing.width = size.width;
}

engine::NetworkForm form_of(const weights::ModelFile& file) {
  return {file.classes, file.head, file.channels, file.classes.empty(), {file.native_height, file.native_width}};
}

// What starts new although the file has it, because the values there are of no use.
struct NewPart {
  std::vector<std::string> prefixes = {};  // of parameter names
  uint64_t seed = 0;
  std::vector<std::string> notes = {};  // for LoadSummary::notes
};

// torchvision's EfficientNetV2 and Google's have the same parameters, but pad differently. Whose a file is, its names alone tell: there are
// no weights of torchvision's under timm's.
void require_own_padding(const models::Variant& variant, const weights::LoadReport& report) {
  constexpr std::string_view kOwn = "efficientnet_v2_";
  if (report.name_map == "timm-efficientnet-v2" && variant.name.starts_with(kOwn))
    fail(ErrorKind::mismatch,
         "the names are timm's, whose weights are Google's and pad as TensorFlow does (SAME): they are of tf_efficientnetv2_{}, not of {}",
         variant.name.substr(kOwn.size()), variant.name);
}

int64_t count_not_finite(std::span<const float> values) {
  int64_t count = 0;
  for (const float value : values) count += std::isfinite(value) ? 0 : 1;
  return count;
}

// "2 tensors hold 12 values that are no numbers: fc.weight (10 of 5120), fc.bias (2 of 10)"; empty: none does.
std::string note_of_weights(const engine::StateStore& store) {
  constexpr int64_t kMostNamed = 5;
  std::string names;
  int64_t values = 0, holders = 0;
  for (const auto& [name, entry] : store.entries()) {
    const Tensor& tensor = entry.memory;
    const int64_t count = tensor.dtype() == DType::f32 ? count_not_finite(tensor.values<float>()) : 0;
    if (count == 0) continue;
    values += count;
    if (++holders <= kMostNamed) names += fmt::format("{}{} ({} of {})", names.empty() ? "" : ", ", name, count, tensor.size());
  }
  if (holders == 0) return {};
  if (holders > kMostNamed) names += fmt::format(" and {} more", holders - kMostNamed);
  return fmt::format("{} of the weights hold {} that no network computes with (NaN or infinity): {}",
                     holders == 1 ? "1 tensor" : fmt::format("{} tensors", holders),
                     values == 1 ? "1 value" : fmt::format("{} values", values), names);
}

std::shared_ptr<Model::Implementation> with_weights(const models::Variant& variant, engine::NetworkForm form,
                                                    const Preprocessing& preprocessing, const weights::StateDict& tensors,
                                                    const std::string& source, const NewPart& part = {}) {
  const auto seed = part.prefixes.empty() ? std::nullopt : std::optional(part.seed);
  auto network = std::make_shared<engine::Network>(variant, std::move(form), preprocessing, seed);
  const auto report = in_context(fmt::format("loading {} from {}", variant.name, source), [&] {
    auto loaded = network->load(tensors, part.prefixes);
    require_own_padding(variant, loaded);
    loaded.notes.insert(loaded.notes.begin(), tensors.notes.begin(), tensors.notes.end());
    loaded.notes.insert(loaded.notes.end(), part.notes.begin(), part.notes.end());
    return loaded;
  });
  LoadSummary summary = to_summary(report, source);
  summary.weights_note = note_of_weights(*network->store());
  return std::make_shared<Model::Implementation>(std::move(network), std::move(summary));
}

std::shared_ptr<Model::Implementation> without_weights(const models::Variant& variant, engine::NetworkForm form,
                                                       const Preprocessing& preprocessing, uint64_t seed) {
  LoadSummary summary;
  summary.source = "none";
  return std::make_shared<Model::Implementation>(std::make_shared<engine::Network>(variant, std::move(form), preprocessing, seed), summary);
}

// What a file says of the network by the shapes of its tensors.
struct FileForm {
  int64_t classes = 0;  // 0: it has no head
  int64_t channels = 3;
  Size2 native = {0, 0};                    // the size that its position embeddings belong to; 0: it has none, or they are of no square
  std::vector<std::string> start_new = {};  // prefixes of what leads to the head alone, where the file lacks that too
};

// The size that position embeddings of so many rows belong to; 0: they are of no square.
Size2 native_of(const models::Variant& variant, const PositionTable& own, int64_t rows) {
  const int64_t places = std::max<int64_t>(rows - own.prefix, 0), side = std::llround(std::sqrt(static_cast<double>(places)));
  if (places == own.grid.height * own.grid.width) return {variant.input_size, variant.input_size};
  if (side * side != places) return {0, 0};
  const int64_t patch = variant.input_size / own.grid.height;
  return {side * patch, side * patch};
}

FileForm file_form(const models::Variant& variant, const weights::StateDict& file) {
  std::vector<weights::ExpectedTensor> expected;
  BuildOptions options;
  options.height = options.width = variant.input_size;
  const ModelGraph model = models::build(variant, options);
  const std::string first = engine::first_convolution(model);
  for (const State& state : model.graph.states())
    expected.push_back({state.name, state.stored_shape, model.graph.type(state.value).dtype == DType::i64});
  const weights::Naming naming = weights::name_tensors(file, expected, "", engine::head_place(variant));
  FileForm form{naming.head_missing ? 0 : variant.classes, 3, {0, 0}, naming.start_new};
  for (size_t i = 0; i < file.size(); ++i) {
    const std::string& name = naming.names[i];
    const auto& shape = file[i].tensor.shape();
    if (name == variant.head + ".weight" && !shape.empty() && shape[0] > 0) form.classes = shape[0];
    if (name == first && shape.size() == 4 && shape[1] > 0) form.channels = shape[1];
    for (const PositionTable& table : model.positions)
      if (table.name == name && shape.size() == 3) form.native = native_of(variant, table, shape[1]);
  }
  return form;
}

void check_channels(const std::string& path, const weights::ModelFile& file, const LoadOptions& options) {
  if (options.channels != 0 && options.channels != file.channels)
    fail(ErrorKind::mismatch, "{}: made for pictures of {} channels, {} asked for", path, file.channels, options.channels);
}

std::shared_ptr<Model::Implementation> from_model_file(const std::string& path, const models::Variant* wanted, const LoadOptions& options) {
  const weights::ModelFile file = weights::read_model_file(path);
  const models::Variant& variant = in_context(path, [&]() -> const models::Variant& { return models::get(file.architecture); });
  if (wanted && wanted->name != variant.name)
    fail(ErrorKind::mismatch, "loading {} from {}: the file holds a {}", wanted->name, path, variant.name);
  check_channels(path, file, options);
  return with_weights(variant, form_of(file), file.preprocessing, file.tensors, path);
}

std::shared_ptr<Model::Implementation> from_weights_file(const models::Variant& variant, const std::string& path,
                                                         const LoadOptions& options) {
  if (fs::exists(path) && weights::is_model_file(path)) return from_model_file(path, &variant, options);
  const auto [file_path, file_part] = weights::weights_file(path);
  const weights::StateDict file = weights::read_weights(file_path, file_part);
  Preprocessing preprocessing = usual_preprocessing(variant);
  const std::string name = fs::path(file_path).filename().string();
  NewPart part{{}, options.seed};
  for (const weights::PublishedWeights& row : weights::published_weights()) {
    if (row.model != variant.name || row.file != name) continue;
    preprocessing = row.preprocessing;
    part.prefixes = row.without;
  }
  const FileForm found = file_form(variant, file);
  part.prefixes.insert(part.prefixes.end(), found.start_new.begin(), found.start_new.end());
  if (found.native.height > 0) resize(preprocessing, found.native);
  engine::NetworkForm form{classes_for(found.classes), {}, channels_of(options), found.classes == 0, native_size(variant, preprocessing)};
  if (options.channels == 0 && found.channels != form.channels) {
    form.channels = found.channels;
    part.notes.push_back(
        fmt::format("the file's first layer reads {} of a picture's channels: the network is made for so many", found.channels));
  }
  return with_weights(variant, form, preprocessing, file, path, part);
}

std::shared_ptr<Model::Implementation> from_published(const models::Variant& variant, const weights::PublishedWeights& row,
                                                      const LoadOptions& options) {
  weights::FetchOptions fetch;
  fetch.download.progress = options.progress;
  const std::string path = weights::fetch(row, fetch).string();
  const weights::StateDict file = weights::read_weights(path);
  const engine::NetworkForm form{weights::imagenet_classes(), {}, channels_of(options), false, native_size(variant, row.preprocessing)};
  return with_weights(variant, form, row.preprocessing, file, path, {row.without, options.seed});
}

std::shared_ptr<Model::Implementation> from_name(const models::Variant& variant, const LoadOptions& options) {
  const std::string& weights = options.weights;
  if (weights == "none") {
    const Preprocessing usual = usual_preprocessing(variant);
    return without_weights(variant, {{}, {}, channels_of(options), false, native_size(variant, usual)}, usual, options.seed);
  }
  const auto* row = weights::look_up_published(variant.name, weights == "default" ? "" : weights);
  if (row) return from_published(variant, *row, options);
  if (fs::exists(weights::weights_file(weights).path)) return from_weights_file(variant, weights, options);
  std::string tags;
  for (const weights::PublishedWeights& other : weights::published_weights())
    if (other.model == variant.name) tags += (tags.empty() ? "" : ", ") + other.tag;
  if (weights == "default")
    fail(ErrorKind::usage, "no weights are published for {}: name a file with weights, or 'none' to start at random", variant.name);
  fail(ErrorKind::io, "{}: no such file, and no weights of that name are published for {}{}", weights, variant.name,
       tags.empty() ? "" : "; there are " + tags);
}

// The model file's own classes and preprocessing, with weights from elsewhere where the caller wants them.
std::shared_ptr<Model::Implementation> from_file(const std::string& path, const LoadOptions& options) {
  if (!weights::is_model_file(path)) {
    fail(ErrorKind::format, "{}: not a model file that training wrote; a file with weights goes with a model's name (weights {})", path,
         path);
  }
  if (options.weights == "default") return from_model_file(path, nullptr, options);
  const weights::ModelFile file = weights::read_model_file(path);
  const models::Variant& variant = in_context(path, [&]() -> const models::Variant& { return models::get(file.architecture); });
  check_channels(path, file, options);
  if (options.weights == "none") return without_weights(variant, form_of(file), file.preprocessing, options.seed);
  const auto [other, part] = weights::weights_file(options.weights);
  if (!fs::exists(other)) fail(ErrorKind::io, "{}: no such file", other);
  return with_weights(variant, form_of(file), file.preprocessing, weights::read_weights(other, part), options.weights);
}

bool looks_like_a_path(const std::string& text) {
  const std::string extension = fs::path(text).extension().string();
  return fs::exists(text) || extension == ".safetensors" || extension == ".pth" || extension == ".pt" || text.starts_with("/") ||
         text.starts_with("./") || text.starts_with("../");
}

}  // namespace

std::shared_ptr<engine::Network> plain_network(const std::string& name_or_file, std::optional<uint64_t> seed, const std::string& tag) {
  const models::Variant* variant = models::find(name_or_file);
  if (!variant && looks_like_a_path(name_or_file)) {
    const weights::ModelFile file = weights::read_model_file(name_or_file);
    const models::Variant& named = in_context(name_or_file, [&]() -> const models::Variant& { return models::get(file.architecture); });
    return std::make_shared<engine::Network>(named, form_of(file), file.preprocessing, seed);
  }
  if (!variant) variant = &models::get(name_or_file);
  const Preprocessing usual = tag.empty() ? usual_preprocessing(*variant) : weights::find_published(variant->name, tag).preprocessing;
  return std::make_shared<engine::Network>(*variant, engine::NetworkForm{{}, {}, 3, false, native_size(*variant, usual)}, usual, seed);
}

Model Model::load(const std::string& name_or_file, const LoadOptions& options) {
  if (options.channels < 0) fail(ErrorKind::usage, "pictures of {} channels, at least 1 expected", options.channels);
  const DType precision = engine::parse_precision(options.dtype);
  const auto ready = [&](std::shared_ptr<Model::Implementation> implementation) {
    implementation->loaded.precision_note = precision == DType::bf16 ? engine::why_not_bf16(cpu::cpu_backend()) : std::string();
    implementation->shared_network()->set_precision(implementation->loaded.precision_note.empty() ? precision : DType::f32);
    return Model(std::move(implementation));
  };
  if (const models::Variant* variant = models::find(name_or_file)) return ready(from_name(*variant, options));
  // The folder of a run stands for its model.
  const fs::path of_run = fs::path(name_or_file) / "model.safetensors";
  if (fs::is_directory(name_or_file) && fs::is_regular_file(of_run)) return ready(from_file(of_run.string(), options));
  if (looks_like_a_path(name_or_file)) return ready(from_file(name_or_file, options));
  return ready(from_name(models::get(name_or_file), options));
}

}  // namespace fovea
