// Matching a file's tensors with a model's.
#pragma once

#include <fovea/tensor.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "weights/state_dict.h"

namespace fovea::weights {

struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
  bool optional = false;  // may be missing: num_batches_tracked, which old files lack
  DType dtype = DType::f32;
};

struct LoadOptions {
  std::string model = "the model";  // how messages name it
  std::string name_map;             // empty: the one that fits best
  // Prefixes of the model's names that are left as they are, whatever the file has there: the head, where it was replaced.
  std::vector<std::string> skip;
  // Asked about every tensor that was found: what to take in its place, of the expected shape (other input channels, positions of another
  // size); nothing where the file's own is to be taken. Errors get the name as their context.
  std::function<std::optional<Tensor>(const ExpectedTensor& expected, const Tensor& found)> adapt;
  bool allow_missing = false, allow_unexpected = false;
};

struct LoadReport {
  struct Reshaped {
    std::string name;
    std::vector<int64_t> from, to;
  };
  std::vector<std::string> loaded;      // the model's names, reshaped ones included
  std::vector<std::string> missing;     // the model's names that the file lacks (optional ones too), but for skipped ones
  std::vector<std::string> unexpected;  // the file's names that the model lacks
  std::vector<std::string> left_out;    // the file's names that the map says nobody needs
  std::vector<std::string> skipped;     // the model's names under LoadOptions::skip
  std::vector<Reshaped> reshaped;       // same elements in another shape, or adapted ones
  std::string name_map;                 // the map that was applied

  // "296 of 296 tensors loaded (names by efficientnet-pytorch, 2 skipped)"
  std::string summary() const;
};

// Gives every tensor of the model that the file has to `assign`, with the index into `model`, in the model's shape and type (floats convert
// among floats, integers among integers; the memory is shared where nothing converts). Nothing is assigned before everything has been
// checked. Throws Error(mismatch): a wrong architecture in one line, else the first wrong shape, missing or unexpected name with the
// counts.
LoadReport match(const StateDict& file, std::span<const ExpectedTensor> model, const LoadOptions& options,
                 const std::function<void(size_t index, const Tensor& tensor)>& assign);

}  // namespace fovea::weights
