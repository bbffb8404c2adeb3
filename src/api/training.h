// What training and the search for its rate begin with. For src/api alone.
#pragma once

#include <fovea/train.h>

#include "engine/network.h"
#include "train/data.h"
#include "train/recipes.h"

namespace fovea {

// What the pictures of a model with these classes go through.
Preprocessing preprocessing_for(const engine::Network& network, bool new_head, const TrainOptions& options);
training::Facts facts_of(const image::Splits& splits, bool pretrained, const HeadOptions& head, double median_area = 0);
// The preset's size, of pictures that were looked at; tells why. The data's cache is of pictures as the network gets them.
void prepare_size(Preprocessing& preprocessing, const engine::Network& network, const TrainOptions& options, training::Data& data);
bool crops_at_random(const training::Plan& plan);
// Called with (done, all); empty where nobody wants to know.
image::Progress check_progress(const TrainOptions& options);

}  // namespace fovea
