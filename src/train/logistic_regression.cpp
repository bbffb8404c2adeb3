#include "train/logistic_regression.h"

#include <lbfgs.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "base/eigenvectors.h"
#include "base/error.h"
#include "base/parallel.h"

namespace fovea::training {
namespace {

using Matrix = RowMajorMatrix;
using Vector = Eigen::VectorXd;
using View = Eigen::Map<Matrix>;
using ConstView = Eigen::Map<const Matrix>;

ConstView view(std::span<const double> values, int64_t rows, int64_t columns) { return {values.data(), rows, columns}; }
ConstView view(const Matrix& matrix) { return {matrix.data(), matrix.rows(), matrix.cols()}; }

// result = a b, or with `add` result += a b, the rows of `a` shared out among the threads.
void multiply(const ConstView& a, const ConstView& b, View result, bool add = false) {
  constexpr int64_t kGrain = 16;
  parallel_for(a.rows(), kGrain, [&](int64_t begin, int64_t end) {
    auto part = result.middleRows(begin, end - begin);
    const auto factor = a.middleRows(begin, end - begin);
    if (add)
      part.noalias() += factor * b;
    else
      part.noalias() = factor * b;
  });
}

// Calls body(begin, count) for rows [0, rows), kRowsAtOnce at a time.
template <class Body>
void in_stretches(int64_t rows, Body&& body) {
  for (int64_t begin = 0; begin < rows; begin += kRowsAtOnce) body(begin, std::min(kRowsAtOnce, rows - begin));
}

// The rows that L-BFGS works on: features [count, rank], each scaled by its principal coordinate's scale, and targets [count, classes].
struct ObjectiveRows {
  int64_t count, rank, classes;
  SpillArray<double> features, targets;

  ObjectiveRows(const Spill& spill, int64_t rows, int64_t coordinates, int64_t kinds)
      : count(rows), rank(coordinates), classes(kinds), features(spill, rows * coordinates), targets(spill, rows * kinds) {}
  View features_of(int64_t begin, int64_t size) const { return {features.part(begin * rank, size * rank).data(), size, rank}; }
  View targets_of(int64_t begin, int64_t size) const { return {targets.part(begin * classes, size * classes).data(), size, classes}; }
  void let_go(int64_t begin, int64_t size) const {
    features.let_go(begin * rank, size * rank);
    targets.let_go(begin * classes, size * classes);
  }
};

// What L-BFGS sees: in each principal coordinate z the unknown is w / scale, which makes the curvature about the same in all of them.
class Objective {
 public:
  Objective(ObjectiveRows rows, Vector weights, Vector scale, double lambda, Likelihood likelihood)
      : rows_(std::move(rows)), weights_(std::move(weights)), scale_(std::move(scale)), lambda_(lambda), likelihood_(likelihood) {
    weights_ /= weights_.sum();
    // One more thread pays for so many products.
    constexpr int64_t kGrain = int64_t{1} << 19;
    const int64_t parts = std::min<int64_t>(threads(), 1 + rows_.count * rows_.rank * rows_.classes / kGrain);
    parts_.assign(static_cast<size_t>(parts), Part{Matrix(rows_.rank + 1, rows_.classes), 0});
  }

  int64_t unknowns() const { return (rows_.rank + 1) * rows_.classes; }
  const Vector& scale() const { return scale_; }

