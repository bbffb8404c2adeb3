// The probe: how it chooses, and runs that solve for their head.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/json_value.h"
#include "train/probe.h"
#include "train/probe_json.h"
#include "train/small_run.h"
#include "weights/model_file.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// Pictures of three classes with eight features: the class's own stands out by `signal` above noise, which differs from view to view.
class Drawn {
 public:
  Drawn(int64_t pictures, std::vector<double> signal_by_fit) : signal_(std::move(signal_by_fit)) {
    rows_.reserve(static_cast<size_t>(pictures) * signal_.size() * 2);
    data.width = kWidth;
    data.classes = kClasses;
    data.targets = SpillArray<float>({}, pictures * kClasses);
    std::ranges::fill(data.targets.values(), 0.0f);
    for (int64_t i = 0; i < pictures; ++i) {
      ProbePicture picture;
      for (size_t f = 0; f < signal_.size(); ++f) {
        const auto fit = static_cast<size_t>(f == 0 ? Fit::squash : Fit::pad);
        picture.plain[fit] = draw(i % kClasses, signal_[f]);
        picture.mirrored[fit] = draw(i % kClasses, signal_[f]);
      }
      data.targets.part(i * kClasses + i % kClasses, 1)[0] = 1;
      data.pictures.push_back(std::move(picture));
      dataset.samples.push_back({std::to_string(i), static_cast<int32_t>(i % kClasses), ""});
    }
    dataset.classes = {"a", "b", "c"};
    data.fold_of = deal_folds(dataset, {}, 0);
  }

  ProbeData data;
  image::Dataset dataset;

 private:
  static constexpr int64_t kClasses = 3, kWidth = 8;

  std::span<const float> draw(int64_t label, double signal) {
    std::vector<float> row;
    for (int64_t j = 0; j < kWidth; ++j) row.push_back(static_cast<float>(random_.normal(next_++) + (j == label ? signal : 0)));
    return rows_.emplace_back(std::move(row));
  }

  std::vector<double> signal_;
  RandomStream random_{3, "features"};
  uint64_t next_ = 0;
  std::vector<std::vector<float>> rows_;
};

TEST(Probe, FoldsAreSpreadEvenlyOverTheClasses) {
  const Drawn drawn(31, {1.0});
  const std::vector<int64_t> folds = deal_folds(drawn.dataset, {}, 1);
  for (size_t label = 0; label < 3; ++label) {
    std::vector<int64_t> counts(5);
    for (size_t i = label; i < folds.size(); i += 3) ++counts[static_cast<size_t>(folds[i])];
    for (int64_t count : counts) EXPECT_TRUE(count == 2 || count == 3) << count;
  }
  EXPECT_EQ(folds, deal_folds(drawn.dataset, {}, 1));
  EXPECT_NE(folds, deal_folds(drawn.dataset, {}, 2));
}

TEST(Probe, CopiesOfAPictureAreInOneFold) {
  const Drawn drawn(60, {1.0});
  std::vector<int64_t> groups(60);
  std::iota(groups.begin(), groups.end(), 0);
  groups[0] = groups[3] = groups[27] = -1;
  groups[5] = groups[8] = -2;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<int64_t> folds = deal_folds(drawn.dataset, groups, seed);
    EXPECT_EQ(folds[0], folds[3]);
    EXPECT_EQ(folds[0], folds[27]);
    EXPECT_EQ(folds[5], folds[8]);
    for (int64_t fold = 0; fold < 5; ++fold) EXPECT_EQ(std::ranges::count(folds, fold), 12);
  }
}

// A copy on the other side tells the label of what is held out: noise would look as if it could be told apart.
TEST(Probe, CopiesDoNotTellOnEachOther) {
  Drawn drawn(90, {0.0});
  drawn.data.fits = drawn.data.answers = {{Fit::squash}};
  std::vector<int64_t> groups(90);
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<int64_t>(i % 15);
    drawn.data.pictures[i] = drawn.data.pictures[i % 15];  // of the same class: 15 is a multiple of 3
  }
  drawn.data.fold_of = deal_folds(drawn.dataset, groups, 1);
  EXPECT_LT(Probe(drawn.data).choose().best.accuracy, 0.5);
  drawn.data.fold_of = deal_folds(drawn.dataset, {}, 1);
  EXPECT_GT(Probe(drawn.data).choose().best.accuracy, 0.5);
}

