#include "serve/inference_protocol.h"

#include <fmt/format.h>
#include <fovea/version.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

namespace fovea::serve {

using nlohmann::json;

namespace {

constexpr const char* kLength = "inference-header-content-length";

// Parts of a request's body behind its JSON, taken from the front.
class Binary {
 public:
  explicit Binary(std::string_view rest) : rest_(rest) {}
  std::string_view take(int64_t size, const std::string& of) {
    if (size < 0 || static_cast<uint64_t>(size) > rest_.size())
      throw Refused{400, fmt::format("{}: binary_data_size {}, but {} bytes are left of the body", of, size, rest_.size())};
    const std::string_view part = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size));
    return part;
  }
  size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

const json* member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const json& object, const char* name, const char* where) {
  const json* value = member(object, name);
  if (value == nullptr || !value->is_string()) throw Refused{400, fmt::format("{}: \"{}\": a text expected", where, name)};
  return value->get<std::string>();
}

std::optional<int64_t> whole(const json& object, const char* name, const std::string& where) {
  const json* value = member(object, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX))
    throw Refused{400, fmt::format("{}: \"{}\": a whole number expected, not {}", where, name, json_line(*value))};
  return value->get<int64_t>();
}

bool flag(const json& object, const char* name, bool otherwise, const std::string& where) {
  const json* value = member(object, name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) throw Refused{400, fmt::format("{}: \"{}\": true or false expected, not {}", where, name, json_line(*value))};
  return value->get<bool>();
}

const json& parameters(const json& object, const std::string& where) {
  static const json none = json::object();
  const json* value = member(object, "parameters");
  if (value == nullptr) return none;
  if (!value->is_object()) throw Refused{400, fmt::format("{}: \"parameters\": an object expected", where)};
  return *value;
}

std::vector<int64_t> shape_of(const json& input, const std::string& name) {
  const json* shape = member(input, "shape");
  if (shape == nullptr || !shape->is_array()) throw Refused{400, fmt::format("{}: \"shape\": a list of whole numbers expected", name)};
  std::vector<int64_t> result;
  for (const json& one : *shape) {
    if (!one.is_number_integer() || (one.is_number_unsigned() && one.get<uint64_t>() > INT64_MAX) || one.get<int64_t>() < 1)
      throw Refused{400, fmt::format("{}: shape {}: whole numbers from 1 on expected", name, json_line(*shape))};
    result.push_back(one.get<int64_t>());
  }
  return result;
}

// The numbers of nested or flat lists, in order.
void flatten(const json& data, const std::string& name, size_t expected, std::vector<float>& out) {
  if (data.is_array()) {
    for (const json& one : data) flatten(one, name, expected, out);
    return;
  }
  if (!data.is_number()) throw Refused{400, fmt::format("{}: \"data\": numbers expected, not {}", name, json_line(data).substr(0, 40))};
  if (out.size() == expected) throw Refused{400, fmt::format("{}: more than the {} numbers of its shape", name, expected)};
  out.push_back(data.get<float>());
}

void read_images(const Served& model, const json& input, const std::string& name, std::optional<std::string_view> binary, int64_t most,
                 InferRequest& asked) {
  const auto shape = shape_of(input, name);
  const Preprocessing& prepared = model.predictor.preprocessing();
  const std::vector<int64_t> wanted{model.predictor.channels(), prepared.height, prepared.width};
  if (shape.size() != 4 || !std::equal(wanted.begin(), wanted.end(), shape.begin() + 1))
    throw Refused{400, fmt::format("{}: shape {}: [N,{},{},{}] expected", name, shape_string(shape), wanted[0], wanted[1], wanted[2])};
  if (shape[0] > most) throw Refused{413, fmt::format("{}: {} pictures, at most {}", name, shape[0], most)};
  const size_t count = static_cast<size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
  Tensor images(DType::f32, shape);
  const auto values = images.mutable_values<float>();
  if (binary) {
    if (binary->size() != images.bytes())
      throw Refused{400, fmt::format("{}: {} bytes, {} expected", name, binary->size(), images.bytes())};
    std::memcpy(values.data(), binary->data(), binary->size());
  } else {
    const json* data = member(input, "data");
    if (data == nullptr || !data->is_array()) throw Refused{400, fmt::format("{}: \"data\": a list of numbers expected", name)};
    std::vector<float> numbers;
    numbers.reserve(count);
    flatten(*data, name, count, numbers);
    if (numbers.size() != count) throw Refused{400, fmt::format("{}: {} numbers, {} expected", name, numbers.size(), count)};
    std::ranges::copy(numbers, values.begin());
  }
  for (const float value : values)
    if (!std::isfinite(value)) throw Refused{400, fmt::format("{}: holds what is no number", name)};
  asked.images = std::move(images);
}

