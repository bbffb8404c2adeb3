// Decoding, resizing, cropping and normalizing against what Pillow and torchvision gave (tests/data/image/generate.py).
#include <fovea/image.h>

#include <cstdio>
#include <map>

#include "base/json_value.h"
#include "image/fit.h"
#include "support.h"

namespace fovea::image {
namespace {

using nlohmann::json;

const json& preprocess_answers() {
  static const json parsed = json::parse(std::ifstream(data_folder() / "preprocess.json"));
  return parsed;
}

void expect_pixels(const Image& image, const json& answer, const std::string& what) {
  ASSERT_EQ(image.width, answer["size"][0].get<int64_t>()) << what;
  ASSERT_EQ(image.height, answer["size"][1].get<int64_t>()) << what;
  for (const auto& [place, color] : answer["pixels"].items()) {
    int x = 0, y = 0;
    ASSERT_EQ(std::sscanf(place.c_str(), "%d,%d", &x, &y), 2);
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(image.pixels[static_cast<size_t>(3 * (y * image.width + x)) + c], color[c].get<int>())
          << what << " at " << place << " channel " << c;
    }
  }
  EXPECT_EQ(sha256(image.pixels), answer["sha256"].get<std::string>()) << what;
}

class Answers : public testing::TestWithParam<std::string> {
 protected:
  Image picture() const { return read_image((data_folder() / "images" / GetParam()).string(), Alpha::drop); }
  const json& answer() const { return preprocess_answers()[GetParam()]; }
};

TEST_P(Answers, Decoded) { expect_pixels(picture(), answer()["decoded"], GetParam()); }

TEST_P(Answers, Transformed) {
  const Image image = picture();
  int checked = 0;
  for (const auto& [name, expected] : answer()["transforms"].items()) {
    Preprocessing p;
    int resize = 0, crop = 0;
    char interpolation[16] = "";
    if (std::sscanf(name.c_str(), "resize %d %15[a-z], center crop %d", &resize, interpolation, &crop) == 3) {
      p.resize = resize;
      p.width = p.height = crop;
      p.interpolation = parse_interpolation(interpolation);
    } else {
      ASSERT_EQ(name, "resize 96x160 (height x width) bilinear");
      p.fit = Fit::squash;
      p.height = 96;
      p.width = 160;
    }
    expect_pixels(fit(image, p), expected, GetParam() + ": " + name);
    ++checked;
  }
  EXPECT_EQ(checked, 6);
}

TEST_P(Answers, Normalized) {
  const Image image = picture();
  const Preprocessing p;
  const json& expected = answer()["normalized"];
  const Tensor tensor = preprocess(image, p);
  ASSERT_EQ(tensor.shape(), (std::vector<int64_t>{3, 224, 224}));
  const auto values = tensor.values<float>();
  for (size_t i = 0; i < expected["head"].size(); ++i) EXPECT_NEAR(values[i], expected["head"][i].get<double>(), 1e-6);
  const size_t plane = 224 * 224;
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (size_t i = 0; i < plane; ++i) sum += values[c * plane + i];
    EXPECT_NEAR(sum / plane, expected["sum_per_channel"][c].get<double>() / plane, 1e-6);
  }
  std::vector<float> channels_last(3 * plane);
  normalize_into(image, p, channels_last.data());
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) ASSERT_EQ(channels_last[3 * i + c], values[c * plane + i]) << i;
  }
}

std::vector<std::string> picture_names() {
  std::vector<std::string> result;
  for (const auto& [name, answer] : preprocess_answers().items()) result.push_back(name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Pictures, Answers, testing::ValuesIn(picture_names()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

// What the image processors of the transformers library make of a picture (tests/data/image/generate_tensors.py), to the bit.
TEST(PreprocessAnswers, OfTensorsAsTorchvisionHasThem) {
  int checked = 0;
  const json all = json::parse(std::ifstream(data_folder() / "tensors.json"));
  for (const auto& [file, answers] : all.items()) {
    const Image image = read_image((data_folder() / file).string(), Alpha::drop);
    for (const auto& [name, expected] : answers.items()) {
      char interpolation[16] = "", kind[16] = "";
      int first = 0, second = 0;
      const int read = std::sscanf(name.c_str(), "%15s %15s %d crop %d", interpolation, kind, &first, &second);
      if (read == 3) {
        ASSERT_EQ(std::sscanf(name.c_str(), "%*s squash %d %d", &first, &second), 2) << name;
      }
      Preprocessing p;
      p.resizer = Resizer::torchvision;
      p.interpolation = parse_interpolation(interpolation);
      p.fit = read == 4 ? Fit::crop : Fit::squash;
      p.resize = first;
      p.height = read == 4 ? second : first;
      p.width = second;
      EXPECT_EQ(sha256(fit(image, p).pixels), expected.get<std::string>()) << file << ": " << name;
      ++checked;
    }
  }
  EXPECT_EQ(checked, 42);
}

TEST(PreprocessAnswers, CoverEveryPicture) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() / "images"))
    files += preprocess_answers().contains(entry.path().filename().string());
  EXPECT_EQ(files, 21u);
  EXPECT_EQ(preprocess_answers().size(), files);
}

