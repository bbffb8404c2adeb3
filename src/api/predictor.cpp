#include <fovea/predictor.h>

#include "api/implementation.h"
#include "base/error.h"

namespace fovea {

class [[gnu::visibility("hidden")]] Predictor::Implementation {
 public:
  explicit Implementation(std::shared_ptr<const Inference> inference) : inference_(std::move(inference)) {}

  const Inference& inference() const { return *inference_; }
  const engine::Network& network() const { return inference_->network(); }

 private:
  std::shared_ptr<const Inference> inference_;
};

Predictor Model::predictor(const PredictorOptions& options) const {
  if (options.threads_per_call < 0)
    fail(ErrorKind::usage, "a predictor with {} threads a call, 0 or more expected", options.threads_per_call);
  return Predictor(std::make_shared<const Predictor::Implementation>(implementation().for_many(options.threads_per_call)));
}

Predictor::Predictor(std::shared_ptr<const Implementation> implementation) : implementation_(std::move(implementation)) {}
Predictor::~Predictor() = default;
Predictor::Predictor(const Predictor&) = default;
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(const Predictor&) = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;

const Predictor::Implementation& Predictor::implementation() const {
  if (!implementation_) fail(ErrorKind::usage, "a predictor is used that was moved from");
  return *implementation_;
}

const std::vector<std::string>& Predictor::classes() const& { return implementation().network().classes(); }
const Preprocessing& Predictor::preprocessing() const& { return implementation().network().preprocessing(); }
int64_t Predictor::feature_width() const { return implementation().network().variant().feature_width; }
int64_t Predictor::channels() const { return implementation().network().channels(); }
const HeadOptions& Predictor::head() const& { return implementation().network().form().head; }
std::vector<double> Predictor::thresholds() const { return implementation().network().thresholds(); }
int Predictor::threads_per_call() const {
  const int cores = implementation().inference().session().cores();
  return cores > 0 ? cores : threads();
}

std::vector<ClassProbability> Predictor::predict(const Image& image, int64_t top) const {
  return implementation().inference().predict({&image, 1}, top).front();
}
std::vector<std::vector<ClassProbability>> Predictor::predict(std::span<const Image> images, int64_t top) const {
  return implementation().inference().predict(images, top);
}
Tensor Predictor::probabilities(const Tensor& images) const { return probabilities({&images, 1}); }
Tensor Predictor::probabilities(std::span<const Tensor> shapes) const { return implementation().inference().probabilities(shapes); }
Tensor Predictor::logits(const Tensor& images) const { return implementation().inference().session().run(images, {"logits"}).front(); }
Tensor Predictor::embed(const Image& image) const { return implementation().inference().embed({&image, 1}).reshaped({feature_width()}); }
Tensor Predictor::embed(std::span<const Image> images) const { return implementation().inference().embed(images); }
Tensor Predictor::embed(const Tensor& images) const { return implementation().inference().session().run(images, {"pre_logits"}).front(); }
std::map<std::string, Tensor> Predictor::features(const Tensor& images, const std::vector<std::string>& taps) const {
  return implementation().inference().features(images, taps);
}
std::map<std::string, Tensor> Predictor::features(const Image& image, const std::vector<std::string>& taps) const {
  return implementation().inference().features(image, taps);
}

}  // namespace fovea
