// What a reference kernel sees of its operands: strided views of memory.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "backend/backend.h"
#include "base/parallel.h"

namespace fovea::reference {

using backend::Operand;

// An operand by logical place. Of rank 4 it lies in memory as N, H, W, C with `row_stride` between pixels; of a lower rank it is dense,
// row-major, and has leading dimensions of 1.
template <class T>
class View {
 public:
  View(T* data, const Operand& operand) : data_(data) {
    const Shape& shape = operand.type.shape;
    const int lead = Shape::max_rank - shape.rank();
    for (int i = 0; i < Shape::max_rank; ++i) dims_[i] = i < lead ? 1 : shape[i - lead];
    if (shape.rank() == Shape::max_rank) {
      strides_ = {dims_[2] * dims_[3] * operand.row_stride, 1, dims_[3] * operand.row_stride, operand.row_stride};
    } else {
      strides_ = {dims_[1] * dims_[2] * dims_[3], dims_[2] * dims_[3], dims_[3], 1};
    }
  }

  T& at(int64_t n, int64_t c, int64_t h, int64_t w) const {
    return data_[n * strides_[0] + c * strides_[1] + h * strides_[2] + w * strides_[3]];
  }
  // Of rank 4: the channels of a pixel, side by side.
  T* pixel(int64_t n, int64_t h, int64_t w) const { return &at(n, 0, h, w); }
  // Of rank 1.
  T& operator[](int64_t i) const { return at(0, 0, 0, i); }
  T& scalar() const { return *data_; }
  bool valid() const { return data_ != nullptr; }  // an output that nobody reads has no memory

  int64_t batch() const { return dims_[0]; }
  int64_t channels() const { return dims_[1]; }
  int64_t height() const { return dims_[2]; }
  int64_t width() const { return dims_[3]; }
  int64_t stride(int dimension) const { return strides_[static_cast<size_t>(dimension)]; }
  // Repeats along dimensions of 1.
  View broadcast() const {
    View result = *this;
    for (size_t i = 0; i < dims_.size(); ++i)
      if (dims_[i] == 1) result.strides_[i] = 0;
    return result;
  }

 private:
  T* data_;
  std::array<int64_t, Shape::max_rank> dims_{}, strides_{};
};

// An operand as rows of neighbouring elements: the pixels of a value of rank 4, else all as one row.
template <class T>
struct Rows {
  Rows(T* data, const Operand& operand) : data(data) {
    const bool pixels = operand.type.shape.rank() == Shape::max_rank;
    columns = pixels ? operand.type.shape.channels() : operand.type.elements();
    count = columns == 0 ? 0 : operand.type.elements() / columns;
    stride = pixels ? operand.row_stride : columns;
  }
  T* operator[](int64_t row) const { return data + row * stride; }
  bool valid() const { return data != nullptr; }

  T* data;
  int64_t count, columns, stride;
};

struct Arguments {
  std::span<const Operand> inputs, outputs;
  std::span<void*const> in, out;
  void* workspace = nullptr;
  int64_t slots = 1;  // parts of the workspace, one for each thread

  template <class T>
  View<const T> input(size_t i) const {
    return {static_cast<const T*>(in[i]), inputs[i]};
  }
  template <class T>
  View<T> output(size_t i) const {
    return {static_cast<T*>(out[i]), outputs[i]};
  }
  template <class T>
  Rows<const T> input_rows(size_t i) const {
    return {static_cast<const T*>(in[i]), inputs[i]};
  }
  template <class T>
  Rows<T> output_rows(size_t i) const {
    return {static_cast<T*>(out[i]), outputs[i]};
  }
};

// How many items of `elements` elements each are worth a thread of their own.
inline int64_t grain_of(int64_t elements) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, elements)); }

// body(row, column) for every element, rows shared among threads.
template <class T, class Body>
void for_each(const Rows<T>& rows, const Body& body) {
  parallel_for(rows.count, grain_of(rows.columns), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t column = 0; column < rows.columns; ++column) body(row, column);
  });
}

// body(first, end) for blocks of neighbouring channels, shared among threads: sums by channel, each in one thread and one order.
inline constexpr int64_t channel_block = 16;

template <class T, class Body>
void for_channel_blocks(const View<T>& x, const Body& body) {
  const int64_t channels = x.channels(), pixels = x.batch() * x.height() * x.width();
  parallel_for((channels + channel_block - 1) / channel_block, grain_of(pixels * channel_block), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) body(block * channel_block, std::min(channels, (block + 1) * channel_block));
  });
}

// body(n, h) for the rows of pixels of a value, shared among threads.
template <class T, class Body>
void for_pixel_rows(const View<T>& x, const Body& body) {
  parallel_for(x.batch() * x.height(), grain_of(x.width() * x.channels()), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row / x.height(), row % x.height());
  });
}

}  // namespace fovea::reference