void read_pictures(const json& input, const std::string& name, std::optional<std::string_view> binary, int64_t most, InferRequest& asked) {
  const auto shape = shape_of(input, name);
  int64_t count = 1;
  for (const int64_t one : shape) {
    if (one > most / count) throw Refused{413, fmt::format("{}: shape {}: at most {} pictures", name, shape_string(shape), most)};
    count *= one;
  }
  if (binary) {
    Binary rest(*binary);
    while (rest.left() > 0) {
      const std::string_view length = rest.take(4, name);
      uint32_t size = 0;
      std::memcpy(&size, length.data(), 4);
      const auto bytes = as_bytes(rest.take(size, name));
      asked.pictures.emplace_back(bytes.begin(), bytes.end());
      if (static_cast<int64_t>(asked.pictures.size()) > count) break;
    }
  } else {
    const json* data = member(input, "data");
    if (data == nullptr || !data->is_array()) throw Refused{400, fmt::format("{}: \"data\": a list of texts expected", name)};
    for (const json& one : *data) {
      if (!one.is_string()) throw Refused{400, fmt::format("{}: \"data\": pictures as base64 expected", name)};
      if (static_cast<int64_t>(asked.pictures.size()) > count) break;
      asked.pictures.push_back(picture_of_text(one.get_ref<const std::string&>()));
    }
  }
  if (static_cast<int64_t>(asked.pictures.size()) != count)
    throw Refused{400, fmt::format("{}: {} pictures, {} expected by its shape", name, asked.pictures.size(), count)};
}

}  // namespace

json server_metadata() {
  return {{"name", "fovea"}, {"version", version()}, {"extensions", {"binary_tensor_data", "classification", "model_repository"}}};
}

json model_metadata(const Served& model) {
  const Preprocessing& prepared = model.predictor.preprocessing();
  json outputs = json::array();
  const int64_t classes = static_cast<int64_t>(model.predictor.classes().size());
  if (classes > 0)
    for (const char* name : {"probabilities", "logits"})
      outputs.push_back({{"name", name}, {"datatype", "FP32"}, {"shape", {-1, classes}}});
  outputs.push_back({{"name", "embeddings"}, {"datatype", "FP32"}, {"shape", {-1, model.predictor.feature_width()}}});
  return {{"name", model.name},
          {"versions", {model.version}},
          {"platform", "fovea"},
          {"inputs",
           {{{"name", "images"}, {"datatype", "FP32"}, {"shape", {-1, model.predictor.channels(), prepared.height, prepared.width}}},
            {{"name", "pictures"}, {"datatype", "BYTES"}, {"shape", {-1}}}}},
          {"outputs", outputs}};
}

