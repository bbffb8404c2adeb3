// A network on labelled pictures.
#pragma once

#include <fovea/train.h>

#include <memory>
#include <vector>

#include "audit/audit.h"
#include "look/look.h"

namespace fovea::training {

using look::OnBatch;
constexpr int64_t kInferenceBatch = look::kBatch;

struct PictureSource {
  std::vector<image::Sample> samples;
  Preprocessing preprocessing;
  std::shared_ptr<image::ImageCache> cache;
  bool skip_bad = false;  // bad pictures are left out; else the first of them throws
  EvaluateOptions keep = {};
  bool tells_seen = false;    // Evaluation::seen
  std::shared_ptr<const auditing::Looks> looks = {};  // of pictures that were looked at already; null: they are as they are read
};

// The network's answers to every picture, averaged as its preprocessing says.
Evaluation evaluate(const engine::Network& network, engine::Session& session, const PictureSource& source, const OnBatch& on_batch = {});

}  // namespace fovea::training
