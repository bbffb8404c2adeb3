#include <fovea/opencv.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "support/errors.h"

namespace fovea {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 2 x 2 pixels of blue, green, red: 1 2 3, 4 5 6 and below 7 8 9, 10 11 12.
cv::Mat colours() {
  return cv::Mat(2, 2, CV_8UC3, const_cast<uint8_t*>(std::to_array<uint8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).data())).clone();
}

TEST(OpenCV, ColoursAreTakenAsBgrUnlessTheyAreRgb) {
  const Image image = image_from_mat(colours());
  EXPECT_EQ(image.width, 2);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.channels, 3);
  EXPECT_THAT(image.pixels, ElementsAre(3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10));
  EXPECT_THAT(image_from_mat(colours(), {.rgb = true}).pixels, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

TEST(OpenCV, ARegionOfALargerPictureIsTakenAsItIs) {
  cv::Mat large(5, 7, CV_8UC3);
  for (int i = 0; i < 5 * 7 * 3; ++i) large.data[i] = static_cast<uint8_t>(i);
  const cv::Mat region = large(cv::Rect(2, 1, 3, 2));
  ASSERT_FALSE(region.isContinuous());
  EXPECT_EQ(image_from_mat(region).pixels, image_from_mat(region.clone()).pixels);
  EXPECT_EQ(image_from_mat(region).pixels[0], large.at<cv::Vec3b>(1, 2)[2]);
  cv::Mat wide;
  region.convertTo(wide, CV_16U, 257);
  cv::Mat around(9, 9, CV_16UC3, cv::Scalar::all(5));
  wide.copyTo(around(cv::Rect(4, 4, 3, 2)));
  EXPECT_EQ(image_from_mat(around(cv::Rect(4, 4, 3, 2))).pixels, image_from_mat(region).pixels);
}

TEST(OpenCV, GreyAndTransparentPicturesBecomeRgb) {
  const cv::Mat grey = (cv::Mat_<uint8_t>(1, 3) << 0, 100, 255);
  EXPECT_THAT(image_from_mat(grey).pixels, ElementsAre(0, 0, 0, 100, 100, 100, 255, 255, 255));
  const cv::Mat transparent(1, 2, CV_8UC4, cv::Scalar(10, 20, 30, 255));
  EXPECT_THAT(image_from_mat(transparent).pixels, ElementsAre(30, 20, 10, 30, 20, 10));
  const cv::Mat clear(1, 1, CV_8UC4, cv::Scalar(10, 20, 30, 0));
  EXPECT_THAT(image_from_mat(clear).pixels, ElementsAre(255, 255, 255));
  EXPECT_THAT(image_from_mat(clear, {.alpha = Alpha::drop}).pixels, ElementsAre(30, 20, 10));
  EXPECT_THAT(image_from_mat(clear, {.rgb = true, .alpha = Alpha::drop}).pixels, ElementsAre(10, 20, 30));
}

TEST(OpenCV, MoreThanEightBitsBecomeEight) {
  const cv::Mat wide = (cv::Mat_<uint16_t>(1, 4) << 0, 257, 32768, 65535);
  EXPECT_THAT(image_from_mat(wide).pixels, ElementsAre(0, 0, 0, 1, 1, 1, 128, 128, 128, 255, 255, 255));
  const cv::Mat floats = (cv::Mat_<float>(1, 4) << -1.0f, 0.2f, 1.0f, 7.0f);
  EXPECT_THAT(image_from_mat(floats).pixels, ElementsAre(0, 0, 0, 51, 51, 51, 255, 255, 255, 255, 255, 255));
  const cv::Mat doubles = (cv::Mat_<double>(1, 3) << -10, 0, 10);
  EXPECT_THAT(image_from_mat(doubles, {.range = ValueRange{false, -10, 10}}).pixels, ElementsAre(0, 0, 0, 128, 128, 128, 255, 255, 255));
  const cv::Mat camera = (cv::Mat_<uint16_t>(1, 3) << 100, 2147, 4195);
  EXPECT_THAT(image_from_mat(camera, {.range = ValueRange{true}}).pixels, ElementsAre(0, 0, 0, 127, 127, 127, 255, 255, 255));
  const cv::Mat flat(1, 1, CV_16U, cv::Scalar(700));
  EXPECT_THAT(image_from_mat(flat, {.range = ValueRange{true}}).pixels, ElementsAre(0, 0, 0));
}

TEST(OpenCV, OtherChannelsAreKeptForNetworksThatTakeThem) {
  const cv::Mat bands(2, 2, CV_8UC(5), cv::Scalar::all(0));
  for (int i = 0; i < 20; ++i) bands.data[i] = static_cast<uint8_t>(i);
  const Image image = image_from_mat(bands, {.as_channels = true});
  EXPECT_EQ(image.channels, 5);
  EXPECT_EQ(image.pixels, std::vector<uint8_t>(bands.data, bands.data + 20));
  test::expect_error(ErrorKind::unsupported, "CV_8UC5", [&] { image_from_mat(bands); });
  EXPECT_THAT(image_from_mat(cv::Mat(1, 1, CV_8UC4, cv::Scalar(1, 2, 3, 4)), {.as_channels = true}).pixels, ElementsAre(1, 2, 3, 4));
}

TEST(OpenCV, WhatIsNoPictureIsAnErrorThatSaysWhy) {
  test::expect_error(ErrorKind::usage, "cannot read", [] { image_from_mat(cv::Mat()); });
  const int sizes[] = {2, 2, 2};
  test::expect_error(ErrorKind::usage, "3 dimensions", [&] { image_from_mat(cv::Mat(3, sizes, CV_8U)); });
  test::expect_error(ErrorKind::unsupported, "CV_32SC1", [] { image_from_mat(cv::Mat(2, 2, CV_32S, cv::Scalar(1))); });
  test::expect_error(ErrorKind::unsupported, "CV_8UC2", [] { image_from_mat(cv::Mat(2, 2, CV_8UC2, cv::Scalar(1, 1))); });
  const cv::Mat broken = (cv::Mat_<float>(1, 2) << 0.5f, std::numeric_limits<float>::quiet_NaN());
  test::expect_error(ErrorKind::input, "no number", [&] { image_from_mat(broken); });
  test::expect_error(ErrorKind::input, "no number", [&] { image_from_mat(broken, {.range = ValueRange{true}}); });
  test::expect_error(ErrorKind::usage, "5.0", [] { image_from_mat(colours(), {.range = ValueRange{false, 5, 5}}); });
  test::expect_error(ErrorKind::usage, "0 bytes", [] { mat_from_image({}); });
  test::expect_error(ErrorKind::usage, "rgb or bgr", [] { mat_from_image({1, 1, {1, 2, 3}}, PixelOrder::rgba); });
}

TEST(OpenCV, APictureGoesThereAndBack) {
  const cv::Mat mat = colours();
  const cv::Mat back = mat_from_image(image_from_mat(mat));
  EXPECT_EQ(back.type(), CV_8UC3);
  EXPECT_EQ(cv::norm(mat, back, cv::NORM_INF), 0);
  EXPECT_EQ(mat_from_image({1, 1, {1, 2, 3}}, PixelOrder::rgb).at<cv::Vec3b>(0, 0), cv::Vec3b(1, 2, 3));
  const Image bands{2, 1, {1, 2, 3, 4, 5, 6, 7, 8}, 4};
  const cv::Mat four = mat_from_image(bands);
  EXPECT_EQ(four.type(), CV_8UC4);
  EXPECT_EQ(image_from_mat(four, {.as_channels = true}).pixels, bands.pixels);
}

}  // namespace
}  // namespace fovea
