#include "support/networks.h"

#include <algorithm>
#include <string>

#include <fovea/model.h>

namespace claims {
namespace {

using fovea::Layers;
using fovea::Map;

struct Block {
  int64_t out, stride;
  Shortcut shortcut;
  bool norm;
};

Map conv3(Layers s, Map x, int64_t out, int64_t stride = 1, bool bias = false) {
  return s.conv2d(x, {.out = out, .kernel = 3, .stride = stride, .padding = 1, .bias = bias});
}

Map post_activation(Layers s, Map x, const Block& block) {
  const auto norm = [&](const char* name, Map y) { return block.norm ? s[name].batch_norm(y) : y; };
  Map y = relu(norm("bn1", conv3(s["conv1"], x, block.out, block.stride, !block.norm)));
  y = norm("bn2", conv3(s["conv2"], y, block.out, 1, !block.norm));
  if (block.shortcut == Shortcut::none) return relu(y);
  if (x.channels() != block.out || block.stride != 1)
    x = norm("shortcut_bn", s["shortcut"].conv2d(x, {.out = block.out, .stride = block.stride}));
  return relu(y + x);
}

Map pre_activation(Layers s, Map x, const Block& block) {
  const Map first = relu(s["bn1"].batch_norm(x));
  Map y = conv3(s["conv1"], first, block.out, block.stride);
  y = conv3(s["conv2"], relu(s["bn2"].batch_norm(y)), block.out);
  if (x.channels() != block.out || block.stride != 1) x = s["shortcut"].conv2d(first, {.out = block.out, .stride = block.stride});
  return y + x;
}

Map stack_body(const Stack& stack, Layers s, Map x) {
  const bool pre = stack.shortcut == Shortcut::pre_activation;
  x = conv3(s["conv"], x, stack.width);
  if (!pre) x = relu(stack.norm ? s["bn"].batch_norm(x) : x);
  const int64_t blocks = blocks_of(stack);
  for (int64_t i = 0; i < blocks; ++i) {
    if (stack.without.contains(i)) continue;
    const int64_t stage = i / (blocks / 3);
    const Block block{stack.width << stage, i > 0 && changes_shape(stack, i) ? 2 : 1, stack.shortcut, stack.norm};
    const Layers place = s["blocks"][i];
    x = place.tap(pre ? pre_activation(place, x, block) : post_activation(place, x, block));
  }
  return pre ? relu(s["bn"].batch_norm(x)) : x;
}

const char* name_of(Shortcut shortcut) {
  switch (shortcut) {
    case Shortcut::none:
      return "plain";
    case Shortcut::addition:
      return "residual";
    case Shortcut::pre_activation:
      return "pre-activation";
  }
  return "";
}

}  // namespace

int64_t blocks_of(const Stack& stack) { return (stack.depth - 2) / 2; }

bool changes_shape(const Stack& stack, int64_t index) { return index > 0 && index % (blocks_of(stack) / 3) == 0; }

std::string register_stack(const Stack& stack, int64_t size) {
  std::string name = std::string(name_of(stack.shortcut)) + "-" + std::to_string(stack.depth);
  if (stack.width != 16) name += "-" + std::to_string(stack.width) + "-wide";
  if (!stack.norm) name += "-without-norm";
  for (const int64_t block : stack.without) name += "-without-" + std::to_string(block);
  const auto known = fovea::model_names();
  if (!std::ranges::binary_search(known, name))
    fovea::register_architecture({.name = name, .input_size = size, .body = [stack](Layers s, Map x) { return stack_body(stack, s, x); }});
  return name;
}

}  // namespace claims
