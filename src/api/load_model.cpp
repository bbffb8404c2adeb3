// Model::load: from a name, a tag or a file to a network with weights, classes and preprocessing.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "api/device.h"
#include "api/implementation.h"
#include "api/model_source.h"
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

// The share of a picture's shorter side that is taken where nothing is known of the weights' preprocessing.
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

engine::NetworkForm form_found(const FileForm& found, const LoadOptions& options, NewPart& part) {
  engine::NetworkForm form{classes_for(found.classes), {}, channels_of(options), found.classes == 0, {0, 0}};
  if (options.channels == 0 && found.channels != form.channels) {
    form.channels = found.channels;
    part.notes.push_back(
        fmt::format("the file's first layer reads {} of a picture's channels: the network is made for so many", found.channels));
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
  auto loaded = with_weights(variant, form_of(file), file.preprocessing, file.tensors, path);
  loaded->shared_network()->set_thresholds(file.thresholds);
  loaded->shared_network()->set_seen(file.seen);
  return loaded;
}

// The size that positions of a grid that is no square belong to, which their number does not tell; 0: the folder tells of none.
Size2 oblong_of(const weights::HubFolder& folder) {
  return folder.native_height == folder.native_width ? Size2{0, 0} : Size2{folder.native_height, folder.native_width};
}

// How the folder prepares pictures; where it does not say, as is usual for the network, at the size of its positions.
Preprocessing preprocessing_of(const weights::HubFolder& folder, const models::Variant& variant, Size2 native) {
  if (folder.preprocessing) return *folder.preprocessing;
  Preprocessing result = usual_preprocessing(variant);
  if (native.height == 0 || oblong_of(folder).height > 0) native = {folder.native_height, folder.native_width};
  if (native.height > 0) resize(result, native);
  if (native.height != native.width) result.fit = Fit::squash;
  return result;
}

std::shared_ptr<Model::Implementation> from_hub_folder(const ModelSource& source, const LoadOptions& options) {
  const models::Variant& variant = *source.variant;
  const weights::HubFolder& folder = *source.config;
  if (options.weights == "none") {
    const Preprocessing pictures = preprocessing_of(folder, variant, {0, 0});
    const auto classes = folder.classes.empty() && folder.class_count > 0 ? classes_for(folder.class_count) : folder.classes;
    return without_weights(variant, {classes, {}, channels_of(options), false, native_size(variant, pictures)}, pictures, options.seed);
  }
  const bool own = options.weights == "default";
  const auto [path, part_of_file] = weights::weights_file(own ? source.folder : options.weights);
  const weights::StateDict file = weights::read_weights(path, part_of_file);
  const FileForm found = file_form(variant, file);
  const Preprocessing pictures = preprocessing_of(folder, variant, found.native);
  NewPart part{found.start_new, options.seed, folder.notes};
  engine::NetworkForm form = form_found(found, options, part);
  const auto named = static_cast<int64_t>(folder.classes.size());
  if (named == found.classes)
    form.classes = folder.classes;
  else if (named > 0 && found.classes > 0)
    part.notes.push_back(fmt::format("config.json names {} classes, the weights have {}: the names are not used", named, found.classes));
  form.native = oblong_of(folder).height > 0 ? oblong_of(folder) : native_size(variant, pictures);
  return with_weights(variant, form, pictures, file, path, part);
}

// Loads the folder for a network that the caller named, which must be the folder's own.
std::shared_ptr<Model::Implementation> from_hub_folder(const models::Variant& wanted, const std::string& path, const LoadOptions& options) {
  const ModelSource source = hub_folder_source(path);
  const std::string own = source.variant->name, plain = own.substr(own.find('/') + 1);
  if (wanted.name != own && wanted.name != plain)
    fail(ErrorKind::mismatch, "loading {} from {}: the folder holds a {}", wanted.name, path, own);
  LoadOptions of_folder = options;
  of_folder.weights = "default";
  return from_hub_folder(source, of_folder);
}

std::shared_ptr<Model::Implementation> from_weights_file(const models::Variant& variant, const std::string& path,
                                                         const LoadOptions& options) {
  if (weights::is_hub_folder(path)) return from_hub_folder(variant, path, options);
  if (fs::is_regular_file(path) && weights::is_model_file(path)) return from_model_file(path, &variant, options);
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
  engine::NetworkForm form = form_found(found, options, part);
  form.native = native_size(variant, preprocessing);
  return with_weights(variant, form, preprocessing, file, path, part);
}

std::shared_ptr<Model::Implementation> from_published(const models::Variant& variant, const weights::PublishedWeights& row,
                                                      const LoadOptions& options) {
  weights::FetchOptions fetch;
  fetch.download.progress = options.progress;
  const std::string path = weights::fetch(row, fetch).string();
  const weights::StateDict file = weights::read_weights(path);
  const engine::NetworkForm form{
      classes_for(row.classes), {}, channels_of(options), row.classes == 0, native_size(variant, row.preprocessing)};
  return with_weights(variant, form, row.preprocessing, file, path, {row.without, options.seed});
}

std::shared_ptr<Model::Implementation> from_name(const ModelSource& source, const LoadOptions& options) {
  const std::string& weights = options.weights;
  const models::Variant& variant = *source.variant;
  if (weights == "none") {
    const Preprocessing usual = source.published ? source.published->preprocessing : usual_preprocessing(variant);
    return without_weights(variant, {{}, {}, channels_of(options), false, native_size(variant, usual)}, usual, options.seed);
  }
  const bool by_default = weights == "default";
  const auto* row = by_default && source.published ? source.published : weights::look_up_published(variant.name, by_default ? "" : weights);
  if (row) return from_published(variant, *row, options);
  if (fs::exists(weights::weights_file(weights).path)) return from_weights_file(variant, weights, options);
  std::string tags;
  for (const weights::PublishedWeights& other : weights::published_weights())
    if (other.model == variant.name) tags += (tags.empty() ? "" : ", ") + other.tag;
  if (by_default)
    fail(ErrorKind::usage, "no weights are published for {}: name a file with weights, or 'none' to start at random", variant.name);
  fail(ErrorKind::io, "{}: no such file, and no weights of that name are published for {}{}", weights, variant.name,
       tags.empty() ? "" : "; there are " + tags);
}

// Takes classes and preprocessing from the model file, and weights from elsewhere where the caller wants them.
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

}  // namespace

