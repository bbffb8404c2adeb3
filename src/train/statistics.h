// What can be said of a classifier from a number of pictures.
#pragma once

#include <fovea/train.h>

#include <optional>
#include <span>
#include <vector>

namespace fovea::training {

struct Interval {
  double low = 0, high = 0;
};

// 95 % confidence interval of a share, from `correct` of `pictures`: Wilson 1927, "Probable inference, the law of succession, and
// statistical inference". Of no picture: everything, 0 to 1.
Interval wilson_interval(int64_t correct, int64_t pictures);

// How far probabilities can be taken at their word: pictures by the probability of what was predicted, in ten bins of equal width.
struct Calibration {
  struct Bin {
    double low = 0, high = 0;  // above low, up to and with high; the first with 0 too
    int64_t pictures = 0;
    double confidence = 0, accuracy = 0;  // means
  };
  std::vector<Bin> bins;
  double expected_error = 0;  // expected calibration error: mean over the pictures of |confidence - accuracy| of their bins (Guo et al.
                              // 2017, arXiv:1706.04599)
};
Calibration calibration_of(std::span<const Outcome> outcomes);

// The class that a picture was wrongly taken for, or, where it may have several labels, the surest of its wrong answers and how sure it
// was. Empty: all is right.
struct WrongAnswer {
  int64_t class_index = 0;
  double confidence = 0;
};
std::optional<WrongAnswer> wrong_answer(const Outcome& outcome, std::span<const double> thresholds = {});

// Positions of the pictures with a wrong answer, the surest first, at most `most`; equally sure ones in their order.
std::vector<size_t> worst_mistakes(std::span<const Outcome> outcomes, size_t most, std::span<const double> thresholds = {});

}  // namespace fovea::training
