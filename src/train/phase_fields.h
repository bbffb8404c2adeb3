// What decides what a phase does, in one list: from it come the record that a resumed run is held against and the phases in metrics.json.
#pragma once

#include "train/option_names.h"
#include "train/recipes.h"

namespace fovea::training {

// Calls visit(key in metrics.json, name in messages, value) for each. The list takes every member of Phase, so that it does not compile
// where one is new.
template <class Visit>
void fields(const Phase& phase, Visit&& visit) {
  const auto& [name, on_features, solved, second_fit, average_fits, choose_fit, mirrored, zero_head, trial, with_validation, freeze, epochs,
               batch, optimizer, rate, lowest_rate, layer_decay, schedule, warmup, rate_of_step, accumulate, clip_norm, ema, patience, loss,
               stochastic_depth, augmentation, mixing] = phase;
  visit("name", "phase", name);
  visit("on_features", "on features", on_features);
  visit("solved", "solved", solved);
  visit("choose_fit", "choose fit", choose_fit);
  visit("second_fit", "second fit", second_fit);
  visit("average_fits", "average fits", average_fits);
  visit("mirrored", "mirrored", name_of(kAnswers, mirrored));
  visit("zero_head", "head from zero", zero_head);
  visit("trial", "trial", trial);
  visit("with_validation_pictures", "with validation pictures", with_validation);
  visit("freeze", "freeze", freeze);
  visit("epochs", "epochs", epochs);
  visit("batch", "batch", batch);
  visit("optimizer", "optimizer", to_string(optimizer));
  visit("momentum", "momentum", optimizer.momentum);
  visit("weight_decay", "weight decay", optimizer.weight_decay);
  visit("rate", "rate", rate);
  visit("lowest_rate", "lowest rate", lowest_rate);
  visit("layer_decay", "layer decay", layer_decay);
  visit("schedule", "schedule", rate_of_step ? "the caller's own" : to_string(schedule));
  visit("warmup", "warm-up", warmup);
  visit("accumulate", "accumulated batches", accumulate);
  visit("clip_norm", "clipping norm", clip_norm);
  visit("ema", "decay of averaged weights", ema);
  visit("patience", "patience", patience);
  visit("loss", "loss", loss_name(loss));
  visit("focal_gamma", "focal gamma", loss.focal_gamma);
  visit("label_smoothing", "label smoothing", loss.smoothing);
  visit("class_weights", "class weights", loss.class_weights);
  visit("soft_targets", "soft targets", loss.soft_targets);
  visit("stochastic_depth", "stochastic depth", stochastic_depth);
  visit("augmentation", "augmentation", augmentation ? to_string(*augmentation) : std::string("none"));
  visit("mixup", "mixup", mixing.mixup);
  visit("cutmix", "cutmix", mixing.cutmix);
}

}  // namespace fovea::training
