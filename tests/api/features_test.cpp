// Features reduced, kept and searched.
#include <fovea/features.h>
#include <fovea/pictures.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/json_value.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

Tensor matrix(const nlohmann::json& rows) {
  Tensor tensor(DType::f32, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
  float* value = tensor.mutable_values<float>().data();
  for (const auto& row : rows)
    for (double number : row) *value++ = static_cast<float>(number);
  return tensor;
}

void expect_near(const Tensor& found, const Tensor& expected, double allowed) {
  ASSERT_EQ(found.shape(), expected.shape());
  for (int64_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found.values<float>()[static_cast<size_t>(i)], expected.values<float>()[static_cast<size_t>(i)], allowed) << i;
}

template <class Body>
std::string message_of(Body&& body, ErrorKind kind) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

class Features : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("fovea_features_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string operator/(const char* name) const { return (folder_ / name).string(); }

  // Four files of three numbers each.
  FeatureSet set() const {
    FeatureSet set;
    set.record.model = set.record.architecture = "resnet18";
    set.record.digest = "abc";
    set.record.weights = "none";
    set.record.folder = folder_.string();
    set.files = {"plain.png", "with, comma.png", "with \"quotes\".png", "with\nline.png"};
    set.features = matrix(nlohmann::json::parse("[[1, 0, 0], [0, 2, 0], [3, 3, 0], [0, 0, 0]]"));
    return set;
  }

  fs::path folder_;
};

TEST(Pca, AgreesWithScikitLearn) {
  std::ifstream file(FOVEA_TEST_DATA "/features/pca.json");
  for (const auto& expected : nlohmann::json::parse(file)) {
    const Tensor features = matrix(expected.at("features"));
    const auto& components = expected.at("components");
    const Pca pca = fit_pca(features, static_cast<int64_t>(components.size()));
    expect_near(pca.mean.reshaped({1, pca.mean.size()}), matrix(nlohmann::json::array({expected.at("mean")})), 1e-6);
    expect_near(pca.components, matrix(components), 1e-6);  // signs too
    expect_near(project(pca, features), matrix(expected.at("projected")), 1e-5);
    ASSERT_EQ(pca.shares.size(), components.size());
    for (size_t i = 0; i < pca.shares.size(); ++i) EXPECT_NEAR(pca.shares[i], expected.at("shares")[i].get<double>(), 1e-9);
    const Pca again = fit_pca(features, static_cast<int64_t>(components.size()));
    EXPECT_TRUE(std::ranges::equal(pca.components.values<float>(), again.components.values<float>()));
  }
}

TEST(Pca, TellsWhatItCannotDo) {
  const Tensor two = matrix(nlohmann::json::parse("[[1, 2, 3], [3, 2, 5]]"));
  EXPECT_THAT(message_of([&] { fit_pca(two, 2); }, ErrorKind::usage),
              HasSubstr("2 principal components of 2 pictures of 3 numbers each: between 1 and 1"));
  EXPECT_THROW(fit_pca(two, 0), Error);
  const Pca pca = fit_pca(two, 1);
  EXPECT_THAT(message_of([&] { project(pca, matrix(nlohmann::json::parse("[[1, 2]]"))); }, ErrorKind::mismatch),
              HasSubstr("2 numbers a picture, the principal components are of 3"));
  // The same picture twice: no direction at all.
  const Pca same = fit_pca(matrix(nlohmann::json::parse("[[1, 2, 3], [1, 2, 3]]")), 1);
  for (float value : same.components.values<float>()) EXPECT_EQ(value, 0);
}

TEST_F(Features, AreNormalizedByPicture) {
  const Tensor result = normalized(set().features);
  expect_near(result, matrix(nlohmann::json::parse("[[1, 0, 0], [0, 1, 0], [0.70710678, 0.70710678, 0], [0, 0, 0]]")), 1e-7);
}

TEST_F(Features, TheNearestComeFirst) {
  const auto near = nearest_pictures(set(), matrix(nlohmann::json::parse("[[2, 1, 0]]")).reshaped({3}), 3);
  ASSERT_EQ(near.size(), 3u);
  EXPECT_EQ(near[0].file, "with \"quotes\".png");
  EXPECT_NEAR(near[0].similarity, 3 / std::sqrt(10), 1e-9);
  EXPECT_EQ(near[1].row, 0);
  EXPECT_NEAR(near[1].similarity, 2 / std::sqrt(5), 1e-9);
  EXPECT_EQ(near[2].row, 1);
  EXPECT_EQ(nearest_pictures(set(), Tensor(DType::f32, {3}), 9).size(), 4u);  // all there are
  EXPECT_THAT(message_of([&] { nearest_pictures(set(), Tensor(DType::f32, {2}), 1); }, ErrorKind::mismatch), HasSubstr("2 features"));
  FeatureSet none = set();
  none.features = Tensor(DType::f32, {0, 3});
  none.files.clear();
  EXPECT_THAT(message_of([&] { nearest_pictures(none, Tensor(DType::f32, {3}), 1); }, ErrorKind::usage), HasSubstr("no picture"));
}

TEST_F(Features, AreReadAsTheyWereWritten) {
  FeatureSet saved = set();
  saved.pca = fit_pca(saved.features, 2);
  saved.features = project(*saved.pca, saved.features);
  saved.record.pca = 2;
  saved.record.normalized = true;
  saved.record.preprocessing.fit = Fit::pad;
  EXPECT_THAT(save_features(saved, *this / "f.npy"), ElementsAre(*this / "f.npy", *this / "f.csv", *this / "f.pca.npy", *this / "f.json"));
  const FeatureSet loaded = load_features(*this / "f.npy");
  EXPECT_EQ(loaded.files, saved.files);
  EXPECT_EQ(loaded.features.shape(), saved.features.shape());
  EXPECT_TRUE(std::ranges::equal(loaded.features.values<float>(), saved.features.values<float>()));
  EXPECT_TRUE(std::ranges::equal(loaded.pca->components.values<float>(), saved.pca->components.values<float>()));
  EXPECT_TRUE(std::ranges::equal(loaded.pca->mean.values<float>(), saved.pca->mean.values<float>()));
  EXPECT_EQ(loaded.record.preprocessing, saved.record.preprocessing);
  EXPECT_EQ(loaded.record.digest, "abc");
  EXPECT_TRUE(loaded.record.normalized);
}

TEST_F(Features, AsATable) {
  EXPECT_THAT(save_features(set(), *this / "f.csv"), ElementsAre(*this / "f.csv", *this / "f.json"));
  std::ifstream file(*this / "f.csv");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text,
            "file,f0,f1,f2\nplain.png,1,0,0\n\"with, comma.png\",0,2,0\n\"with \"\"quotes\"\".png\",3,3,0\n\"with\nline.png\",0,0,0\n");
}

