#include "engine/feature_writer.h"

#include <algorithm>

#include "base/error.h"

namespace fovea::engine {

FeatureWriter::FeatureWriter(Session& session, int64_t height, int64_t width, std::string output, int64_t batch)
    : session_(session), height_(height), width_(width), batch_(batch), output_(std::move(output)) {}

void FeatureWriter::append(std::span<const float> images, int64_t count, FeatureTable& table) {
  if (count > batch_) fail(ErrorKind::internal, "{} pictures in a batch of {}", count, batch_);
  session_.run(
      batch_, height_, width_, {output_},
      [&](BatchExecutable& executable) {
        const auto input = executable.image();
        std::fill(std::copy(images.begin(), images.end(), input.begin()), input.end(), 0.0f);
      },
      [&](const BatchExecutable& executable) {
        const auto output = executable.output(output_);
        const auto row = static_cast<int64_t>(output.size()) / batch_;
        if (table.rows > 0 && table.width != row) fail(ErrorKind::internal, "features of {} in a table of {}", row, table.width);
        table.width = row;
        table.values.insert(table.values.end(), output.begin(), output.begin() + count * row);
        table.rows += count;
      });
}

}  // namespace fovea::engine
