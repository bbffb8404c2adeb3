// From a ResNet block to a ConvNeXt block, one change at a time: Liu et al. 2022, arXiv:2201.03545, figure 2.
#include "support/claim.h"

namespace {

using namespace claims;

constexpr int64_t kSize = 28, kEpochs = 10, kPictures = 100;

enum class Order { bottleneck, inverted, depthwise_first };
struct Design {
  const char* name;
  Order order = Order::bottleneck;
  bool depthwise = true;
  int64_t width = 12;  // the narrower of the block's two, in the first stage
  int64_t kernel = 3;
  bool gelu = false;
  bool all_activations = true, all_norms = true;
  bool layer_norm = false;
};

constexpr Design kDesigns[] = {
    {.name = "ResNet block", .depthwise = false, .width = 8},
    {.name = "depthwise", .width = 8},
    {.name = "wider"},
    {.name = "inverted bottleneck", .order = Order::inverted},
    {.name = "depthwise first", .order = Order::depthwise_first},
    {.name = "5x5", .order = Order::depthwise_first, .kernel = 5},
    {.name = "7x7", .order = Order::depthwise_first, .kernel = 7},
    {.name = "GELU", .order = Order::depthwise_first, .kernel = 7, .gelu = true},
    {.name = "one activation", .order = Order::depthwise_first, .kernel = 7, .gelu = true, .all_activations = false},
    {.name = "one norm", .order = Order::depthwise_first, .kernel = 7, .gelu = true, .all_activations = false, .all_norms = false},
    {.name = "LayerNorm",
     .order = Order::depthwise_first,
     .kernel = 7,
     .gelu = true,
     .all_activations = false,
     .all_norms = false,
     .layer_norm = true},
};

constexpr int64_t kRatio = 4;  // of the block's two widths

fovea::Map norm(const Design& design, fovea::Layers s, fovea::Map x) { return design.layer_norm ? s.layer_norm(x) : s.batch_norm(x); }
fovea::Map activation(const Design& design, fovea::Map x) { return design.gelu ? gelu(x) : relu(x); }

// `x` has as many channels as the block passes on.
fovea::Map block(const Design& design, fovea::Layers s, fovea::Map x) {
  const int64_t outer = x.channels(), inner = design.order == Order::bottleneck ? outer / kRatio : outer * kRatio;
  const auto spatial = [&](fovea::Map y, int64_t channels) {
    return s["spatial"].conv2d(y, {.out = channels,
                                   .kernel = design.kernel,
                                   .padding = design.kernel / 2,
                                   .groups = design.depthwise ? channels : 1,
                                   .bias = !design.all_norms});
  };
  const auto point = [&](const char* place, fovea::Map y, int64_t out) {
    return s[place].conv2d(y, {.out = out, .bias = !design.all_norms});
  };
  fovea::Map y;
  if (design.order == Order::depthwise_first) {
    // The one norm that stays is behind the depthwise convolution, the one activation between the pointwise ones.
    y = norm(design, s["norm1"], spatial(x, outer));
    if (design.all_activations) y = activation(design, y);
    y = point("point1", y, inner);
    if (design.all_norms) y = norm(design, s["norm2"], y);
    y = point("point2", activation(design, y), outer);
  } else {
    y = activation(design, norm(design, s["norm1"], point("point1", x, inner)));
    y = activation(design, norm(design, s["norm2"], spatial(y, inner)));
    y = point("point2", y, outer);
  }
  if (design.all_norms) y = norm(design, s["norm3"], y);
  y = y + x;
  return design.all_activations ? activation(design, y) : y;
}

// Two stages of two blocks, behind 2 x 2 patches and with a convolution of its own between, and a last norm: for each design alike.
fovea::Map network(const Design& design, fovea::Layers s, fovea::Map x) {
  int64_t outer = design.order == Order::bottleneck ? design.width * kRatio : design.width;
  for (int64_t stage = 0; stage < 2; ++stage, outer *= 2) {
    const fovea::Layers place = s["stages"][stage];
    x = norm(design, place["norm"], place["down"].conv2d(x, {.out = outer, .kernel = 2, .stride = 2}));
    for (int64_t i = 0; i < 2; ++i) x = block(design, place["blocks"][i], x);
  }
  return norm(design, s["norm"], x);
}

void body(const Claim& claim) {
  const Pictures pictures = few_to_learn_from(mnist(claim), kPictures, claim.seed);  // 4000 test
  for (const Design& design : kDesigns) {
    const std::string name = "modern-" + std::to_string(&design - kDesigns);
    fovea::register_architecture(
        {.name = name, .input_size = kSize, .body = [design](fovea::Layers s, fovea::Map x) { return network(design, s, x); }});
    fovea::Model model = make_model(name, pictures, kSize, claim.seed);
    fovea::TrainOptions options = from_scratch(kEpochs, 4e-3, claim.seed);
    options.optimizer.kind = fovea::Optimizer::adamw;
    options.optimizer.weight_decay = 0.05;
    options.optimizer.batch_size = 16;
    const Fit result = fit(model, pictures.train, pictures.test, options);
    const auto x = static_cast<double>(&design - kDesigns);
    claim.add(design.name, x, "multiply_adds", static_cast<double>(fovea::summary(model).multiply_adds));
    claim.add(design.name, x, "parameters", static_cast<double>(model.parameter_count()));
    claim.add(design.name, x, "test_accuracy", result.test_accuracy);
    claim.add(design.name, x, "train_accuracy", result.train_accuracy);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
