#include "reference/answer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/parallel.h"
#include "reference/formula.h"

namespace fovea::answers {
namespace {

using Json = nlohmann::ordered_json;

Description description(const std::string& name, const Json& json) {
  Description description{name, json.at("l2").get<double>(), json.at("projections").get<std::vector<double>>(), {}};
  if (json.contains("shape")) description.shape = json.at("shape").get<std::vector<int64_t>>();
  return description;
}

std::vector<Description> descriptions(const std::string& prefix, const Json& json) {
  std::vector<Description> list;
  for (const auto& [name, value] : json.items())
    if (!value.is_null()) list.push_back(description(prefix + name, value));
  return list;
}

Answer parse(const Json& json) {
  Answer answer;
  answer.model = json.at("model").get<std::string>();
  answer.seed = json.at("seed").get<uint64_t>();
  for (const auto& [name, shape] : json.at("parameters").items()) answer.parameters.emplace_back(name, shape.get<std::vector<int64_t>>());
  answer.parameter_count = json.at("parameter_count").get<int64_t>();

  const Json& eval = json.at("eval");
  answer.eval.input = eval.at("input").get<std::vector<int64_t>>();
  answer.eval.logits = description("logits", eval.at("logits"));
  answer.eval.stages = descriptions("", eval.at("stages"));
  answer.classes = eval.at("logits").at("shape").at(1).get<int64_t>();

  const Json& train = json.at("train");
  answer.train.input = train.at("input").get<std::vector<int64_t>>();
  answer.train.labels = train.at("labels").get<std::vector<int32_t>>();
  answer.train.label_smoothing = train.at("label_smoothing").get<double>();
  const Json& sgd = train.at("optimizer").at("sgd");
  answer.train.rate = sgd.at("lr").get<double>();
  answer.train.momentum = sgd.at("momentum").get<double>();
  answer.train.weight_decay = sgd.at("weight_decay").get<double>();
  answer.train.losses = train.at("losses").get<std::vector<double>>();
  answer.train.gradients = descriptions("grad:", train.at("first_step_gradients"));
  for (const auto& [name, value] : train.at("first_step_gradients").items())
    if (value.is_null()) answer.train.zero_gradients.push_back(name);
  answer.train.buffers = descriptions("buffer:", train.at("first_step_buffers"));

  answer.float32_logits = json.at("float32_distance").at("logits").get<double>();
  answer.float32_losses = json.at("float32_distance").at("losses").get<std::vector<double>>();
  for (const auto* input : {&answer.eval.input, &answer.train.input})
    if (input->size() != 4) fail(ErrorKind::format, "an input of shape {}, [N,C,H,W] expected", shape_string(*input));
  if (answer.float32_losses.size() != answer.train.losses.size())
    fail(ErrorKind::format, "{} losses and {} distances of losses", answer.train.losses.size(), answer.float32_losses.size());
  return answer;
}

// Of term(i), in blocks: the same number for any number of threads.
template <class Term>
double sum_of(int64_t count, const Term& term) {
  constexpr int64_t kBlock = 1 << 16;
  std::vector<double> sums(static_cast<size_t>((count + kBlock - 1) / kBlock));
  parallel_for(static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block)
      for (int64_t i = block * kBlock; i < std::min(count, (block + 1) * kBlock); ++i) sums[static_cast<size_t>(block)] += term(i);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

double distance(const Description& description, const Tensor& own) {
  const auto values = own.values<double>();
  const double squares = sum_of(own.size(), [&](int64_t i) { return values[static_cast<size_t>(i)] * values[static_cast<size_t>(i)]; });
  double worst = std::abs(description.l2 - std::sqrt(squares)) / description.l2;
  for (size_t k = 0; k < description.projections.size(); ++k) {
    const Noise direction("projection" + std::to_string(k) + ":" + description.name);
    const double product = sum_of(own.size(), [&](int64_t i) { return values[static_cast<size_t>(i)] * direction[i]; });
    const double apart = std::abs(description.projections[k] - product / description.l2);
    if (!(apart <= worst)) worst = apart;  // a NaN stays
  }
  return worst;
}

Answer read_answer(const std::filesystem::path& file) {
  const std::string text = read_text(file);  // its errors name the file
  return in_context(file.string(), [&] {
    try {
      return parse(Json::parse(text));
    } catch (const nlohmann::json::exception& error) {
      fail(ErrorKind::format, "{}", error.what());
    }
  });
}

std::vector<std::string> answers_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const char* library : {"torchvision", "timm"})
    for (const auto& entry : std::filesystem::directory_iterator(folder / library))
      if (entry.path().extension() == ".json") names.push_back(std::string(library) + "/" + entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace fovea::answers
