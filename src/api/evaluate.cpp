// Evaluates a model on pictures whose classes are known.
#include <fovea/train.h>

#include <algorithm>

#include "api/dataset.h"
#include "api/implementation.h"
#include "image/folder.h"
#include "image/labels_csv.h"
#include "train/evaluate.h"

namespace fovea {
namespace {

Evaluation evaluate_on(const Model& model, const image::Dataset& dataset, const EvaluateOptions& options) {
  Model::Implementation& implementation = model.implementation();
  const engine::Network& network = implementation.network();
  const auto total = static_cast<int64_t>(dataset.samples.size());
  training::OnBatch on_batch;
  if (options.progress)
    on_batch = [&](int64_t done, int64_t) { return options.progress(std::min(done * training::kInferenceBatch, total), total); };
  Evaluation result =
      training::evaluate(network, implementation.session(), {dataset.samples, network.preprocessing(), nullptr, true, options, true}, on_batch);
  for (const image::Unused& one : dataset.unused) result.unused.push_back({one.path, one.reason});
  return result;
}

}  // namespace

Evaluation evaluate(const Model& model, const std::string& folder, const EvaluateOptions& options) {
  const std::vector<std::string>& classes = model.implementation().network().classes();
  if (image::is_labels_csv(folder)) return evaluate_on(model, image::read_labels_csv(folder, classes, model.head().independent), options);
  const auto part = image::evaluated_split(folder, classes);
  image::Dataset dataset = image::scan_folder(part ? part->folder : folder, classes);
  if (part) dataset.unused.insert(dataset.unused.begin(), part->others.begin(), part->others.end());
  return evaluate_on(model, dataset, options);
}

Evaluation evaluate(const Model& model, const std::vector<std::string>& files, const EvaluateOptions& options) {
  return evaluate_on(model, image::scan_files(files, model.implementation().network().classes()), options);
}

Evaluation evaluate(const Model& model, const Dataset& data, const EvaluateOptions& options) {
  return evaluate_on(model, pictures_of(data, model.implementation().network().classes(), model.head().independent), options);
}

}  // namespace fovea
