// Group normalization and global response normalization: statistics of a picture, made of sums by channel over its pixels. Pictures are cut
// into parts, by their pixels alone, so that sums depend neither on the threads nor on the pictures beside: float inside blocks of rows,
// double between them.
#include <algorithm>
#include <cmath>

#include "backends/cpu/candidates.h"
#include "backends/cpu/moments.h"
#include "backends/cpu/simd.h"
#include "ops/global_response_norm.h"
#include "ops/group_norm.h"

namespace fovea::cpu {
namespace {

// The pictures of a value, and for each of them in the workspace: two sums by channel for every part, and vectors of floats.
class Pictures {
 public:
  Pictures(const Shape& x, int64_t vectors) : count(x.batch()), channels(x.channels()), pixels(x.height() * x.width()), vectors_(vectors) {
    constexpr int64_t kPixelsOfAPart = 64, kMostParts = 8;
    const int64_t workers = threads();
    parts_ = std::clamp<int64_t>(pixels / kPixelsOfAPart, 1, kMostParts);
    whole_ = parts_ == 1 || count % workers == 0 || count >= 4 * workers;
  }

  size_t workspace_bytes() const { return bytes_each() * static_cast<size_t>(count); }
  float* vector(const Bound& bound, int64_t n, int64_t i) const {
    return bound.scratch<float>(static_cast<size_t>(n) * bytes_each() + part_bytes() * static_cast<size_t>(parts_)) + i * channels;
  }
  simd::ColumnSums sums(const Bound& bound, int64_t n, int64_t part = 0) const {
    auto* const first = bound.scratch<double>(static_cast<size_t>(n) * bytes_each() + static_cast<size_t>(part) * part_bytes());
    return {first, first + channels, reinterpret_cast<float*>(first + 2 * channels)};
  }

  // For every picture n: prepare(n), then sum(first row, rows, sums) over its rows, then finish(n, sums of all), then apply(n, first row,
  // rows). Rows are counted over all pictures.
  template <class Prepare, class Sum, class Finish, class Apply>
  void run(const Bound& bound, const Prepare& prepare, const Sum& sum, const Finish& finish, const Apply& apply) const {
    const auto reduce = [&](int64_t n, int64_t part) {
      const simd::ColumnSums into = sums(bound, n, part);
      std::fill_n(into.first, 2 * channels, 0.0);
      sum(n, first_row(n, part), first_row(n, part + 1) - first_row(n, part), into);
    };
    const auto complete = [&](int64_t n) {
      const simd::ColumnSums all = sums(bound, n);
      for (int64_t part = 1; part < parts_; ++part)
        for (int64_t i = 0; i < 2 * channels; ++i) all.first[i] += sums(bound, n, part).first[i];
      finish(n, all);
    };
    const auto write = [&](int64_t n, int64_t part) { apply(n, first_row(n, part), first_row(n, part + 1) - first_row(n, part)); };
    if (whole_) {  // a picture may be in the cache still
      each(count, [&](int64_t n) {
        prepare(n);
        for (int64_t part = 0; part < parts_; ++part) reduce(n, part);
        complete(n);
        for (int64_t part = 0; part < parts_; ++part) write(n, part);
      });
      return;
    }
    each(count, prepare);
    each(count * parts_, [&](int64_t i) { reduce(i / parts_, i % parts_); });
    each(count, complete);
    each(count * parts_, [&](int64_t i) { write(i / parts_, i % parts_); });
  }

  const int64_t count, channels, pixels;

