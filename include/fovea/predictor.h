// A model as it is at one moment, for any number of callers at the same time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fovea/api.h>
#include <fovea/head.h>
#include <fovea/image.h>
#include <fovea/preprocess.h>
#include <fovea/tensor.h>

namespace fovea {

struct ClassProbability {
  std::string name;
  int64_t index = 0;
  double probability = 0;
  // Of classes that do not exclude each other: whether the answer is yes, since the probability is not below the class's threshold. Of
  // others: whether it is the most probable one.
  bool told = false;
};

struct PredictorOptions {
  int threads_per_call = 0;  // cores that a call computes on, the calling thread among them; 0: all of threads()
};

// What Model::predictor gives. Every function may be called from any number of threads at the same time: no call waits for another. For
// many callers on a machine, one core each (threads_per_call = 1) gives the most pictures a second; for a single one, all cores the soonest
// answer. The same number of cores gives the same bits. All predictors of one model, and their copies, share its weights, in the form in
// which they are computed with too; each call that runs at the same time as others takes working memory of its own, which is kept for the
// next. Whatever happens to the model later (a new head, training, its end), also while calls run, a predictor stays what it was made from.
// Copies may be made and may end on any thread; only what assigns to a predictor or ends it must have that one to itself.
class FOVEA_API Predictor {
 public:
  ~Predictor();
  Predictor(const Predictor&);
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(const Predictor&);
  Predictor& operator=(Predictor&&) noexcept;

  // As Model's.
  const std::vector<std::string>& classes() const&;  // one name an output
  std::vector<std::string> classes() const&& { return classes(); }
  const Preprocessing& preprocessing() const&;
  Preprocessing preprocessing() const&& { return preprocessing(); }
  int64_t feature_width() const;  // of the vectors that `embed` gives
  int64_t channels() const;       // of the pictures
  const HeadOptions& head() const&;
  HeadOptions head() const&& { return head(); }
  std::vector<double> thresholds() const;
  int threads_per_call() const;

  // As the functions of Model with these names. Those of several pictures answer what each of them alone would be answered, bit for bit:
  // the most probable classes of each, best first; vectors [N, feature_width].
  std::vector<ClassProbability> predict(const Image& image, int64_t top = 5) const;
  std::vector<std::vector<ClassProbability>> predict(std::span<const Image> images, int64_t top = 5) const;
  Tensor probabilities(const Tensor& images) const;
  Tensor probabilities(std::span<const Tensor> shapes) const;
  Tensor logits(const Tensor& images) const;
  Tensor embed(const Image& image) const;
  Tensor embed(std::span<const Image> images) const;
  Tensor embed(const Tensor& images) const;
  std::map<std::string, Tensor> features(const Tensor& images, const std::vector<std::string>& taps) const;
  std::map<std::string, Tensor> features(const Image& image, const std::vector<std::string>& taps) const;

 private:
  friend class Model;
  class Implementation;
  explicit Predictor(std::shared_ptr<const Implementation> implementation);
  const Implementation& implementation() const;  // throws Error(usage) for a predictor that was moved from
  std::shared_ptr<const Implementation> implementation_;
};

}  // namespace fovea
