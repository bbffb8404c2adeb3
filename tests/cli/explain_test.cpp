// explain.
#include <fovea/heat_map.h>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;

class Explain : public testing::Test {
 protected:
  void SetUp() override {
    draw_classes(folder_.path() / "pictures", 1);
    model_ = small_model(folder_);
    picture_ = folder_ / "pictures/red/0.bmp";
    out_ = folder_ / "heat.png";
  }

  Folder folder_;
  std::string model_, picture_, out_;
};

TEST_F(Explain, WritesWhatTheLibrarySees) {
  const Outcome outcome = run_fovea({"explain", model_, picture_, "-o", out_, "--class", "blue", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const nlohmann::json json = outcome.json();
  EXPECT_EQ(json.at("class").at("name"), "blue");
  EXPECT_EQ(json.at("method"), "gradcam");
  const Image picture = read_image(picture_);
  const HeatMap map = heat_map(Model::load(model_), picture, {.class_name = "blue"});
  EXPECT_EQ(json.at("tap"), map.tap);
  EXPECT_NEAR(json.at("class").at("probability").get<double>(), map.explained.probability, 1e-6);
  ASSERT_EQ(json.at("map").size(), static_cast<size_t>(map.map.shape()[0]));
  for (size_t y = 0; y < json.at("map").size(); ++y) {
    ASSERT_EQ(json["map"][y].size(), static_cast<size_t>(map.map.shape()[1]));
    for (size_t x = 0; x < json["map"][y].size(); ++x)
      EXPECT_FLOAT_EQ(json["map"][y][x].get<float>(), map.map.values<float>()[y * json["map"][y].size() + x]);
  }
  EXPECT_EQ(read_image(out_).pixels, overlay(picture, map.heat).pixels);
}

TEST_F(Explain, SaysClassAndProbability) {
  const Outcome outcome = run_fovea({"explain", model_, picture_, "-o", out_});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto best = Model::load(model_).predict(picture_, 1)[0];
  EXPECT_THAT(outcome.out, HasSubstr(" %  " + best.name + "\n" + out_ + ": Grad-CAM of "));
}

TEST_F(Explain, RefusesWhatIsNotThere) {
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", out_, "--class", "bleu"}), 2, {"no class 'bleu'", "blue"});
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", out_, "--tap", "pooled"}), 2, {"pooled is a vector"});
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", out_, "--tap", "nowhere"}), 2, {"no output 'nowhere'"});
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", out_, "--method", "lime"}), 2, {"\"lime\"", "auto, gradcam, rollout"});
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", out_, "--method", "rollout"}), 2, {"no attention"});
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", folder_ / "heat.jpg"}), 2, {"heat.jpg", ".png"});
  expect_one_line(run_fovea({"explain", model_, folder_ / "no.png", "-o", out_}), 1, {"no.png"});
  expect_one_line(run_fovea({"explain", model_, picture_, "-o", folder_ / "no/heat.png"}), 1, {"heat.png"});
  EXPECT_FALSE(fs::exists(out_));
}

}  // namespace
}  // namespace fovea::cli
