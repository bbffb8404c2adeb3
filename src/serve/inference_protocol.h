// The Open Inference Protocol, version 2, with its binary extension: https://github.com/kserve/open-inference-protocol.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "serve/message.h"
#include "serve/models.h"

namespace fovea::serve {

// What is asked of a model: one of the inputs "images" (FP32 [N, C, H, W], prepared as the model's preprocessing has it) and "pictures"
// (BYTES [N], files of pictures: in JSON as base64), and any of the outputs "probabilities", "logits" [N, classes], "embeddings" [N,
// width].
struct InferRequest {
  std::string id;
  Tensor images;  // empty: pictures
  std::vector<std::vector<std::byte>> pictures;
  struct Output {
    std::string name;
    bool binary = false;
    int64_t classification = 0;  // above 0: so many classes as "PROBABILITY:INDEX:NAME", the best first
  };
  std::vector<Output> outputs;
  double timeout = 0;  // seconds; 0: none

  Tensor image(size_t i) const;  // [1, C, H, W]
};

nlohmann::json server_metadata();
nlohmann::json model_metadata(const Served& model);

// Throws Refused(400) for what is not as the protocol and the model have it, Refused(413) for more than `most` pictures.
InferRequest read_infer(const Served& model, const Request& request, int64_t most);

// One row of each output that is asked for: what the model gives for one picture, or one prepared image [1, C, H, W].
using Rows = std::vector<std::vector<float>>;
Rows infer_rows(const Served& model, const InferRequest& asked, const Image& picture);
Rows infer_rows(const Served& model, const InferRequest& asked, const Tensor& image);
// `all`: of every picture or image.
Response infer_answer(const Served& model, const InferRequest& asked, const std::vector<Rows>& all);

}  // namespace fovea::serve
