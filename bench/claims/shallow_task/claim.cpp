// Plain and residual networks by depth, on a task that needs little of it and on one that needs more.
#include <algorithm>
#include <filesystem>

#include "support/claim.h"
#include "support/networks.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 16;

// The pictures of these classes alone.
Pictures only(Pictures pictures, const std::set<std::string>& classes) {
  const auto other = [&](const std::string& file) {
    return !classes.contains(std::filesystem::path(file).parent_path().filename().string());
  };
  std::erase_if(pictures.train, other);
  std::erase_if(pictures.test, other);
  return pictures;
}

void measure(const Claim& claim, const Pictures& pictures, const std::string& task, int64_t epochs, const char* kind, Shortcut shortcut) {
  const std::string series = std::string(kind) + ", " + task;
  double best = 0;
  for (const int64_t depth : {8, 20, 32, 44}) {
    const std::string network = register_stack({.depth = depth, .shortcut = shortcut}, kSize);
    fovea::Model model = make_model(network, pictures, kSize, claim.seed);
    const Fit result = fit(model, pictures.train, pictures.test, from_scratch(epochs, 0.02, claim.seed));
    claim.add(series, static_cast<double>(depth), "test_accuracy", result.test_accuracy);
    best = std::max(best, result.test_accuracy);
  }
  claim.add(series, 0, "best_accuracy", best);
}

void body(const Claim& claim) {
  const Pictures all = digits(claim), two = only(all, {"0", "1"});
  for (const auto& [kind, shortcut] : {std::pair{"plain", Shortcut::none}, std::pair{"residual", Shortcut::addition}}) {
    measure(claim, two, "0 or 1", 15, kind, shortcut);
    measure(claim, all, "ten digits", 6, kind, shortcut);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
