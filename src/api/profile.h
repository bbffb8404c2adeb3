// What each node of an executable takes, over many runs.
#pragma once

#include <fovea/inspect.h>

#include <span>
#include <vector>

#include "engine/executable.h"

namespace fovea {

class NodeTimes {
 public:
  // `times`: as often as the executable does its work in what is measured as one run.
  explicit NodeTimes(const engine::Executable& executable, int64_t times = 1);

  // Where the next run's seconds by node are added (Executable::run_timed).
  std::span<double> next_run();
  // Appends the nodes that run: the median of what each took.
  void append_to(std::vector<ProfileRow>& nodes) const;

 private:
  const engine::Executable& executable_;
  int64_t times_;
  std::vector<std::vector<double>> runs_;
};

// Sorts the nodes, gives them their shares and sums them up.
Profile profile_of(std::vector<ProfileRow> nodes);

}  // namespace fovea
