// Linear layers (1x1 convolutions of images of one pixel, or of one column: tokens) and their gradients as matrix products of oneDNN; of
// wide 1x1 convolutions of maps the weight gradient too.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "backends/cpu/conv2d.h"

namespace fovea::cpu {
namespace {

// So many rows pay for bringing weights into the library's own form in every run. Without it ViT-B's layers were up to 30 % faster at 197
// rows, and up to 15 % slower at 3152.
constexpr int64_t kRowsForReorder = 1024;

struct Product {
  OneDnnArgument a, b, y;  // a is the library's source, b its weights
  bool any_b = false;      // b may be brought into another form
  std::vector<OneDnnArgument> more;
  memory::desc bias;
};

Planned plan_product(Product product, const dnnl::primitive_attr& attributes) {
  // Weights lie in f32 and are brought into the maps' type.
  const memory::data_type type = product.a.ours.get_data_type();
  const bool other_type = product.b.ours.get_data_type() != type;
  const memory::desc b = product.any_b || other_type ? any_form(product.b.ours, type) : product.b.ours;
  const dnnl::matmul::primitive_desc desc(onednn_engine(), product.a.ours, b, product.bias, product.y.wanted, attributes, true);
  if (!desc) return refuse("the library has no such matrix product");
  product.b.wanted = desc.weights_desc();
  std::vector<OneDnnArgument> arguments{product.a, product.b, product.y};
  arguments.insert(arguments.end(), product.more.begin(), product.more.end());
  return {
      std::make_unique<OneDnnKernel>(dnnl::matmul(desc), desc.scratchpad_desc(), fmt::format("matmul {}", desc.impl_info_str()), arguments),
      {}};
}

std::string not_linear(const Request& request, const ConvProblem& problem) {
  if (!problem.linear()) return "not a linear layer";
  return obstacle(problem, request.inputs, request.outputs, true);
}

// Without AVX-512 the library has one matrix product alone (gemm:jit). It packs both sides in every run, into memory that it takes itself,
// and what follows is a pass of its own; its convolution does neither where weights are constant.
Planned product_or_convolution(Planned product, const Request& request, Candidate convolution) {
  if (!product.kernel || !product.kernel->depends_on_cores() || !request.inputs[1].constant) return product;
  Planned other = convolution(request);
  return other.kernel && !other.kernel->depends_on_cores() ? std::move(other) : std::move(product);
}

Planned plan_matmul_forward(const Request& request, const ConvProblem& problem) {
  if (std::string reason = not_linear(request, problem); !reason.empty()) return refuse("{}", reason);
  const int64_t count = problem.pixels(), in = problem.x.channels(), out = problem.y.channels();
  const memory::desc y = matrix(count, out, request.outputs[0].row_stride, problem.maps);
  const memory::desc w = transposed(out, in, in);
  Product product{OneDnnArgument::in(DNNL_ARG_SRC, 0, matrix(count, in, request.inputs[0].row_stride, problem.maps)),
                  {DNNL_ARG_WEIGHTS, 1, w, w, false, request.inputs[1].constant},
                  OneDnnArgument::out(DNNL_ARG_DST, 0, y),
                  request.inputs[1].constant || count >= kRowsForReorder,
                  {},
                  {}};
  if (problem.bias) {
    product.bias = matrix(1, out, out);
    product.more.push_back(OneDnnArgument::in(DNNL_ARG_BIAS, 2, product.bias));
  }
  memory::desc residual;
  if (problem.residual) {
    const size_t index = problem.bias ? 3 : 2;
    residual = matrix(count, out, request.inputs[index].row_stride, problem.maps);
    product.more.push_back(OneDnnArgument::in(kResidualArgument, index, residual));
  }
  return plan_product(std::move(product), epilogue_attributes(problem, residual));
}

}  // namespace

Planned plan_conv2d_matmul(const Request& request) {
  return product_or_convolution(plan_matmul_forward(request, problem_of(*request.op.as<Conv2d>(), request)), request, plan_conv2d_onednn);
}
Planned plan_fused_conv2d_matmul(const Request& request) {
  return product_or_convolution(plan_matmul_forward(request, problem_of(*request.op.as<FusedConv2d>(), request)), request,
                                plan_fused_conv2d_onednn);
}

Planned plan_conv2d_input_grad_matmul(const Request& request) {
  const ConvProblem problem = problem_of(*request.op.as<Conv2dInputGrad>(), request);
  if (std::string reason = not_linear(request, problem); !reason.empty()) return refuse("{}", reason);
  const int64_t count = problem.pixels(), in = problem.x.channels(), out = problem.y.channels();
  const memory::desc w = matrix(out, in, in);
  return plan_product({OneDnnArgument::in(DNNL_ARG_SRC, 1, matrix(count, out, request.inputs[1].row_stride, problem.maps)),
                       {DNNL_ARG_WEIGHTS, 0, w, w, false, request.inputs[0].constant},
                       OneDnnArgument::out(DNNL_ARG_DST, 0, matrix(count, in, request.outputs[0].row_stride, problem.maps)),
                       request.inputs[0].constant || count >= kRowsForReorder,
                       {},
                       {}},
                      plain_attributes());
}

// Of linear layers, and of 1x1 convolutions of maps with channels enough: there the library's own convolution is up to 1.5 times as slow
// (bf16; 1.1 times in f32), and its threads wait for one another in every block. With fewer channels the convolution is faster.
Planned plan_conv2d_weight_grad_matmul(const Request& request) {
  constexpr int64_t kLeastChannels = 64, kRowsForTranspose = 256;
  const ConvProblem problem = problem_of(*request.op.as<Conv2dWeightGrad>(), request);
  const int64_t count = problem.pixels(), in = problem.x.channels(), out = problem.y.channels();
  if (!problem.linear() && !(problem.pointwise() && std::min(in, out) >= kLeastChannels))
    return refuse("not a linear layer, nor wide and 1x1");
  if (std::string reason = obstacle(problem, request.inputs, request.outputs, true); !reason.empty()) return refuse("{}", reason);
  const int64_t x_stride = request.inputs[0].row_stride, dy_stride = request.inputs[1].row_stride;
  // The narrower matrix is the library's second one: with wide rows there (ViT-B's 3072) it takes twice as long in f32, much more than to
  // transpose the result.
  if (in > out && count >= kRowsForTranspose && problem.maps == DType::f32)
    return plan_product({OneDnnArgument::in(DNNL_ARG_SRC, 0, transposed(count, in, x_stride)),
                         OneDnnArgument::in(DNNL_ARG_WEIGHTS, 1, matrix(count, out, dy_stride)),
                         {DNNL_ARG_DST, 0, transposed(out, in, in), matrix(in, out, out), true},
                         false,
                         {},
                         {}},
                        plain_attributes());
  return plan_product({OneDnnArgument::in(DNNL_ARG_SRC, 1, transposed(count, out, dy_stride, problem.maps)),
                       OneDnnArgument::in(DNNL_ARG_WEIGHTS, 0, matrix(count, in, x_stride, problem.maps)),
                       OneDnnArgument::out(DNNL_ARG_DST, 0, matrix(out, in, in)),
                       false,
                       {},
                       {}},
                      plain_attributes());
}

}  // namespace fovea::cpu
