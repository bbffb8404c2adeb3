// What a model answers: copies of it, thresholds of several labels, pictures of many channels, views that are averaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <type_traits>

#include "api/small_pictures.h"
#include "train/label_metrics.h"

namespace fovea {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Folder {
 public:
  Folder() {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) /
      ("fovea_answers_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
};

std::vector<float> floats_of(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

TEST(Clones, HaveWeightsOfTheirOwn) {
  Model model = small_colour_model();
  model.replace_head(kClasses);
  model.freeze("stem");
  Model copy = model.clone();
  EXPECT_EQ(copy.name(), model.name());
  EXPECT_EQ(copy.classes(), kClasses);
  EXPECT_EQ(copy.frozen(), "stem");
  EXPECT_EQ(copy.preprocessing(), model.preprocessing());
  const Image picture = coloured(1, 3);
  const std::vector<float> before = floats_of(model.embed(picture));
  EXPECT_EQ(floats_of(copy.embed(picture)), before);
  TrainOptions options;
  options.recipe = Recipe::full;
  options.freeze = "none";
  options.optimizer.epochs = 1;
  train(copy, Dataset::from_memory(examples(6)), options);
  EXPECT_NE(floats_of(copy.embed(picture)), before);
  EXPECT_EQ(floats_of(model.embed(picture)), before);
  Preprocessing other = model.preprocessing();
  other.mirrored = true;
  model.set_preprocessing(other);
  EXPECT_FALSE(copy.preprocessing().mirrored);
}

template <class T>
concept GivesValuesOfATemporary = requires {
  T().template values<float>();
};
template <class T>
concept GivesMemoryOfATemporary = requires {
  T().raw();
};
template <class T>
concept ChangesATemporary = requires {
  T().template mutable_values<float>();
};

TEST(Temporaries, GiveNothingThatPointsIntoThem) {
  static_assert(!GivesValuesOfATemporary<Tensor> && !GivesMemoryOfATemporary<Tensor> && !ChangesATemporary<Tensor>);
  static_assert(!std::is_reference_v<decltype(std::declval<Tensor>().shape())>);
  static_assert(!std::is_reference_v<decltype(std::declval<Model>().classes())>);
  static_assert(!std::is_reference_v<decltype(std::declval<Model>().name())>);
  static_assert(!std::is_reference_v<decltype(std::declval<Model>().preprocessing())>);
  static_assert(!std::is_reference_v<decltype(std::declval<Predictor>().classes())>);
  static_assert(std::is_reference_v<decltype(std::declval<Model&>().classes())>);
  int classes = 0;
  for (const std::string& name : small_colour_model().classes()) classes += !name.empty();
  EXPECT_GT(classes, 0);
}

TEST(MovedFrom, ModelsPredictorsAndTrainersSaySo) {
  Model model = small_colour_model();
  Predictor predictor = model.predictor();
  const Model taken = std::move(model);
  const Predictor kept = std::move(predictor);
  const std::string words = "a model is used that was moved from";
  EXPECT_EQ(message_of_error([&] { model.name(); }), words);
  EXPECT_EQ(message_of_error([&] { model.predict(coloured(0, 1)); }), words);
  EXPECT_EQ(message_of_error([&] { model.embed(Tensor(DType::f32, {1, 3, kColoured, kColoured})); }), words);
  EXPECT_EQ(message_of_error([&] { model.predictor(); }), words);
  EXPECT_EQ(message_of_error([&] { model.clone(); }), words);
  EXPECT_EQ(message_of_error([&] { model.freeze("all"); }), words);
  EXPECT_EQ(message_of_error([&] { model.replace_head(3); }), words);
  EXPECT_EQ(message_of_error([&] { train(model, Dataset::from_memory(examples(3))); }), words);
  EXPECT_EQ(message_of_error([&] { predict_pictures(model, {1, [](int64_t) { return coloured(0, 1); }}); }), words);
  EXPECT_EQ(message_of_error([&] { predictor.classes(); }), "a predictor is used that was moved from");
  EXPECT_EQ(message_of_error([&] { predictor.embed(coloured(0, 1)); }), "a predictor is used that was moved from");
  EXPECT_EQ(taken.predict(coloured(0, 1)).size(), kept.predict(coloured(0, 1)).size());
  model = taken.clone();  // and it can be used again
  EXPECT_EQ(model.name(), taken.name());

  Model trained = small_colour_model();
  Trainer trainer(trained, Dataset::from_memory(examples(6)), {.recipe = Recipe::full});
  const Trainer moved = std::move(trainer);
  EXPECT_EQ(message_of_error([&] { trainer.next(); }), "a trainer is used that was moved from");
  Dataset data = Dataset::from_memory(examples(3));
  const Dataset held = std::move(data);
  EXPECT_EQ(message_of_error([&] { data.size(); }), "a dataset is used that was moved from");
  EXPECT_EQ(held.size(), 9);
}

TEST(Spans, AnswerWhatEachPictureAloneIsAnswered) {
  const Model model = small_colour_model();
  std::vector<Image> pictures;
  for (uint32_t i = 0; i < 9; ++i) pictures.push_back(coloured(i % 3, i));
  const auto answers = model.predict(pictures, 2);
  const Tensor vectors = model.embed(pictures);
  ASSERT_EQ(answers.size(), pictures.size());
  ASSERT_THAT(vectors.shape(), ElementsAre(9, model.feature_width()));
  for (size_t i = 0; i < pictures.size(); ++i) {
    const auto alone = model.predict(pictures[i], 2);
    EXPECT_EQ(answers[i][0].probability, alone[0].probability);
    EXPECT_EQ(answers[i][1].name, alone[1].name);
    const Tensor vector = model.embed(pictures[i]);
    const auto row = vectors.values<float>().subspan(i * static_cast<size_t>(model.feature_width()), static_cast<size_t>(vector.size()));
    EXPECT_TRUE(std::ranges::equal(vector.values<float>(), row));
  }
  EXPECT_TRUE(model.predict(std::span<const Image>{}).empty());
}

TEST(Views, ProbabilitiesArePredictsOrAnError) {
  Model model = small_colour_model();
  Image wide{24, 12, std::vector<uint8_t>(3 * 24 * 12)};
  for (size_t i = 0; i < wide.pixels.size(); ++i) wide.pixels[i] = static_cast<uint8_t>(i * i);
  Preprocessing views = model.preprocessing();
  const auto as_batch = [](const Tensor& one) { return one.reshaped({1, one.shape()[0], one.shape()[1], one.shape()[2]}); };
  for (const bool mirrored : {false, true}) {
    views.mirrored = mirrored;
    views.second_fit.reset();
    views.fit = Fit::squash;
    model.set_preprocessing(views);
    const Tensor one = model.probabilities(as_batch(preprocess(wide, views)));
    for (const ClassProbability& answer : model.predict(wide, 1000))
      EXPECT_NEAR(answer.probability, one.values<float>()[static_cast<size_t>(answer.index)], 1e-6);
    views.second_fit = Fit::pad;
    model.set_preprocessing(views);
    std::vector<Tensor> shapes;
    for (const Tensor& shape : preprocess_views(wide, views)) shapes.push_back(as_batch(shape));
    ASSERT_EQ(shapes.size(), 2u);
    const Tensor both = model.probabilities(shapes);
    for (const ClassProbability& answer : model.predict(wide, 1000))
      EXPECT_NEAR(answer.probability, both.values<float>()[static_cast<size_t>(answer.index)], 1e-6);
    const std::vector<float> predicted = floats_of(model.predictor().probabilities(shapes));
    EXPECT_EQ(predicted, floats_of(both));
    EXPECT_THAT(message_of_error([&] { model.probabilities(shapes[0]); }),
                AllOf(HasSubstr("1 of the 2 shapes"), HasSubstr("squash+pad"), HasSubstr("preprocess_views")));
    EXPECT_NO_THROW(model.logits(shapes[0]));
    shapes[1] = Tensor(DType::f32, {2, 3, kColoured, kColoured});
    EXPECT_THAT(message_of_error([&] { model.probabilities(shapes); }), HasSubstr("1 pictures in the first shape, 2 in the second"));
  }
}

// Outcomes of one class, by probability and whether it is.
std::vector<Outcome> told(const std::vector<std::pair<float, bool>>& answers) {
  std::vector<Outcome> outcomes;
  for (const auto& [probability, is] : answers)
    outcomes.push_back({"", -1, -1, 1, {probability}, is ? std::vector<int64_t>{0} : std::vector<int64_t>{}});
  return outcomes;
}

TEST(Thresholds, AreThoseOfTheGreatestF1) {
  std::vector<std::pair<float, bool>> answers;
  for (int i = 0; i < 20; ++i) answers.emplace_back(0.30f + 0.005f * static_cast<float>(i), true);   // 0.30 to 0.395
  for (int i = 0; i < 20; ++i) answers.emplace_back(0.01f + 0.005f * static_cast<float>(i), false);  // 0.01 to 0.105
  EXPECT_THAT(training::best_thresholds(told(answers), 1), ElementsAre(testing::DoubleNear((0.30 + 0.105) / 2, 1e-6)));
  // Told rightly from 0.5 on: nothing between is better, and 0.5 itself lies between.
  for (auto& [probability, is] : answers) probability += is ? 0.4f : 0.2f;
  EXPECT_THAT(training::best_thresholds(told(answers), 1), ElementsAre(0.5));
  // One that is not, above all others, costs less than to lose one that is.
  answers.assign(12, {0.9f, true});
  answers.insert(answers.end(), 30, {0.2f, false});
  answers.emplace_back(0.95f, false);
  answers.emplace_back(0.6f, true);
  EXPECT_THAT(training::best_thresholds(told(answers), 1), ElementsAre(0.5));
  // Too few to choose by.
  answers.assign(9, {0.3f, true});
  answers.insert(answers.end(), 30, {0.1f, false});
  EXPECT_THAT(training::best_thresholds(told(answers), 1), ElementsAre(0.5));
  EXPECT_THAT(training::best_thresholds({}, 2), ElementsAre(0.5, 0.5));
}

TEST(Thresholds, OfARareClassAreThoseOfAllTogether) {
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 40; ++i) {
    const bool first = i % 2 == 0, second = i < 3;
    outcomes.push_back({"", -1, -1, 1, {first ? 0.4f : 0.1f, second ? 0.4f : 0.1f}, {}});
    if (first) outcomes.back().labels.push_back(0);
    if (second) outcomes.back().labels.push_back(1);
  }
  EXPECT_THAT(training::best_thresholds(outcomes, 2), ElementsAre(testing::DoubleNear(0.25, 1e-6), testing::DoubleNear(0.25, 1e-6)));
}

// Pictures that are red, blue, both or neither.
std::vector<Example> several(int count) {
  std::vector<Example> all;
  for (int i = 0; i < count; ++i) {
    const bool red = i % 2 == 0, blue = i % 4 < 2;
    Image image = coloured(1, static_cast<uint32_t>(i));
    for (size_t p = 0; p < image.pixels.size(); p += 3) {
      if (red) image.pixels[p] = static_cast<uint8_t>(image.pixels[p] + 60);
      if (blue) image.pixels[p + 2] = static_cast<uint8_t>(image.pixels[p + 2] + 60);
    }
    std::vector<std::string> labels;
    if (red) labels.emplace_back("red");
    if (blue) labels.emplace_back("blue");
    all.push_back({"picture " + std::to_string(i), std::move(image), labels});
  }
  return all;
}

TEST(Thresholds, AreChosenInTrainingSavedAndGoneBy) {
  const Folder folder;
  const Dataset data = Dataset::from_memory(several(120));
  Model model = small_colour_model();
  TrainOptions options;
  options.recipe = Recipe::full;
  options.optimizer.epochs = 3;
  options.data.validation = 0.3;
  options.data.test = 0.2;
  options.run.out = folder.file("run");
  const TrainResult result = train(model, data, options);
  ASSERT_EQ(result.thresholds.size(), 2u);
  EXPECT_EQ(model.thresholds(), result.thresholds);
  EXPECT_NE(result.thresholds, (std::vector<double>{0.5, 0.5}));
  const Model loaded = Model::load(folder.file("run/model.safetensors"));
  EXPECT_EQ(loaded.thresholds(), result.thresholds);
  model.save(folder.file("saved.safetensors"));
  EXPECT_EQ(Model::load(folder.file("saved.safetensors")).thresholds(), result.thresholds);
  EXPECT_EQ(model.clone().thresholds(), result.thresholds);
  EXPECT_EQ(model.predictor().thresholds(), result.thresholds);

  const Evaluation evaluation = evaluate(loaded, data);
  EXPECT_EQ(evaluation.thresholds, result.thresholds);
  int64_t right = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    bool all = true;
    const auto labels = std::get<std::vector<int64_t>>(data.labels(i));
    for (const ClassProbability& one : loaded.predict(data.picture(i))) {
      EXPECT_EQ(one.told, one.probability >= result.thresholds[static_cast<size_t>(one.index)]) << one.probability;
      all &= one.told == (std::ranges::count(labels, one.index) > 0);
    }
    right += all;
  }
  EXPECT_DOUBLE_EQ(evaluation.score.accuracy, static_cast<double>(right) / static_cast<double>(data.size()));

