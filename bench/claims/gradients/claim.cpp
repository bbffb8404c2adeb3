// The gradients' norms along a deep network, with shortcuts and without, at the start and while it trains.
#include <cmath>

#include "support/claim.h"
#include "support/networks.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 16, kDepth = 56;

// Of every 3 x 3 convolution of the blocks, from the first to the last; "ratio" is the first eight's mean norm by the last eight's.
void add_norms(const Claim& claim, const std::string& series, const fovea::Model& model, const Batch& batch) {
  const fovea::LossGradients at = fovea::loss_gradients(model, batch.images, batch.labels);
  std::vector<double> norms;
  for (int64_t block = 0; block < blocks_of({.depth = kDepth}); ++block)
    for (const char* layer : {"conv1", "conv2"})
      norms.push_back(norm(at.gradients.at("blocks." + std::to_string(block) + "." + layer + ".weight")));
  double first = 0, last = 0, logs = 0, squares = 0;
  for (size_t i = 0; i < norms.size(); ++i) {
    const double log = std::log10(norms[i]);
    claim.add(series, static_cast<double>(i + 1), "log10_gradient_norm", log);
    logs += log;
    squares += log * log;
    if (i < 8) first += norms[i];
    if (i + 8 >= norms.size()) last += norms[i];
  }
  const auto count = static_cast<double>(norms.size());
  claim.add(series, 0, "log10_ratio", std::log10(first / last));
  claim.add(series, 0, "log10_deviation", std::sqrt(std::max(0.0, squares / count - logs * logs / count / count)));
}

void measure(const Claim& claim, const Pictures& pictures, const std::string& series, const Stack& stack) {
  fovea::Model model = make_model(register_stack(stack, kSize), pictures, kSize, claim.seed);
  model.replace_head({"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, claim.seed);
  const Batch batch = batch_of(model, some_of_each(pictures.train, 13, claim.seed));
  add_norms(claim, series + ", at the start", model, batch);
  fovea::TrainOptions options = from_scratch(4, 0.01, claim.seed);
  options.optimizer.schedule = fovea::RateSchedule::constant;
  fovea::train(model, pictures.train, options);
  add_norms(claim, series + ", after 4 epochs", model, batch);
}

void body(const Claim& claim) {
  const Pictures pictures = digits(claim);
  measure(claim, pictures, "plain", {.depth = kDepth, .shortcut = Shortcut::none});
  measure(claim, pictures, "residual", {.depth = kDepth, .shortcut = Shortcut::addition});
  measure(claim, pictures, "pre-activation", {.depth = kDepth, .shortcut = Shortcut::pre_activation});
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
