// Networks that several claims are about.
#pragma once

#include <fovea/architecture.h>

#include <set>
#include <string>

namespace claims {

// Three stages of 3 x 3 convolutions, 6 n + 2 layers in all, as He et al. 2015, arXiv:1512.03385, section 4.2 had them for CIFAR-10.
enum class Shortcut {
  none,            // a plain network: the same layers without the additions
  addition,        // figure 2; where the shape changes, twice, the shortcut is a projection (option B)
  pre_activation,  // He et al. 2016, arXiv:1603.05027, figure 4e
};
struct Stack {
  int64_t depth = 20;  // 6 n + 2
  Shortcut shortcut = Shortcut::addition;
  int64_t width = 16;              // of the first stage; it doubles with each
  bool norm = true;                // batch norm behind each convolution; false: biases in its place
  std::set<int64_t> without = {};  // blocks, counted from 0, that are left out; those that change the shape cannot be
};
int64_t blocks_of(const Stack& stack);
// Whether block `index` gives maps of another shape than it takes.
bool changes_shape(const Stack& stack, int64_t index);

// Registers it, where it is not yet, for pictures of `size`; its name, "residual-20".
std::string register_stack(const Stack& stack, int64_t size);

}  // namespace claims
