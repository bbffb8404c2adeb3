// How an epoch's pictures are cut into batches.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fovea::image {

// Batches of equal size, the last one with the rest.
struct Batches {
  int64_t pictures = 0, batch = 1;
  bool merge_last_single = false;  // a rest of one joins the batch before it (batch norm cannot train on one): batches of up to batch + 1

  int64_t count() const {
    const int64_t batches = (pictures + batch - 1) / batch;
    return merge_last_single && batches > 1 && pictures % batch == 1 ? batches - 1 : batches;
  }
  int64_t begin(int64_t number) const { return number * batch; }
  int64_t size(int64_t number) const { return number + 1 < count() ? batch : pictures - begin(number); }
  int64_t largest() const { return count() == 0 ? 0 : std::max(size(0), size(count() - 1)); }
};

}  // namespace fovea::image
