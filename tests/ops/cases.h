// Every list of cases.
#pragma once

#include "op_case.h"

namespace fovea::testing {

std::vector<OpCase> activation_cases();
std::vector<OpCase> attention_cases();
std::vector<OpCase> batch_norm_cases();
std::vector<OpCase> broadcast_cases();  // add, multiply, broadcast_to, sum_to
std::vector<OpCase> conv2d_cases();
std::vector<OpCase> copy_cases();  // concat, slice, pad, view
std::vector<OpCase> cross_entropy_cases();
std::vector<OpCase> dropout_cases();
std::vector<OpCase> norm_cases();         // layer_norm, rms_norm, group_norm, standardize_weight, global_response_norm, their gradients
std::vector<OpCase> optimizer_cases();    // updates, accumulate, squared_norm, clip_factor
std::vector<OpCase> pool_cases();         // max_pool2d, global_average_pool
std::vector<OpCase> resample_cases();     // average_pool2d, blur_pool2d, adaptive_average_pool2d, resize_bicubic, their gradients
std::vector<OpCase> scalar_cases();       // constant, increment
std::vector<OpCase> target_loss_cases();  // soft_cross_entropy, binary_cross_entropy, their gradients

inline std::vector<OpCase> all_cases() {
  std::vector<OpCase> all;
  for (const auto& list :
       {activation_cases, attention_cases, batch_norm_cases, broadcast_cases, conv2d_cases, copy_cases, cross_entropy_cases, dropout_cases,
        norm_cases, optimizer_cases, pool_cases, resample_cases, scalar_cases, target_loss_cases})
    for (OpCase& entry : list()) all.push_back(std::move(entry));
  return all;
}

}  // namespace fovea::testing