TEST(Probe, TheFitWithMoreToSeeIsChosen) {
  for (const bool first : {true, false}) {
    Drawn drawn(60, {first ? 3.0 : 0.2, first ? 0.2 : 3.0});
    drawn.data.fits = drawn.data.answers = {{Fit::squash}, {Fit::pad}};
    const ProbeChoice choice = Probe(drawn.data).choose();
    EXPECT_EQ(choice.best.fits, Fits{first ? Fit::squash : Fit::pad});
    EXPECT_EQ(choice.folds, 5);
    EXPECT_EQ(choice.trials.size(), 2u);
    EXPECT_GT(choice.best.accuracy, 0.75);
    EXPECT_GT(choice.c, 0);
  }
}

TEST(Probe, MirrorImagesAnswerWhereTheyLowerTheLoss) {
  Drawn drawn(90, {1.5});
  drawn.data.fits = drawn.data.answers = {{Fit::squash}};
  drawn.data.mirrored = Choice::automatic;
  const ProbeChoice choice = Probe(drawn.data).choose();  // independent noise: the mean of two has less
  EXPECT_TRUE(choice.best.mirrored);
  ASSERT_EQ(choice.trials.size(), 2u);
  EXPECT_FALSE(choice.trials[0].mirrored);
  EXPECT_LT(choice.trials[1].loss, choice.trials[0].loss);
  drawn.data.mirrored = Choice::off;
  EXPECT_FALSE(Probe(drawn.data).choose().best.mirrored);
}

TEST(Probe, FeaturesOfTwoFitsAreAveraged) {
  Drawn drawn(90, {1.5, 1.5});
  const auto loss = [&](const Fits& fits) {
    drawn.data.fits = drawn.data.answers = {fits};
    const ProbeChoice choice = Probe(drawn.data).choose();
    EXPECT_EQ(choice.best.fits, fits);
    return choice.best.loss;
  };
  const double both = loss({Fit::squash, Fit::pad});  // independent noise: the mean of two has less
  EXPECT_LT(both, loss({Fit::squash}));
  EXPECT_LT(both, loss({Fit::pad}));
}

TEST(Probe, NoiseIsPenalizedMoreThanSignal) {
  Drawn noise(60, {0.0}), signal(60, {6.0});
  for (Drawn* drawn : {&noise, &signal}) drawn->data.fits = drawn->data.answers = {{Fit::squash}};
  EXPECT_GT(Probe(noise.data).choose().best.penalty, 10 * Probe(signal.data).choose().best.penalty);
}

TEST(Probe, TwoPicturesAreTooFewToChooseBy) {
  Drawn drawn(3, {2.0});
  drawn.data.fits = drawn.data.answers = {{Fit::squash}};
  const ProbeChoice choice = Probe(drawn.data).choose();
  EXPECT_EQ(choice.folds, 0);
  EXPECT_THAT(choice.text(), HasSubstr("too few pictures"));
  EXPECT_EQ(Probe(drawn.data).solve(choice.best.penalty).bias.size(), 3u);
}

TEST(Probe, AChoiceIsReadBackFromItsText) {
  Drawn drawn(30, {1.0, 2.0});
  drawn.data.fits = {{Fit::squash}, {Fit::squash, Fit::pad}};
  drawn.data.answers = {{Fit::squash, Fit::pad}};
  drawn.data.mirrored = Choice::automatic;
  const ProbeChoice choice = Probe(drawn.data).choose();
  EXPECT_EQ(probe_json(probe_of(probe_json(choice))), probe_json(choice));
}

class SolvedRun : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_probe_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    draw_pictures(folder_ / "pictures", 11);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(const char* out, Recipe recipe = Recipe::probe) const {
    TrainOptions options;
    options.recipe = recipe;
    options.data.test = 0.2;
    options.run.seed = 5;
    options.run.out = (folder_ / out).string();
    options.run.report = false;
    return options;
  }
  SmallRun run(const TrainOptions& options) const { return run_small(folder_ / "pictures", options); }
  std::string model(const char* out) const { return bytes_of(folder_ / out / "model.safetensors"); }

  fs::path folder_;
};

TEST_F(SolvedRun, LearnsAndSaysWhatWasChosen) {
  TrainOptions own = options("run");
  std::string notes;
  own.run.note = [&](const std::string& text) { notes += text + "\n"; };
  const SmallRun done = run(own);
  EXPECT_GE(done.result.test.accuracy, 0.8);
  EXPECT_EQ(done.result.epochs, 2);  // head, refit
  EXPECT_THAT(notes,
              AllOf(HasSubstr("head solved on 21 pictures, C "), HasSubstr("5-fold cross validation"), HasSubstr("refit solved on 27")));
  const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "run/metrics.json"));
  const ProbeChoice choice = probe_of(metrics.at("probe"));
  EXPECT_EQ(choice.fits, (std::vector<Fits>{{Fit::squash}, {Fit::pad}}));
  EXPECT_EQ(choice.best.fits, Fits{Fit::squash});
  for (const ProbeTrial& trial : choice.trials) EXPECT_EQ(trial.fits.size(), 1u);  // square pictures have no second shape
  EXPECT_EQ(done.network->preprocessing().mirrored, choice.best.mirrored);
  EXPECT_TRUE(metrics.at("phases")[0].at("solved").get<bool>());
}

