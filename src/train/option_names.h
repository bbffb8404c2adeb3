// The names that a training's choices have for users, in the order of the help.
#pragma once

#include <fovea/train.h>

#include "base/named.h"

namespace fovea::training {

constexpr Named<Recipe> kRecipes[] = {
    {"auto", Recipe::automatic}, {"finetune", Recipe::finetune}, {"full", Recipe::full}, {"probe", Recipe::probe}};
constexpr Named<Optimizer> kOptimizers[] = {
    {"adamw", Optimizer::adamw}, {"nesterov", Optimizer::nesterov}, {"rmsprop", Optimizer::rmsprop}, {"sgd", Optimizer::sgd}};
constexpr Named<RateSchedule> kSchedules[] = {{"constant", RateSchedule::constant},
                                              {"cosine", RateSchedule::cosine},
                                              {"one_cycle", RateSchedule::one_cycle},
                                              {"plateau", RateSchedule::plateau},
                                              {"step", RateSchedule::step}};
constexpr Named<Loss> kLosses[] = {
    {"auto", Loss::automatic}, {"binary", Loss::binary_cross_entropy}, {"cross_entropy", Loss::cross_entropy}, {"focal", Loss::focal}};
constexpr Named<FeatureCache> kCaches[] = {
    {"auto", FeatureCache::automatic}, {"disk", FeatureCache::disk}, {"memory", FeatureCache::memory}, {"off", FeatureCache::off}};
constexpr Named<Choice> kAnswers[] = {{"auto", Choice::automatic}, {"off", Choice::off}, {"on", Choice::on}};

constexpr Named<Preset> kPresets[] = {{"bit", Preset::bit}};
constexpr Named<Augment> kAugments[] = {{"off", Augment::off},
                                        {"light", Augment::light},
                                        {"standard", Augment::standard},
                                        {"randaugment", Augment::randaugment},
                                        {"trivialaugment", Augment::trivialaugment},
                                        {"autoaugment", Augment::autoaugment}};

}  // namespace fovea::training
