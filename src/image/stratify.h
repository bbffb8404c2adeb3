// Parts of a dataset that are alike in their classes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "image/folder.h"

namespace fovea::image {

// Which of parts 0..shares.size()-1 each sample goes to, so that the parts have these shares of all pictures and of every class's:
// iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label data"), which for one label a
// picture deals the class out evenly. Samples with the same number in `groups` (empty: none) stay together, unless that left a class
// without a picture elsewhere and none of them has a Sample::group. Decided by (seed, place in the sorted list) alone.
std::vector<size_t> stratify(const Dataset& dataset, std::span<const double> shares, uint64_t seed, std::span<const int64_t> groups = {});

// K splits: each tests its share of the pictures and trains on the others. Throws Error(input) for fewer than two parts, for more than
// there are pictures and, of one label a picture, than a class has, and for a class whose pictures are all of one Sample::group.
std::vector<Splits> make_folds(const Dataset& dataset, int64_t folds, uint64_t seed, std::span<const int64_t> groups = {});

}  // namespace fovea::image
