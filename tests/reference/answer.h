// A reference answer: what another library computed in float64, as tensors described by norm and random projections.
#pragma once

#include <fovea/tensor.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fovea::answers {

struct Description {
  std::string name;  // "logits", a stage's name, "grad:PARAMETER", "buffer:BUFFER"
  double l2 = 0;
  std::vector<double> projections;
  std::vector<int64_t> shape;  // where the answer gives it
};

// The largest of |l2 - own l2| / l2 and every |projection - own|, the own divided by the description's l2.
double distance(const Description& description, const Tensor& own);  // f64, in logical order

struct Answer {
  std::string model;  // "torchvision/resnet50"
  uint64_t seed = 0;
  std::vector<std::pair<std::string, std::vector<int64_t>>> parameters;  // in the library's order
  int64_t parameter_count = 0;
  int64_t classes = 0;

  struct {
    std::vector<int64_t> input;
    Description logits;
    std::vector<Description> stages;
  } eval;

  struct {
    std::vector<int64_t> input;
    std::vector<int32_t> labels;
    double label_smoothing = 0, rate = 0, momentum = 0, weight_decay = 0;
    std::vector<double> losses;
    std::vector<Description> gradients;       // of the first step
    std::vector<std::string> zero_gradients;  // parameters whose gradient algebra makes zero: a later batch norm takes their shift out
    std::vector<Description> buffers;         // after the first step
  } train;

  double float32_logits = 0;           // of one float32 run of torch, beside its float64
  std::vector<double> float32_losses;  // distances of a float32 run of the other library
};

// Throws Error naming the file and what is wrong with it.
Answer read_answer(const std::filesystem::path& file);
// "torchvision/resnet50" and so on: every answer in the folder.
std::vector<std::string> answers_in(const std::filesystem::path& folder);

}  // namespace fovea::answers
