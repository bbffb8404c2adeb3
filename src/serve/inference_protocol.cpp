#include "serve/inference_protocol.h"

#include <fmt/format.h>
#include <fovea/version.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>
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

void read_images(const Served& model, const json& input, const std::string& name, std::optional<std::string_view> binary,
                 const std::vector<float>& numbers, int64_t most, InferRequest& asked) {
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
    if (!data->empty())
      throw Refused{400, fmt::format("{}: \"data\": numbers expected, not {}", name, json_line(data->front()).substr(0, 40))};
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

Tensor InferRequest::image(size_t i) const {
  const auto& shape = images.shape();
  Tensor one(DType::f32, {1, shape[1], shape[2], shape[3]});
  std::memcpy(one.mutable_raw(), static_cast<const char*>(images.raw()) + i * one.bytes(), one.bytes());
  return one;
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
  const Preprocessing& prepared = model.predictor.preprocessing();
  Numbers numbers{static_cast<size_t>(most * model.predictor.channels() * prepared.height * prepared.width)};
  const json body = read_json(text, &numbers);
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
    read_images(model, input, name, binary, numbers.values, most, asked);
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

// "PROBABILITY:INDEX:NAME" of the largest values of each row.
std::vector<std::string> classified(const Served& model, const std::vector<std::span<const float>>& rows, int64_t count) {
  std::vector<std::string> result;
  for (const auto& row : rows) {
    std::vector<size_t> order(row.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::partial_sort(order.begin(), order.begin() + count, order.end(),
                      [&](size_t a, size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    for (int64_t k = 0; k < count; ++k) {
      const size_t index = order[static_cast<size_t>(k)];
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

std::vector<float> values_of(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

}  // namespace

Rows infer_rows(const Served& model, const InferRequest& asked, const Image& picture) {
  const Predictor& predictor = model.predictor;
  Rows rows;
  for (const InferRequest::Output& output : asked.outputs) {
    if (output.name == "embeddings") {
      rows.push_back(values_of(predictor.embed(picture)));
    } else if (output.name == "probabilities") {
      std::vector<float>& row = rows.emplace_back(predictor.classes().size());
      for (const ClassProbability& one : predictor.predict(picture, static_cast<int64_t>(row.size())))
        row[static_cast<size_t>(one.index)] = static_cast<float>(one.probability);
    } else {
      const Tensor image = preprocess(picture, predictor.preprocessing());
      rows.push_back(values_of(predictor.logits(image.reshaped({1, image.shape()[0], image.shape()[1], image.shape()[2]}))));
    }
  }
  return rows;
}

Rows infer_rows(const Served& model, const InferRequest& asked, const Tensor& image) {
  Rows rows;
  for (const InferRequest::Output& output : asked.outputs)
    rows.push_back(values_of(output.name == "embeddings" ? model.predictor.embed(image)
                             : output.name == "logits"   ? model.predictor.logits(image)
                                                         : model.predictor.probabilities(image)));
  return rows;
}

Response infer_answer(const Served& model, const InferRequest& asked, const std::vector<Rows>& all) {
  json outputs = json::array();
  std::string binary;
  for (size_t i = 0; i < asked.outputs.size(); ++i) {
    const InferRequest::Output& output = asked.outputs[i];
    std::vector<std::span<const float>> rows;
    for (const Rows& one : all) rows.emplace_back(one[i]);
    const bool classes = output.classification > 0;
    const size_t width = classes ? static_cast<size_t>(output.classification) : rows.front().size();
    json one{{"name", output.name}, {"datatype", classes ? "BYTES" : "FP32"}, {"shape", {rows.size(), width}}};
    const auto texts = classes ? classified(model, rows, output.classification) : std::vector<std::string>();
    if (output.binary) {
      std::string bytes = classes ? with_lengths(texts) : "";
      if (!classes)
        for (const auto& row : rows) bytes.append(reinterpret_cast<const char*>(row.data()), row.size_bytes());
      one["parameters"] = {{"binary_data_size", bytes.size()}};
      binary += bytes;
    } else if (classes) {
      one["data"] = texts;
    } else {
      one["data"] = json::array();
      for (const auto& row : rows)
        for (json& value : vector_json(row)) one["data"].push_back(std::move(value));
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
