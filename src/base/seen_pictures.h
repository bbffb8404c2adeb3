// Which pictures a network learnt from, so that an evaluation can tell which it knows: hashes alone, from which no picture can be made.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace fovea {

struct PicturePrint {
  uint64_t pixels = 0;              // hash of the decoded pixels and the size
  uint64_t coarse = 0, detail = 0;  // what survives another size or lossy storage (image/duplicates.h); both 0: nothing does

  auto operator<=>(const PicturePrint&) const = default;
};

struct SeenPictures {
  std::vector<PicturePrint> prints;  // ascending, each once
  bool all = false;                  // there were no others: nothing is unknown of where the weights come from

  bool operator==(const SeenPictures&) const = default;
};

}  // namespace fovea
