#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/batch_norm.h"

namespace fovea::reference {

// body(n, h, w) for every pixel.
template <class T, class Body>
void for_pixels(const View<T>& x, const Body& body) {
  for (int64_t n = 0; n < x.batch(); ++n)
    for (int64_t h = 0; h < x.height(); ++h)
      for (int64_t w = 0; w < x.width(); ++w) body(n, h, w);
}

template <class T>
void run(const BatchNormInference& op, const Arguments& a) {
  const auto x = a.input<T>(0), gamma = a.input<T>(1), beta = a.input<T>(2), mean = a.input<T>(3), var = a.input<T>(4);
  const auto y = a.output<T>(0);
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    double scale[channel_block];
    for (int64_t c = first; c < end; ++c) scale[c - first] = gamma.at(0, c, 0, 0) / std::sqrt(var.at(0, c, 0, 0) + op.eps);
    for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
      for (int64_t c = first; c < end; ++c)
        y.at(n, c, h, w) = static_cast<T>(scale[c - first] * (double{x.at(n, c, h, w)} - mean.at(0, c, 0, 0)) + beta.at(0, c, 0, 0));
    });
  });
}

template <class T>
void run(const BatchNormInferenceGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0), x = a.input<T>(1), gamma = a.input<T>(2), mean = a.input<T>(3), var = a.input<T>(4);
  const auto dx = a.output<T>(0), dgamma = a.output<T>(1), dbeta = a.output<T>(2);
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    double inv_std[channel_block], sum[channel_block] = {}, product[channel_block] = {};
    for (int64_t c = first; c < end; ++c) inv_std[c - first] = 1 / std::sqrt(var.at(0, c, 0, 0) + op.eps);
    for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
      for (int64_t c = first; c < end; ++c) {
        const double d = dy.at(n, c, h, w);
        sum[c - first] += d;
        product[c - first] += d * (double{x.at(n, c, h, w)} - mean.at(0, c, 0, 0)) * inv_std[c - first];
        if (dx.valid()) dx.at(n, c, h, w) = static_cast<T>(d * gamma.at(0, c, 0, 0) * inv_std[c - first]);
      }
    });
    for (int64_t c = first; c < end; ++c) {
      if (dgamma.valid()) dgamma.at(0, c, 0, 0) = static_cast<T>(product[c - first]);
      if (dbeta.valid()) dbeta.at(0, c, 0, 0) = static_cast<T>(sum[c - first]);
    }
  });
}

// Mean and biased variance of the channels from `first` on, in two passes.
template <class T>
void channel_statistics(const View<const T>& x, int64_t first, int64_t end, double* mean, double* var) {
  const auto count = static_cast<double>(x.batch() * x.height() * x.width());
  std::fill_n(mean, end - first, 0.0);
  std::fill_n(var, end - first, 0.0);
  for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
    for (int64_t c = first; c < end; ++c) mean[c - first] += x.at(n, c, h, w);
  });
  for (int64_t c = 0; c < end - first; ++c) mean[c] /= count;
  for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
    for (int64_t c = first; c < end; ++c) var[c - first] += std::pow(x.at(n, c, h, w) - mean[c - first], 2);
  });
  for (int64_t c = 0; c < end - first; ++c) var[c] /= count;
}

template <class T>
void run(const BatchNormTraining& op, const Arguments& a) {
  const auto x = a.input<T>(0), gamma = a.input<T>(1), beta = a.input<T>(2), mean = a.input<T>(3), var = a.input<T>(4);
  const auto residual = a.input<T>(op.residual ? 5 : 0);
  const auto y = a.output<T>(0), batch_mean = a.output<T>(1), inv_std = a.output<T>(2), next_mean = a.output<T>(3),
             next_var = a.output<T>(4), affine = a.output<T>(op.with_affine ? 5 : 4);
  const auto count = static_cast<double>(x.batch() * x.height() * x.width());
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    double m[channel_block], v[channel_block], scale[channel_block];
    channel_statistics(x, first, end, m, v);
    for (int64_t c = first; c < end; ++c) {
      const double i = 1 / std::sqrt(v[c - first] + op.eps);
      scale[c - first] = gamma.at(0, c, 0, 0) * i;
      if (batch_mean.valid()) batch_mean.at(0, c, 0, 0) = static_cast<T>(m[c - first]);
      if (inv_std.valid()) inv_std.at(0, c, 0, 0) = static_cast<T>(i);
      if (next_mean.valid())
        next_mean.at(0, c, 0, 0) = static_cast<T>((1 - op.momentum) * mean.at(0, c, 0, 0) + op.momentum * m[c - first]);
      if (next_var.valid())
        next_var.at(0, c, 0, 0) = static_cast<T>((1 - op.momentum) * var.at(0, c, 0, 0) + op.momentum * v[c - first] * count / (count - 1));
      if (op.with_affine && affine.valid()) {
        affine.at(0, c, 0, 0) = static_cast<T>(scale[c - first]);
        affine.at(1, c, 0, 0) = beta.at(0, c, 0, 0);
      }
    }
    if (!y.valid()) return;
    for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
      for (int64_t c = first; c < end; ++c) {
        double z = scale[c - first] * (x.at(n, c, h, w) - m[c - first]) + beta.at(0, c, 0, 0);
        if (op.residual) z += residual.at(n, c, h, w);
        y.at(n, c, h, w) = static_cast<T>(activate(op.activation, z));
      }
    });
  });
}

