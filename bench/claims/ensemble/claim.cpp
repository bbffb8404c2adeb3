// Blocks taken out of trained networks: Veit et al. 2016, arXiv:1605.06431, figures 3 and 5.
#include <algorithm>
#include <random>

#include "support/claim.h"
#include "support/networks.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 16, kEpochs = 10;

// The error of what is left of a trained network without these blocks.
double error_without(const fovea::Model& trained, Stack stack, std::set<int64_t> without, const Pictures& pictures, uint64_t seed) {
  stack.without = std::move(without);
  fovea::Model model = make_model(register_stack(stack, kSize), pictures, kSize, seed);
  model.replace_head(trained.classes());
  auto state = trained.state_dict();
  const auto wanted = model.state_dict();
  std::erase_if(state, [&](const auto& named) { return !wanted.contains(named.first); });
  model.load_state_dict(state);
  return 1 - fovea::evaluate(model, pictures.test).score.accuracy;
}

// Those that give maps of the shape that they take.
std::vector<int64_t> removable(const Stack& stack) {
  std::vector<int64_t> blocks;
  for (int64_t i = 0; i < blocks_of(stack); ++i)
    if (!changes_shape(stack, i)) blocks.push_back(i);
  return blocks;
}

void measure(const Claim& claim, const Pictures& pictures, const std::string& series, const Stack& stack) {
  fovea::Model trained = make_model(register_stack(stack, kSize), pictures, kSize, claim.seed);
  const Fit whole = fit(trained, pictures.train, pictures.test, from_scratch(kEpochs, 0.02, claim.seed));
  claim.add(series, 0, "error_without", 1 - whole.test_accuracy);
  const std::vector<int64_t> blocks = removable(stack);
  double worst = 0, sum = 0;
  for (const int64_t block : blocks) {
    const double error = error_without(trained, stack, {block}, pictures, claim.seed);
    claim.add(series + ", one block", static_cast<double>(block), "error_without", error);
    worst = std::max(worst, error);
    sum += error;
  }
  claim.add(series, 1, "error_without", sum / static_cast<double>(blocks.size()));
  claim.add(series, 1, "worst_error", worst);
  constexpr int kDraws = 3;
  std::mt19937_64 random(claim.seed);
  for (const size_t count : {2, 4, 6, 10}) {
    if (count > blocks.size()) break;
    double errors = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<int64_t> order = blocks;
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
      errors += error_without(trained, stack, {order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)}, pictures, claim.seed);
    }
    claim.add(series, static_cast<double>(count), "error_without", errors / kDraws);
  }
}

void body(const Claim& claim) {
  const Pictures pictures = digits(claim);
  measure(claim, pictures, "plain 20", {.depth = 20, .shortcut = Shortcut::none});
  measure(claim, pictures, "residual 20", {.depth = 20, .shortcut = Shortcut::addition});
  measure(claim, pictures, "residual 56", {.depth = 56, .shortcut = Shortcut::addition});
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
