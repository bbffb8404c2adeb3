// predict and embed.
#include <fmt/format.h>
#include <fovea/features.h>
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
  EXPECT_NE(classes({"--fit", "squash+crop"}), classes({"--fit", "squash"}));
  expect_one_line(run_fovea({"predict", model_, picture("red/0.bmp"), "--fit", "stretch"}), 2, {"stretch", "squash"});
  // Features are of one shape.
  expect_one_line(run_fovea({"embed", model_, picture("red/0.bmp"), "--fit", "squash+pad", "-o", folder_ / "x.npy"}), 2, {"squash+pad"});
}

TEST_F(Pictures, AnExportSaysWhichViewsItLeavesOut) {
  Model model = Model::load(model_);
  Preprocessing preprocessing = model.preprocessing();
  set_fits(preprocessing, std::vector{Fit::squash, Fit::pad});
  preprocessing.mirrored = true;
  model.set_preprocessing(preprocessing);
  model.save(folder_ / "views.safetensors");
  const auto said = [&](const std::string& file) { return run_fovea({"export", file, "-o", folder_ / "out.onnx"}).err; };
  EXPECT_THAT(said(folder_ / "views.safetensors"), HasSubstr("one view of a picture (squash); fovea predict averages 4: fit squash+pad"));
  EXPECT_EQ(said(model_), "");
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
  EXPECT_TRUE(npy.substr(10, header).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 512), }"));
  ASSERT_EQ(npy.size(), data + 4 * 512 * 4);
  const Tensor expected = Model::load(model_).embed(picture("red/1.bmp"));
  EXPECT_EQ(std::memcmp(npy.data() + data + 512 * 4, expected.raw(), 512 * 4), 0);
}

