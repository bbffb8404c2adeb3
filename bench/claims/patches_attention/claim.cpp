// A small vision transformer against a convolutional network of about its size, from little data to more: Dosovitskiy et al. 2020,
// arXiv:2010.11929, figures 3 and 4.
#include "support/claim.h"

#include <map>

namespace {

using namespace claims;
using fovea::Layers;
using fovea::Map;

constexpr int64_t kSize = 28, kPatch = 7, kWidth = 64, kHeads = 4, kBlocks = 4, kEpochsBefore = 12, kMostAfter = 100;

// Patches of 7 x 7, their positions, blocks of attention and a perceptron after a norm each; the mean over the patches goes to the head.
Map transformer(Layers s, Map x) {
  x = s["patches"].conv2d(x, {.out = kWidth, .kernel = kPatch, .stride = kPatch, .bias = true});
  Map tokens = s["tokens"].to_tokens(s["positions"].position_embedding(x));
  for (int64_t i = 0; i < kBlocks; ++i) {
    const Layers block = s["blocks"][i];
    const Map y = block["qkv"].linear(block["norm1"].layer_norm(tokens), 3 * kWidth);
    tokens = tokens + block["proj"].linear(block["attention"].attention(y, kHeads), kWidth);
    const Map z = gelu(block["fc1"].linear(block["norm2"].layer_norm(tokens), 4 * kWidth));
    tokens = tokens + block["fc2"].linear(z, kWidth);
  }
  return s["norm"].layer_norm(tokens);
}

Map conv_bn_relu(Layers s, Map x, int64_t out, int64_t stride) {
  return relu(s["bn"].batch_norm(s["conv"].conv2d(x, {.out = out, .kernel = 3, .stride = stride, .padding = 1})));
}

Map convolutional(Layers s, Map x) {
  x = conv_bn_relu(s["stem"], x, 16, 2);
  x = conv_bn_relu(s["stage1"], x, 32, 2);
  for (int64_t i = 0; i < 2; ++i) x = x + conv_bn_relu(s["blocks1"][i], x, 32, 1);
  x = conv_bn_relu(s["stage2"], x, 64, 2);
  for (int64_t i = 0; i < 4; ++i) x = x + conv_bn_relu(s["blocks2"][i], x, 64, 1);
  return x;
}

struct Network {
  const char *series, *name;
  double rate;  // the transformer's: the better of 1e-3 and 2e-3 on a seed of its own
};
struct Amount {
  int64_t pictures, epochs;  // of each class; more epochs where there are few
};
constexpr Amount kAmounts[] = {{10, 40}, {30, 30}, {100, 20}, {400, 10}};

fovea::TrainOptions options_of(const Claim& claim, int64_t epochs, double rate) {
  fovea::TrainOptions options = from_scratch(epochs, rate, claim.seed);
  options.optimizer.kind = fovea::Optimizer::adamw;
  options.optimizer.weight_decay = 0.05;
  return options;
}

using State = std::map<std::string, fovea::Tensor>;

// From nothing, or from these weights.
void learn(const Claim& claim, const Pictures& pictures, const Network& network, const State* start) {
  const std::string series = std::string(network.series) + (start ? " after digits" : "");
  for (const auto& [count, epochs] : kAmounts) {
    if (start && count > kMostAfter) continue;
    fovea::Model model = make_model(network.name, pictures, kSize, claim.seed);
    if (start) model.load_state_dict(*start);
    const Fit result = fit(model, some_of_each(pictures.train, count, claim.seed), pictures.test, options_of(claim, epochs, network.rate));
    claim.add(series, static_cast<double>(count), "test_accuracy", result.test_accuracy);
    claim.add(series, static_cast<double>(count), "train_accuracy", result.train_accuracy);
  }
}

void body(const Claim& claim) {
  fovea::register_architecture({.name = "small-vit", .input_size = kSize, .size_multiple = kPatch, .body = transformer});
  fovea::register_architecture({.name = "small-convnet", .input_size = kSize, .body = convolutional});
  const Pictures pictures = mnist(claim), others = digits(claim);
  for (const Network& network : {Network{"ViT", "small-vit", 2e-3}, Network{"ConvNet", "small-convnet", 3e-3}}) {
    const fovea::Summary summary = fovea::summary(make_model(network.name, pictures, kSize, claim.seed), {.height = kSize, .width = kSize});
    claim.add(network.series, 0, "parameters", static_cast<double>(summary.parameters));
    claim.add(network.series, 0, "multiply_adds", static_cast<double>(summary.multiply_adds));
    learn(claim, pictures, network, nullptr);

    // Handwritten digits of other writers, by another scanner.
    const std::string before = std::string(network.series) + " after digits";
    fovea::Model model = make_model(network.name, pictures, kSize, claim.seed);
    fovea::train(model, others.train, options_of(claim, kEpochsBefore, network.rate));
    claim.add(before, 0, "test_accuracy", fovea::evaluate(model, pictures.test).score.accuracy);
    const auto state = model.state_dict();
    learn(claim, pictures, network, &state);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
