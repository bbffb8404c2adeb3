#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <thread>

#include "weights/model_file.h"
#include "weights/safetensors.h"

namespace fovea {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LoadOptions from(const std::string& weights) {
  LoadOptions options;
  options.weights = weights;
  return options;
}

// For pictures of 64 x 64, so that it takes milliseconds.
Model small(const std::string& name = "resnet18") {
  Model model = Model::load(name, from("none"));
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = preprocessing.width = 64;
  preprocessing.resize = 72;
  model.set_preprocessing(preprocessing);
  return model;
}

Image striped(int64_t width, int64_t height, int step) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * static_cast<size_t>(step) / 3);
  return image;
}

Tensor prepared(const Model& model, const Image& image) {
  const Tensor one = preprocess(image, model.preprocessing());
  return one.reshaped({1, 3, one.shape()[1], one.shape()[2]});
}

template <class Body>
void expect_error(ErrorKind kind, const std::vector<std::string>& parts, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    for (const std::string& part : parts) EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

class Temporary {
 public:
  explicit Temporary(const std::string& name) : path_(testing::TempDir() + "fovea-api-" + name) {}
  ~Temporary() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Model, LoadsByNameAndSaysWhatItIs) {
  const Model model = Model::load("resnet18", from("none"));
  EXPECT_EQ(model.name(), "resnet18");
  EXPECT_EQ(model.classes().size(), 1000u);
  EXPECT_EQ(model.parameter_count(), 11689512);  // torchvision's own number
  EXPECT_EQ(model.feature_width(), 512);
  EXPECT_EQ(model.loaded().source, "none");
  EXPECT_EQ(model.preprocessing().height, 224);
  EXPECT_EQ(model.frozen(), "none");
}

TEST(Model, ErrorsNameBothSides) {
  expect_error(ErrorKind::usage, {"resnet51", "resnet50"}, [] { Model::load("resnet51", from("none")); });
  expect_error(ErrorKind::unsupported, {"f16", "f32"}, [] {
    LoadOptions options = from("none");
    options.dtype = "f16";
    Model::load("resnet18", options);
  });
  expect_error(ErrorKind::io, {"gone.pth"}, [] { Model::load("resnet18", from("gone.pth")); });
  expect_error(ErrorKind::io, {"gone.safetensors"}, [] { Model::load("gone.safetensors"); });
  Model model = small();
  expect_error(ErrorKind::usage, {"layer9", "layer4"}, [&] { model.freeze("layer9"); });
  expect_error(ErrorKind::usage, {"layer9", "layer4"}, [&] { model.features(striped(64, 64, 3), {"layer9"}); });
  expect_error(ErrorKind::usage, {"cat"}, [&] { model.replace_head({"cat", "dog", "cat"}); });
  expect_error(ErrorKind::usage, {"0"}, [&] { model.replace_head(0); });
  expect_error(ErrorKind::usage, {"[1,4,64,64]"}, [&] { model.logits(Tensor(DType::f32, {1, 4, 64, 64})); });
  expect_error(ErrorKind::usage, {"0"}, [&] { model.predict(striped(64, 64, 3), 0); });
}

TEST(Model, PredictsWhatItsLogitsSay) {
  const Model model = small();
  const Image image = striped(90, 70, 5);
  const auto best = model.predict(image, 3);
  ASSERT_EQ(best.size(), 3u);
  const Tensor probabilities = model.probabilities(prepared(model, image));
  double sum = 0;
  for (float p : probabilities.values<float>()) sum += p;
  EXPECT_NEAR(sum, 1, 1e-5);
  for (const ClassProbability& one : best)
    EXPECT_NEAR(one.probability, probabilities.values<float>()[static_cast<size_t>(one.index)], 1e-7);
  EXPECT_GE(best[0].probability, best[1].probability);
  EXPECT_EQ(model.predict(image, 5000).size(), 1000u);
}

TEST(Model, AnswersInTwoShapesAreAveraged) {
  Model model = small();
  const Preprocessing own = model.preprocessing();
  const Image image = striped(90, 40, 5);
  const auto logits = [&](Fit fit) {
    Preprocessing shape = own;
    shape.fit = fit;
    model.set_preprocessing(shape);
    return model.logits(prepared(model, image));
  };
  const Tensor squashed = logits(Fit::squash), padded = logits(Fit::pad);
  std::vector<double> exponentials;
  for (size_t i = 0; i < 1000; ++i) exponentials.push_back(std::exp((squashed.values<float>()[i] + padded.values<float>()[i]) / 2.0));
  Preprocessing both = own;
  set_fits(both, std::vector{Fit::squash, Fit::pad});
  model.set_preprocessing(both);
  const double sum = std::accumulate(exponentials.begin(), exponentials.end(), 0.0);
  for (const ClassProbability& one : model.predict(image, 1000))
    EXPECT_NEAR(one.probability, exponentials[static_cast<size_t>(one.index)] / sum, 1e-7);

  // From files, one or several, the same.
  const std::string folder = std::string(FOVEA_TEST_DATA) + "/api";
  const std::vector<std::string> files{folder + "/coffee.webp", folder + "/rocket.jpg"};
  const Predictions several = predict_files(model, files);
  for (size_t i = 0; i < files.size(); ++i) {
    const float alone = model.predict(files[i])[0].probability;
    EXPECT_EQ(several.pictures[i].classes[0].probability, alone);
    EXPECT_EQ(predict_files(model, {files[i]}).pictures[0].classes[0].probability, alone);
  }
}

TEST(Model, GivesVectorsAndMapsOfEveryFamily) {
  for (const char* name : {"resnet18", "tf_efficientnet_lite0"}) {
    const Model model = small(name);
    const Image image = striped(64, 64, 5);
    const Tensor vector = model.embed(image);
    EXPECT_THAT(vector.shape(), ElementsAre(model.feature_width()));
    std::vector<std::string> names;
    const std::vector<TapInfo> taps = model.taps();
    for (const TapInfo& tap : taps) names.push_back(tap.name);
    const auto maps = model.features(image, names);
    for (const TapInfo& tap : taps) {
      const auto& shape = maps.at(tap.name).shape();
      EXPECT_THAT(shape, ElementsAre(1, tap.channels, tap.shape[1], tap.shape[2])) << name << " " << tap.name;
      EXPECT_EQ(static_cast<double>(64) / static_cast<double>(shape[2]), tap.stride);
    }
    EXPECT_THAT(model.taps(128, 96).back().shape, ElementsAre(taps.back().channels, 4, 3));
  }
}

TEST(Model, KeepsRowsOfClassesThatItKnows) {
  Model model = small();
  model.replace_head({"cat", "dog", "bird"}, 1);
  const auto before = model.state_dict();
  model.replace_head({"fish", "dog"}, 2);
  const auto after = model.state_dict();
  EXPECT_THAT(model.classes(), ElementsAre("fish", "dog"));
  const auto old_rows = before.at("fc.weight").values<float>(), new_rows = after.at("fc.weight").values<float>();
  EXPECT_TRUE(std::equal(new_rows.begin() + 512, new_rows.end(), old_rows.begin() + 512));
  EXPECT_FALSE(std::equal(new_rows.begin(), new_rows.begin() + 512, old_rows.begin()));
  EXPECT_EQ(model.predict(striped(64, 64, 3)).size(), 2u);
  // Numbers are no names: nothing is kept.
  model.replace_head(2, 3);
  model.replace_head(2, 4);
  EXPECT_THAT(model.classes(), ElementsAre("0", "1"));
  model.replace_head(2, 3);
  const auto first = model.state_dict().at("fc.weight").clone();
  model.replace_head(2, 4);
  EXPECT_NE(first.values<float>()[0], model.state_dict().at("fc.weight").values<float>()[0]);
}

TEST(Model, IsSavedWhole) {
  const Temporary file("whole.safetensors");
  Model model = small();
  model.replace_head(std::vector<std::string>{"cat", "dog"});
  const Image image = striped(64, 64, 7);
  const auto before = model.predict(image);
  model.save(file.path());
  for (const Model& loaded : {Model::load(file.path()), Model::load("resnet18", from(file.path()))}) {
    EXPECT_EQ(loaded.classes(), model.classes());
    EXPECT_EQ(loaded.preprocessing(), model.preprocessing());
    EXPECT_EQ(loaded.loaded().loaded, 122);
    EXPECT_EQ(loaded.predict(image)[0].name, before[0].name);
    EXPECT_EQ(loaded.predict(image)[0].probability, before[0].probability);
  }
  expect_error(ErrorKind::mismatch, {"resnet34", "resnet18"}, [&] { Model::load("resnet34", from(file.path())); });
}

TEST(Model, TakesACheckpointWithAHeadOfAnotherWidth) {
  const Temporary file("ten.safetensors");
  Model model = small();
  model.replace_head(10, 5);
  weights::StateDict plain;
  for (const auto& [name, tensor] : model.state_dict()) plain.add(name, tensor);
  weights::write_safetensors(file.path(), plain);
  const Model loaded = Model::load("resnet18", from(file.path()));
  ASSERT_EQ(loaded.classes().size(), 10u);
  EXPECT_EQ(loaded.classes().back(), "9");
  const Tensor images = prepared(model, striped(64, 64, 9));
  const Tensor a = loaded.logits(images), b = model.logits(images);
  EXPECT_TRUE(std::equal(a.values<float>().begin(), a.values<float>().end(), b.values<float>().begin()));
}

// resnet18's tensors, renamed or left out (an empty name) by `rename`.
void write_renamed(const Model& model, const std::string& path, const std::function<std::string(const std::string&)>& rename,
                   const std::map<std::string, Tensor>& beside = {}) {
  weights::StateDict plain;
  for (const auto& [name, tensor] : model.state_dict())
    if (const std::string renamed = rename(name); !renamed.empty()) plain.add(renamed, tensor);
  for (const auto& [name, tensor] : beside) plain.add(name, tensor);
  weights::write_safetensors(path, plain);
}

TEST(Model, TakesAnEncoderWithoutAHead) {
  const Temporary file("headless.safetensors"), saved("saved.safetensors");
  const Model whole = small();
  write_renamed(whole, file.path(), [](const std::string& name) { return name.starts_with("fc.") ? "" : "encoder_q." + name; },
                {{"encoder_q.fc.0.weight", Tensor(DType::f32, {512, 512})},
                 {"encoder_q.fc.0.bias", Tensor(DType::f32, {512})},
                 {"encoder_q.fc.2.weight", Tensor(DType::f32, {128, 512})},
                 {"encoder_q.fc.2.bias", Tensor(DType::f32, {128})},
                 {"queue", Tensor(DType::f32, {128, 4})}});
  Model model = Model::load("resnet18", from(file.path()));
  model.set_preprocessing(whole.preprocessing());
  EXPECT_THAT(model.loaded().notes,
              ElementsAre("the network is what the file has under 'encoder_q.'",
                          "the file has no head that maps 512 features to classes: the network ends with its features",
                          "4 tensors that are no part of the network are left out, first 'encoder_q.fc.0.bias'"));
  EXPECT_TRUE(model.classes().empty());
  const Image image = striped(64, 64, 5);
  const Tensor expected = whole.embed(image);
  const auto expect_features = [&](const Model& other) {
    const Tensor got = other.embed(image);
    EXPECT_TRUE(std::equal(got.values<float>().begin(), got.values<float>().end(), expected.values<float>().begin()));
    expect_error(ErrorKind::usage, {"no head"}, [&] { (void)other.predict(image); });
  };
  expect_features(model);
  model.save(saved.path());
  expect_features(Model::load(saved.path()));
  model.freeze("all");  // all but the head that it will get
  model.replace_head(std::vector<std::string>{"cat", "dog"}, 1);
  EXPECT_EQ(model.predict(image).size(), 2u);
  EXPECT_EQ(model.parameter_count(), Model::load("resnet18", LoadOptions{"none"}).parameter_count() - 998 * 513);
}

TEST(Model, TakesAHeadUnderAnotherNameAndOtherChannels) {
  const Temporary file("other.safetensors");
  LoadOptions grey{"none", 3};
  grey.channels = 1;
  Model model = Model::load("resnet18", grey);
  model.replace_head(7, 5);
  write_renamed(model, file.path(),
                [](const std::string& name) { return name.starts_with("fc.") ? "head.1" + name.substr(2) : "0." + name; });
  const Model loaded = Model::load("resnet18", from(file.path()));
  EXPECT_THAT(loaded.loaded().notes,
              ElementsAre("the network is what the file has under '0.'", "the head is 'head.1' in the file",
                          "the file's first layer reads 1 of a picture's channels: the network is made for so many"));
  EXPECT_EQ(loaded.channels(), 1);
  EXPECT_EQ(loaded.classes().size(), 7u);
  const auto a = loaded.state_dict(), b = model.state_dict();
  for (const char* name : {"conv1.weight", "fc.weight", "fc.bias"}) {
    const auto got = a.at(name).values<float>(), expected = b.at(name).values<float>();
    EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin(), expected.end())) << name;
  }
  expect_error(ErrorKind::usage, {"has no part 'nobody'"}, [&] { (void)Model::load("resnet18", from(file.path() + "#nobody")); });
}

