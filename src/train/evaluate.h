// A network on labelled pictures.
#pragma once

#include <fovea/train.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/feature_writer.h"
#include "image/loader.h"

namespace fovea::training {

constexpr int64_t kInferenceBatch = 16;

struct PictureSource {
  std::vector<image::Sample> samples;
  Preprocessing preprocessing;
  std::shared_ptr<image::ImageCache> cache;
  bool skip_bad = false;
};
// What left out pictures are called.
using OnBad = std::function<void(const image::BadPicture&)>;
// Batches done of all; false stops.
using OnBatch = std::function<bool(int64_t done, int64_t all)>;

// Logits of every picture; bad ones are left out where the source says so, else the first of them throws.
Evaluation evaluate(const engine::Network& network, engine::Session& session, const PictureSource& source, const OnBatch& on_batch = {});

// The same with logits from elsewhere: [count, classes] for at most kInferenceBatch pictures [count, height, width, channels].
using LogitsOf = std::function<std::span<const float>(std::span<const float> pictures, int64_t count)>;
Evaluation evaluate(const engine::Network& network, const PictureSource& source, const LogitsOf& logits_of, const OnBatch& on_batch = {});

// The pooled features of every picture and, where asked for, of its mirror image, handed over batch by batch in the samples' order:
// [count, width] each, valid during the call; `mirrored` is empty where it was not asked for. False where on_batch stopped.
using OnFeatures = std::function<void(std::span<const float> plain, std::span<const float> mirrored, int64_t count)>;
bool compute_features(engine::Session& session, const PictureSource& source, bool mirrored, const OnFeatures& take,
                      const OnBatch& on_batch);

// Left and right exchanged, in place: [count, height, width, 3]; any number of channels.
void mirror(std::span<float> images, int64_t count, int64_t height, int64_t width);
// The first becomes the mean of both: the answers to a picture and to its mirror image, or in one shape and in another.
void average(std::span<float> answers, std::span<const float> others);

}  // namespace fovea::training
