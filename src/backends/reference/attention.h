#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/attention.h"
#include "ops/cross_attention.h"

namespace fovea::reference {

// Where the heads of queries, keys or values lie: the tokens, and the first head's first channel.
template <class T>
struct HeadTokens {
  View<const T> tokens;
  int64_t first, width;  // channels of a head

  const T* at(int64_t n, int64_t head, int64_t token) const { return tokens.pixel(n, token, 0) + first + head * width; }
};

template <class T>
struct AttentionTokens {
  HeadTokens<T> q, k, v;
  int64_t heads;

  static AttentionTokens of_qkv(const View<const T>& qkv, int64_t heads) {
    const int64_t channels = qkv.channels() / 3, width = channels / heads;
    return {{qkv, 0, width}, {qkv, channels, width}, {qkv, 2 * channels, width}, heads};
  }
  static AttentionTokens of_three(const View<const T>& q, const View<const T>& k, const View<const T>& v, int64_t heads) {
    return {{q, 0, q.channels() / heads}, {k, 0, k.channels() / heads}, {v, 0, v.channels() / heads}, heads};
  }
};

// Queries, keys and values of one head of one picture.
template <class T>
class AttentionHead {
 public:
  AttentionHead(const AttentionTokens<T>& of, int64_t index)
      : of_(of),
        n(index / of.heads),
        head(index % of.heads),
        width(of.q.width),
        value_width(of.v.width),
        queries(of.q.tokens.height()),
        keys(of.k.tokens.height()) {}

  const T* query(int64_t token) const { return of_.q.at(n, head, token); }
  const T* key(int64_t token) const { return of_.k.at(n, head, token); }
  const T* value(int64_t token) const { return of_.v.at(n, head, token); }
  static double dot(const T* a, const T* b, int64_t count) {
    double sum = 0;
    for (int64_t c = 0; c < count; ++c) sum += double{a[c]} * b[c];
    return sum;
  }
  double scale() const { return 1 / std::sqrt(static_cast<double>(width)); }
  // What softmax is taken of.
  double score(int64_t q, int64_t k) const { return scale() * dot(query(q), key(k), width); }

 private:
  AttentionTokens<T> of_;

 public:
  const int64_t n, head, width, value_width, queries, keys;
};

// body(head, scratch) for every head of every picture, shared among threads; each has `doubles_each` numbers of the workspace.
template <class T, class Body>
void for_heads(const Arguments& a, const AttentionTokens<T>& of, int64_t doubles_each, const Body& body) {
  const int64_t count = of.q.tokens.batch() * of.heads;
  parallel_for(a.slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot)
      for (int64_t i = count * slot / a.slots; i < count * (slot + 1) / a.slots; ++i)
        body(AttentionHead<T>(of, i), static_cast<double*>(a.workspace) + slot * doubles_each);
  });
}

// Writes a query's probabilities; returns the logarithm of the sum that they are divided by.
template <class T>
double softmax_row(const AttentionHead<T>& head, int64_t query, double* row) {
  for (int64_t k = 0; k < head.keys; ++k) row[k] = head.score(query, k);
  const double largest = *std::max_element(row, row + head.keys);
  double sum = 0;
  for (int64_t k = 0; k < head.keys; ++k) sum += std::exp(row[k] - largest);
  const double log_sum = largest + std::log(sum);
  for (int64_t k = 0; k < head.keys; ++k) row[k] = std::exp(row[k] - log_sum);
  return log_sum;
}

template <class T>
void attend(const Arguments& a, const AttentionTokens<T>& of) {
  const auto y = a.output<T>(0), log_sum = a.output<T>(1);
  for_heads(a, of, of.k.tokens.height(), [&](const AttentionHead<T>& head, double* row) {
    for (int64_t q = 0; q < head.queries; ++q) {
      const double log_divisor = softmax_row(head, q, row);
      if (log_sum.valid()) log_sum.at(head.n, head.head, q, 0) = static_cast<T>(log_divisor);
      for (int64_t c = 0; y.valid() && c < head.value_width; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < head.keys; ++k) sum += row[k] * head.value(k)[c];
        y.at(head.n, head.head * head.value_width + c, q, 0) = static_cast<T>(sum);
      }
    }
  });
}

inline size_t score_bytes(int64_t keys, int64_t slots) { return static_cast<size_t>(slots * keys) * sizeof(double); }

// Sums over the queries of a head: dq, dk, dv.
template <class T>
int64_t gradient_doubles(const AttentionTokens<T>& of) {
  return (of.q.tokens.height() + of.k.tokens.height()) * of.q.width + of.k.tokens.height() * of.v.width;
}

