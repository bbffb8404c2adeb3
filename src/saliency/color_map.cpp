#include "saliency/color_map.h"

#include <algorithm>
#include <cmath>

namespace fovea::saliency {
namespace {

// Every fifth of the 256.
constexpr std::array<uint8_t, 3> kViridis[] = {
    {68, 1, 84},    {70, 8, 92},    {71, 16, 99},   {72, 23, 105},  {72, 29, 111},  {72, 36, 117},  {71, 42, 122},  {70, 48, 126},
    {69, 55, 129},  {67, 61, 132},  {65, 66, 135},  {63, 72, 137},  {61, 78, 138},  {58, 83, 139},  {56, 89, 140},  {53, 94, 141},
    {51, 99, 141},  {49, 104, 142}, {46, 109, 142}, {44, 113, 142}, {42, 118, 142}, {41, 123, 142}, {39, 128, 142}, {37, 132, 142},
    {35, 137, 142}, {33, 142, 141}, {32, 146, 140}, {31, 151, 139}, {30, 156, 137}, {31, 161, 136}, {33, 165, 133}, {36, 170, 131},
    {40, 174, 128}, {46, 179, 124}, {53, 183, 121}, {61, 188, 116}, {70, 192, 111}, {80, 196, 106}, {90, 200, 100}, {101, 203, 94},
    {112, 207, 87}, {124, 210, 80}, {137, 213, 72}, {149, 216, 64}, {162, 218, 55}, {176, 221, 47}, {189, 223, 38}, {202, 225, 31},
    {216, 226, 25}, {229, 228, 25}, {241, 229, 29}, {253, 231, 37},
};

}  // namespace

std::array<uint8_t, 3> viridis(float value) {
  constexpr size_t kLast = std::size(kViridis) - 1;
  const float at = std::clamp(value, 0.0f, 1.0f) * static_cast<float>(kLast);
  const size_t first = std::min(static_cast<size_t>(at), kLast - 1);
  std::array<uint8_t, 3> color;
  for (size_t c = 0; c < 3; ++c)
    color[c] = static_cast<uint8_t>(std::lround(
        std::lerp(static_cast<float>(kViridis[first][c]), static_cast<float>(kViridis[first + 1][c]), at - static_cast<float>(first))));
  return color;
}

}  // namespace fovea::saliency