InferRequest read_infer(const Served& model, const Request& request, int64_t most) {
  std::string_view text = request.body;
  std::string_view behind;
  if (const std::string& length = request.header(kLength); !length.empty()) {
    uint64_t size = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), size);
    if (error != std::errc() || end != length.data() + length.size() || size > text.size())
      throw Refused{400, fmt::format("Inference-Header-Content-Length: '{}', but the body has {} bytes", length, text.size())};
    behind = text.substr(size);
    text = text.substr(0, size);
  }
  const json body = read_json(std::string(text));
  if (!body.is_object()) throw Refused{400, "an object with \"inputs\" expected"};
  InferRequest asked;
  if (member(body, "id") != nullptr) asked.id = text_of(body, "id", "the request");
  const json& common = parameters(body, "the request");
  if (const auto timeout = whole(common, "timeout", "the request")) {
    if (*timeout < 0) throw Refused{400, fmt::format("\"timeout\": {}: microseconds from 0 on expected", *timeout)};
    asked.timeout = static_cast<double>(*timeout) * 1e-6;
  }
  const json* inputs = member(body, "inputs");
  if (inputs == nullptr || !inputs->is_array() || inputs->size() != 1 || !inputs->front().is_object())
    throw Refused{400, "\"inputs\": one input, \"images\" or \"pictures\", expected"};
  const json& input = inputs->front();
  const std::string name = text_of(input, "name", "inputs"), type = text_of(input, "datatype", "inputs");
  if (name != "images" && name != "pictures")
    throw Refused{400, fmt::format("there is no input '{}': \"images\" or \"pictures\" expected", name)};
  const char* expected = name == "images" ? "FP32" : "BYTES";
  if (type != expected) throw Refused{400, fmt::format("{}: datatype {}: {} expected", name, type, expected)};
  Binary rest(behind);
  std::optional<std::string_view> binary;
  if (const auto size = whole(parameters(input, name), "binary_data_size", name)) binary = rest.take(*size, name);
  if (binary && member(input, "data") != nullptr) throw Refused{400, fmt::format("{}: both \"data\" and binary data", name)};
  if (rest.left() > 0) throw Refused{400, fmt::format("{} bytes behind the last input", rest.left())};
  if (name == "images")
    read_images(model, input, name, binary, most, asked);
  else
    read_pictures(input, name, binary, most, asked);

  const bool all_binary = flag(common, "binary_data_output", false, "the request");
  const json* outputs = member(body, "outputs");
  const bool classes = !model.predictor.classes().empty();
  if (outputs == nullptr) {
    asked.outputs.push_back({classes ? "probabilities" : "embeddings", all_binary, 0});
    return asked;
  }
  if (!outputs->is_array()) throw Refused{400, "\"outputs\": a list expected"};
  for (const json& one : *outputs) {
    if (!one.is_object()) throw Refused{400, "\"outputs\": objects expected"};
    InferRequest::Output output{text_of(one, "name", "outputs"), false, 0};
    const bool known = output.name == "embeddings" || (classes && (output.name == "probabilities" || output.name == "logits"));
    if (!known) throw Refused{400, fmt::format("{} has no output '{}'", model.name, output.name)};
    const json& own = parameters(one, output.name);
    output.binary = flag(own, "binary_data", all_binary, output.name);
    if (const auto count = whole(own, "classification", output.name)) {
      if (*count < 1 || output.name == "embeddings")
        throw Refused{400, fmt::format("{}: classification {} is not possible", output.name, *count)};
      output.classification = std::min<int64_t>(*count, static_cast<int64_t>(model.predictor.classes().size()));
    }
    if (asked.outputs.size() >= 8) throw Refused{400, "more than 8 outputs"};
    asked.outputs.push_back(std::move(output));
  }
  if (asked.outputs.empty()) throw Refused{400, "\"outputs\" is empty"};
  return asked;
}

