// The names that a mistyped one may mean.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fovea {

// The three nearest by the fewest letters to insert, delete or change in the shorter name to find it in the longer one, then in the whole:
// "resnet50, resnet18, resnet34". Capital letters are small ones here.
std::string nearest(std::string_view name, std::span<const std::string> names);

}  // namespace fovea
