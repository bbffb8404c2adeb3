#include <fovea/train.h>

#include "api/dataset.h"
#include "api/implementation.h"
#include "api/training_input.h"
#include "train/data.h"
#include "train/training.h"

namespace fovea {
namespace {

template <class Find>
RateCurve find_rate_on(const Model& model, const TrainOptions& options, const RateSearch& search, Find&& find) {
  return training::find_rate(training_input(model.implementation(), options, find), search);
}

}  // namespace

RateCurve find_rate(const Model& model, const std::string& folder, const TrainOptions& options, const RateSearch& search) {
  return find_rate_on(model, options, search, [&] { return training::find_pictures(folder); });
}

RateCurve find_rate(const Model& model, const std::vector<std::string>& files, const TrainOptions& options, const RateSearch& search) {
  return find_rate_on(model, options, search, [&] { return training::find_pictures(files); });
}

RateCurve find_rate(const Model& model, const Dataset& data, const TrainOptions& options, const RateSearch& search) {
  return find_rate_on(model, options, search, [&] { return splits_of(data, model.classes()); });
}

}  // namespace fovea