TEST(Model, TakesAStateDictionary) {
  Model model = small(), other = Model::load("resnet18", LoadOptions{"none", 7});
  other.set_preprocessing(model.preprocessing());
  const Image image = striped(64, 64, 11);
  const Tensor before = model.embed(image);
  model.load_state_dict(other.state_dict());
  const Tensor after = model.embed(image), expected = other.embed(image);
  EXPECT_NE(before.values<float>()[0], after.values<float>()[0]);
  EXPECT_TRUE(std::equal(after.values<float>().begin(), after.values<float>().end(), expected.values<float>().begin()));
  auto broken = other.state_dict();
  broken.erase("layer1.0.conv1.weight");
  expect_error(ErrorKind::mismatch, {"layer1.0.conv1.weight"}, [&] { model.load_state_dict(broken); });
}

TEST(Model, CopiesShareOneNetwork) {
  Model model = small();
  const Model copy = model;
  model.replace_head(std::vector<std::string>{"cat", "dog"});
  EXPECT_EQ(copy.classes().size(), 2u);
}

TEST(Model, ServesSeveralThreads) {
  const Model model = small();
  std::vector<Image> images;
  std::vector<double> expected;
  for (int i = 0; i < 4; ++i) {
    images.push_back(striped(64 + i, 64, 3 + 2 * i));
    expected.push_back(model.predict(images.back(), 1)[0].probability);
  }
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 12; ++i) {
        const size_t which = (t + i) % 4;
        wrong[t] += model.predict(images[which], 1)[0].probability != expected[which];
        wrong[t] += model.embed(images[which]).shape()[0] != 512;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

TEST(PictureFiles, GiveTheNumbersOfEachAlone) {
  const std::string folder = std::string(FOVEA_TEST_DATA) + "/api";
  const Model model = small();
  const std::vector<std::string> files{folder + "/coffee.webp", folder + "/generate.py", folder + "/rocket.jpg"};
  const Predictions predictions = predict_files(model, files);
  ASSERT_EQ(predictions.pictures.size(), 2u);
  ASSERT_EQ(predictions.left_out.size(), 1u);
  EXPECT_EQ(predictions.left_out[0].file, files[1]);
  EXPECT_THAT(predictions.left_out[0].reason, HasSubstr("not a picture"));
  EXPECT_EQ(predictions.pictures[1].file, files[2]);
  EXPECT_EQ(predictions.pictures[1].classes[0].probability, model.predict(files[2])[0].probability);
  const Embeddings embeddings = embed_files(model, files);
  EXPECT_THAT(embeddings.files, ElementsAre(files[0], files[2]));
  EXPECT_THAT(embeddings.features.shape(), ElementsAre(2, 512));
  const Tensor alone = model.embed(files[2]);
  EXPECT_TRUE(std::equal(alone.values<float>().begin(), alone.values<float>().end(), embeddings.features.values<float>().begin() + 512));
}

TEST(Numbers, PicturesThatAreNoneAreRefused) {
  const Model model = small();
  Tensor images(DType::f32, {2, 3, 64, 64});
  EXPECT_EQ(model.probabilities(images).shape()[0], 2);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Tensor broken = images.clone();
    broken.mutable_values<float>()[static_cast<size_t>(3 * 64 * 64 + 5)] = bad;
    expect_error(ErrorKind::input, {"picture 2 of 2", "no number"}, [&] { model.probabilities(broken); });
    expect_error(ErrorKind::input, {"picture 2 of 2"}, [&] { model.embed(broken); });
    expect_error(ErrorKind::input, {"picture 2 of 2"}, [&] { model.features(broken, {"layer1"}); });
  }
  expect_error(ErrorKind::usage, {"f64", "f32 expected"}, [&] { model.logits(Tensor(DType::f64, {1, 3, 64, 64})); });
  expect_error(ErrorKind::usage, {"u8", "preprocess"}, [&] { model.logits(Tensor(DType::u8, {1, 3, 64, 64})); });
}

