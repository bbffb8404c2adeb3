// What happens to a picture before a network sees it. Stored with the weights and in every model file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fovea/api.h>

namespace fovea {

enum class Interpolation { nearest, bilinear, bicubic };  // with antialiasing

// How a picture of any shape becomes height x width.
enum class Fit {
  crop,         // shorter side to `resize`, then the centre (black where the picture is smaller): what published weights are measured with
  pad,          // longer side to fit, the rest filled evenly on both sides with the mean colour
  squash,       // both sides resized, the aspect lost
  squash_crop,  // both sides resized so that the shorter one of height and width becomes `resize`, then the centre
};

// What lies under transparency.
enum class Alpha {
  white,  // composed over white
  drop,   // the alpha channel is ignored, whatever colour lies under it shows
};

// How a file is decoded.
enum class Decode {
  exact,  // every pixel, as Pillow decodes it
  fast,   // a JPEG of at least three times the size that is made use of at a half, a quarter or an eighth of its sides, where these are
          // whole numbers (as cameras' are), by libjpeg's smaller inverse transforms: half as fast again on large photographs, and not
          // quite the same pixels. Other pictures exactly
};

// Whose resize and crop, which differ in few pixels by one level, and where a crop begins of a picture with an odd number of pixels more.
enum class Resizer {
  pillow,      // Pillow's; a crop begins at the half of them rounded to an even number, as torchvision and timm have it
  torchvision  // torchvision's of tensors; a crop begins at the half rounded down: the rule of the transformers library
};

// What becomes black and what white of grey pictures of more than 8 bits (16 bits, floats), whose values are otherwise cut off at 255 as
// Pillow does it.
struct ValueRange {
  bool automatic = false;  // of each picture its least and its greatest value
  double min = 0, max = 0;

  bool operator==(const ValueRange&) const = default;
};

struct Preprocessing {
  int64_t height = 224, width = 224;  // what the network gets
  int64_t resize = 256;               // Fit::crop: the shorter side before cropping
  Interpolation interpolation = Interpolation::bilinear;
  Fit fit = Fit::crop;
  std::optional<Fit> second_fit = {};  // answers are the mean of those to the picture in both shapes: twice the time
  Alpha alpha = Alpha::white;
  // Of the channels in 0..1: of RGB, or one number a channel of pictures of others. Fewer are repeated in turn, as the weights of a first
  // layer are that is brought to more channels.
  std::vector<float> mean{0.485f, 0.456f, 0.406f};
  std::vector<float> std{0.229f, 0.224f, 0.225f};
  bool mirrored = false;  // answers are the mean of the picture's logits and of its mirror image's: twice the time, a little more accuracy
  Decode decode = Decode::exact;
  std::optional<ValueRange> range = {};
  Resizer resizer = Resizer::pillow;
  int64_t page = 0;  // of files of several pictures, counted from 1; 0: the picture that stands for the file, mostly the first

  bool operator==(const Preprocessing&) const = default;
};

// One line that names every step, and its inverse:
// "fit=crop|resize=256|size=224x224|interpolation=bicubic|alpha=white|mean=0.5,0.5,0.5|std=0.5,0.5,0.5", with "fit=squash+pad",
// "|mirrored=yes", "|decode=fast", "|range=0,4095" or "|range=auto", "|page=2" and "|resizer=torchvision" where they are.
FOVEA_API std::string to_string(const Preprocessing& preprocessing);
FOVEA_API Preprocessing parse_preprocessing(const std::string& text);  // throws Error(format) naming the step that it cannot read

FOVEA_API std::string to_string(Interpolation);
FOVEA_API std::string to_string(Fit);
FOVEA_API std::string to_string(std::span<const Fit>);  // "squash", or of two "squash+pad"
FOVEA_API std::string to_string(Alpha);
FOVEA_API std::string to_string(Decode);
FOVEA_API std::string to_string(Resizer);
FOVEA_API std::string to_string(const ValueRange&);  // "auto" or "0,4095"
// Each throws Error(usage) that lists the choices.
FOVEA_API Interpolation parse_interpolation(const std::string&);
FOVEA_API Fit parse_fit(const std::string&);
FOVEA_API std::vector<Fit> parse_fits(const std::string&);  // one, or two that are not the same with a + between them
FOVEA_API Alpha parse_alpha(const std::string&);
FOVEA_API Decode parse_decode(const std::string&);
FOVEA_API Resizer parse_resizer(const std::string&);
FOVEA_API ValueRange parse_range(const std::string&);

// The fits whose answers are averaged: {fit}, or {fit, second_fit}.
FOVEA_API std::vector<Fit> fits_of(const Preprocessing& preprocessing);
FOVEA_API void set_fits(Preprocessing& preprocessing, std::span<const Fit> fits);

}  // namespace fovea