 private:
  template <class Body>
  static void each(int64_t count, const Body& body) {
    parallel_kernel(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  }
  int64_t first_row(int64_t n, int64_t part) const { return n * pixels + pixels * part / parts_; }
  size_t part_bytes() const { return align64(2 * static_cast<size_t>(channels) * (sizeof(double) + sizeof(float))); }
  size_t bytes_each() const {
    return part_bytes() * static_cast<size_t>(parts_) + align64(static_cast<size_t>(vectors_ * channels) * sizeof(float));
  }

  int64_t vectors_, parts_;
  bool whole_;  // pictures go through a thread one by one, as there are enough of them
};

constexpr auto nothing = [](int64_t) {};

}  // namespace

Planned plan_group_norm(const Request& request) {
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  const GroupNorm op = *request.op.as<GroupNorm>();
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const Rows mean_rows = rows_of(request.outputs[1]), inv_std_rows = rows_of(request.outputs[2]);
  const Pictures pictures(request.inputs[0].type.shape, 4);
  const int64_t width = x.channels / op.groups;
  const auto pixels = static_cast<double>(pictures.pixels);
  return accept(pictures.workspace_bytes(), [=](const Bound& bound) {
    const auto vector = [&](int64_t n, int64_t i) { return pictures.vector(bound, n, i); };  // shift, mean, scale, offset
    const auto shift = [&](int64_t n) {
      sample_means(bound.in(0) + n * pictures.pixels * x.stride, pictures.pixels, x.stride, x.channels, vector(n, 0));
    };
    const auto sum = [&](int64_t n, int64_t row, int64_t rows, const simd::ColumnSums& sums) {
      simd::column_moments(bound.in(0) + row * x.stride, rows, x.stride, x.channels, vector(n, 0), sums);
    };
    const auto finish = [&](int64_t n, const simd::ColumnSums& sums) {
      for (int64_t group = 0; group < op.groups; ++group) {
        const int64_t begin = group * width, end = begin + width;
        const float* const shift = vector(n, 0);
        double mean = 0, squares = 0;
        for (int64_t c = begin; c < end; ++c) mean += (shift[c] + sums.first[c] / pixels) / static_cast<double>(width);
        // About the group's mean: about the channel's, and what lies between the two.
        for (int64_t c = begin; c < end; ++c) {
          const double moved = sums.first[c] / pixels, between = shift[c] + moved - mean;
          squares += std::max(0.0, sums.second[c] / pixels - moved * moved) + between * between;
        }
        const double inv_std = 1 / std::sqrt(squares / static_cast<double>(width) + op.eps);
        for (int64_t c = begin; c < end; ++c) {
          const double scale = bound.in(1)[c] * inv_std;
          vector(n, 1)[c] = static_cast<float>(mean);
          vector(n, 2)[c] = static_cast<float>(scale);
          vector(n, 3)[c] = static_cast<float>(bound.in(2)[c] - (mean - vector(n, 1)[c]) * scale);  // what rounding the mean lost
        }
        if (bound.outputs[1]) bound.out(1)[n * mean_rows.stride + group] = static_cast<float>(mean);
        if (bound.outputs[2]) bound.out(2)[n * inv_std_rows.stride + group] = static_cast<float>(inv_std);
      }
    };
    pictures.run(bound, shift, sum, finish, [&](int64_t n, int64_t row, int64_t rows) {
      if (!bound.outputs[0]) return;
      const simd::Normalize pass{
          ActivationKind::identity, vector(n, 1), vector(n, 2), vector(n, 3), bound.in(0), Source(), bound.out(0), x.stride, 0, y.stride};
      simd::normalize(pass, row, rows, x.channels);
    });
  });
}

Planned plan_group_norm_grad(const Request& request) {
  if (!has_pixels(request.inputs[1])) return refuse("{} has nothing to normalize", to_string(request.inputs[1].type));
  const int64_t groups = request.op.as<GroupNormGrad>()->groups;
  const Rows dy = rows_of(request.inputs[0]), x = rows_of(request.inputs[1]), dx = rows_of(request.outputs[0]);
  const Rows mean_rows = rows_of(request.inputs[3]), inv_std_rows = rows_of(request.inputs[4]);
  const Pictures pictures(request.inputs[1].type.shape, 4);
  const int64_t width = x.channels / groups;
  const auto elements = static_cast<double>(pictures.pixels * width);
  return accept(pictures.workspace_bytes(), [=](const Bound& bound) {
    const auto vector = [&](int64_t n, int64_t i) { return pictures.vector(bound, n, i); };  // mean, and the a, b, c of NormalizeGrad
    const auto inv_std_of = [&](int64_t n, int64_t group) { return double{bound.in(4)[n * inv_std_rows.stride + group]}; };
    const auto pass_of = [&](int64_t n) {
      simd::NormalizeGrad pass;
      pass.mean = vector(n, 0);
      pass.dy = bound.in(0), pass.dy_stride = dy.stride;
      pass.x = bound.in(1), pass.x_stride = x.stride;
      pass.a = vector(n, 1), pass.b = vector(n, 2), pass.c = vector(n, 3);
      pass.dx = bound.out(0), pass.dx_stride = dx.stride;
      return pass;
    };
    const auto prepare = [&](int64_t n) {
      for (int64_t c = 0; c < x.channels; ++c) vector(n, 0)[c] = bound.in(3)[n * mean_rows.stride + c / width];
    };
    const auto sum = [&](int64_t n, int64_t row, int64_t rows, const simd::ColumnSums& sums) {
      simd::normalize_grad_sums(pass_of(n), row, rows, x.channels, sums);
    };
    const auto finish = [&](int64_t n, const simd::ColumnSums& sums) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t begin = group * width, end = begin + width;
        const double inv_std = inv_std_of(n, group);
        double slope = 0, product = 0;  // the sums of dy gamma and of dy gamma (x - mean)
        for (int64_t c = begin; c < end; ++c) {
          slope += bound.in(2)[c] * sums.first[c];
          product += bound.in(2)[c] * sums.second[c];
        }
        for (int64_t c = begin; c < end; ++c) {
          vector(n, 1)[c] = static_cast<float>(bound.in(2)[c] * inv_std);
          vector(n, 2)[c] = static_cast<float>(inv_std * inv_std * inv_std * product / elements);
          vector(n, 3)[c] = static_cast<float>(inv_std * slope / elements);
        }
      }
    };
    pictures.run(bound, prepare, sum, finish, [&](int64_t n, int64_t row, int64_t rows) {
      if (bound.outputs[0]) simd::normalize_grad_apply(pass_of(n), row, rows, x.channels);
    });
    for (int64_t c = 0; c < x.channels; ++c) {
      double first = 0, second = 0;
      for (int64_t n = 0; n < pictures.count; ++n) {
        first += pictures.sums(bound, n).first[c];
        second += pictures.sums(bound, n).second[c] * inv_std_of(n, c / width);
      }
      if (bound.outputs[1]) bound.out(1)[c] = static_cast<float>(second);
      if (bound.outputs[2]) bound.out(2)[c] = static_cast<float>(first);
    }
  });
}

