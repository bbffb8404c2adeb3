// What depthwise separable convolutions save, counted and measured, and what they cost in accuracy: Howard et al. 2017, arXiv:1704.04861,
// section 3.1 and table 4.
#include <algorithm>
#include <map>
#include <optional>

#include "support/claim.h"

namespace {

using namespace claims;

enum class Kind { dense, separable };
struct Convolution {
  Kind kind;
  int64_t kernel, out, stride = 1;
};

std::string name_of(Kind kind, int64_t kernel) {
  const std::string side = std::to_string(kernel);
  return std::string(kind == Kind::dense ? "dense" : "separable") + " " + side + "x" + side;
}

// The paper's figure 3: batch norm and ReLU behind each of the two parts as behind the whole.
fovea::Map convolution(fovea::Layers s, fovea::Map x, const Convolution& of, bool norm) {
  const auto after = [&](const char* place, fovea::Map y) { return relu(norm ? s[place].batch_norm(y) : y); };
  const int64_t padding = of.kernel / 2;
  if (of.kind == Kind::dense)
    return after("bn", s["conv"].conv2d(x, {.out = of.out, .kernel = of.kernel, .stride = of.stride, .padding = padding}));
  const int64_t in = x.channels();
  x = s["depthwise"].conv2d(x, {.out = in, .kernel = of.kernel, .stride = of.stride, .padding = padding, .groups = in});
  return after("bn2", s["pointwise"].conv2d(after("bn1", x), {.out = of.out}));
}

constexpr int64_t kMaps = 8;

// A convolution of `width` channels to as many behind a first one from the pictures; or that one alone.
std::string register_one(std::optional<Kind> kind, int64_t kernel, int64_t width) {
  const std::string name = "cost-" + (kind ? name_of(*kind, kernel) : "nothing") + "-" + std::to_string(width);
  fovea::register_architecture({.name = name, .input_size = kMaps, .body = [=](fovea::Layers s, fovea::Map x) {
                                  x = relu(s["stem"].conv2d(x, {.out = width}));
                                  return kind ? convolution(s, x, {*kind, kernel, width}, false) : x;
                                }});
  return name;
}

// The least of several rounds, of each network in turn. Fewer pictures where they take longer.
std::map<std::string, double> times_of(const std::vector<std::string>& networks, int64_t width) {
  std::map<std::string, double> least;
  for (int round = 0; round < 5; ++round)
    for (const std::string& network : networks) {
      fovea::BenchOptions options;
      options.batch = std::max<int64_t>(1, 256 / width);
      options.seconds = 0.02;
      const double milliseconds = fovea::bench(network, options).least_milliseconds / static_cast<double>(options.batch);
      const auto [at, first] = least.emplace(network, milliseconds);
      if (!first) at->second = std::min(at->second, milliseconds);
    }
  return least;
}

void measure_cost(const Claim& claim) {
  for (const int64_t width : {16, 32, 64, 128, 256, 512}) {
    const std::string nothing = register_one({}, 0, width);
    std::vector<std::string> networks = {nothing};
    for (const int64_t kernel : {3, 5, 7})
      for (const Kind kind : {Kind::dense, Kind::separable}) networks.push_back(register_one(kind, kernel, width));
    std::map<std::string, double> times = times_of(networks, width);
    const int64_t rest = fovea::summary(nothing).multiply_adds;
    const auto multiply_adds = [&](const std::string& network) {
      return static_cast<double>(fovea::summary(network).multiply_adds - rest);
    };
    for (size_t i = 1; i < networks.size(); i += 2) {
      const std::string &dense = networks[i], &separable = networks[i + 1];
      const std::string series = i == 1 ? "3x3" : i == 3 ? "5x5" : "7x7";
      const auto x = static_cast<double>(width);
      claim.add(series, x, "counted_share", multiply_adds(separable) / multiply_adds(dense));
      claim.add(series, x, "time_share", (times[separable] - times[nothing]) / (times[dense] - times[nothing]));
      claim.add(series, x, "dense_milliseconds", times[dense] - times[nothing]);
      claim.add(series, x, "separable_milliseconds", times[separable] - times[nothing]);
    }
  }
}

constexpr int64_t kSize = 16, kEpochs = 4;

// MobileNet's shape in small: a first convolution, then alternately one that widens and one that halves the maps.
fovea::Map network(Kind kind, int64_t kernel, fovea::Layers s, fovea::Map x) {
  x = relu(s["bn"].batch_norm(s["stem"].conv2d(x, {.out = 16, .kernel = 3, .padding = 1})));
  const std::pair<int64_t, int64_t> layers[] = {{24, 1}, {48, 2}, {48, 1}, {96, 2}, {96, 1}};
  for (size_t i = 0; i < std::size(layers); ++i)
    x = convolution(s["layers"][static_cast<int64_t>(i)], x, {kind, kernel, layers[i].first, layers[i].second}, true);
  return x;
}

void measure_accuracy(const Claim& claim) {
  Pictures pictures = mnist(claim);
  pictures.train = some_of_each(pictures.train, 200, claim.seed);
  for (const int64_t kernel : {3, 5, 7})
    for (const Kind kind : {Kind::dense, Kind::separable}) {
      const std::string name = name_of(kind, kernel);
      fovea::register_architecture(
          {.name = name, .input_size = kSize, .body = [=](fovea::Layers s, fovea::Map x) { return network(kind, kernel, s, x); }});
      fovea::Model model = make_model(name, pictures, kSize, claim.seed);
      const fovea::Summary summary = fovea::summary(model);
      const Fit result = fit(model, pictures.train, pictures.test, from_scratch(kEpochs, 0.05, claim.seed));
      const auto x = static_cast<double>(kernel);
      claim.add(name, x, "multiply_adds", static_cast<double>(summary.multiply_adds));
      claim.add(name, x, "parameters", static_cast<double>(summary.parameters));
      claim.add(name, x, "test_accuracy", result.test_accuracy);
    }
}

void body(const Claim& claim) {
  measure_cost(claim);
  measure_accuracy(claim);
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
