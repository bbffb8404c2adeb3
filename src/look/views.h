// A picture is looked at once, or in a second shape and as its mirror image too, and the answers' mean counts.
#pragma once

#include <cstdint>
#include <span>

namespace fovea::look {

// Left and right exchanged, in place: [count, height, width, 3].
void mirror(std::span<float> images, int64_t count, int64_t height, int64_t width);

// The first becomes the mean of both.
void average(std::span<float> answers, std::span<const float> others);

// The mean of `views` answers to one picture, [views, numbers] in the order in which Looks gives them: first each shape's with its mirror
// image's, then that of the shapes. It takes the place of the first, which is given back.
std::span<float> mean(std::span<float> answers, int64_t views);

}  // namespace fovea::look
