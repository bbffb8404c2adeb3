// The order of convolution, batch norm and ReLU in deep residual networks: He et al. 2016, arXiv:1603.05027, figures 1, 4 and 6.
#include "support/claim.h"
#include "support/networks.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 16, kEpochs = 10;

void measure(const Claim& claim, const Pictures& pictures, const std::string& series, const Stack& stack) {
  fovea::Model model = make_model(register_stack(stack, kSize), pictures, kSize, claim.seed);
  const Fit result = fit(model, pictures.train, pictures.test, from_scratch(kEpochs, 0.02, claim.seed));
  const auto depth = static_cast<double>(stack.depth);
  claim.add(series, depth, "train_loss", result.history.back().train_loss);
  claim.add(series, depth, "train_error", 1 - result.train_accuracy);
  claim.add(series, depth, "test_error", 1 - result.test_accuracy);
  for (const fovea::EpochRow& epoch : result.history)
    claim.add(series + " " + std::to_string(stack.depth), static_cast<double>(epoch.epoch), "epoch_loss", epoch.train_loss);
}

void body(const Claim& claim) {
  const Pictures pictures = digits(claim);
  for (const int64_t depth : {20, 56, 110}) {
    measure(claim, pictures, "post-activation", {.depth = depth, .shortcut = Shortcut::addition});
    measure(claim, pictures, "pre-activation", {.depth = depth, .shortcut = Shortcut::pre_activation});
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