namespace {

// One after the other, so that each has the bits that it has alone.
Tensor computed(const Served& model, const std::string& output, const InferRequest& asked, const std::vector<Image>& pictures) {
  const Predictor& predictor = model.predictor;
  if (!pictures.empty() && output == "embeddings") return predictor.embed(pictures);
  const int64_t width = output == "embeddings" ? predictor.feature_width() : static_cast<int64_t>(predictor.classes().size());
  const int64_t count = pictures.empty() ? asked.images.shape()[0] : static_cast<int64_t>(pictures.size());
  Tensor result(DType::f32, {count, width});
  const auto out = result.mutable_values<float>();
  if (!pictures.empty() && output == "probabilities") {
    const auto found = predictor.predict(pictures, width);
    for (size_t i = 0; i < found.size(); ++i)
      for (const ClassProbability& one : found[i])
        out[i * static_cast<size_t>(width) + static_cast<size_t>(one.index)] = static_cast<float>(one.probability);
    return result;
  }
  for (int64_t i = 0; i < count; ++i) {
    Tensor one;
    if (pictures.empty()) {
      const auto& shape = asked.images.shape();
      one = Tensor(DType::f32, {1, shape[1], shape[2], shape[3]});
      std::memcpy(one.mutable_raw(), static_cast<const char*>(asked.images.raw()) + static_cast<size_t>(i) * one.bytes(), one.bytes());
    } else {
      const Tensor prepared = preprocess(pictures[static_cast<size_t>(i)], predictor.preprocessing());
      const auto& shape = prepared.shape();
      one = prepared.reshaped({1, shape[0], shape[1], shape[2]});
    }
    const Tensor row = output == "embeddings" ? predictor.embed(one)
                       : output == "logits"   ? predictor.logits(one)
                                              : predictor.probabilities(one);
    std::ranges::copy(row.values<float>(), out.begin() + static_cast<std::ptrdiff_t>(i * width));
  }
  return result;
}

// "PROBABILITY:INDEX:NAME" of the largest values of each row.
std::vector<std::string> classified(const Served& model, const Tensor& values, int64_t count) {
  std::vector<std::string> result;
  const int64_t width = values.shape()[1];
  const auto all = values.values<float>();
  std::vector<int64_t> order(static_cast<size_t>(width));
  for (int64_t i = 0; i < values.shape()[0]; ++i) {
    const auto row = all.subspan(static_cast<size_t>(i * width), static_cast<size_t>(width));
    for (int64_t k = 0; k < width; ++k) order[static_cast<size_t>(k)] = k;
    std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
      const float x = row[static_cast<size_t>(a)], y = row[static_cast<size_t>(b)];
      return x != y ? x > y : a < b;
    });
    for (int64_t k = 0; k < count; ++k) {
      const size_t index = static_cast<size_t>(order[static_cast<size_t>(k)]);
      result.push_back(fmt::format("{}:{}:{}", row[index], index, model.predictor.classes()[index]));
    }
  }
  return result;
}

std::string with_lengths(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& one : texts) {
    const uint32_t size = static_cast<uint32_t>(one.size());
    result.append(reinterpret_cast<const char*>(&size), 4).append(one);
  }
  return result;
}

}  // namespace

Response infer_answer(const Served& model, const InferRequest& asked, const std::vector<Image>& pictures) {
  json outputs = json::array();
  std::string binary;
  for (const InferRequest::Output& output : asked.outputs) {
    const Tensor values = computed(model, output.name, asked, pictures);
    const bool classes = output.classification > 0;
    json one{{"name", output.name}, {"datatype", classes ? "BYTES" : "FP32"}, {"shape", values.shape()}};
    if (classes) one["shape"] = {values.shape()[0], output.classification};
    const auto texts = classes ? classified(model, values, output.classification) : std::vector<std::string>();
    if (output.binary) {
      const std::string bytes = classes ? with_lengths(texts) : std::string(static_cast<const char*>(values.raw()), values.bytes());
      one["parameters"] = {{"binary_data_size", bytes.size()}};
      binary += bytes;
    } else {
      one["data"] = classes ? json(texts) : vector_json(values.values<float>());
    }
    outputs.push_back(std::move(one));
  }
  json result{{"model_name", model.name}, {"model_version", model.version}, {"outputs", outputs}};
  if (!asked.id.empty()) result["id"] = asked.id;
  Response answer = json_answer(result);
  if (!binary.empty()) {
    answer.body.pop_back();
    answer.headers["Inference-Header-Content-Length"] = std::to_string(answer.body.size());
    answer.type = "application/octet-stream";
    answer.body += binary;
  }
  return answer;
}

}  // namespace fovea::serve