// What does not fit into the limit lies in files without a name, changes no bit and leaves nothing.
TEST_F(SolvedRun, NoLimitOfMemoryChangesABit) {
  TrainOptions own = options("held");
  run(own);
  own.run.out = (folder_ / "spilled").string();
  own.data.feature_cache_bytes = 0;
  run(own);
  EXPECT_EQ(model("held"), model("spilled"));
  const auto names = [&](const char* out) {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_ / out)) found.insert(entry.path().filename().string());
    return found;
  };
  EXPECT_EQ(names("held"), names("spilled"));
}

TEST_F(SolvedRun, TheSameBitsAgainAndAfterAnInterruption) {
  TrainOptions own = options("whole");
  own.views.fit_by_validation = true;
  run(own);
  run(own);
  const std::string whole = model("whole");
  own.run.out = (folder_ / "again").string();
  run(own);
  EXPECT_EQ(whole, model("again"));
  // Stopped at every call: while the features of the first phase are computed, and of the second.
  for (int stop = 1; stop < 20; ++stop) {
    fs::remove_all(folder_ / "pieces");
    TrainOptions pieces = own;
    pieces.run.out = (folder_ / "pieces").string();
    pieces.run.progress = [calls = 0, stop](const TrainProgress&) mutable { return ++calls != stop; };
    const bool interrupted = run(pieces).result.interrupted;
    pieces.run.resume = true;
    pieces.run.progress = nullptr;
    if (interrupted) run(pieces);
    EXPECT_EQ(whole, model("pieces")) << stop;
  }
}

TEST_F(SolvedRun, TheModelAnswersAsItWasMeasured) {
  for (const Choice mirrored : {Choice::on, Choice::off}) {
    TrainOptions own = options("run");
    own.views.mirrored = mirrored;
    const SmallRun done = run(own);
    const auto file = weights::read_model_file(folder_ / "run/model.safetensors");
    EXPECT_EQ(file.preprocessing.mirrored, mirrored == Choice::on);
    engine::Session session(done.network, cpu::cpu_backend());
    const Data data = load_data(find_pictures((folder_ / "pictures").string()), own, done.network->preprocessing(), true);
    const Evaluation test = evaluate(*done.network, session, {data.splits.test.samples, file.preprocessing, nullptr, false});
    EXPECT_DOUBLE_EQ(test.score.accuracy, done.result.test.accuracy);
    const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "run/metrics.json"));
    EXPECT_DOUBLE_EQ(metrics.at("test").at("loss").get<double>(), test.loss);
  }
}

// Pictures twice as high as wide: each shape shows something else.
TEST_F(SolvedRun, AnswersInTwoShapesAreStoredAndMeasured) {
  fs::remove_all(folder_ / "pictures");
  draw_pictures(folder_ / "pictures", 11, 2 * kPictureSize);
  for (const Recipe recipe : {Recipe::probe, Recipe::full}) {
    TrainOptions own = options("run", recipe);
    own.views.fit = Fit::squash;
    own.views.second_fit = Fit::pad;
    if (recipe == Recipe::full) own.optimizer.epochs = 2, own.freeze = "stage";
    const SmallRun done = run(own);
    const auto file = weights::read_model_file(folder_ / "run/model.safetensors");
    EXPECT_EQ(file.preprocessing.fit, Fit::squash);
    EXPECT_EQ(file.preprocessing.second_fit, Fit::pad);
    const Data data = load_data(find_pictures((folder_ / "pictures").string()), own, done.network->preprocessing(), true);
    const auto loss = [&](const Preprocessing& preprocessing) {
      engine::Session session(done.network, cpu::cpu_backend());
      return evaluate(*done.network, session, {data.splits.test.samples, preprocessing, nullptr, false}).loss;
    };
    const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "run/metrics.json"));
    EXPECT_DOUBLE_EQ(metrics.at("test").at("loss").get<double>(), loss(file.preprocessing));
    for (const Fit fit : {Fit::squash, Fit::pad}) {
      Preprocessing one = file.preprocessing;
      set_fits(one, std::vector{fit});
      EXPECT_NE(loss(one), loss(file.preprocessing)) << to_string(fit);
    }
    fs::remove_all(folder_ / "run");
  }
}

