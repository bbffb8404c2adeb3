// The page of a run: one HTML file that opens offline and shows what metrics.json says.
#pragma once

#include <fovea/image.h>

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fovea::report {

// How the pictures of mistakes are read and looked at.
struct Eyes {
  Preprocessing preprocessing = {};  // which says how they are decoded
  // The picture of this name. Empty: it is a file.
  std::function<Image(const std::string& name)> read = {};
  // Where the network looked in a picture when it took it for a class, drawn over the thumbnail of it. Empty: nothing is drawn.
  std::function<Image(const Image& picture, const Image& thumbnail, int64_t class_index)> look = {};
};

// `metrics` is what metrics.json holds, or a part of it: what is missing is not shown. The pictures of mistakes are read by the names
// that it has for them; one that is gone is named in its place. Numbers stand in elements with data-of="PATH", the path of what they show
// in metrics.json ("test.classes.3.accuracy"). Throws Error(format) for metrics that cannot be understood.
std::string page(const nlohmann::json& metrics, const Eyes& eyes);

}  // namespace fovea::report