namespace {

// Of sums of squares by channel: L2 norms in their place. The result is the norms' mean + eps.
double take_norms(double* squares, int64_t channels, double eps) {
  double sum = 0;
  for (int64_t c = 0; c < channels; ++c) sum += squares[c] = std::sqrt(squares[c]);
  return sum / static_cast<double>(channels) + eps;
}

}  // namespace

Planned plan_global_response_norm(const Request& request) {
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  const double eps = request.op.as<GlobalResponseNorm>()->eps;
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const Pictures pictures(request.inputs[0].type.shape, 2);
  return accept(pictures.workspace_bytes(), [=](const Bound& bound) {
    const auto vector = [&](int64_t n, int64_t i) { return pictures.vector(bound, n, i); };  // zero, scale
    const auto prepare = [&](int64_t n) { std::fill_n(vector(n, 0), x.channels, 0.0f); };
    const auto sum = [&](int64_t n, int64_t row, int64_t rows, const simd::ColumnSums& sums) {
      simd::column_moments(bound.in(0) + row * x.stride, rows, x.stride, x.channels, vector(n, 0), sums);
    };
    const auto finish = [&](int64_t n, const simd::ColumnSums& sums) {
      const double divisor = take_norms(sums.second, x.channels, eps);
      for (int64_t c = 0; c < x.channels; ++c) vector(n, 1)[c] = static_cast<float>(1 + bound.in(1)[c] * (sums.second[c] / divisor));
    };
    pictures.run(bound, prepare, sum, finish, [&](int64_t n, int64_t row, int64_t rows) {
      const simd::Normalize pass{
          ActivationKind::identity, vector(n, 0), vector(n, 1), bound.in(2), bound.in(0), Source(), bound.out(0), x.stride, 0, y.stride};
      simd::normalize(pass, row, rows, x.channels);
    });
  });
}

