// predict and embed.
#include <fovea/pictures.h>

#include <cstring>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;

class Pictures : public testing::Test {
 protected:
  void SetUp() override {
    draw_classes(folder_.path() / "pictures", 3);
    model_ = small_model(folder_);
  }

  std::string picture(const std::string& name) const { return folder_ / ("pictures/" + name); }

  Folder folder_;
  std::string model_;
};

TEST_F(Pictures, OneIsPredictedAsTheLibraryDoes) {
  const Outcome outcome = run_fovea({"predict", model_, picture("red/0.bmp"), "--top", "2", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const nlohmann::json json = outcome.json();
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0].at("file"), picture("red/0.bmp"));
  const auto expected = Model::load(model_).predict(picture("red/0.bmp"), 2);
  ASSERT_EQ(json[0].at("classes").size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(json[0]["classes"][i].at("name"), expected[i].name);
    EXPECT_NEAR(json[0]["classes"][i].at("probability").get<double>(), expected[i].probability, 1e-6);
  }
}

TEST_F(Pictures, TextHasTheFileAndThenItsClasses) {
  const Outcome outcome = run_fovea({"predict", model_, picture("red/0.bmp"), picture("blue/1.bmp"), "--top", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with(picture("red/0.bmp") + "\n  ")) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("\n" + picture("blue/1.bmp") + "\n  "));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 4);
}

TEST_F(Pictures, FoldersAndListsAreRead) {
  const nlohmann::json folder = run_fovea({"predict", model_, folder_ / "pictures", "--json"}).json();
  ASSERT_EQ(folder.size(), 9u);
  EXPECT_EQ(folder[0].at("file"), picture("blue/0.bmp"));  // sorted
  const nlohmann::json list = run_fovea({"predict", model_, "-", "--json"}, "printf '%s\\n\\n%s\\n' " + quoted(picture("red/1.bmp")) + " " +
                                                                                quoted(picture("red/0.bmp")) + " |")
                                  .json();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].at("file"), picture("red/1.bmp"));  // as given
  // The same numbers whatever else is predicted beside.
  EXPECT_EQ(folder[7].at("file"), picture("red/1.bmp"));
  EXPECT_EQ(folder[7].at("classes"), list[0].at("classes"));
}

TEST_F(Pictures, BadOnesAreListedAndLeftOut) {
  const std::string whole = bmp(48, 200, 10, 10);
  write_all(folder_.path() / "bad" / "a_good.bmp", whole);
  write_all(folder_.path() / "bad" / "empty.png", "");
  write_all(folder_.path() / "bad" / "gigantic.png", png_header(60000, 60000));
  write_all(folder_.path() / "bad" / "text.jpg", "no picture at all");
  write_all(folder_.path() / "bad" / "truncated.bmp", whole.substr(0, whole.size() / 2));
  write_all(folder_.path() / "bad" / "truncated.jpg", std::string("\xFF\xD8\xFF\xE0\x00\x10JFIF", 10));
  write_all(folder_.path() / "bad" / "wrongly_named.png", whole);  // a BMP: the bytes decide
  for (const bool json : {true, false}) {
    std::vector<std::string> arguments{"predict", model_, folder_ / "bad"};
    if (json) arguments.push_back("--json");
    const Outcome outcome = run_fovea(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    for (const char* name : {"empty.png", "gigantic.png", "text.jpg", "truncated.bmp", "truncated.jpg"})
      EXPECT_THAT(outcome.err, HasSubstr("fovea: left out " + (folder_ / "bad/") + name + ": "));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 5) << outcome.err;
    if (!json) continue;
    const nlohmann::json list = outcome.json();
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].at("file"), folder_ / "bad/a_good.bmp");
    EXPECT_EQ(list[1].at("classes"), list[0].at("classes"));
  }
}

TEST_F(Pictures, NoneThatCanBeReadIsAnError) {
  write_all(folder_.path() / "text.jpg", "no picture at all");
  expect_one_line(run_fovea({"predict", model_, folder_ / "text.jpg"}), 1, {folder_ / "text.jpg", "not a picture"});
  expect_one_line(run_fovea({"predict", model_, folder_ / "gone.jpg"}), 1, {folder_ / "gone.jpg"});
  fs::create_directories(folder_.path() / "nothing");
  expect_one_line(run_fovea({"predict", model_, folder_ / "nothing"}), 1, {folder_ / "nothing"});
  expect_one_line(run_fovea({"predict", model_, "-"}, "printf '' |"), 1, {"standard input"});
  const Outcome list = run_fovea({"predict", model_, "-"}, "printf 'gone1.png\\ngone2.png\\n' |");
  EXPECT_EQ(list.status, 1);
  EXPECT_THAT(list.err, HasSubstr("left out gone1.png"));
  EXPECT_THAT(list.err, HasSubstr("none of 2 files"));
}

TEST_F(Pictures, FitAndSizeAreTaken) {
  const auto classes = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"predict", model_, picture("red/0.bmp"), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_fovea(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.json()[0].at("classes");
  };
  EXPECT_NE(classes({"--fit", "squash"}), classes({}));
  EXPECT_NE(classes({"--size", "96x80"}), classes({}));
  EXPECT_EQ(classes({"--fit", "crop", "--size", "64", "--alpha", "drop"}), classes({}));
  expect_one_line(run_fovea({"predict", model_, picture("red/0.bmp"), "--fit", "stretch"}), 2, {"stretch", "squash"});
}

TEST_F(Pictures, AreEmbeddedWithTheirNamesBeside) {
  write_all(folder_.path() / "pictures" / "red" / "a, \"b\".bmp", bmp(48, 99, 9, 9));
  write_all(folder_.path() / "pictures" / "red" / "bad.png", "");
  const Outcome outcome = run_fovea({"embed", model_, folder_ / "pictures/red", "-o", folder_ / "features.npy", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("pictures"), 4);
  EXPECT_EQ(outcome.json().at("width"), 512);
  EXPECT_THAT(outcome.err, HasSubstr("left out " + picture("red/bad.png")));

  EXPECT_EQ(read_all(folder_ / "features.csv"), "file\n" + picture("red/0.bmp") + "\n" + picture("red/1.bmp") + "\n" +
                                                    picture("red/2.bmp") + "\n\"" + (folder_ / "pictures/red/a, \"\"b\"\".bmp") + "\"\n");
  const std::string npy = read_all(folder_ / "features.npy");
  ASSERT_EQ(npy.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const size_t header = static_cast<uint8_t>(npy[8]) + 256u * static_cast<uint8_t>(npy[9]), data = 10 + header;
  EXPECT_EQ(data % 64, 0u);
  EXPECT_TRUE(npy.substr(10, header).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (4,512,), }"));
  ASSERT_EQ(npy.size(), data + 4 * 512 * 4);
  const Tensor expected = Model::load(model_).embed(picture("red/1.bmp"));
  EXPECT_EQ(std::memcmp(npy.data() + data + 512 * 4, expected.raw(), 512 * 4), 0);
}

TEST_F(Pictures, EmbeddingsThatCannotBeWrittenAreAnError) {
  expect_one_line(run_fovea({"embed", model_, picture("red/0.bmp"), "-o", folder_ / "no/such/f.npy"}), 1, {folder_ / "no/such/f.npy"});
  expect_one_line(run_fovea({"embed", model_, picture("red/0.bmp"), "-o", folder_ / "f.csv"}), 2, {"f.csv"});
}

}  // namespace
}  // namespace fovea::cli
