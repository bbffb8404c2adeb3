// What a Model holds: the network and its session on the CPU backend. For src/api alone.
#pragma once

#include <fovea/model.h>

#include <memory>
#include <string>

#include "engine/network.h"
#include "engine/session.h"

namespace fovea {

class Model::Implementation {
 public:
  Implementation(std::shared_ptr<engine::Network> network, LoadSummary loaded);

  engine::Network& network() { return *network_; }
  const std::shared_ptr<engine::Network>& shared_network() const { return network_; }
  // Inference; callable from several threads.
  engine::Session& session() { return *session_; }

  // Gives the network a new head and drops what was compiled for the old one.
  void replace_head(std::vector<std::string> classes, uint64_t seed, bool keep_known = true);

  LoadSummary loaded;
  std::string freeze = "none";  // "none", "all" or a tap; checked when it was set
  bool freeze_given = false;    // by Model::freeze: a recipe leaves it as it is

 private:
  std::shared_ptr<engine::Network> network_;
  std::unique_ptr<engine::Session> session_;
};

}  // namespace fovea
