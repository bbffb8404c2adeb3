// The one loop of pictures through a program: its order, its bits, pictures that cannot be read.
#include "look/look.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "image/loader.h"
#include "look/views.h"
#include "train/small_run.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

// A mean of four is that of two means: evaluation, validation and training on features round alike.
TEST(Views, ThreeRoundingsOfFourAnswers) {
  const std::vector<float> answers{1e8f, 1, 3, -1e8f, 0.1f, 2, 7, 0.3f};  // [4, 2]
  std::vector<float> rows = answers;
  const auto mean = look::mean(rows, 4);
  const auto two = [](float a, float b) { return (a + b) / 2; };
  EXPECT_THAT(mean, ElementsAre(two(two(1e8f, 3), two(0.1f, 7)), two(two(1, -1e8f), two(2, 0.3f))));
  rows = answers;
  EXPECT_THAT(look::mean(std::span(rows).first(2), 1), ElementsAre(1e8f, 1));
}

class LookTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::path(testing::TempDir()) / "fovea_look_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    draw_pictures(folder_, 15, kPictureSize + 5);
    dataset_ = image::scan_folder(folder_.string());
    preprocessing_.height = preprocessing_.width = kPictureSize;
    preprocessing_.fit = Fit::squash;
    preprocessing_.second_fit = Fit::pad;
    network_ = std::make_shared<engine::Network>(small_variant(), engine::NetworkForm{dataset_.classes, {}}, preprocessing_, 7);
    session_ = std::make_unique<engine::Session>(network_, cpu::cpu_backend());
  }
  void TearDown() override { fs::remove_all(folder_); }

  look::Pictures pictures() const { return {dataset_.samples, {.preprocessing = preprocessing_, .second_fit = true}}; }
  look::Program program() const { return look::program_of(*session_, preprocessing_, "pre_logits"); }

  // Batches of a loader, filled up with zeros, each in one run: [pictures, views, width].
  std::vector<float> by_batches() const {
    image::LoaderOptions options;
    options.preprocessing = preprocessing_;
    options.second_fit = true;
    options.batch = look::kBatch;
    image::Loader loader(dataset_.samples, options);
    std::vector<float> rows;
    while (const image::Batch* batch = loader.next()) {
      std::vector<std::vector<float>> views;
      for (const auto images : {batch->images, batch->second})
        for (const bool mirrored : {false, true}) {
          if (mirrored) look::mirror(images, batch->size(), kPictureSize, kPictureSize);
          session_->run(
              look::kBatch, kPictureSize, kPictureSize, {"pre_logits"},
              [&](engine::BatchExecutable& executable) {
                std::fill(std::ranges::copy(images, executable.image().begin()).out, executable.image().end(), 0.0f);
              },
              [&](const engine::BatchExecutable& executable) {
                const auto output = executable.output("pre_logits");
                views.emplace_back(output.begin(), output.end());
              });
        }
      for (size_t i = 0; i < static_cast<size_t>(batch->size()); ++i)
        for (const auto& view : views)
          rows.insert(rows.end(), view.begin() + static_cast<std::ptrdiff_t>(12 * i),
                      view.begin() + static_cast<std::ptrdiff_t>(12 * i) + 12);
    }
    return rows;
  }

  fs::path folder_;
  image::Dataset dataset_;
  Preprocessing preprocessing_;
  std::shared_ptr<engine::Network> network_;
  std::unique_ptr<engine::Session> session_;
};

TEST_F(LookTest, GivesTheBitsOfWholeBatchesInOrder) {
  std::vector<float> rows;
  std::vector<int64_t> order;
  EXPECT_TRUE(look::look(pictures(), program(), 3, true, [&](int64_t index, std::span<float> row) {
    order.push_back(index);
    rows.insert(rows.end(), row.begin(), row.end());
  }));
  ASSERT_EQ(order.size(), dataset_.samples.size());
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(rows, by_batches());
}

TEST_F(LookTest, StopsWhereItIsTold) {
  std::vector<int64_t> told;
  int64_t last = -1;
  EXPECT_FALSE(look::look(
      pictures(), program(), 3, false, [&](int64_t index, std::span<float>) { last = index; },
      [&](int64_t done, int64_t all) {
        EXPECT_EQ(all, 3);  // batches of 45 pictures
        told.push_back(done);
        return done < 2;
      }));
  EXPECT_THAT(told, ElementsAre(1, 2));
  EXPECT_EQ(last, 2 * look::kBatch - 1);
}

TEST_F(LookTest, PicturesThatCannotBeReadAreToldOrThrown) {
  for (const size_t bad : {4u, 20u}) std::ofstream(dataset_.samples[bad].path) << "no picture";
  std::vector<int64_t> left_out, seen;
  EXPECT_TRUE(look::look(
      pictures(), program(), 3, false, [&](int64_t index, std::span<float>) { seen.push_back(index); }, {},
      [&](int64_t index, const std::string& reason) {
        left_out.push_back(index);
        EXPECT_THAT(reason, testing::HasSubstr(dataset_.samples[static_cast<size_t>(index)].path));
      }));
  EXPECT_THAT(left_out, ElementsAre(4, 20));
  EXPECT_EQ(seen.size(), 43u);
  try {
    look::look(pictures(), program(), 3, false, [](int64_t, std::span<float>) {});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(dataset_.samples[4].path));  // the first, on however many cores
  }
}

}  // namespace
}  // namespace fovea::training