// Three columns more than the crop has: torchvision's center_crop begins at the third, that of the transformers library at the second.
TEST(Preprocess, CropsBeginWhereTheLibrariesHaveIt) {
  Image image{10, 7, {}};
  for (uint8_t y = 0; y < 7; ++y)
    for (uint8_t x = 0; x < 10; ++x) image.pixels.insert(image.pixels.end(), {x, y, 0});
  Preprocessing p;
  p.width = p.height = p.resize = 7;
  EXPECT_EQ(fit(image, p).pixels[0], 2);
  p.resizer = Resizer::torchvision;
  EXPECT_EQ(fit(image, p).pixels[0], 1);
  p.height = 6;
  EXPECT_EQ(fit(image, p).pixels[1], 0);
  p.width = p.height = 12;  // black around it: as many columns on both sides, one row less above
  EXPECT_EQ(placement_of({10, 7}, p).window.left, -1);
  EXPECT_EQ(placement_of({10, 7}, p).window.top, -2);
}

TEST(PreprocessText, IsItsOwnInverse) {
  Preprocessing p;
  p.fit = Fit::pad;
  p.alpha = Alpha::drop;
  p.interpolation = Interpolation::bicubic;
  p.height = 160;
  p.resize = 235;
  p.mean = {0.1f, 1.0f / 3.0f, 1e-7f};
  p.std = {0.5f, 0.2f, 123456.789f};
  EXPECT_EQ(parse_preprocessing(to_string(p)), p);
  p.mirrored = true;
  p.decode = Decode::fast;
  p.second_fit = Fit::squash;
  p.resizer = Resizer::torchvision;
  EXPECT_EQ(to_string(p).substr(0, 16), "fit=pad+squash|r");
  EXPECT_EQ(parse_preprocessing(to_string(p)), p);
  EXPECT_EQ(parse_preprocessing(to_string(Preprocessing{})), Preprocessing{});
  EXPECT_EQ(to_string(Preprocessing{}),
            "fit=crop|resize=256|size=224x224|interpolation=bilinear|alpha=white|mean=0.485,0.456,0.406|std=0.229,0.224,0.225");
}

TEST(PreprocessText, ErrorsNameTheStep) {
  const std::string good = to_string(Preprocessing{});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return message_of(ErrorKind::format, [&] { parse_preprocessing(text); });
  };
  EXPECT_EQ(
      with("fit=crop", "fit=stretch"),
      "preprocessing step \"fit=stretch\": fit \"stretch\" is none of crop, pad, squash, squash_crop, or the mean of two, as squash+pad");
  EXPECT_EQ(with("fit=crop", "fit=pad+"),
            "preprocessing step \"fit=pad+\": fit \"\" is none of crop, pad, squash, squash_crop, or the mean of two, as squash+pad");
  EXPECT_EQ(with("fit=crop", "fit=pad+pad"), "preprocessing step \"fit=pad+pad\": fit \"pad+pad\" names the same twice");
  EXPECT_EQ(with("fit=crop", "fit=pad+crop+squash"),
            "preprocessing step \"fit=pad+crop+squash\": fit \"pad+crop+squash\" names 3 ways, at most 2 are averaged");
  EXPECT_EQ(with("resize=256", "resize=0"), "preprocessing step \"resize=0\": 0 is not between 1 and 65536");
  EXPECT_EQ(with("size=224x224", "size=224"), "preprocessing step \"size=224\": not HEIGHTxWIDTH");
  EXPECT_EQ(with("resize=256|", ""),
            "preprocessing \"fit=crop|size=224x224|interpolation=bilinear|alpha=white|mean=0.485,0.456,0.406|"
            "std=0.229,0.224,0.225\" does not say \"resize\"");
  EXPECT_EQ(with("resize=256", "turn=3"), "preprocessing step \"turn=3\" is not known");
  EXPECT_EQ(with("alpha=white", "alpha=white|alpha=drop"), "preprocessing step \"alpha\" comes twice");
  EXPECT_EQ(with("0.229,", "0,"), "preprocessing step \"std=0,0.224,0.225\": division by 0");
  EXPECT_EQ(with("0.485,", "nan,"), "preprocessing step \"mean=nan,0.456,0.406\": nan is not finite");
  EXPECT_EQ(with("0.485,", "x,"), "preprocessing step \"mean=x,0.456,0.406\": \"x\" is not a number");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { parse_alpha("black"); }), "alpha \"black\" is none of white, drop");
  EXPECT_EQ(with("alpha=white", "alpha=white|resizer=own"),
            "preprocessing step \"resizer=own\": resizer \"own\" is none of pillow, torchvision");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { parse_decode("quick"); }), "decode \"quick\" is none of exact, fast");
}

}  // namespace
}  // namespace fovea::image
