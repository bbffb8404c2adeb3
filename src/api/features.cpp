#include <fovea/features.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <span>

#include "api/implementation.h"
#include "base/error.h"
#include "image/fit.h"
#include "report/neighbors_page.h"
#include "weights/digest.h"

namespace fovea {
namespace {

int64_t rows_of(const Tensor& features) { return features.shape().empty() ? 0 : features.shape()[0]; }

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

bool names_file(const std::string& text) {
  std::error_code error;
  return std::filesystem::is_regular_file(text, error);
}

}  // namespace

Tensor normalized(const Tensor& features) {
  Tensor result = features.clone();
  const int64_t rows = rows_of(features);
  if (rows == 0) return result;
  const size_t width = static_cast<size_t>(features.size() / rows);
  const auto values = result.mutable_values<float>();
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = values.subspan(static_cast<size_t>(i) * width, width);
    const double norm = std::sqrt(dot(row, row));
    if (norm == 0) continue;
    for (float& value : row) value = static_cast<float>(static_cast<double>(value) / norm);
  }
  return result;
}

std::string weights_digest(const Model& model) {
  std::string all;
  for (const auto& [name, tensor] : model.state_dict()) {
    const std::span<const std::byte> bytes{static_cast<const std::byte*>(tensor.raw()), tensor.bytes()};
    all += fmt::format("{} {} {} {}\n", name, to_string(tensor.dtype()), shape_string(tensor.shape()), weights::sha256(bytes));
  }
  return weights::sha256(std::as_bytes(std::span(all)));
}

FeatureRecord record_of(const Model& model, const std::string& loaded_by, const std::string& weights, const std::string& output) {
  const auto absolute = [](const std::string& text) { return names_file(text) ? std::filesystem::absolute(text).string() : text; };
  FeatureRecord record;
  record.model = absolute(loaded_by);
  record.weights = absolute(weights);
  record.channels = model.channels();
  record.architecture = model.name();
  record.digest = weights_digest(model);
  record.output = output;
  record.preprocessing = model.preprocessing();
  record.folder = std::filesystem::current_path().string();
  return record;
}

void require_same_model(const FeatureRecord& record, const Model& model) {
  if (model.name() != record.architecture)
    fail(ErrorKind::mismatch, "the features are of {}, the model is {}", record.architecture, model.name());
  const std::string digest = weights_digest(model);
  if (digest != record.digest)
    fail(ErrorKind::mismatch, "the features were made with {} of weights {}..., the ones of {} are {}... now", record.architecture,
         record.digest.substr(0, 16), record.model, digest.substr(0, 16));
}

Model load_model(const FeatureRecord& record) {
  LoadOptions options;
  options.weights = record.weights;
  options.channels = record.channels;
  Model model = Model::load(record.model, options);
  require_same_model(record, model);
  model.set_preprocessing(record.preprocessing);
  return model;
}

Tensor query_features(const Model& model, const FeatureSet& features, const Image& picture) {
  const Preprocessing& preprocessing = features.record.preprocessing;
  if (!(model.preprocessing() == preprocessing))
    fail(ErrorKind::mismatch, "the features were made with {}, the model has {}", to_string(preprocessing),
         to_string(model.preprocessing()));
  const Inference& inference = model.implementation().inference();
  Inference::Prepared prepared;
  inference.prepare(picture, false, prepared);
  Tensor query = features.record.mirrored ? inference.output_with_mirror_image(prepared.image, features.record.output)
                                          : inference.output(prepared.image, features.record.output);
  if (features.pca) query = project(*features.pca, query);
  if (features.record.normalized) query = normalized(query);
  return query.reshaped({query.size()});
}

std::vector<Neighbor> nearest_pictures(const FeatureSet& features, const Tensor& query, int64_t count) {
  if (count < 1) fail(ErrorKind::usage, "the {} nearest pictures, at least 1 expected", count);
  const int64_t rows = rows_of(features.features);
  if (rows == 0) fail(ErrorKind::usage, "features of no picture: nothing is near");
  const int64_t width = features.features.size() / rows;
  if (query.size() != width)
    fail(ErrorKind::mismatch, "the picture has {} features, the pictures to compare it with have {} each", query.size(), width);
  const auto values = features.features.values<float>();
  const double own = std::sqrt(dot(query.values<float>(), query.values<float>()));
  std::vector<double> similarity;
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = values.subspan(static_cast<size_t>(i * width), static_cast<size_t>(width));
    const double lengths = own * std::sqrt(dot(row, row));
    similarity.push_back(lengths > 0 ? dot(query.values<float>(), row) / lengths : 0);
  }
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto at = [&](int64_t i) { return similarity[static_cast<size_t>(i)]; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return at(a) > at(b); });
  order.resize(static_cast<size_t>(std::min(count, rows)));
  std::vector<Neighbor> neighbors;
  for (int64_t i : order) neighbors.push_back({i, features.files[static_cast<size_t>(i)], at(i)});
  return neighbors;
}

std::string neighbors_page(const FeatureSet& features, const std::vector<Neighborhood>& found) {
  return report::neighbors_page(features.record, rows_of(features.features), found);
}

}  // namespace fovea