template <class T>
void run(const BatchNormApply& op, const Arguments& a) {
  const auto x = a.input<T>(0), mean = a.input<T>(1), affine = a.input<T>(2), residual = a.input<T>(op.residual ? 3 : 0);
  const auto y = a.output<T>(0);
  for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
    for (int64_t c = 0; c < x.channels(); ++c) {
      double z = affine.at(0, c, 0, 0) * (double{x.at(n, c, h, w)} - mean.at(0, c, 0, 0)) + affine.at(1, c, 0, 0);
      if (op.residual) z += residual.at(n, c, h, w);
      y.at(n, c, h, w) = static_cast<T>(activate(op.activation, z));
    }
  });
}

template <class T>
void run(const BatchNormTrainingGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0), x = a.input<T>(1), gamma = a.input<T>(2), mean = a.input<T>(3), inv_std = a.input<T>(4);
  const auto beta = a.input<T>(op.with_beta ? 5 : 2), y = a.input<T>(op.residual ? 5 : 0);
  const auto dx = a.output<T>(0), dgamma = a.output<T>(1), dbeta = a.output<T>(2);
  const auto normalized = [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    return (double{x.at(n, c, h, w)} - mean.at(0, c, 0, 0)) * inv_std.at(0, c, 0, 0);
  };
  // dy times the activation's derivative.
  const auto dz = [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    if (op.activation == ActivationKind::identity) return double{dy.at(n, c, h, w)};
    if (op.residual) return dy.at(n, c, h, w) * activation_derivative(op.activation, y.at(n, c, h, w));
    double z = gamma.at(0, c, 0, 0) * normalized(n, c, h, w) + beta.at(0, c, 0, 0);
    if (derivative_from_result(op.activation)) z = activate(op.activation, z);
    return dy.at(n, c, h, w) * activation_derivative(op.activation, z);
  };
  const auto count = static_cast<double>(x.batch() * x.height() * x.width());
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    double sum[channel_block] = {}, product[channel_block] = {};
    for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
      for (int64_t c = first; c < end; ++c) {
        const double d = dz(n, c, h, w);
        sum[c - first] += d;
        product[c - first] += d * normalized(n, c, h, w);
      }
    });
    for_pixels(x, [&](int64_t n, int64_t h, int64_t w) {
      for (int64_t c = first; c < end; ++c) {
        const double d = dz(n, c, h, w);  // before dx or dresidual is written: either may lie in dy's place
        const double centered = d - (sum[c - first] + normalized(n, c, h, w) * product[c - first]) / count;
        if (dx.valid()) dx.at(n, c, h, w) = static_cast<T>(centered * gamma.at(0, c, 0, 0) * inv_std.at(0, c, 0, 0));
        if (op.residual && a.out[3] != nullptr) a.output<T>(3).at(n, c, h, w) = static_cast<T>(d);
      }
    });
    for (int64_t c = first; c < end; ++c) {
      if (dgamma.valid()) dgamma.at(0, c, 0, 0) = static_cast<T>(product[c - first]);
      if (dbeta.valid()) dbeta.at(0, c, 0, 0) = static_cast<T>(sum[c - first]);
    }
  });
}

template <class T>
void run(const BatchNormAffine& op, const Arguments& a) {
  const auto gamma = a.input<T>(0), beta = a.input<T>(1), var = a.input<T>(2);
  const auto affine = a.output<T>(0);
  for (int64_t c = 0; c < gamma.channels(); ++c) {
    affine.at(0, c, 0, 0) = static_cast<T>(gamma.at(0, c, 0, 0) / std::sqrt(var.at(0, c, 0, 0) + op.eps));
    affine.at(1, c, 0, 0) = beta.at(0, c, 0, 0);
  }
}

template <class T>
void run(const FoldBatchNorm& op, const Arguments& a) {
  const auto w = a.input<T>(0), gamma = a.input<T>(1), beta = a.input<T>(2), mean = a.input<T>(3), var = a.input<T>(4);
  const auto folded = a.output<T>(0), bias = a.output<T>(1);
  parallel_for(w.batch(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const double scale = gamma.at(0, o, 0, 0) / std::sqrt(var.at(0, o, 0, 0) + op.eps);
      const double conv_bias = a.inputs.size() > 5 ? a.input<T>(5).at(0, o, 0, 0) : 0;
      if (bias.valid()) bias.at(0, o, 0, 0) = static_cast<T>(scale * (conv_bias - mean.at(0, o, 0, 0)) + beta.at(0, o, 0, 0));
      if (!folded.valid()) continue;
      for (int64_t h = 0; h < w.height(); ++h)
        for (int64_t v = 0; v < w.width(); ++v)
          for (int64_t i = 0; i < w.channels(); ++i) folded.at(o, i, h, v) = static_cast<T>(scale * w.at(o, i, h, v));
    }
  });
}

}  // namespace fovea::reference
