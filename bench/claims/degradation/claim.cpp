// Plain networks against residual ones at growing depth: He et al. 2015, arXiv:1512.03385, figures 1 and 6; and stacks like VGG's.
#include "support/claim.h"
#include "support/networks.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 16, kEpochs = 10;
constexpr double kRate = 0.02;

// Simonyan and Zisserman 2014, arXiv:1409.1556: as many convolutions a stage, each with ReLU and without batch norm, maxima of 2 x 2
// between.
fovea::Map vgg_like(int64_t layers_a_stage, fovea::Layers s, fovea::Map x) {
  for (int64_t stage = 0; stage < 3; ++stage) {
    if (stage > 0) x = s["pool"][stage].max_pool2d(x);
    for (int64_t i = 0; i < layers_a_stage; ++i)
      x = relu(s["stages"][stage][i].conv2d(x, {.out = int64_t{16} << stage, .kernel = 3, .padding = 1, .bias = true}));
  }
  return x;
}

void measure(const Claim& claim, const Pictures& pictures, const std::string& series, int64_t depth, const std::string& network,
             double rate) {
  fovea::Model model = make_model(network, pictures, kSize, claim.seed);
  const Fit result = fit(model, pictures.train, pictures.test, from_scratch(kEpochs, rate, claim.seed));
  claim.add(series, static_cast<double>(depth), "train_error", 1 - result.train_accuracy);
  claim.add(series, static_cast<double>(depth), "test_error", 1 - result.test_accuracy);
  for (const fovea::EpochRow& epoch : result.history)
    claim.add(series + " " + std::to_string(depth), static_cast<double>(epoch.epoch), "train_loss", epoch.train_loss);
}

void body(const Claim& claim) {
  const Pictures pictures = digits(claim);
  for (const int64_t depth : {20, 32, 56, 110}) {
    measure(claim, pictures, "plain", depth, register_stack({.depth = depth, .shortcut = Shortcut::none}, kSize), kRate);
    measure(claim, pictures, "residual", depth, register_stack({.depth = depth, .shortcut = Shortcut::addition}, kSize), kRate);
  }
  for (const int64_t layers : {2, 4, 6, 10}) {
    const std::string name = "vgg-like-" + std::to_string(3 * layers + 1);
    fovea::register_architecture(
        {.name = name, .input_size = kSize, .body = [layers](fovea::Layers s, fovea::Map x) { return vgg_like(layers, s, x); }});
    measure(claim, pictures, "like VGG", 3 * layers + 1, name, kRate / 2);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
