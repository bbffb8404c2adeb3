// The same block with additions and with concatenations: what it takes by its number of layers, and what it reaches.
#include "support/claim.h"

namespace {

using namespace claims;

enum class Way { addition, concatenation };
struct Block {
  Way way;
  int64_t layers;
  int64_t width;   // of what comes in
  int64_t growth;  // of concatenation: channels of each layer
};

// As DenseNet's layers, and as those of a ResNet with pre-activation of one convolution each.
fovea::Map layer(fovea::Layers s, fovea::Map x, int64_t out) {
  return s["conv"].conv2d(relu(s["bn"].batch_norm(x)), {.out = out, .kernel = 3, .padding = 1});
}

fovea::Map run(const Block& block, fovea::Layers s, fovea::Map x) {
  for (int64_t i = 0; i < block.layers; ++i) {
    const fovea::Layers place = s["layers"][i];
    x = block.way == Way::addition ? x + layer(place, x, block.width) : concat(x, layer(place, x, block.growth));
  }
  return s["block"].tap(x);
}

constexpr int64_t kWidth = 24, kSize = 14, kBatch = 8, kEpochs = 5;

// Behind a first convolution that halves the maps where they shall be small, and before a last norm.
std::string register_block(const Block& block, int64_t stride) {
  const std::string name = std::string(block.way == Way::addition ? "addition" : "concatenation") + "-" + std::to_string(block.layers) +
                           "-" + std::to_string(block.width) + "-" + std::to_string(block.growth) + "-" + std::to_string(stride);
  fovea::register_architecture({.name = name, .input_size = kSize, .body = [=](fovea::Layers s, fovea::Map x) {
                                  x = s["stem"].tap(s["stem"].conv2d(x, {.out = block.width, .kernel = 3, .stride = stride, .padding = 1}));
                                  return relu(s["bn"].batch_norm(run(block, s, x)));
                                }});
  return name;
}

void measure_cost(const Claim& claim, const std::string& series, const Block& block) {
  const std::string name = register_block(block, 1);
  const fovea::Summary summary = fovea::summary(name);
  const auto x = static_cast<double>(block.layers);
  for (const fovea::StageSummary& stage : summary.stages) {
    if (stage.name != "block") continue;
    claim.add(series, x, "channels", static_cast<double>(stage.shape[0]));
    claim.add(series, x, "multiply_adds", static_cast<double>(stage.multiply_adds));
    claim.add(series, x, "inference_bytes", static_cast<double>(stage.inference_bytes));
    claim.add(series, x, "training_bytes", static_cast<double>(stage.training_bytes));
  }
  for (const auto& [mode, measure] :
       {std::pair{fovea::BenchMode::infer, "inference_milliseconds"}, std::pair{fovea::BenchMode::train, "training_milliseconds"}}) {
    fovea::BenchOptions options;
    options.mode = mode;
    options.batch = kBatch;
    options.seconds = 0.3;
    claim.add(series, x, measure, fovea::bench(name, options).least_milliseconds);
  }
}

void measure_accuracy(const Claim& claim, const Pictures& pictures, const std::string& series, const Block& block) {
  fovea::Model model = make_model(register_block(block, 2), pictures, kSize, claim.seed);
  const Fit result = fit(model, pictures.train, pictures.test, from_scratch(kEpochs, 0.1, claim.seed));
  const auto x = static_cast<double>(block.layers);
  claim.add(series, x, "network_multiply_adds", static_cast<double>(fovea::summary(model).multiply_adds));
  claim.add(series, x, "network_parameters", static_cast<double>(model.parameter_count()));
  claim.add(series, x, "test_accuracy", result.test_accuracy);
}

void body(const Claim& claim) {
  Pictures pictures = mnist(claim);
  pictures.train = some_of_each(pictures.train, 200, claim.seed);
  // With twice its growth coming in, the growth that takes what additions do.
  for (const auto& [layers, growth] : {std::pair<int64_t, int64_t>{2, 15}, {4, 13}, {8, 10}, {16, 8}}) {
    const Block addition{Way::addition, layers, kWidth, 0}, same{Way::concatenation, layers, kWidth, kWidth},
        equal{Way::concatenation, layers, 2 * growth, growth};
    measure_cost(claim, "addition", addition);
    measure_cost(claim, "concatenation of as many new channels", same);
    measure_cost(claim, "concatenation at equal multiply-adds", equal);
    measure_accuracy(claim, pictures, "addition", addition);
    measure_accuracy(claim, pictures, "concatenation at equal multiply-adds", equal);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
