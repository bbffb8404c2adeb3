// What a network makes of pictures: the half of Model and of Predictor that looks. Callable from as many threads as the session is for.
#pragma once

#include <fovea/model.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/session.h"

namespace fovea {

class Inference {
 public:
  Inference(std::shared_ptr<const engine::Network> network, std::shared_ptr<engine::Session> session);

  const engine::Network& network() const { return *network_; }
  engine::Session& session() const { return *session_; }

  // Of pictures, each as it would be alone: the most probable classes, best first, and the vectors [N, feature_width] that the head reads.
  std::vector<std::vector<ClassProbability>> predict(std::span<const Image> images, int64_t top) const;
  Tensor embed(std::span<const Image> images) const;
  std::map<std::string, Tensor> features(const Image& image, const std::vector<std::string>& taps) const;
  // Of prepared pictures [N, channels, height, width].
  Tensor probabilities(const Tensor& images) const;
  std::map<std::string, Tensor> features(const Tensor& images, const std::vector<std::string>& taps) const;

  // A picture prepared in the preprocessing's shapes, [height, width, 3]; `second` is empty where there is one, or where it is not wanted.
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
  // Calls take(index, prepared) for each picture, in order.
  template <class Take>
  void over(std::span<const Image> images, bool second, Take&& take) const;
  Tensor answers(const Tensor& images) const;  // logits as the preprocessing has them
  Tensor tensor_of(std::span<const float> image) const;

  std::shared_ptr<const engine::Network> network_;
  std::shared_ptr<engine::Session> session_;
};

}  // namespace fovea
