// What a Model holds: the network and its session on the CPU backend. For src/api alone.
#pragma once

#include <fovea/model.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/session.h"

namespace fovea {

class [[gnu::visibility("hidden")]] Model::Implementation {
 public:
  Implementation(std::shared_ptr<engine::Network> network, LoadSummary loaded);

  engine::Network& network() { return *network_; }
  const std::shared_ptr<engine::Network>& shared_network() const { return network_; }
  // Inference; callable from several threads.
  engine::Session& session() { return *session_; }

  // Gives the network a new head and drops what was compiled for the old one.
  void replace_head(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed, bool keep_known = true);

  // One prepared picture [height, width, 3] to a vector: "logits", "pre_logits".
  std::vector<float> run(std::span<const float> image, const std::string& vector);
  std::vector<float> run(const Image& image, const std::string& vector);
  // A picture prepared in the preprocessing's shapes, [height, width, 3]; `second` is empty where there is one.
  struct Prepared {
    std::vector<float> image, second;
  };
  Prepared prepared(const Image& image) const;
  // Logits as the preprocessing has them: of a picture prepared in its shapes; and of prepared ones [N, channels, height, width] of one
  // shape. Prepared pictures are mirrored here.
  std::vector<float> answer(std::span<float> image, std::span<float> second);
  Tensor answers(const Tensor& images);
  // Any output of one prepared picture, as Session::run gives it.
  Tensor output(std::span<const float> image, const std::string& name);
  // The mean of a vector of it and that of its mirror image, into which it is turned. Throws Error(usage) for what is no vector.
  Tensor output_with_mirror_image(std::span<float> image, const std::string& name);
  // The most probable classes, best first.
  std::vector<ClassProbability> best(std::span<const float> logits, int64_t top) const;

  LoadSummary loaded;
  std::string freeze = "none";  // "none", "all" or a tap; checked when it was set
  bool freeze_given = false;    // by Model::freeze: a recipe leaves it as it is

 private:
  std::shared_ptr<engine::Network> network_;
  std::unique_ptr<engine::Session> session_;
};

std::vector<TapInfo> taps_of(const ModelGraph& model);

// The network of a registered name or a model file with nothing loaded: all zero, or random where a seed is given. With the tag of a name's
// published weights it has their size.
std::shared_ptr<engine::Network> plain_network(const std::string& name_or_file, std::optional<uint64_t> seed = std::nullopt,
                                               const std::string& tag = "");

}  // namespace fovea