  double evaluate(const double* values, double* gradient) {
    const int64_t rank = rows_.rank, classes = rows_.classes;
    const ConstView solution(values, rank + 1, classes);
    const auto count = static_cast<int64_t>(parts_.size()), all = rows_.count;
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) add_rows(solution, p * all / count, (p + 1) * all / count, parts_[static_cast<size_t>(p)]);
    });
    View sum(gradient, rank + 1, classes);
    sum = parts_[0].gradient;
    double loss = parts_[0].loss;
    for (size_t p = 1; p < parts_.size(); ++p) {
      sum += parts_[p].gradient;
      loss += parts_[p].loss;
    }
    const auto penalized = (solution.topRows(rank).array().colwise() * scale_.array()).eval();
    sum.topRows(rank).array() += lambda_ * (penalized.colwise() * scale_.array());
    return loss + lambda_ / 2 * penalized.square().sum();
  }

 private:
  struct Part {
    Matrix gradient;
    double loss = 0;
  };

  void add_rows(const ConstView& solution, int64_t begin, int64_t end, Part& part) const {
    part.loss = 0;
    part.gradient.setZero();
    in_stretches(end - begin, [&](int64_t from, int64_t count) { add_stretch(solution, begin + from, count, from == 0, part); });
  }

  void add_stretch(const ConstView& solution, int64_t begin, int64_t count, bool first, Part& part) const {
    const int64_t rank = rows_.rank;
    const auto own = rows_.features_of(begin, count);
    const auto targets = rows_.targets_of(begin, count);
    Matrix residual = own * solution.topRows(rank);
    residual.rowwise() += solution.row(rank);
    for (int64_t i = 0; i < count; ++i) {
      double* row = residual.row(i).data();
      const auto size = static_cast<size_t>(rows_.classes);
      part.loss += weights_[begin + i] * logistic_loss(likelihood_, {row, size}, {targets.row(i).data(), size});
      residual.row(i) *= weights_[begin + i];
    }
    auto gradient = part.gradient.topRows(rank);
    if (first) {
      gradient.noalias() = own.transpose() * residual;
      part.gradient.row(rank) = residual.colwise().sum();
    } else {
      gradient.noalias() += own.transpose() * residual;
      part.gradient.row(rank) += residual.colwise().sum();
    }
    rows_.let_go(begin, count);
  }

  ObjectiveRows rows_;
  Vector weights_, scale_;
  double lambda_;
  Likelihood likelihood_;
  std::vector<Part> parts_;
};

// The library rounds the number of unknowns up to whole vectors and wants its own memory for them.
struct FreeUnknowns {
  void operator()(lbfgsfloatval_t* values) const { lbfgs_free(values); }
};
using Unknowns = std::unique_ptr<lbfgsfloatval_t, FreeUnknowns>;

struct Minimum {
  double loss = 0;
  int steps = 0;
};

Minimum minimize(Objective& objective, lbfgsfloatval_t* values, double tolerance) {
  const auto count = static_cast<int>(objective.unknowns());
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  constexpr int kMemory = 10, kMostSteps = 1000;
  parameters.m = kMemory;
  parameters.epsilon = tolerance;
  parameters.max_iterations = kMostSteps;
  struct Context {
    Objective* objective;
    double length = 0, gradient = 0;
    int steps = 0;
  } context{&objective};
  Minimum minimum;
  const auto evaluate = [](void* own, const lbfgsfloatval_t* x, lbfgsfloatval_t* gradient, const int, const lbfgsfloatval_t) {
    return static_cast<Context*>(own)->objective->evaluate(x, gradient);
  };
  const auto progress = [](void* own, const lbfgsfloatval_t*, const lbfgsfloatval_t*, const lbfgsfloatval_t, const lbfgsfloatval_t length,
                           const lbfgsfloatval_t gradient, const lbfgsfloatval_t, int, int step, int) {
    auto& context = *static_cast<Context*>(own);
    context.length = length;
    context.gradient = gradient;
    context.steps = step;
    return 0;
  };
  const int status = lbfgs(count, values, &minimum.loss, evaluate, progress, &context, &parameters);
  minimum.steps = context.steps;
  // A line search that finds nothing lower ends a solution that is as good as double precision has it.
  constexpr double kGoodEnough = 1e-3;
  const bool good =
      status == LBFGS_SUCCESS || status == LBFGS_ALREADY_MINIMIZED || context.gradient <= kGoodEnough * std::max(1.0, context.length);
  if (!good || !std::isfinite(minimum.loss))
    fail(ErrorKind::internal, "logistic regression ends with {} after {} steps, loss {}, gradient {:.3g}", status, context.steps,
         minimum.loss, context.gradient);
  return minimum;
}

std::vector<double> column_means(const LogisticData& data) {
  std::vector<double> mean(static_cast<size_t>(data.width));
  in_stretches(data.rows, [&](int64_t begin, int64_t count) {
    const std::span<const float> rows = data.features(begin, count);
    for (size_t i = 0; i < rows.size(); i += mean.size())
      for (size_t j = 0; j < mean.size(); ++j) mean[j] += static_cast<double>(rows[i + j]);
  });
  for (double& value : mean) value /= static_cast<double>(data.rows);
  return mean;
}

