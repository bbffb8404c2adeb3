// Heads: what turns a network's features into logits.
#pragma once

#include <cstdint>

namespace fovea {

// Parameter names stand below the library's own place of the head (HEAD: "fc", "classifier.6", "heads.head"), as torch.nn.Sequential
// would name them.
enum class HeadKind {
  linear,       // dropout, HEAD.weight and HEAD.bias, on the pre-logits vector: the library's own
  mlp,          // HEAD.0 (linear, hidden), ReLU, dropout, HEAD.3 (linear), on the pre-logits vector
  concat_pool,  // mean and maximum of the last map side by side, then HEAD.2 (batch norm), dropout, HEAD.4 (linear without bias, hidden),
                // ReLU, HEAD.6 (batch norm), dropout, HEAD.8 (linear): fastai's head, numbered as there
};

struct HeadOptions {
  HeadKind kind = HeadKind::linear;
  int64_t hidden = 512;      // width between the layers of mlp and concat_pool
  double dropout = -1;       // before the last layer; concat_pool has half of it before the first. Below 0: the network's own (linear), 0.5
  bool independent = false;  // each class on its own (sigmoid): a picture may have several or none; else exactly one (softmax)
  bool operator==(const HeadOptions&) const = default;
};

}  // namespace fovea
