// What a part of a network gives for a list of pictures.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/session.h"

namespace fovea::engine {

struct FeatureTable {
  int64_t rows = 0, width = 0;
  std::vector<float> values;  // [rows, width]

  std::span<const float> row(int64_t i) const { return {values.data() + i * width, static_cast<size_t>(width)}; }
  size_t bytes() const { return values.size() * sizeof(float); }
};

// Runs rows of pictures through the part of the network below `output` ("head_input"). Always at one batch size, the last batch padded with
// zeros: what a picture gives depends on nothing beside it.
class FeatureWriter {
 public:
  FeatureWriter(Session& session, int64_t height, int64_t width, std::string output, int64_t batch);

  int64_t batch() const { return batch_; }
  // Appends a row to the table for each of the `count` <= batch() pictures [count, height, width, channels].
  void append(std::span<const float> images, int64_t count, FeatureTable& table);

 private:
  Session& session_;
  int64_t height_, width_, batch_;
  std::string output_;
};

}  // namespace fovea::engine
