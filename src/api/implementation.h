// What a Model holds: the network and what looks through it on the CPU backend. For src/api alone.
#pragma once

#include <fovea/model.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/inference.h"

namespace fovea {

class [[gnu::visibility("hidden")]] Model::Implementation {
 public:
  Implementation(std::shared_ptr<engine::Network> network, LoadSummary loaded);

  const engine::Network& network() const { return *network_; }
  // Before anything of the network changes: predictors keep what they were made from, so where there are any, the model goes on with a
  // copy.
  engine::Network& changing();
  const std::shared_ptr<engine::Network>& shared_network() const { return network_; }
  const Inference& inference() const { return *inference_; }
  engine::Session& session() const { return inference_->session(); }
  // For predictors whose calls take so many cores (0: all), which share one.
  std::shared_ptr<const Inference> for_many(int cores);
  // For lists of pictures; kept until the network changes.
  std::shared_ptr<const Inference> for_lists();

  // Gives the network a new head and drops what was compiled for the old one.
  void replace_head(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed, bool keep_known = true);

  LoadSummary loaded;
  std::string freeze = "none";  // "none", "all" or a tap; checked when it was set
  bool freeze_given = false;    // by Model::freeze: a recipe leaves it as it is

 private:
  void take(std::shared_ptr<engine::Network> network);

  std::shared_ptr<engine::Network> network_;
  std::unique_ptr<Inference> inference_;
  std::mutex mutex_;  // of what follows
  std::map<int, std::weak_ptr<const Inference>> for_many_;
  // How many predictors look through network_. Whoever finds 0 here knows that they have read all that they will; a weak_ptr that has
  // expired would not say so, for it orders no memory.
  std::shared_ptr<std::atomic<int>> lookers_;
  std::shared_ptr<const Inference> for_lists_;
};

// "0", "1", ...: classes without names of their own.
std::vector<std::string> numbered(int64_t count);

std::vector<TapInfo> taps_of(const ModelGraph& model);

// The network of a registered name or a model file with nothing loaded: all zero, or random where a seed is given. With the tag of a name's
// published weights it has their size.
std::shared_ptr<engine::Network> plain_network(const std::string& name, std::optional<uint64_t> seed = std::nullopt,
                                               const std::string& tag = "");

}  // namespace fovea
