// What a network makes of pictures: the half of Model and of Predictor that looks. Callable from as many threads as the session is for.
#pragma once

#include <fovea/model.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "engine/network.h"
#include "engine/session.h"

namespace fovea {

class Inference {
 public:
  // `one_core`: a session of the same network for many callers of one core each, with which several pictures are looked at, one on each
  // core.
  Inference(std::shared_ptr<const engine::Network> network, std::shared_ptr<engine::Session> session,
            std::shared_ptr<engine::Session> one_core);

  const engine::Network& network() const { return *network_; }
  engine::Session& session() const { return *session_; }

  // Calls body(i, inference) for each i in [0, count), in no order and on several threads at once. What it asks this inference for of a
  // picture, such outputs, is what it would be alone. What the body throws for the first i is thrown, and later ones may be left out.
  template <class Body>
  void for_each(int64_t count, const std::vector<std::string>& outputs, Body&& body) const;

  // Each picture answers what it would alone: the most probable classes, best first; the vectors [N, feature_width] that the head reads.
  std::vector<std::vector<ClassProbability>> predict(std::span<const Image> images, int64_t top) const;
  Tensor embed(std::span<const Image> images) const;
  std::map<std::string, Tensor> features(const Image& image, const std::vector<std::string>& taps) const;
  // The same for prepared pictures [N, channels, height, width], in the preprocessing's one or two shapes. Throws Error(usage) for another
  // number.
  Tensor probabilities(std::span<const Tensor> shapes) const;
  std::map<std::string, Tensor> features(const Tensor& images, const std::vector<std::string>& taps) const;

  // A picture prepared in the preprocessing's shapes, [height, width, picture_channels]; `second` is empty where there is one, or where it
  // is not wanted.
  struct Prepared {
    std::vector<float> image, second;
  };
  void prepare(const Image& image, bool second, Prepared& result) const;
  // Of a prepared picture: a vector ("logits", "pre_logits"); the logits as the preprocessing has them, mirror image and second shape
  // included, into which it is turned; any output, as Session::run gives it; the mean of a vector of it and that of its mirror image, into
  // which it is turned. Throws Error(usage) for what is no vector.
  std::vector<float> run(std::span<const float> image, const std::string& vector) const;
  std::vector<float> answer(std::span<float> image, std::span<float> second) const;
  Tensor output(std::span<const float> image, const std::string& name) const;
  Tensor output_with_mirror_image(std::span<float> image, const std::string& name) const;
  // The most probable classes, best first.
  std::vector<ClassProbability> best(std::span<const float> logits, int64_t top) const;

 private:
  // Whether pictures are better looked at one after the other, each on all cores.
  bool one_by_one(int64_t count, const std::vector<std::string>& outputs) const;
  Tensor answers(const Tensor& images) const;  // logits, with those of the mirror images where the preprocessing has them
  Tensor tensor_of(std::span<const float> image) const;

  std::shared_ptr<const engine::Network> network_;
  std::shared_ptr<engine::Session> session_, one_core_;
};

template <class Body>
void Inference::for_each(int64_t count, const std::vector<std::string>& outputs, Body&& body) const {
  const CoresScope scope(session_->cores());
  if (one_by_one(count, outputs)) {
    for (int64_t i = 0; i < count; ++i) body(i, *this);
    return;
  }
  const Inference one(network_, one_core_, one_core_);
  parallel_each(count, [&](int64_t i) {
    const CoresScope alone(1);
    body(i, one);
  });
}

}  // namespace fovea