Matrix centred(std::span<const float> features, std::span<const double> mean) {
  const auto width = static_cast<int64_t>(mean.size()), rows = static_cast<int64_t>(features.size()) / width;
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Matrix result = Eigen::Map<const Floats>(features.data(), rows, width).cast<double>();
  result.rowwise() -= Eigen::Map<const Eigen::RowVectorXd>(mean.data(), width);
  return result;
}

}  // namespace

double logistic_loss(Likelihood likelihood, std::span<double> logits, std::span<const double> targets) {
  double loss = 0;
  if (likelihood == Likelihood::binary) {
    for (size_t k = 0; k < logits.size(); ++k) {
      const double x = logits[k], away = std::exp(-std::abs(x));
      loss += std::max(x, 0.0) - x * targets[k] + std::log1p(away);
      logits[k] = (x >= 0 ? 1 / (1 + away) : away / (1 + away)) - targets[k];
    }
    return loss;
  }
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0, share = 0;
  for (size_t k = 0; k < logits.size(); ++k) {
    share += targets[k];
    loss -= targets[k] * (logits[k] - most);
    logits[k] = std::exp(logits[k] - most);
    sum += logits[k];
  }
  for (size_t k = 0; k < logits.size(); ++k) logits[k] = share * logits[k] / sum - targets[k];
  return loss + share * std::log(sum);
}

RowSource rows_in(std::span<const float> values, int64_t width) {
  return
      [=](int64_t begin, int64_t count) { return values.subspan(static_cast<size_t>(begin * width), static_cast<size_t>(count * width)); };
}

LogisticRegression::LogisticRegression(const LogisticData& data, Spill spill)
    : spill_(std::move(spill)),
      count_(data.rows),
      width_(data.width),
      classes_(data.classes),
      likelihood_(data.likelihood),
      mean_(column_means(data)),
      targets_(spill_, data.rows * data.classes) {
  in_stretches(count_, [&](int64_t begin, int64_t count) {
    std::ranges::copy(data.targets(begin, count), targets_.part(begin * classes_, count * classes_).begin());
    targets_.let_go(begin * classes_, count * classes_);
  });
  weights_.assign(data.weights.begin(), data.weights.end());
  if (weights_.empty()) weights_.assign(static_cast<size_t>(data.rows), 1.0);

  const bool few = data.rows <= data.width;
  Matrix all(few ? data.rows : 0, data.width);  // centred, where they are few
  Matrix products = Matrix::Zero(few ? data.rows : data.width, few ? data.rows : data.width);
  View into(products.data(), products.rows(), products.cols());
  in_stretches(count_, [&](int64_t begin, int64_t count) {
    const Matrix x = centred(data.features(begin, count), mean_);
    if (few) {
      all.middleRows(begin, count) = x;
      return;
    }
    const Matrix transposed = x.transpose();
    multiply(view(transposed), view(x), into, begin > 0);
  });
  if (few) {
    const Matrix transposed = all.transpose();
    multiply(view(all), view(transposed), into);
  }
  const Eigenvectors eigen = eigenvectors(products);

  // Eigen sorts ascending, the coordinates descend; directions that rounding alone made are left out.
  constexpr double kRounding = 1e-11;
  const Vector& values = eigen.values;
  const int64_t size = products.rows();
  const double largest = std::max(values[size - 1], 0.0);
  while (rank_ < size && values[size - 1 - rank_] > kRounding * largest) ++rank_;
  axes_.resize(static_cast<size_t>(rank_ * width_));
  squares_.resize(static_cast<size_t>(rank_));
  for (int64_t j = 0; j < rank_; ++j) squares_[static_cast<size_t>(j)] = values[size - 1 - j] / static_cast<double>(data.rows);
  const Matrix leading = eigen.vectors.rightCols(rank_).rowwise().reverse().transpose();
  View axes(axes_.data(), rank_, width_);
  if (few) {
    multiply({leading.data(), rank_, data.rows}, view(all), axes);
    for (int64_t j = 0; j < rank_; ++j) axes.row(j) /= std::sqrt(values[size - 1 - j]);
  } else {
    axes = leading;
  }
  mean_square_ = std::accumulate(squares_.begin(), squares_.end(), 0.0);
  rows_ = coordinates(count_, data.features);
}

