// The one loop of pictures through a program: each core reads, prepares and looks at a group of pictures by itself, and what comes of them
// is handed over in their order.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/batch_executable.h"
#include "engine/session.h"
#include "image/folder.h"
#include "image/prepare.h"

namespace fovea::look {

// Pictures are counted in batches of so many where progress is told, and networks that look at many are compiled for so many.
constexpr int64_t kBatch = 16;

struct Pictures {
  std::span<const image::Sample> samples;
  image::PrepareOptions prepare;
  uint64_t seed = 0;  // of the augmentation, with the epoch and the picture's number
  int64_t epoch = 0;
  int64_t first = 0;  // the number of the first of them
};

// Lends a program, for as long as the body runs. Its outputs are read in this order; [pictures, ...] each.
struct Program {
  std::vector<std::string> outputs;
  std::function<void(const std::function<void(engine::BatchExecutable&)>& body)> lend;
};
// A session's, for pictures of this size.
Program program_of(engine::Session& session, const Preprocessing& size, const std::string& output);

// Batches done of all; false stops.
using OnBatch = std::function<bool(int64_t done, int64_t all)>;
// What came of a picture: a row of numbers for each view, [views, width], which may be changed; all outputs of the program are in a row.
// Views are: the picture, with `mirrored` its mirror image, and the same in a second shape.
using Take = std::function<void(int64_t index, std::span<float> rows)>;
// A picture that could not be read, and why.
using OnBad = std::function<void(int64_t index, const std::string& reason)>;

int64_t views_of(const image::PrepareOptions& prepare, bool mirrored);

// All pictures, in their order. Without `on_bad` the first that cannot be read throws its Error(input). False where `on_batch` stopped.
bool look(const Pictures& pictures, const Program& program, int64_t channels, bool mirrored, const Take& take, const OnBatch& on_batch = {},
          const OnBad& on_bad = {});

}  // namespace fovea::look
