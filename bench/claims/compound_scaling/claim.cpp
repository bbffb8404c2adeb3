// A small network made larger by depth, by width, by resolution and by all three: Tan and Le 2019, arXiv:1905.11946, figures 3 and 8.
#include "support/claim.h"

namespace {

using namespace claims;

constexpr int64_t kEpochs = 10, kPictures = 100;

struct Scale {
  const char* way;
  int64_t blocks[3];  // of each stage
  int64_t width;      // of the first stage; it doubles with each
  int64_t size;       // of the pictures
};

// Base, then for about two and four times its multiply-adds. Compound: depth by 1.2, width by 1.1 and resolution by 1.15 to the power of 1
// and 2, as the paper found for its base, to whole numbers.
constexpr Scale kScales[] = {{"base", {2, 2, 2}, 8, 10},       {"depth", {4, 4, 4}, 8, 10},    {"depth", {8, 8, 8}, 8, 10},
                             {"width", {2, 2, 2}, 12, 10},     {"width", {2, 2, 2}, 18, 10},   {"resolution", {2, 2, 2}, 8, 14},
                             {"resolution", {2, 2, 2}, 8, 21}, {"compound", {2, 3, 2}, 9, 12}, {"compound", {3, 3, 3}, 10, 13}};

// MBConv without squeeze and excitation: four times as many channels within, depthwise there.
fovea::Map block(fovea::Layers s, fovea::Map x, int64_t out, int64_t stride) {
  const int64_t within = 4 * x.channels();
  fovea::Map y = silu(s["bn1"].batch_norm(s["expand"].conv2d(x, {.out = within})));
  y = silu(s["bn2"].batch_norm(s["depthwise"].conv2d(y, {.out = within, .kernel = 3, .stride = stride, .padding = 1, .groups = within})));
  y = s["bn3"].batch_norm(s["project"].conv2d(y, {.out = out}));
  return x.channels() == out && stride == 1 ? x + y : y;
}

std::string register_scaled(const Scale& scale) {
  std::string name = "scaled-" + std::to_string(scale.width) + "-" + std::to_string(scale.size);
  for (const int64_t blocks : scale.blocks) name += "-" + std::to_string(blocks);
  fovea::register_architecture({.name = name, .input_size = scale.size, .body = [scale](fovea::Layers s, fovea::Map x) {
                                  x = silu(s["bn"].batch_norm(s["stem"].conv2d(x, {.out = scale.width, .kernel = 3, .padding = 1})));
                                  for (int64_t stage = 0; stage < 3; ++stage)
                                    for (int64_t i = 0; i < scale.blocks[stage]; ++i)
                                      x = block(s["stages"][stage][i], x, scale.width << stage, stage > 0 && i == 0 ? 2 : 1);
                                  return x;
                                }});
  return name;
}

void body(const Claim& claim) {
  const Pictures pictures = few_to_learn_from(mnist(claim), kPictures, claim.seed);  // 4000 test
  double base = 0;
  for (const Scale& scale : kScales) {
    fovea::Model model = make_model(register_scaled(scale), pictures, scale.size, claim.seed);
    const auto multiply_adds = static_cast<double>(fovea::summary(model).multiply_adds);
    if (base == 0) base = multiply_adds;
    const double times = multiply_adds / base < 1.5 ? 1 : multiply_adds / base < 2.9 ? 2 : 4;
    fovea::TrainOptions options = from_scratch(kEpochs, 0.03, claim.seed);
    options.optimizer.batch_size = 16;
    const Fit result = fit(model, pictures.train, pictures.test, options);
    claim.add(scale.way, times, "multiply_adds", multiply_adds);
    claim.add(scale.way, times, "parameters", static_cast<double>(model.parameter_count()));
    claim.add(scale.way, times, "train_accuracy", result.train_accuracy);
    claim.add(scale.way, times, "test_accuracy", result.test_accuracy);
    claim.add(scale.way, times, "test_loss", result.test_loss);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