Planned plan_global_response_norm_grad(const Request& request) {
  if (!has_pixels(request.inputs[1])) return refuse("{} has nothing to normalize", to_string(request.inputs[1].type));
  const double eps = request.op.as<GlobalResponseNormGrad>()->eps;
  const Rows dy = rows_of(request.inputs[0]), x = rows_of(request.inputs[1]), dx = rows_of(request.outputs[0]);
  const Pictures pictures(request.inputs[1].type.shape, 2);
  const int64_t channels = x.channels;
  // Sums by channel: of x^2, then of dy, dy x. Two reductions, each with its own part of the workspace.
  const Pictures norms(request.inputs[1].type.shape, 1);
  return accept(pictures.workspace_bytes() + norms.workspace_bytes(), [=](const Bound& bound) {
    Bound at_norms = bound;
    at_norms.workspace += pictures.workspace_bytes();
    const auto zero = [&](int64_t n) { return norms.vector(at_norms, n, 0); };
    norms.run(
        at_norms, [&](int64_t n) { std::fill_n(zero(n), channels, 0.0f); },
        [&](int64_t n, int64_t row, int64_t rows, const simd::ColumnSums& sums) {
          simd::column_moments(bound.in(1) + row * x.stride, rows, x.stride, channels, zero(n), sums);
        },
        // Norms go to `second`, their divisor to `first`.
        [&](int64_t, const simd::ColumnSums& sums) { sums.first[0] = take_norms(sums.second, channels, eps); },
        [](int64_t, int64_t, int64_t) {});

    const auto pass_of = [&](int64_t n) {
      simd::NormalizeGrad pass;
      pass.mean = zero(n);
      pass.dy = bound.in(0), pass.dy_stride = dy.stride;
      pass.x = bound.in(1), pass.x_stride = x.stride;
      pass.a = pictures.vector(bound, n, 0), pass.b = pictures.vector(bound, n, 1), pass.c = zero(n);
      pass.dx = bound.out(0), pass.dx_stride = dx.stride;
      return pass;
    };
    const auto sum = [&](int64_t n, int64_t row, int64_t rows, const simd::ColumnSums& sums) {
      simd::normalize_grad_sums(pass_of(n), row, rows, channels, sums);
    };
    const auto finish = [&](int64_t n, const simd::ColumnSums& sums) {
      const double* const norm = norms.sums(at_norms, n).second;
      const double divisor = norms.sums(at_norms, n).first[0];
      float *const a = pictures.vector(bound, n, 0), *const b = pictures.vector(bound, n, 1);
      double by_mean = 0;  // the slope by the norms' mean
      for (int64_t c = 0; c < channels; ++c) by_mean -= bound.in(2)[c] * sums.second[c] * norm[c] / (divisor * divisor);
      for (int64_t c = 0; c < channels; ++c) {
        const double by_norm = bound.in(2)[c] * sums.second[c] / divisor + by_mean / static_cast<double>(channels);
        a[c] = static_cast<float>(1 + bound.in(2)[c] * (norm[c] / divisor));
        b[c] = norm[c] > 0 ? static_cast<float>(-by_norm / norm[c]) : 0.0f;
        sums.second[c] *= norm[c] / divisor;  // what gamma's slope sums
      }
    };
    pictures.run(bound, nothing, sum, finish, [&](int64_t n, int64_t row, int64_t rows) {
      if (bound.outputs[0]) simd::normalize_grad_apply(pass_of(n), row, rows, channels);
    });
    for (int64_t c = 0; c < channels; ++c) {
      double first = 0, second = 0;
      for (int64_t n = 0; n < pictures.count; ++n) {
        first += pictures.sums(bound, n).first[c];
        second += pictures.sums(bound, n).second[c];
      }
      if (bound.outputs[1]) bound.out(1)[c] = static_cast<float>(second);
      if (bound.outputs[2]) bound.out(2)[c] = static_cast<float>(first);
    }
  });
}

}  // namespace fovea::cpu
