// DenseNets against ResNets: accuracy by parameters, what later layers read of earlier ones, and the memory of a step of training. Huang et
// al. 2016, arXiv:1608.06993, figures 3 and 5.
#include <malloc.h>

#include <cmath>
#include <map>

#include "support/claim.h"
#include "support/networks.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 16, kEpochs = 8, kBlocks = 3, kLayers = 6;

// As many layers as ResNet-20: three blocks of six, half of the channels passed on between them.
std::string register_dense(int64_t growth) {
  const std::string name = "dense-" + std::to_string(growth);
  fovea::register_architecture({.name = name, .input_size = kSize, .body = [growth](fovea::Layers s, fovea::Map x) {
                                  x = s["stem"].conv2d(x, {.out = 2 * growth, .kernel = 3, .padding = 1});
                                  for (int64_t block = 0; block < kBlocks; ++block) {
                                    const fovea::Layers b = s["blocks"][block];
                                    for (int64_t i = 0; i < kLayers; ++i) {
                                      const fovea::Map y = relu(b[i]["bn"].batch_norm(x));
                                      x = concat(x, b[i]["conv"].conv2d(y, {.out = growth, .kernel = 3, .padding = 1}));
                                    }
                                    const fovea::Layers t = s["transitions"][block];
                                    x = relu(t["bn"].batch_norm(x));
                                    if (block + 1 < kBlocks) x = t["pool"].average_pool2d(t["conv"].conv2d(x, {.out = x.channels() / 2}));
                                  }
                                  return x;
                                }});
  return name;
}

std::string weight_of(int64_t block, int64_t layer) {
  return "blocks." + std::to_string(block) + "." + std::to_string(layer - 1) + ".conv.weight";
}

// Where the channels that a layer of a block reads come from: 0 is what the block got, s what its layer s made.
struct Sources {
  int64_t in, taps, first, growth;
  Sources(const fovea::Tensor& weight, int64_t layer, int64_t growth)
      : in(weight.shape()[1]), taps(weight.shape()[2] * weight.shape()[3]), first(in - (layer - 1) * growth), growth(growth) {}
  int64_t of(int64_t value) const {
    const int64_t channel = value / taps % in;
    return channel < first ? 0 : 1 + (channel - first) / growth;
  }
  int64_t values(int64_t source) const { return growth * taps * (source == 0 ? first : growth); }
};

using State = std::map<std::string, fovea::Tensor>;

// Figure 5: mean absolute weights of the last block by layer and source; and as they start random and shrink slowly, how far they went from
// their start.
void add_reading(const Claim& claim, const State& start, const State& trained, int64_t growth) {
  double farther = 0, nearest = 0;
  for (int64_t layer = 1; layer <= kLayers; ++layer) {
    const std::string weight = weight_of(kBlocks - 1, layer);
    const auto before = start.at(weight).values<float>(), now = trained.at(weight).values<float>();
    const Sources sources(trained.at(weight), layer, growth);
    std::vector<double> weights(static_cast<size_t>(layer)), changes(static_cast<size_t>(layer));
    for (size_t i = 0; i < now.size(); ++i) {
      const auto source = static_cast<size_t>(sources.of(static_cast<int64_t>(i)));
      weights[source] += std::fabs(now[i]);
      changes[source] += std::fabs(now[i] - before[i]);
    }
    for (int64_t source = 0; source < layer; ++source) {
      const auto at = static_cast<size_t>(source), count = static_cast<size_t>(sources.values(source));
      const double change = changes[at] / static_cast<double>(count);
      claim.add("layer " + std::to_string(layer), static_cast<double>(source), "mean_weight", weights[at] / static_cast<double>(count));
      claim.add("layer " + std::to_string(layer), static_cast<double>(source), "mean_change", change);
      if (layer > 2) (source + 1 == layer ? nearest : farther) += change / static_cast<double>(source + 1 == layer ? 1 : layer - 1);
    }
  }
  claim.add("reading", 0, "farther_by_nearest", farther / nearest);
}

