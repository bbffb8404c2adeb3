// The names that a mistyped one may mean.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fovea {

// The three nearest by the fewest letters to insert, delete or change: "resnet50, resnet18, resnet34".
std::string nearest(std::string_view name, std::span<const std::string> names);

}  // namespace fovea