TEST_F(SolvedRun, TwoShapesAreTriedUnlessOneIsAskedFor) {
  fs::remove_all(folder_ / "pictures");
  draw_pictures(folder_ / "pictures", 11, 2 * kPictureSize);
  const auto tried = [&](const TrainOptions& own) {
    run(own);
    const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "run/metrics.json"));
    const ProbeChoice choice = probe_of(metrics.at("probe"));
    const auto file = weights::read_model_file(folder_ / "run/model.safetensors");
    EXPECT_EQ(fits_of(file.preprocessing), choice.best.fits);
    fs::remove_all(folder_ / "run");
    return std::ranges::any_of(choice.trials, [](const ProbeTrial& trial) { return trial.fits.size() == 2; });
  };
  TrainOptions own = options("run");
  EXPECT_TRUE(tried(own));
  own.views.fit = Fit::squash;
  EXPECT_FALSE(tried(own));
  own.views.fit = {};
  own.views.mirrored = Choice::off;
  EXPECT_FALSE(tried(own));
  own.views.mirrored = Choice::automatic;
  own.views.fit_by_validation = true;
  EXPECT_TRUE(tried(own));
}

TEST_F(SolvedRun, FinetuneBeginsWithIt) {
  TrainOptions own = options("run", Recipe::finetune);
  own.optimizer.epochs = 1;
  std::string notes;
  own.run.note = [&](const std::string& text) { notes += text + "\n"; };
  run(own);
  EXPECT_THAT(notes, AllOf(HasSubstr("head solved on"), HasSubstr("all epoch 1 of 1")));
}

TEST_F(SolvedRun, AutomaticTriesFinetuneAndSaysWhatCameOfIt) {
  draw_pictures(folder_ / "pictures", 24);
  TrainOptions own = options("whole", Recipe::automatic);
  std::string notes;
  own.run.note = [&](const std::string& text) { notes += text + "\n"; };
  const SmallRun done = run(own);
  EXPECT_EQ(done.result.recipe, "probe");  // it tells the colours apart already, and nothing is better than that
  EXPECT_THAT(notes, AllOf(HasSubstr("head solved on"), HasSubstr("all epoch 1 of 6"), HasSubstr("probe kept: probe"),
                           HasSubstr("refit solved on")));
  EXPECT_THAT(done.result.reason, AllOf(HasSubstr("training pictures"), HasSubstr("standard error")));
  own.recipe = Recipe::probe;
  own.run.out = (folder_ / "probe").string();
  const SmallRun probe = run(own);
  for (const auto& [name, tensor] : done.network->state_dict())
    EXPECT_EQ(std::memcmp(probe.network->state_dict().find(name)->raw(), tensor.raw(), tensor.bytes()), 0) << name;

  own.recipe = Recipe::automatic;
  for (int every : {9, 14}) {
    fs::remove_all(folder_ / "pieces");
    own.run.out = (folder_ / "pieces").string();
    own.run.resume = false;
    for (;;) {
      int calls = 0;
      own.run.progress = [&](const TrainProgress&) { return ++calls < every; };
      if (!run(own).result.interrupted) break;
      own.run.resume = true;
    }
    EXPECT_EQ(model("whole"), model("pieces")) << every;
  }
}

TEST_F(SolvedRun, AFitCannotBeChosenWithoutIt) {
  TrainOptions own = options("run", Recipe::full);
  own.views.fit_by_validation = true;
  try {
    run(own);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("full"), HasSubstr("squash")));
  }
}

TEST_F(SolvedRun, RunsOnTheSamePicturesShareFeatures) {
  TrainOptions own = options("run");
  own.run.out = {};
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = kPictureSize;
  preprocessing.fit = Fit::squash;
  const auto features = std::make_shared<FeatureStore>();
  std::vector<int> batches;
  std::vector<std::string> bits;
  for (const uint64_t seed : {5u, 6u, 5u}) {
    own.run.seed = seed;
    int computed = 0;
    own.run.progress = [&](const TrainProgress& at) { return computed += at.phase == "features", true; };
    const Data data = load_data(find_pictures((folder_ / "pictures").string()), own, preprocessing, true);
    const Facts facts{static_cast<int64_t>(data.splits.train.samples.size()), static_cast<int64_t>(data.splits.validation.samples.size())};
    const auto network =
        std::make_shared<engine::Network>(small_variant(), engine::NetworkForm{data.splits.train.classes}, preprocessing, 7);
    Trainer({network, cpu::cpu_backend(), own, data, make_plan(own, facts), nullptr, {}, features}).run();
    batches.push_back(computed);
    const Tensor weight = network->store()->get("fc.weight");
    bits.emplace_back(static_cast<const char*>(weight.raw()), weight.bytes());
  }
  EXPECT_GT(batches[0], 0);
  EXPECT_LT(batches[1], batches[0]);
  EXPECT_EQ(batches[2], 0);
  EXPECT_EQ(bits[0], bits[2]);
}

}  // namespace
}  // namespace fovea::training