  // The same pictures and weights, told from 0.5 on.
  model.set_thresholds({});
  EXPECT_EQ(model.thresholds(), (std::vector<double>{0.5, 0.5}));
  EXPECT_NE(evaluate(model, data).score.accuracy, evaluation.score.accuracy);
  options.run.resume = true;
  Model again = small_colour_model();
  EXPECT_EQ(train(again, data, options).thresholds, result.thresholds);
  EXPECT_EQ(again.thresholds(), result.thresholds);
}

TEST(Thresholds, ThatMeanNothingAreRefused) {
  Model model = small_colour_model();
  EXPECT_TRUE(model.thresholds().empty());
  EXPECT_THAT(message_of_error([&] { model.set_thresholds({0.5}); }), HasSubstr("exclude each other"));
  model.replace_head({"a", "b"}, 0, {.independent = true});
  EXPECT_EQ(message_of_error([&] { model.set_thresholds({0.5}); }), "1 thresholds of 2 classes");
  EXPECT_THAT(message_of_error([&] { model.set_thresholds({0.5, 1}); }), HasSubstr("a threshold of 1"));
  EXPECT_THAT(message_of_error([&] { model.set_thresholds({std::nan(""), 0.5}); }), HasSubstr("nan"));
  model.set_thresholds({0.2, 0.9});
  const Predictor before = model.predictor();
  model.replace_head({"a", "b", "c"}, 0, {.independent = true});
  EXPECT_EQ(model.thresholds(), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(before.thresholds(), (std::vector<double>{0.2, 0.9}));
}

constexpr int64_t kBands = 5;

// The class shows in the last band alone.
Image banded(bool bright, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> pixels(static_cast<size_t>(kBands * 20 * 18));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>((bright && i % kBands == 4 ? 150 : 60) + random() % 80);
  return image_from_channels(pixels.data(), 20, 18, kBands);
}

std::vector<Example> bands(int count) {
  std::vector<Example> all;
  for (int i = 0; i < count; ++i)
    all.push_back({"tile " + std::to_string(i), banded(i % 2 == 0, static_cast<uint32_t>(i)), std::string(i % 2 == 0 ? "field" : "water")});
  return all;
}

Model banded_model() {
  small_colour_model();  // registers it
  return Model::load("own/colours", {.weights = "none", .seed = 7, .channels = kBands});
}

TEST(ManyChannels, TrainPredictEmbedAndExplain) {
  const Folder folder;
  const Dataset data = Dataset::from_memory(bands(60));
  for (const Recipe recipe : {Recipe::full, Recipe::finetune, Recipe::probe}) {
    Model model = banded_model();
    TrainOptions options;
    options.recipe = recipe;
    if (recipe != Recipe::probe) options.optimizer.epochs = 6;
    options.optimizer.batch_size = 8;
    options.data.test = 0.3;
    options.augmentation.vertical_flip = recipe == Recipe::probe ? 0 : 0.5;
    options.augmentation.mixup = recipe == Recipe::full ? 0.2 : 0;
    options.run.out = folder.file("run");
    options.run.overwrite = true;
    const TrainResult result = train(model, data, options);
    EXPECT_GT(result.test.accuracy, 0.9) << static_cast<int>(recipe);
    EXPECT_TRUE(std::filesystem::exists(folder.file("run/report.html")));
    const Model loaded = Model::load(folder.file("run"));
    EXPECT_EQ(loaded.channels(), kBands);
    EXPECT_GT(evaluate(loaded, data).score.accuracy, 0.9);
    const Image picture = banded(true, 1000);
    EXPECT_EQ(loaded.predict(picture)[0].name, "field");
    EXPECT_EQ(loaded.predict(picture)[0].probability, model.predict(picture)[0].probability);
    EXPECT_THAT(loaded.embed(picture).shape(), ElementsAre(loaded.feature_width()));
    EXPECT_EQ(loaded.predict(std::vector<Image>{picture, picture})[1][0].name, "field");
    EXPECT_THAT(heat_map(loaded, picture).heat.shape(), ElementsAre(18, 20));
  }
}

TEST(ManyChannels, AreNormalizedEachByItsOwn) {
  Preprocessing p;
  p.width = p.height = p.resize = 2;
  p.mean = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f};
  p.std = {1, 2, 4, 8, 16};
  const std::vector<uint8_t> pixels{51, 102, 153, 204, 255, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 51, 51, 51, 51, 51};
  const Image image = image_from_channels(pixels.data(), 2, 2, kBands);
  const Tensor tensor = preprocess(image, p);
  ASSERT_THAT(tensor.shape(), ElementsAre(kBands, 2, 2));
  for (size_t c = 0; c < 5; ++c)
    for (size_t i = 0; i < 4; ++i)
      EXPECT_FLOAT_EQ(tensor.values<float>()[4 * c + i], (static_cast<float>(pixels[5 * i + c]) / 255 - p.mean[c]) / p.std[c]);
  EXPECT_EQ(parse_preprocessing(to_string(p)), p);
  p.mean = {0.1f, 0.2f};  // in turn
  p.std = {1};
  const Tensor turns = preprocess(image, p);
  EXPECT_FLOAT_EQ(turns.values<float>()[4 * 3], 204.0f / 255 - 0.2f);
  EXPECT_FLOAT_EQ(turns.values<float>()[4 * 4], 1.0f - 0.1f);
  p.mean = {};
  EXPECT_THAT(message_of_error([&] { preprocess(image, p); }), HasSubstr("without mean"));
}

TEST(ManyChannels, AreChangedAsEachThreeOfThemAre) {
  Image seven{33, 21, std::vector<uint8_t>(7 * 33 * 21), 7};
  for (size_t i = 0; i < seven.pixels.size(); ++i) seven.pixels[i] = static_cast<uint8_t>(i * i / 7);
  const auto three = [](const Image& image, int64_t first) {
    Image result{image.width, image.height, {}};
    for (size_t i = 0; i < image.pixels.size(); i += 7)
      for (int64_t c = first; c < first + 3; ++c) result.pixels.push_back(image.pixels[i + static_cast<size_t>(std::min<int64_t>(c, 6))]);
    return result;
  };
  Preprocessing p;
  p.width = 16;
  p.height = 12;
  p.fit = Fit::pad;
  p.mean = {0.5f};
  const Image small = resize(seven, 10, 40, Interpolation::bicubic), part = crop(seven, -3, 2, 9, 30), fitted = fit(seven, p);
  for (const Image& one : {small, part, fitted}) EXPECT_EQ(one.channels, 7);
  for (const int64_t first : {0, 3, 6}) {
    const Image rgb = three(seven, first);
    EXPECT_EQ(three(small, first).pixels, resize(rgb, 10, 40, Interpolation::bicubic).pixels);
    EXPECT_EQ(three(part, first).pixels, crop(rgb, -3, 2, 9, 30).pixels);
    EXPECT_EQ(three(fitted, first).pixels, fit(rgb, p).pixels);
  }
}

TEST(ManyChannels, ThatDoNotFitAreErrorsThatNameBothNumbers) {
  const Model five = banded_model(), three = small_colour_model();
  EXPECT_EQ(message_of_error([&] { five.predict(coloured(0, 1)); }), "a picture of 3 channels, the network takes 5");
  EXPECT_EQ(message_of_error([&] { three.embed(banded(true, 1)); }), "a picture of 5 channels, the network takes 3");
  EXPECT_EQ(message_of_error([&] { heat_map(three, banded(true, 1)); }), "a picture of 5 channels, the network takes 3");
  Model trained = small_colour_model();
  EXPECT_THAT(message_of_error([&] { train(trained, Dataset::from_memory(bands(12)), {.recipe = Recipe::full}); }),
              AllOf(HasSubstr("tile "), HasSubstr("a picture of 5 channels, the network takes 3")));
  trained = banded_model();
  TrainOptions colours;
  colours.augmentation.policy = Augment::randaugment;
  EXPECT_THAT(message_of_error([&] { train(trained, Dataset::from_memory(bands(12)), colours); }),
              AllOf(HasSubstr("randaugment"), HasSubstr("5 channels")));
  EXPECT_THAT(message_of_error([&] { encode_png(banded(true, 1)); }), HasSubstr("5 channels, 3 (RGB) expected"));
  const uint8_t pixel[8] = {};
  EXPECT_THAT(message_of_error([&] { image_from_channels(pixel, 1, 1, 1); }), HasSubstr("at least 2"));
  EXPECT_THAT(message_of_error([&] { image_from_channels(pixel, 2, 1, 4, 7); }), HasSubstr("7 bytes apart, less than 8"));
  EXPECT_THAT(message_of_error([&] { resize({1, 1, {1, 2, 3, 4, 5}}, 2, 2, Interpolation::bilinear); }), HasSubstr("5 bytes, not 3"));
}

TEST(FromMemory, OneFourAndAnyNumberOfChannels) {
  const uint8_t grey[] = {7, 8, 99, 9, 10, 99};
  EXPECT_THAT(image_from_memory(grey, 2, 2, 3, PixelOrder::grey).pixels, ElementsAre(7, 7, 7, 8, 8, 8, 9, 9, 9, 10, 10, 10));
  const uint8_t four[] = {10, 20, 30, 255, 10, 20, 30, 0};
  EXPECT_THAT(image_from_memory(four, 2, 1, 0, PixelOrder::rgba).pixels, ElementsAre(10, 20, 30, 255, 255, 255));
  EXPECT_THAT(image_from_memory(four, 2, 1, 0, PixelOrder::bgra, Alpha::drop).pixels, ElementsAre(30, 20, 10, 30, 20, 10));
  const Image bands = image_from_channels(four, 1, 1, 4, 8);
  EXPECT_EQ(bands.channels, 4);
  EXPECT_THAT(bands.pixels, ElementsAre(10, 20, 30, 255));
}

}  // namespace
}  // namespace fovea