// store(head, sums of dq, of dk, of dv) for every head.
template <class T, class Store>
void attend_gradient(const Arguments& a, const AttentionTokens<T>& of, const View<const T>& dy, const View<const T>& y,
                     const View<const T>& log_sum, const Store& store) {
  const int64_t doubles = gradient_doubles(of);
  for_heads(a, of, doubles, [&](const AttentionHead<T>& head, double* sums) {
    std::fill_n(sums, doubles, 0.0);
    double *const dq = sums, *const dk = dq + head.queries * head.width, *const dv = dk + head.keys * head.width;
    const double scale = head.scale();
    const int64_t values = head.value_width;
    for (int64_t q = 0; q < head.queries; ++q) {
      const T* slope = dy.pixel(head.n, q, 0) + head.head * values;
      // The mean of the probabilities' gradients, weighted by them: softmax's own gradient takes it off.
      const double mean = head.dot(slope, y.pixel(head.n, q, 0) + head.head * values, values);
      for (int64_t k = 0; k < head.keys; ++k) {
        const double p = std::exp(head.score(q, k) - log_sum.at(head.n, head.head, q, 0));
        const double ds = scale * p * (head.dot(slope, head.value(k), values) - mean);
        for (int64_t c = 0; c < head.width; ++c) {
          dq[q * head.width + c] += ds * head.key(k)[c];
          dk[k * head.width + c] += ds * head.query(q)[c];
        }
        for (int64_t c = 0; c < values; ++c) dv[k * values + c] += p * slope[c];
      }
    }
    store(head, dq, dk, dv);
  });
}

// A head's sums into a result, from a head's first channel on.
template <class T>
void store_head(const double* sums, int64_t tokens, int64_t width, int64_t n, int64_t first, const View<T>& to) {
  for (int64_t token = 0; to.valid() && token < tokens; ++token)
    for (int64_t c = 0; c < width; ++c) to.at(n, first + c, token, 0) = static_cast<T>(sums[token * width + c]);
}

inline size_t workspace_bytes(const Attention&, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  return score_bytes(inputs[0].type.shape.height(), slots);
}

template <class T>
void run(const Attention& op, const Arguments& a) {
  attend(a, AttentionTokens<T>::of_qkv(a.input<T>(0), op.heads));
}

inline size_t workspace_bytes(const AttentionGrad& op, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  const Shape& qkv = inputs[1].type.shape;
  return static_cast<size_t>(slots * qkv.height() * (qkv.channels() / op.heads)) * sizeof(double);
}

template <class T>
void run(const AttentionGrad& op, const Arguments& a) {
  const auto dqkv = a.output<T>(0);
  attend_gradient(a, AttentionTokens<T>::of_qkv(a.input<T>(1), op.heads), a.input<T>(0), a.input<T>(2), a.input<T>(3),
                  [&](const AttentionHead<T>& head, const double* dq, const double* dk, const double* dv) {
                    int64_t first = head.head * head.width;
                    for (const double* sums : {dq, dk, dv}) {
                      store_head(sums, head.keys, head.width, head.n, first, dqkv);
                      first += op.heads * head.width;
                    }
                  });
}

inline size_t workspace_bytes(const CrossAttention&, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  return score_bytes(inputs[1].type.shape.height(), slots);
}

template <class T>
void run(const CrossAttention& op, const Arguments& a) {
  attend(a, AttentionTokens<T>::of_three(a.input<T>(0), a.input<T>(1), a.input<T>(2), op.heads));
}

inline size_t workspace_bytes(const CrossAttentionGrad& op, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  int64_t doubles = 0;
  for (const Operand& operand : inputs.subspan(1, 3)) doubles += operand.type.shape.height() * (operand.type.shape.channels() / op.heads);
  return static_cast<size_t>(slots * doubles) * sizeof(double);
}

template <class T>
void run(const CrossAttentionGrad& op, const Arguments& a) {
  const auto dq = a.output<T>(0), dk = a.output<T>(1), dv = a.output<T>(2);
  attend_gradient(a, AttentionTokens<T>::of_three(a.input<T>(1), a.input<T>(2), a.input<T>(3), op.heads), a.input<T>(0), a.input<T>(4),
                  a.input<T>(5), [&](const AttentionHead<T>& head, const double* q, const double* k, const double* v) {
                    store_head(q, head.queries, head.width, head.n, head.head * head.width, dq);
                    store_head(k, head.keys, head.width, head.n, head.head * head.width, dk);
                    store_head(v, head.keys, head.value_width, head.n, head.head * head.value_width, dv);
                  });
}

inline size_t workspace_bytes(const AttentionProbabilities&, std::span<const Operand> inputs, std::span<const Operand>, int64_t slots) {
  return score_bytes(inputs[0].type.shape.height(), slots);
}

template <class T>
void run(const AttentionProbabilities& op, const Arguments& a) {
  const auto of = AttentionTokens<T>::of_qkv(a.input<T>(0), op.heads);
  const auto probabilities = a.output<T>(0);
  for_heads(a, of, of.k.tokens.height(), [&](const AttentionHead<T>& head, double* row) {
    for (int64_t q = 0; q < head.queries; ++q) {
      softmax_row(head, q, row);
      for (int64_t k = 0; k < head.keys; ++k) probabilities.at(head.n, head.head, q, k) = static_cast<T>(row[k]);
    }
  });
}

}  // namespace fovea::reference
