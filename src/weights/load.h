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

// The linear layer that maps features to classes, as the model names it.
struct HeadPlace {
  std::string path;    // "fc"; empty: the model has none
  int64_t inputs = 0;  // the features that it reads
  bool is_convolution = false;
  bool absent = false;  // the model was built without it, for a file that has none
};

// The file's names as the model's.
struct Naming {
  std::string map;                     // the name map that was applied
  std::string prefix;                  // taken off the names that have it
  std::vector<std::string> names;      // of each of the file's tensors; empty where it is left out
  std::vector<bool> dropped;           // whether the map says that nobody needs it
  bool head_missing = false;           // the file has no head, and all else may be there
  std::vector<std::string> start_new;  // prefixes of what leads to the head alone, where that is missing too
  std::vector<std::string> notes;      // what a user should know of it: one line each
};

// The prefix under which most of the model's names are found, and the map under which they are; a head under another name is found by its
// shape and its place.
Naming name_tensors(const StateDict& file, std::span<const ExpectedTensor> model, const std::string& name_map, const HeadPlace& head);

struct LoadOptions {
  std::string model = "the model";  // how messages name it
  std::string name_map;             // empty: the one that fits best
  HeadPlace head;                   // is looked for by shape where its name is not in the file
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
  std::vector<std::string> notes;       // what a user should know of it, Naming::notes among them

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
