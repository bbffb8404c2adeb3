#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/attention.h"

namespace fovea::reference {

// Queries, keys and values of one head of one picture.
template <class T>
class AttentionHead {
 public:
  AttentionHead(const View<const T>& qkv, int64_t heads, int64_t index)
      : qkv_(qkv), heads_(heads), n(index / heads), head(index % heads), width(qkv.channels() / (3 * heads)), tokens(qkv.height()) {}

  const T* query(int64_t token) const { return part(0, token); }
  const T* key(int64_t token) const { return part(1, token); }
  const T* value(int64_t token) const { return part(2, token); }
  double dot(const T* a, const T* b) const {
    double sum = 0;
    for (int64_t c = 0; c < width; ++c) sum += double{a[c]} * b[c];
    return sum;
  }
  double scale() const { return 1 / std::sqrt(static_cast<double>(width)); }
  // What softmax is taken of.
  double score(int64_t q, int64_t k) const { return scale() * dot(query(q), key(k)); }

 private:
  const T* part(int64_t which, int64_t token) const { return qkv_.pixel(n, token, 0) + (which * heads_ + head) * width; }

  View<const T> qkv_;
  int64_t heads_;

 public:
  const int64_t n, head, width, tokens;
};

// body(head, scratch) for every head of every picture, shared among threads; each has `doubles_each` numbers of the workspace.
template <class T, class Body>
void for_heads(const Arguments& a, const View<const T>& qkv, int64_t heads, int64_t doubles_each, const Body& body) {
  const int64_t count = qkv.batch() * heads;
  parallel_for(a.slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot)
      for (int64_t i = count * slot / a.slots; i < count * (slot + 1) / a.slots; ++i)
        body(AttentionHead<T>(qkv, heads, i), static_cast<double*>(a.workspace) + slot * doubles_each);
  });
}

// Writes a query's probabilities; returns the logarithm of the sum that they are divided by.
template <class T>
double softmax_row(const AttentionHead<T>& head, int64_t query, double* row) {
  for (int64_t k = 0; k < head.tokens; ++k) row[k] = head.score(query, k);
  const double largest = *std::max_element(row, row + head.tokens);
  double sum = 0;
  for (int64_t k = 0; k < head.tokens; ++k) sum += std::exp(row[k] - largest);
  const double log_sum = largest + std::log(sum);
  for (int64_t k = 0; k < head.tokens; ++k) row[k] = std::exp(row[k] - log_sum);
  return log_sum;
}

inline size_t workspace_bytes(const Attention&, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  return static_cast<size_t>(slots * inputs[0].type.shape.height()) * sizeof(double);
}

template <class T>
void run(const Attention& op, const Arguments& a) {
  const auto qkv = a.input<T>(0);
  const auto y = a.output<T>(0), log_sum = a.output<T>(1);
  for_heads(a, qkv, op.heads, qkv.height(), [&](const AttentionHead<T>& head, double* row) {
    for (int64_t q = 0; q < head.tokens; ++q) {
      const double log_divisor = softmax_row(head, q, row);
      if (log_sum.valid()) log_sum.at(head.n, head.head, q, 0) = static_cast<T>(log_divisor);
      for (int64_t c = 0; y.valid() && c < head.width; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < head.tokens; ++k) sum += row[k] * head.value(k)[c];
        y.at(head.n, head.head * head.width + c, q, 0) = static_cast<T>(sum);
      }
    }
  });
}

inline size_t workspace_bytes(const AttentionGrad& op, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  const Shape& qkv = inputs[1].type.shape;
  return static_cast<size_t>(slots * qkv.height() * (qkv.channels() / op.heads)) * sizeof(double);
}

template <class T>
void run(const AttentionGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0), qkv = a.input<T>(1), y = a.input<T>(2), log_sum = a.input<T>(3);
  const auto dqkv = a.output<T>(0);
  const int64_t width = y.channels() / op.heads, tokens = qkv.height();
  for_heads(a, qkv, op.heads, 3 * tokens * width, [&](const AttentionHead<T>& head, double* sums) {
    std::fill_n(sums, 3 * tokens * width, 0.0);
    double *const dq = sums, *const dk = sums + tokens * width, *const dv = sums + 2 * tokens * width;
    const double scale = head.scale();
    for (int64_t q = 0; q < tokens; ++q) {
      const T* slope = dy.pixel(head.n, q, 0) + head.head * width;
      // The mean of the probabilities' gradients, weighted by them: softmax's own gradient takes it off.
      const double mean = head.dot(slope, y.pixel(head.n, q, 0) + head.head * width);
      for (int64_t k = 0; k < tokens; ++k) {
        const double p = std::exp(head.score(q, k) - log_sum.at(head.n, head.head, q, 0));
        const double ds = scale * p * (head.dot(slope, head.value(k)) - mean);
        for (int64_t c = 0; c < width; ++c) {
          dq[q * width + c] += ds * head.key(k)[c];
          dk[k * width + c] += ds * head.query(q)[c];
          dv[k * width + c] += p * slope[c];
        }
      }
    }
    for (int64_t part = 0; part < 3; ++part)
      for (int64_t token = 0; token < tokens; ++token)
        for (int64_t c = 0; c < width; ++c)
          dqkv.at(head.n, (part * op.heads + head.head) * width + c, token, 0) = static_cast<T>(sums[(part * tokens + token) * width + c]);
  });
}

inline size_t workspace_bytes(const AttentionProbabilities&, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  return static_cast<size_t>(slots * inputs[0].type.shape.height()) * sizeof(double);
}

template <class T>
void run(const AttentionProbabilities& op, const Arguments& a) {
  const auto qkv = a.input<T>(0);
  const auto probabilities = a.output<T>(0);
  for_heads(a, qkv, op.heads, qkv.height(), [&](const AttentionHead<T>& head, double* row) {
    for (int64_t q = 0; q < head.tokens; ++q) {
      softmax_row(head, q, row);
      for (int64_t k = 0; k < head.tokens; ++k) probabilities.at(head.n, head.head, q, k) = static_cast<T>(row[k]);
    }
  });
}

}  // namespace fovea::reference