TEST_F(Pictures, EmbeddingsAreReducedAndNormalized) {
  const Outcome outcome =
      run_fovea({"embed", model_, folder_ / "pictures", "-o", folder_ / "f.npy", "--pca", "3", "--normalize", "--tap", "pooled", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("shape"), nlohmann::json({9, 3}));
  EXPECT_GT(outcome.json().at("variance"), 0.5);
  const FeatureSet set = load_features(folder_ / "f.npy");
  EXPECT_EQ(set.record.output, "pooled");
  EXPECT_EQ(set.record.pca, 3);
  EXPECT_TRUE(set.record.normalized);
  const Tensor again = normalized(set.features);
  for (size_t i = 0; i < 27; ++i) EXPECT_NEAR(again.values<float>()[i], set.features.values<float>()[i], 1e-6);
  // A picture of the set, asked about by the recorded model, finds itself.
  const Model model = load_model(set.record);
  const auto near = nearest_pictures(set, query_features(model, set, read_image(picture("green/1.bmp"))), 2);
  EXPECT_EQ(near[0].file, picture("green/1.bmp"));
  EXPECT_NEAR(near[0].similarity, 1, 1e-5);

  const Outcome table = run_fovea({"embed", model_, picture("red/0.bmp"), "-o", folder_ / "t.csv"});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_TRUE(read_all(folder_ / "t.csv").starts_with("file,f0,f1,f2,"));
  EXPECT_FALSE(fs::exists(folder_ / "t.npy"));
}

TEST_F(Pictures, EmbeddingsTakeInTheMirrorImage) {
  const auto embedded = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> words{"embed", model_, file, "-o", folder_ / "m.npy"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_fovea(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return load_features(folder_ / "m.npy");
  };
  // A picture of two halves, and the same the other way round.
  Image picture{2, 2, {}}, turned = picture;
  picture.pixels = {200, 30, 10, 20, 40, 220, 200, 30, 10, 20, 40, 220};
  turned.pixels = {20, 40, 220, 200, 30, 10, 20, 40, 220, 200, 30, 10};
  write_png(folder_ / "left.png", picture);
  write_png(folder_ / "right.png", turned);
  const auto values = [](const FeatureSet& set) {
    return std::vector<float>(set.features.values<float>().begin(), set.features.values<float>().end());
  };
  const std::vector<float> left = values(embedded(folder_ / "left.png", {})), right = values(embedded(folder_ / "right.png", {}));
  const FeatureSet both = embedded(folder_ / "left.png", {"--mirror"});
  EXPECT_TRUE(both.record.mirrored);
  EXPECT_NE(left, right);
  ASSERT_EQ(values(both).size(), left.size());
  for (size_t i = 0; i < left.size(); ++i) EXPECT_FLOAT_EQ(values(both)[i], (left[i] + right[i]) / 2);
  // A picture that is asked about goes the same way.
  const Tensor query = query_features(load_model(both.record), both, read_image(folder_ / "right.png"));
  for (size_t i = 0; i < left.size(); ++i) EXPECT_FLOAT_EQ(query.values<float>()[i], (left[i] + right[i]) / 2);
  expect_one_line(run_fovea({"embed", model_, folder_ / "left.png", "-o", folder_ / "m.npy", "--mirror", "--tap", "layer4"}), 2,
                  {"layer4", "a vector is averaged"});
}

TEST_F(Pictures, NeighborsAreFoundWithTheModelOfTheFeatures) {
  const std::string features = folder_ / "f.npy";
  ASSERT_EQ(run_fovea({"embed", model_, folder_ / "pictures", "-o", features, "--fit", "squash", "--size", "48", "--pca", "4"}).status, 0);
  const Outcome found = run_fovea({"neighbors", features, picture("green/1.bmp"), picture("red/0.bmp"), "--top", "3", "--json"});
  ASSERT_EQ(found.status, 0) << found.err;
  ASSERT_EQ(found.json().size(), 2u);
  const nlohmann::json both = found.json();
  for (const auto& one : both) {
    ASSERT_EQ(one.at("neighbors").size(), 3u);
    for (const auto& neighbor : one["neighbors"]) EXPECT_NE(neighbor.at("file"), one.at("file"));  // of itself nobody asks
    EXPECT_GE(one["neighbors"][0].at("similarity"), one["neighbors"][1].at("similarity"));
    EXPECT_GE(one["neighbors"][1].at("similarity"), one["neighbors"][2].at("similarity"));
  }
  const Outcome text = run_fovea({"neighbors", features, picture("green/1.bmp"), "--top", "1"});
  EXPECT_TRUE(text.out.starts_with(picture("green/1.bmp") + "\n   0.")) << text.out;
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 2);

  // The page holds the pictures and their similarities; one that is gone is named.
  fs::remove(picture("green/2.bmp"));
  const std::string page = folder_ / "like.html";
  const Outcome paged = run_fovea({"neighbors", features, picture("green/1.bmp"), "--top", "3", "-o", page, "--json"});
  ASSERT_EQ(paged.status, 0) << paged.err;
  const std::string html = read_all(page);
  EXPECT_THAT(html, HasSubstr("<!DOCTYPE html>"));
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
  int gone = 0, shown = 0;
  const nlohmann::json listed = paged.json();
  for (const auto& neighbor : listed[0].at("neighbors")) {
    EXPECT_THAT(html, HasSubstr(neighbor.at("file").get<std::string>()));
    EXPECT_THAT(html, HasSubstr(fmt::format("<strong>{:.3f}</strong>", neighbor.at("similarity").get<double>())));
    ++(fs::exists(neighbor.at("file").get<std::string>()) ? shown : gone);
  }
  const auto count = [&](const std::string& part) {
    int found = 0;
    for (size_t at = html.find(part); at != std::string::npos; at = html.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("src=\"data:image/jpeg;base64,"), 1 + shown);
  EXPECT_EQ(count("<p class=\"gone\">"), gone);
  expect_one_line(run_fovea({"neighbors", features, picture("green/1.bmp"), "-o", folder_ / "like.pdf"}), 2, {"like.pdf", ".html"});

  expect_one_line(run_fovea({"neighbors", folder_ / "no.npy", picture("red/0.bmp")}), 1, {"no.npy"});
  expect_one_line(run_fovea({"neighbors", picture("red/0.bmp"), picture("red/0.bmp")}), 2, {".npy"});
  write_all(folder_.path() / "bad.png", "no picture");
  const Outcome none = run_fovea({"neighbors", features, folder_ / "bad.png"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("none of 1 file could be read"));
  // Of another width, and of a model that has changed since.
  save_npy(Tensor(DType::f32, {9, 5}), features);
  expect_one_line(run_fovea({"neighbors", features, picture("red/0.bmp")}), 1, {"[9,5]", "[9,4]"});
  save_npy(Tensor(DType::f32, {9, 4}), features);
  Model model = Model::load(model_);
  model.replace_head({"blue", "green", "red"}, 99);
  auto state = model.state_dict();
  state.begin()->second = Tensor(state.begin()->second.dtype(), state.begin()->second.shape());
  model.load_state_dict(state);
  model.save(model_);
  expect_one_line(run_fovea({"neighbors", features, picture("red/0.bmp")}), 1, {"made with", "of weights", "now"});
}

TEST_F(Pictures, EmbeddingsThatCannotBeWrittenAreAnError) {
  expect_one_line(run_fovea({"embed", model_, picture("red/0.bmp"), "-o", folder_ / "no/such/f.npy"}), 1, {folder_ / "no/such/f.npy"});
  expect_one_line(run_fovea({"embed", model_, picture("red/0.bmp"), "-o", folder_ / "f.txt"}), 2, {"f.txt", ".npy or .csv"});
  expect_one_line(run_fovea({"embed", model_, picture("red/0.bmp"), "-o", folder_ / "f.npy", "--pca", "2"}), 2,
                  {"2 principal components of 1 pictures"});
}

}  // namespace
}  // namespace fovea::cli