TEST_F(Features, FilesThatDoNotBelongTogetherAreTold) {
  save_features(set(), *this / "f.npy");
  save_npy(Tensor(DType::f32, {4, 2}), *this / "f.npy");
  EXPECT_THAT(message_of([&] { load_features(*this / "f.npy"); }, ErrorKind::mismatch),
              HasSubstr("[4,2], " + (*this / "f.json") + " says [4,3]"));
  save_features(set(), *this / "f.npy");
  save_text("file\na.png\n", *this / "f.csv");
  EXPECT_THAT(message_of([&] { load_features(*this / "f.npy"); }, ErrorKind::mismatch), HasSubstr("4 rows"));
  save_text("{}", *this / "f.json");
  EXPECT_THAT(message_of([&] { load_features(*this / "f.npy"); }, ErrorKind::format), HasSubstr("no record of features"));
  save_text("[1", *this / "f.json");
  EXPECT_THAT(message_of([&] { load_features(*this / "f.npy"); }, ErrorKind::format), HasSubstr("f.json"));
  fs::remove(*this / "f.json");
  EXPECT_THAT(message_of([&] { load_features(*this / "f.npy"); }, ErrorKind::io), HasSubstr("f.json"));
  EXPECT_THAT(message_of([&] { load_features(*this / "f.csv"); }, ErrorKind::usage), HasSubstr(".npy"));
  EXPECT_THAT(message_of([&] { save_features(set(), *this / "f.txt"); }, ErrorKind::usage), HasSubstr("f.txt"));
}

TEST_F(Features, HostileNumpyFilesAreRefused) {
  const auto file = [&](const std::string& header, size_t data, const std::string& magic = std::string("\x93NUMPY\x01\x00", 8)) {
    std::string text = magic;
    text += static_cast<char>(header.size() & 0xFF);
    text += static_cast<char>(header.size() >> 8);
    save_text(text + header + std::string(data, 'x'), *this / "h.npy");
    return message_of([&] { load_npy(*this / "h.npy"); }, ErrorKind::format);
  };
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
  EXPECT_EQ(file(good, 24), "nothing was thrown");
  EXPECT_THAT(file(good, 23), HasSubstr("23 bytes of data, f32 [2,3] are 24"));
  EXPECT_THAT(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 24), HasSubstr("overflows"));
  EXPECT_THAT(file("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846, ), }", 24), HasSubstr("24 bytes of data"));
  EXPECT_THAT(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }", 24), HasSubstr("cannot be read"));
  EXPECT_THAT(file("{'descr': '<f4', 'shape': (2, 3), }", 24), HasSubstr("fortran_order"));
  EXPECT_THAT(file(good, 24, "GIF89a--"), HasSubstr("no NumPy file"));
  save_text(std::string("\x93NUMPY\x01\x00\xff\xff", 10) + "{}", *this / "h.npy");
  EXPECT_THAT(message_of([&] { load_npy(*this / "h.npy"); }, ErrorKind::format), HasSubstr("a header of 65535 bytes in a file of 12"));
  save_text("", *this / "h.npy");
  EXPECT_THAT(message_of([&] { load_npy(*this / "h.npy"); }, ErrorKind::format), HasSubstr("0 bytes"));
}

}  // namespace
}  // namespace fovea
