// Every candidate of this backend; cpu.cpp lists them by operation, in order.
#pragma once

#include "backends/cpu/kernel.h"

namespace fovea::cpu {

Planned plan_activation(const Request&);
Planned plan_cast(const Request&);
Planned plan_activation_grad(const Request&);
Planned plan_add(const Request&);
Planned plan_multiply(const Request&);
Planned plan_broadcast_to(const Request&);
Planned plan_constant(const Request&);
Planned plan_increment(const Request&);
Planned plan_concat(const Request&);
Planned plan_slice(const Request&);
Planned plan_pad(const Request&);
Planned plan_view(const Request&);

Planned plan_sum_columns(const Request&);
Planned plan_sum_to(const Request&);
Planned plan_global_average_pool(const Request&);
Planned plan_max_pool2d(const Request&);
Planned plan_max_pool2d_grad(const Request&);
Planned plan_average_pool2d(const Request&);
Planned plan_average_pool2d_grad(const Request&);
Planned plan_blur_pool2d(const Request&);
Planned plan_blur_pool2d_grad(const Request&);
Planned plan_adaptive_average_pool2d(const Request&);
Planned plan_adaptive_average_pool2d_grad(const Request&);
Planned plan_resize_bicubic(const Request&);
Planned plan_resize_bicubic_grad(const Request&);

Planned plan_batch_norm_training(const Request&);
Planned plan_batch_norm_apply(const Request&);
Planned plan_batch_norm_training_grad(const Request&);
Planned plan_batch_norm_inference(const Request&);
Planned plan_batch_norm_inference_grad(const Request&);
Planned plan_batch_norm_affine(const Request&);
Planned plan_fold_batch_norm(const Request&);
Planned plan_layer_norm(const Request&);
Planned plan_layer_norm_grad(const Request&);
Planned plan_rms_norm(const Request&);
Planned plan_rms_norm_grad(const Request&);
Planned plan_standardize_weight(const Request&);
Planned plan_standardize_weight_grad(const Request&);
Planned plan_group_norm(const Request&);
Planned plan_group_norm_grad(const Request&);
Planned plan_global_response_norm(const Request&);
Planned plan_global_response_norm_grad(const Request&);

Planned plan_attention_bf16(const Request&);
Planned plan_attention(const Request&);
Planned plan_cross_attention(const Request&);
Planned plan_cross_attention_grad(const Request&);
Planned plan_attention_grad_bf16(const Request&);
Planned plan_attention_grad(const Request&);
Planned plan_attention_probabilities(const Request&);

Planned plan_random_mask(const Request&);
Planned plan_cross_entropy(const Request&);
Planned plan_cross_entropy_grad(const Request&);
Planned plan_soft_cross_entropy(const Request&);
Planned plan_soft_cross_entropy_grad(const Request&);
Planned plan_binary_cross_entropy(const Request&);
Planned plan_binary_cross_entropy_grad(const Request&);
Planned plan_unary(const Request&);
Planned plan_log_softmax(const Request&);
Planned plan_host_loss(const Request&);
Planned plan_sgd_update(const Request&);
Planned plan_adamw_update(const Request&);
Planned plan_rmsprop_update(const Request&);
Planned plan_linear_sgd_update(const Request&);
Planned plan_linear_adamw_update(const Request&);
Planned plan_linear_rmsprop_update(const Request&);
Planned plan_accumulate(const Request&);
Planned plan_squared_norm(const Request&);
Planned plan_clip_factor(const Request&);

Planned plan_conv2d_few_pixels(const Request&);
Planned plan_conv2d_matmul(const Request&);
Planned plan_conv2d_winograd(const Request&);
Planned plan_conv2d_library_depthwise(const Request&);
Planned plan_conv2d_depthwise(const Request&);
Planned plan_conv2d_onednn(const Request&);
Planned plan_fused_conv2d_few_pixels(const Request&);
Planned plan_fused_conv2d_matmul(const Request&);
Planned plan_fused_conv2d_winograd(const Request&);
Planned plan_fused_conv2d_library_depthwise(const Request&);
Planned plan_fused_conv2d_depthwise(const Request&);
Planned plan_fused_conv2d_onednn(const Request&);
Planned plan_conv2d_input_grad_matmul(const Request&);
Planned plan_conv2d_input_grad_winograd(const Request&);
Planned plan_conv2d_input_grad_depthwise(const Request&);
Planned plan_conv2d_input_grad_onednn(const Request&);
Planned plan_conv2d_weight_grad_matmul(const Request&);
Planned plan_conv2d_weight_grad_depthwise(const Request&);
Planned plan_conv2d_weight_grad_strided_1x1(const Request&);
Planned plan_conv2d_weight_grad_winograd(const Request&);
Planned plan_conv2d_weight_grad_onednn(const Request&);

}  // namespace fovea::cpu
