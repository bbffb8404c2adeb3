// The probe's head: logistic regression on what the frozen backbone gave. Its penalty, and where that is left open how pictures are fitted
// and whether the mirror image's answer is averaged in, are chosen by cross validation on the training pictures.
#pragma once

#include <fovea/train.h>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "image/folder.h"
#include "train/logistic_regression.h"

namespace fovea::training {

// The ways of fitting a picture whose features are averaged: one, or two.
using Fits = std::vector<Fit>;

constexpr size_t kFits = 3;
static_assert(static_cast<size_t>(Fit::squash) + 1 == kFits);

struct ProbePicture {
  // Features by Fit; none of mirror images where they were not computed.
  std::array<std::span<const float>, kFits> plain, mirrored;
  double weight = 1;  // in the loss

  std::span<const float> row(Fit fit, bool of_mirror_image) const { return (of_mirror_image ? mirrored : plain)[static_cast<size_t>(fit)]; }
};

struct ProbeData {
  int64_t width = 0, classes = 0;
  Likelihood likelihood = Likelihood::softmax;
  // Every picture trains once by each of these: a second way of fitting is an augmentation that costs one more pass.
  std::vector<Fits> fits;
  std::vector<Fits> answers;      // of these, the ones that may be chosen
  bool train_on_mirrored = true;  // on the mean of the features of picture and mirror image
  Choice mirrored = Choice::off;  // whether the mean answers, too; automatic: where that has the lower loss
  std::vector<ProbePicture> pictures;
  SpillArray<float> targets;     // [pictures, classes]
  std::vector<int64_t> fold_of;  // by picture: when it is held out; empty: there are too few to choose by
  Spill spill;                   // of what the probe keeps of the pictures
  std::function<void()> let_go;  // called when a stretch of features was read; may be empty

  std::span<const float> targets_of(int64_t picture) const { return targets.part(picture * classes, classes); }
};

// How one way of asking did on the pictures that were held out.
struct ProbeTrial {
  Fits fits = {Fit::squash};
  bool mirrored = false;
  double penalty = 0;  // lambda / 2 |W|^2 with lambda = penalty times the mean square length of the standardized features
  double accuracy = 0, loss = 0;
};
bool better(const ProbeTrial& a,
            const ProbeTrial& b);  // By the loss: of few pictures the accuracy moves in steps of a percent, and by luck.

struct ProbeChoice {
  ProbeTrial best;
  std::vector<ProbeTrial> trials;  // the best penalty's of each way of asking
  std::vector<ProbeTrial> curve;   // of the best way of asking: every penalty tried, the strongest first
  std::vector<Fits> fits;          // that train
  int64_t folds = 0;               // 0: too few pictures to hold any out
  double c = 0;                    // the penalty as scikit-learn's C, on standardized features
  std::string text() const;        // one line
};

// A head on plain features.
struct ProbeHead {
  std::vector<float> weight, bias;  // [classes, width], [classes]
  int64_t steps = 0;                // of L-BFGS
};

class Standardization;

class Probe {
 public:
  explicit Probe(ProbeData data);
  ~Probe();
  Probe(Probe&&) noexcept;

  ProbeChoice choose() const;
  // The head for this penalty, on all pictures.
  ProbeHead solve(double penalty) const;

 private:
  void hold_out(int64_t fold, double penalty, std::vector<LogisticRegression::Solution>& starts, std::vector<ProbeTrial>& trials) const;
  void standardize();
  // Rows [pictures, ways.size(), width] of standardized features: the mean over the fits of a way, and over picture and mirror image.
  RowSource rows_of(const std::vector<Fits>& ways, bool mirrored) const;

  ProbeData data_;
  std::unique_ptr<Standardization> standardization_;
  std::vector<double> weights_;
  std::unique_ptr<LogisticRegression> regression_;
  struct Asked {  // a way of asking: the place of every picture
    ProbeTrial trial;
    SpillArray<double> places;  // [pictures, rank]
  };
  std::vector<Asked> asked_;
};

// A fold for each picture, so that those of a class are spread evenly and those of one group stay together (groups: as training::groups_of
// has them); empty where the pictures are too few.
std::vector<int64_t> deal_folds(const image::Dataset& pictures, std::span<const int64_t> groups, uint64_t seed);

}  // namespace fovea::training
