// Logistic regression with an L2 penalty, solved to convergence: softmax over the classes, or one binary regression a class.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/spill.h"

namespace fovea::training {

enum class Likelihood { softmax, binary };

// Gives rows from `begin` on; what it gives is valid until the next call. Never asked for more than kRowsAtOnce.
using RowSource = std::function<std::span<const float>(int64_t begin, int64_t count)>;
// Rows are taken so many at a time, whatever memory there is, so that the limit of a Spill changes no bit.
constexpr int64_t kRowsAtOnce = 4096;
// A source of rows [.., width] that lie in memory.
RowSource rows_in(std::span<const float> values, int64_t width);

struct LogisticData {
  int64_t rows = 0, width = 0, classes = 0;
  RowSource features;               // [rows, width]
  RowSource targets;                // [rows, classes]: softmax: shares of one; binary: each from 0 to 1
  std::span<const double> weights;  // [rows]: how much a row counts; empty: all alike
  Likelihood likelihood = Likelihood::softmax;
};

// Minimizes over W [classes, width] and b [classes]
//   sum_i w_i loss_i / sum_i w_i + lambda / 2 |W|^2,   loss_i: cross entropy of row i; b is not penalized.
// scikit-learn's C is 1 / (lambda rows).
//
// The solution lies in the span of the centred rows, so all is solved in their principal coordinates, at most min(rows, width) of them,
// which is exact. In these the curvature is nearly diagonal and known, so that L-BFGS needs tens of steps. One decomposition serves every
// lambda and every subset of the rows.
class LogisticRegression {
 public:
  // What it keeps by row, and what `solve` works on, comes from `spill`. The data's sources are not asked later on.
  explicit LogisticRegression(const LogisticData& data, Spill spill = {});

  int64_t rank() const { return rank_; }
  // Mean over the rows of |x - mean|^2: the size that a lambda is to be compared with.
  double mean_square() const { return mean_square_; }

  struct Solution {
    std::vector<double> values;  // [rank + 1, classes] in principal coordinates, the intercepts last
    double loss = 0;             // the minimum, penalty included
    int64_t steps = 0;
  };
  struct Subset {
    std::span<const int64_t> rows = {};  // ascending; empty: all
    double tolerance = 1e-6;             // length of the gradient beside that of the solution
    const Solution* start = nullptr;     // of another lambda; null: from zero
  };
  // Throws Error(internal) where no minimum is found.
  Solution solve(double lambda, const Subset& subset) const;

  // Principal coordinates [rows, rank] of any rows [rows, width].
  SpillArray<double> coordinates(int64_t rows, const RowSource& features) const;
  // Gives the logits [classes] of a row of principal coordinates.
  void logits(const Solution& solution, std::span<const double> coordinates, std::span<double> result) const;

  struct Linear {
    std::vector<double> weight, bias;  // [classes, width], [classes]
  };
  Linear linear(const Solution& solution) const;

 private:
  Spill spill_;
  int64_t count_, width_, classes_, rank_ = 0;
  Likelihood likelihood_;
  double mean_square_ = 0;
  std::vector<double> mean_;     // [width]
  std::vector<double> axes_;     // [rank, width], of length 1
  std::vector<double> squares_;  // [rank]: mean square of the rows along an axis
  SpillArray<double> rows_;      // [rows, rank]
  SpillArray<float> targets_;    // [rows, classes]
  std::vector<double> weights_;  // [rows]
};

// loss of one row and, in place of the logits, its gradient.
double logistic_loss(Likelihood likelihood, std::span<double> logits, std::span<const double> targets);

}  // namespace fovea::training