TEST(Numbers, WeightsThatAreNoneAreToldAndGiveNoAnswer) {
  const Temporary file("broken.safetensors");
  Model model = small();
  EXPECT_EQ(model.loaded().weights_note, "");
  std::map<std::string, Tensor> state = model.state_dict();
  Tensor bias = state.at("fc.bias").clone(), weight = state.at("fc.weight").clone();
  bias.mutable_values<float>()[7] = std::nanf("");
  for (size_t i = 0; i < 3; ++i) weight.mutable_values<float>()[i] = std::numeric_limits<float>::infinity();
  state.insert_or_assign("fc.bias", bias);
  state.insert_or_assign("fc.weight", weight);
  model.load_state_dict(state);
  model.save(file.path());
  const Model loaded = Model::load(file.path());
  EXPECT_THAT(loaded.loaded().weights_note,
              AllOf(HasSubstr("2 tensors"), HasSubstr("4 values"), HasSubstr("fc.bias (1 of 1000)"), HasSubstr("fc.weight (3 of 512000)")));
  expect_error(ErrorKind::format, {"no number"}, [&] { loaded.predict(striped(64, 64, 3)); });
  expect_error(ErrorKind::format, {"no number"}, [&] { loaded.probabilities(prepared(loaded, striped(64, 64, 3))); });
}

TEST(Names, EndingsAndFoldersDecide) {
  const Model model = small();
  expect_error(ErrorKind::usage, {"x.pth", ".safetensors"}, [&] { model.save("x.pth"); });
  expect_error(ErrorKind::io, {"nowhere/x.safetensors", "there is no folder"}, [&] { model.save("nowhere/x.safetensors"); });
  Error error(ErrorKind::input, "c: what is wrong");
  error.add_context("c");
  EXPECT_STREQ(error.what(), "c: what is wrong");
  error.add_context("b");
  EXPECT_STREQ(error.what(), "b: c: what is wrong");
}

}  // namespace
}  // namespace fovea
