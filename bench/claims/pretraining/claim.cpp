// Published weights against new ones on few pictures: He et al. 2018, arXiv:1811.08883, figure 1; Kornblith et al. 2018, arXiv:1805.08974.
#include "support/claim.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <utility>

namespace {

using namespace claims;
namespace fs = std::filesystem;

constexpr const char* kNetwork = "tf_efficientnet_lite0";
constexpr int64_t kSize = 96, kEpochs = 16, kBatch = 8, kAll = 1000;
constexpr double kScratchRate = 0.02, kPretrainedRate = 0.01;  // chosen from a few on a seed of its own

// A folder of links, train/CLASS and val/CLASS, for as long as it lives: training tells after each epoch how many pictures of val it knows.
class Folder {
 public:
  Folder(const std::vector<std::string>& train, const std::vector<std::string>& test) {
    path_ = fs::temp_directory_path() / ("fovea-claim-" + std::to_string(std::random_device{}()));
    link(train, "train");
    link(test, "val");
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  void link(const std::vector<std::string>& files, const char* part) const {
    for (const std::string& file : files) {
      const fs::path from = fs::absolute(file), to = path_ / part / from.parent_path().filename();
      fs::create_directories(to);
      fs::create_symlink(from, to / from.filename());
    }
  }

  fs::path path_;
};

double test_accuracy(const fovea::EpochRow& epoch) {
  if (!epoch.validation_accuracy) throw std::runtime_error("an epoch without an accuracy of the test pictures");
  return *epoch.validation_accuracy;
}

// The first epoch of which this is true; one more than there are where there is none.
template <class Predicate>
double first_epoch(const std::vector<fovea::EpochRow>& history, Predicate reached) {
  const auto found = std::ranges::find_if(history, reached);
  return static_cast<double>(found - history.begin() + 1);
}

std::vector<fovea::EpochRow> train(const Claim& claim, const Pictures& pictures, const std::string& folder, const std::string& weights,
                                   double rate) {
  fovea::Model model = make_model(kNetwork, pictures, kSize, claim.seed, weights);
  fovea::TrainOptions options = from_scratch(kEpochs, rate, claim.seed);
  options.optimizer.batch_size = kBatch;
  options.augmentation.policy = fovea::Augment::light;
  return fovea::train(model, folder, options).history;
}

// The backbone as it is, a linear head on its features.
void probe(const Claim& claim, const Pictures& pictures, const std::vector<std::string>& some) {
  fovea::Model model = make_model(kNetwork, pictures, kSize, claim.seed, "default");
  fovea::TrainOptions options;
  options.recipe = fovea::Recipe::probe;
  options.data.validation = 0;
  options.augmentation.policy = fovea::Augment::off;
  options.run.seed = claim.seed;
  claim.add("pretrained, head alone", static_cast<double>(some.size()), "test_accuracy",
            fit(model, some, pictures.test, options).test_accuracy);
}

void body(const Claim& claim) {
  const Pictures pictures = stamps(claim);
  for (const int64_t count : {int64_t{2}, int64_t{4}, int64_t{8}, kAll}) {
    const auto some = some_of_each(pictures.train, count, claim.seed);
    const Folder folder(some, pictures.test);
    const auto x = static_cast<double>(some.size());
    const auto scratch = train(claim, pictures, folder.path(), "none", kScratchRate);
    const auto pretrained = train(claim, pictures, folder.path(), "default", kPretrainedRate);
    for (const auto& [series, history] : {std::pair("from scratch", &scratch), std::pair("pretrained", &pretrained)}) {
      const double last = test_accuracy(history->back());
      claim.add(series, x, "test_accuracy", last);
      claim.add(series, x, "train_accuracy", history->back().train_accuracy);
      claim.add(series, x, "epochs_to_learn", first_epoch(*history, [](const auto& epoch) { return epoch.train_accuracy >= 0.9; }));
      if (count == kAll)
        for (const fovea::EpochRow& epoch : *history)
          claim.add(series, static_cast<double>(epoch.epoch), "test_accuracy_by_epoch", test_accuracy(epoch));
    }
    probe(claim, pictures, some);
    const double goal = test_accuracy(scratch.back());
    claim.add("pretrained", x, "epochs_to_scratch",
              first_epoch(pretrained, [&](const auto& epoch) { return test_accuracy(epoch) >= goal; }));
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