std::shared_ptr<engine::Network> plain_network(const std::string& name, std::optional<uint64_t> seed, const std::string& tag) {
  const ModelSource source = find_source(name, HubParts::config);
  if (!source.file.empty()) {
    const weights::ModelFile file = weights::read_model_file(source.file);
    const models::Variant& named = in_context(source.file, [&]() -> const models::Variant& { return models::get(file.architecture); });
    return std::make_shared<engine::Network>(named, form_of(file), file.preprocessing, seed);
  }
  const models::Variant& variant = *source.variant;
  const weights::PublishedWeights* published = tag.empty() ? source.published : &weights::find_published(variant.name, tag);
  Preprocessing pictures = published ? published->preprocessing : usual_preprocessing(variant);
  engine::NetworkForm form;
  if (source.config) {
    form.classes = source.config->classes;
    pictures = preprocessing_of(*source.config, variant, {0, 0});
  }
  form.native = native_size(variant, pictures);
  return std::make_shared<engine::Network>(variant, std::move(form), pictures, seed);
}

Model Model::load(const std::string& name, const LoadOptions& options) {
  if (options.channels < 0) fail(ErrorKind::usage, "pictures of {} channels, at least 1 expected", options.channels);
  const DType precision = engine::parse_precision(options.dtype);
  const ModelSource source = find_source(name, options.weights == "default" ? HubParts::all : HubParts::config, options.progress);
  const std::shared_ptr<Model::Implementation> loaded = !source.file.empty() ? from_file(source.file, options)
                                                        : source.config      ? from_hub_folder(source, options)
                                                                             : from_name(source, options);
  loaded->loaded.precision_note = precision == DType::bf16 ? engine::why_not_bf16(device()) : std::string();
  loaded->shared_network()->set_precision(loaded->loaded.precision_note.empty() ? precision : DType::f32);
  return Model(loaded);
}

}  // namespace fovea
