#include "cases.h"
#include "ops/host_loss.h"
#include "ops/log_softmax.h"
#include "ops/unary.h"

namespace fovea::testing {
namespace {

// Half the mean square of the difference.
int64_t mean_square() {
  static const HostLossHandle handle(
      [](int64_t pictures, int64_t classes, std::span<const float> logits, std::span<const float> targets, std::span<float> gradient) {
        const auto count = static_cast<double>(pictures * classes);
        double sum = 0;
        for (size_t i = 0; i < logits.size(); ++i) {
          const double difference = static_cast<double>(logits[i]) - static_cast<double>(targets[i]);
          sum += difference * difference / 2;
          gradient[i] = static_cast<float>(difference / count);
        }
        return sum / count;
      });
  return handle.number();
}

}  // namespace

std::vector<OpCase> own_loss_cases() {
  std::vector<OpCase> cases;
  cases.push_back({"exp", Unary{UnaryKind::exp}, {normal({2, 19, 5, 3})}, "f32[2,19,5,3]", {0}, {}, 0, 1e-6});
  cases.push_back({"log", Unary{UnaryKind::log}, {positive({2, 19, 5, 3})}, "f32[2,19,5,3]", {0}, {}, 0, 1e-6});
  cases.push_back({"softplus", Unary{UnaryKind::softplus}, {normal({2, 19, 5, 3})}, "f32[2,19,5,3]", {0}, {}, 0, 1e-6});
  const CaseInput far{{DType::f32, {1, 8, 1, 1}}, {-200, -100, -88, -20, 20, 88, 100, 200}};
  cases.push_back({"softplus_far", Unary{UnaryKind::softplus}, {far}, "f32[1,8,1,1]", {}, {}, 0, 1e-6});
  cases.push_back({"list", Unary{UnaryKind::exp}, {normal({37})}, "f32[37]", {0}, {}, 0, 1e-6});
  cases.push_back({"of_integers", Unary{}, {only("i32[4]")}, "error: unary: x is i32[4], a floating type is wanted"});
  cases.push_back({"log_softmax", LogSoftmax{}, {normal({4, 12, 1, 1})}, "f32[4,12,1,1]", {0}});
  cases.push_back({"log_softmax_of_maps", LogSoftmax{}, {normal({2, 5, 3, 4})}, "f32[2,5,3,4]", {0}});
  cases.push_back({"log_softmax_far", LogSoftmax{}, {far}, "f32[1,8,1,1]"});
  cases.push_back({"log_softmax_rank", LogSoftmax{}, {only("f32[4]")}, "error: log_softmax: x [4] has 1 dimensions, 4 are wanted"});
  const CaseInput logits = normal({4, 12, 1, 1}), targets = positive({4, 12, 1, 1});
  cases.push_back({"host_loss", HostLoss{mean_square()}, {logits, targets}, "f32[] f32[4,12,1,1]"});
  cases.push_back({"host_loss_targets",
                   HostLoss{mean_square()},
                   {only("f32[4,12,1,1]"), only("f32[4,11,1,1]")},
                   "error: host_loss: targets is [4,11,1,1], [4,12,1,1] is wanted"});
  return cases;
}

}  // namespace fovea::testing