SpillArray<double> LogisticRegression::coordinates(int64_t rows, const RowSource& features) const {
  const Matrix turned = view(axes_, rank_, width_).transpose();
  SpillArray<double> result(spill_, rows * rank_);
  in_stretches(rows, [&](int64_t begin, int64_t count) {
    const Matrix x = centred(features(begin, count), mean_);
    multiply(view(x), view(turned), {result.part(begin * rank_, count * rank_).data(), count, rank_});
    result.let_go(begin * rank_, count * rank_);
  });
  return result;
}

LogisticRegression::Solution LogisticRegression::solve(double lambda, const Subset& subset) const {
  std::vector<int64_t> all;
  std::span<const int64_t> chosen = subset.rows;
  if (chosen.empty()) {
    all.resize(weights_.size());
    std::iota(all.begin(), all.end(), int64_t{0});
    chosen = all;
  }
  const auto count = static_cast<int64_t>(chosen.size());
  constexpr double kCurvature = 0.25;  // of a cross entropy along a logit, at most
  const Vector scale = (kCurvature * Eigen::Map<const Vector>(squares_.data(), rank_).array() + lambda).sqrt().inverse();
  ObjectiveRows rows(spill_, count, rank_, classes_);
  Vector weights(count);
  in_stretches(count, [&](int64_t begin, int64_t size) {
    View features = rows.features_of(begin, size), targets = rows.targets_of(begin, size);
    for (int64_t i = 0; i < size; ++i) {
      const int64_t row = chosen[static_cast<size_t>(begin + i)];
      std::ranges::copy(rows_.part(row * rank_, rank_), features.row(i).data());
      std::ranges::copy(targets_.part(row * classes_, classes_), targets.row(i).data());
      weights[begin + i] = weights_[static_cast<size_t>(row)];
    }
    features.array().rowwise() *= scale.transpose().array();
    rows.let_go(begin, size);
    const int64_t first = chosen[static_cast<size_t>(begin)], rest = chosen[static_cast<size_t>(begin + size - 1)] + 1 - first;
    rows_.let_go(first * rank_, rest * rank_);
    targets_.let_go(first * classes_, rest * classes_);
  });
  Objective objective(std::move(rows), std::move(weights), scale, lambda, likelihood_);

  const auto unknowns = static_cast<size_t>(objective.unknowns());
  const Unknowns x(lbfgs_malloc(static_cast<int>(unknowns)));
  if (!x) throw std::bad_alloc();
  View solution(x.get(), rank_ + 1, classes_);
  if (subset.start) {
    solution = view(subset.start->values, rank_ + 1, classes_);
    solution.topRows(rank_).array().colwise() /= scale.array();
  } else {
    solution.setZero();
  }
  const Minimum minimum = minimize(objective, x.get(), subset.tolerance);
  solution.topRows(rank_).array().colwise() *= scale.array();
  return {{x.get(), x.get() + unknowns}, minimum.loss, minimum.steps};
}

void LogisticRegression::logits(const Solution& solution, std::span<const double> coordinates, std::span<double> result) const {
  const auto values = view(solution.values, rank_ + 1, classes_);
  const Eigen::Map<const Eigen::RowVectorXd> row(coordinates.data(), rank_);
  Eigen::Map<Eigen::RowVectorXd>(result.data(), classes_) = row * values.topRows(rank_) + values.row(rank_);
}

LogisticRegression::Linear LogisticRegression::linear(const Solution& solution) const {
  const auto values = view(solution.values, rank_ + 1, classes_);
  Linear linear{std::vector<double>(static_cast<size_t>(classes_ * width_)), std::vector<double>(static_cast<size_t>(classes_))};
  View weight(linear.weight.data(), classes_, width_);
  weight.noalias() = values.topRows(rank_).transpose() * view(axes_, rank_, width_);
  Eigen::Map<Vector>(linear.bias.data(), classes_) =
      values.row(rank_).transpose() - weight * Eigen::Map<const Vector>(mean_.data(), width_);
  return linear;
}

}  // namespace fovea::training
