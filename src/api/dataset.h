// What a Dataset holds. For src/api alone.
#pragma once

#include <fovea/dataset.h>

#include <string>
#include <vector>

#include "image/folder.h"

namespace fovea {

class [[gnu::visibility("hidden")]] Dataset::Implementation {
 public:
  std::vector<image::Sample> samples;
  std::vector<Part> parts;  // of each sample
  std::vector<std::string> classes;
  bool independent = false;
  bool named = true;  // false: the classes are as many as the largest index asks for, and have no names of their own
  std::vector<image::Unused> unused;
  std::vector<std::string> news;
  std::string where;  // in words
};

// The pictures in the form that folders give. Classes that are indices alone take the names of `known`, where those are as many.
image::Splits splits_of(const Dataset& dataset, const std::vector<std::string>& known = {});
// All its pictures, whatever their part, by the classes of a model. Throws Error(input) for a label of no known class and, unless
// `independent`, for a picture without exactly one label.
image::Dataset pictures_of(const Dataset& dataset, const std::vector<std::string>& known, bool independent);

}  // namespace fovea
