#include "export/preprocess.h"

#include <algorithm>
#include <cmath>

namespace fovea::onnx {
namespace {

constexpr int64_t kFloat = 1, kInt64 = 7, kDouble = 11;  // TensorProto.DataType

std::string cast(Translation& to, const std::string& x, int64_t type) { return to.emit("Cast", {x}, {{"to", type}}); }

// [height, width] of pictures [N,3,H,W].
std::string size_of(Translation& to, const std::string& pictures) {
  return to.emit("Shape", {pictures}, {{"start", int64_t{2}}, {"end", int64_t{4}}});
}

// torchvision's Resize(n): the shorter side becomes n, the longer is rounded down.
std::string shorter_side(Translation& to, const std::string& size, int64_t n) {
  return to.emit("Div", {to.emit("Mul", {size, to.ints({n})}), to.emit("ReduceMin", {size})});
}

// Pillow's ImageOps.contain: the largest size of the same shape inside height x width.
std::string contained(Translation& to, const std::string& size, const Preprocessing& p) {
  const std::string sides = cast(to, size, kDouble);
  const std::string most = to.ints({p.height, p.width});
  // height / width and width / height, times what the other side may have
  const std::string other = to.emit("Gather", {sides, to.ints({1, 0})});
  const std::string scaled = to.emit("Mul", {to.emit("Div", {sides, other}), cast(to, to.ints({p.width, p.height}), kDouble)});
  const std::string rounded = cast(to, to.emit("Round", {scaled}), kInt64);
  return to.emit("Min", {to.emit("Max", {rounded, to.ints({1})}), most});
}

std::string resize_to(Translation& to, const std::string& pictures, const std::string& size, const Attributes& attributes) {
  const std::string first = to.emit("Shape", {pictures}, {{"start", int64_t{0}}, {"end", int64_t{2}}});
  return to.emit("Resize", {pictures, "", "", to.emit("Concat", {first, size}, {{"axis", int64_t{0}}})}, attributes);
}

// [height, width] between the two passes where Pillow takes the columns first (see image/resize.cpp), else the size as it is.
std::string size_after_columns(Translation& to, const std::string& now, const std::string& size) {
  const auto sides = [&](const std::string& x) { return to.emit("Split", {x, to.ints({1, 1})}, {{"axis", int64_t{0}}}, 2); };
  const auto from = sides(now), less = sides(to.emit("Sub", {now, size}));
  const std::string shrinks = to.emit("Greater", {less[0], to.ints({0})});
  const std::string columns_first = to.emit("And", {shrinks, to.emit("Greater", {less[0], to.emit("Mul", {less[1], to.ints({2})})})});
  return to.emit("Concat", {to.emit("Where", {columns_first, sides(size)[0], from[0]}), from[1]}, {{"axis", int64_t{0}}});
}

// A Resize takes the rows first, so the columns have one of their own, which changes nothing where their turn comes later.
std::string resize(Translation& to, const std::string& pictures, const std::string& size, const Preprocessing& p) {
  const bool pillow = p.resizer == Resizer::pillow;
  if (p.interpolation == Interpolation::nearest) {
    const char* rounding = pillow ? "round_prefer_ceil" : "floor";
    const char* coordinates = pillow ? "half_pixel" : "asymmetric";
    return resize_to(to, pictures, size,
                     {{"mode", "nearest"}, {"nearest_mode", rounding}, {"coordinate_transformation_mode", coordinates}});
  }
  Attributes attributes{{"mode", "linear"}, {"antialias", int64_t{1}}, {"exclude_outside", int64_t{1}}};
  if (p.interpolation == Interpolation::bicubic)
    attributes = {{"mode", "cubic"}, {"antialias", int64_t{1}}, {"exclude_outside", int64_t{1}}, {"cubic_coeff_a", -0.5f}};
  if (!pillow) return resize_to(to, pictures, size, attributes);
  const std::string columns = resize_to(to, pictures, size_after_columns(to, size_of(to, pictures), size), attributes);
  return resize_to(to, columns, size, attributes);
}

// Half of each, a half to even.
std::string rounded_half(Translation& to, const std::string& sizes) {
  return cast(to, to.emit("Round", {to.emit("Mul", {cast(to, sizes, kFloat), to.number(0.5)})}), kInt64);
}

// Zeros around pictures [N,3,H,W]: `before` and `after` are [height, width].
std::string pad(Translation& to, const std::string& pictures, const std::string& before, const std::string& after) {
  const std::string none = to.ints({0, 0});
  return to.emit("Pad", {pictures, to.emit("Concat", {none, before, none, after}, {{"axis", int64_t{0}}})});
}

// The centre, black around it where a picture is smaller.
std::string crop(Translation& to, std::string pictures, const Preprocessing& p) {
  const std::string wanted = to.ints({p.height, p.width}), zero = to.ints({0});
  if (p.resize < std::max(p.height, p.width)) {  // else no picture is smaller
    const std::string missing = to.emit("Max", {to.emit("Sub", {wanted, size_of(to, pictures)}), zero});
    const std::string before = to.emit("Div", {missing, to.ints({2})});
    pictures = pad(to, pictures, before, to.emit("Sub", {missing, before}));
  }
  const std::string rest = to.emit("Sub", {size_of(to, pictures), wanted});
  const std::string begin = p.resizer == Resizer::torchvision ? to.emit("Div", {rest, to.ints({2})}) : rounded_half(to, rest);
  return to.emit("Slice", {pictures, begin, to.emit("Add", {begin, wanted}), to.ints({2, 3})});
}

// Of red, green and blue.
std::vector<float> three(const std::vector<float>& numbers) {
  return {numbers.at(0), numbers.at(1 % numbers.size()), numbers.at(2 % numbers.size())};
}

// Around pictures f32 [N,3,H,W] the mean colour, as a byte.
std::string surround(Translation& to, const std::string& pictures, const Preprocessing& p) {
  std::vector<float> levels;
  for (float mean : three(p.mean)) levels.push_back(std::clamp(std::nearbyint(mean * 255.0f), 0.0f, 255.0f));
  const std::string level = to.floats(levels, {3, 1, 1});
  const std::string missing = to.emit("Sub", {to.ints({p.height, p.width}), size_of(to, pictures)});
  const std::string before = rounded_half(to, missing);
  const std::string padded = pad(to, to.emit("Sub", {pictures, level}), before, to.emit("Sub", {missing, before}));
  return to.emit("Add", {padded, level});
}

}  // namespace

std::string preprocess(Translation& to, const Preprocessing& p, const std::string& pictures) {
  to.at("preprocess");
  const std::string planes = to.transpose(pictures, {0, 3, 1, 2});
  std::string x;
  if (p.fit == Fit::squash) {
    x = cast(to, resize(to, planes, to.ints({p.height, p.width}), p), kFloat);
  } else if (p.fit == Fit::crop || p.fit == Fit::squash_crop) {
    const std::string shape = p.fit == Fit::crop ? size_of(to, planes) : to.ints({p.height, p.width});
    x = resize(to, planes, shorter_side(to, shape, p.resize), p);
    x = cast(to, crop(to, x, p), kFloat);
  } else {
    x = resize(to, planes, contained(to, size_of(to, planes), p), p);
    x = surround(to, cast(to, x, kFloat), p);
  }
  x = to.emit("Div", {x, to.number(255)});
  x = to.emit("Sub", {x, to.floats(three(p.mean), {3, 1, 1})});
  return to.emit("Div", {x, to.floats(three(p.std), {3, 1, 1})});
}

}  // namespace fovea::onnx