// What is left where layers no longer read what layers before the last one made.
double accuracy_without_reuse(const fovea::Model& trained, int64_t growth, const Pictures& pictures, uint64_t seed) {
  State state = trained.state_dict();
  for (int64_t place = 0; place < kBlocks * (kLayers - 2); ++place) {
    const int64_t block = place / (kLayers - 2), layer = 3 + place % (kLayers - 2);
    fovea::Tensor& weight = state.at(weight_of(block, layer));
    const Sources sources(weight, layer, growth);
    const auto values = weight.mutable_values<float>();
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t source = sources.of(static_cast<int64_t>(i));
      if (source > 0 && source + 1 < layer) values[i] = 0;
    }
  }
  fovea::Model model = make_model(trained.name(), pictures, kSize, seed);
  model.replace_head(trained.classes());
  model.load_state_dict(state);
  return fovea::evaluate(model, pictures.test).score.accuracy;
}

// What all results of one picture's forward pass take, were each kept.
double all_results(const fovea::Summary& summary) {
  double bytes = 0;
  for (const fovea::NodeSummary& node : summary.nodes) {
    double elements = 1;
    for (const int64_t side : node.shape) elements *= static_cast<double>(side);
    bytes += 4 * elements;
  }
  return bytes;
}

constexpr int64_t kLargeSize = 64, kFew = 8, kMany = 32;

void add_summary(const Claim& claim, const std::string& series, double x, const fovea::Summary& summary) {
  claim.add(series, x, "multiply_adds", static_cast<double>(summary.multiply_adds));
  claim.add(series, x, "parameters", static_cast<double>(summary.parameters));
  claim.add(series, x, "training_bytes", static_cast<double>(summary.training_bytes));
  claim.add(series, x, "all_results_bytes", all_results(summary));
}

// By how much a step of training makes the process grow: for few pictures, for many, and for many within limits.
void measure_memory(const Claim& claim, const std::string& name) {
  fovea::BenchOptions options;
  options.mode = fovea::BenchMode::train;
  options.height = options.width = kLargeSize;
  options.seconds = 0;
  options.batch = kFew;
  const fovea::BenchResult few = fovea::bench(name, options);
  options.batch = kMany;
  const fovea::BenchResult many = fovea::bench(name, options);
  const auto add = [&](double x, const fovea::BenchResult& result) {
    claim.add(name, x, "planned_bytes", static_cast<double>(result.planned_bytes));
    claim.add(name, x, "measured_bytes", static_cast<double>(result.measured_bytes));
    claim.add(name, x, "milliseconds", result.least_milliseconds);
  };
  add(kFew, few);
  add(kMany, many);
  claim.add(name, 0, "bytes_a_picture", static_cast<double>(many.measured_bytes - few.measured_bytes) / (kMany - kFew));
  const fovea::Summary summary = fovea::summary(name, {.height = kLargeSize, .width = kLargeSize, .batch = kMany});
  add_summary(claim, name, 0, summary);
  claim.add(name, 0, "planned_values", static_cast<double>(summary.memory.training));
  for (const int64_t percent : {75, 50}) {  // of what values take
    options.memory_bytes = many.planned_bytes - summary.memory.training * (100 - percent) / 100;
    try {
      add(static_cast<double>(-percent), fovea::bench(name, options));
    } catch (const fovea::Error&) {
      break;  // it takes more at least
    }
  }
}

void body(const Claim& claim) {
  mallopt(M_MMAP_THRESHOLD, 1 << 16);  // what a measured network took goes back, so that the next one's memory is seen to grow
  measure_memory(claim, "resnet50");
  measure_memory(claim, "densenet121");
  Pictures pictures = mnist(claim);
  pictures.train = some_of_each(pictures.train, 100, claim.seed);
  const auto measure = [&](const std::string& series, const std::string& name, int64_t width, bool read) {
    const auto x = static_cast<double>(width);
    fovea::Model model = make_model(name, pictures, kSize, claim.seed);
    const State start = model.state_dict();
    add_summary(claim, series, x, fovea::summary(model));
    claim.add(series, x, "test_accuracy", fit(model, pictures.train, pictures.test, from_scratch(kEpochs, 0.1, claim.seed)).test_accuracy);
    if (!read) return;
    add_reading(claim, start, model.state_dict(), width);
    claim.add("DenseNet without reuse", x, "test_accuracy", accuracy_without_reuse(model, width, pictures, claim.seed));
  };
  for (const int64_t width : {4, 8, 16}) measure("ResNet", register_stack({.depth = 20, .width = width}, kSize), width, false);
  for (const int64_t growth : {4, 8, 12}) measure("DenseNet", register_dense(growth), growth, growth == 12);
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
