#include "serve/openapi.h"

#include <fovea/version.h>

#include <string>
#include <utility>
#include <vector>

namespace fovea::serve {

using nlohmann::json;

namespace {

json reference(const char* name) { return {{"$ref", std::string("#/components/schemas/") + name}}; }
json list_of(json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
json object_of(json properties, const std::vector<std::string>& required) {
  return {{"type", "object"}, {"properties", std::move(properties)}, {"required", required}};
}
json text() { return {{"type", "string"}}; }
json number() { return {{"type", "number"}}; }
json whole() { return {{"type", "integer"}}; }

json content(const char* type, json schema) { return {{type, {{"schema", std::move(schema)}}}}; }
json described(const char* description, json of) { return {{"description", description}, {"content", std::move(of)}}; }

json parameter(const char* name, const char* in, const char* description, json schema) {
  return {{"name", name}, {"in", in}, {"description", description}, {"required", std::string(in) == "path"}, {"schema", std::move(schema)}};
}

json required(json parameter) {
  parameter["required"] = true;
  return parameter;
}

// An answer, and the errors that every request may get.
json answers(json good, const std::vector<int>& errors) {
  json all{{"200", std::move(good)}};
  for (const int status : errors) all[std::to_string(status)] = described("An error", content("application/json", reference("Error")));
  return all;
}

json picture_body() {
  json form = object_of({{"file", {{"type", "string"}, {"format", "binary"}}}}, {"file"});
  json types = content("multipart/form-data", std::move(form));
  types["application/octet-stream"] = {{"schema", {{"type", "string"}, {"format", "binary"}}}};
  types["image/*"] = {{"schema", {{"type", "string"}, {"format", "binary"}}}};
  return {{"required", true}, {"description", "A picture's file as it is, or a form of one or several"}, {"content", std::move(types)}};
}

const std::vector<int> kOfPictures{400, 401, 404, 408, 411, 413, 415, 429, 431, 500, 503, 504};

json of_pictures(const char* summary, json parameters, json good) {
  parameters.insert(parameters.begin(), parameter("model", "query", "A served model; without it the first", text()));
  parameters.push_back(parameter("timeout", "query", "Seconds after which no answer is wanted", {{"type", "number"}, {"minimum", 0.001}}));
  return {{"post",
           {{"summary", summary},
            {"parameters", std::move(parameters)},
            {"requestBody", picture_body()},
            {"responses", answers(std::move(good), kOfPictures)}}}};
}

json get(const char* summary, json good, const std::vector<int>& errors = {401}, json parameters = json::array()) {
  json one{{"summary", summary}, {"responses", answers(std::move(good), errors)}};
  if (!parameters.empty()) one["parameters"] = std::move(parameters);
  return {{"get", std::move(one)}};
}

json post(const char* summary, json body, json good, const std::vector<int>& errors, json parameters = json::array()) {
  json one{{"summary", summary}, {"responses", answers(std::move(good), errors)}};
  if (!body.is_null()) one["requestBody"] = {{"required", true}, {"content", content("application/json", std::move(body))}};
  if (!parameters.empty()) one["parameters"] = std::move(parameters);
  return {{"post", std::move(one)}};
}

// {"model", "version", KEY} of a body, {"model", "version", "pictures"} of a form.
json answer_with(const char* key, json value) {
  json one{{"file", text()}, {"error", text()}};
  one[key] = value;
  json all{{"model", text()}, {"version", text()}, {"pictures", list_of(object_of(one, {"file"}))}};
  all[key] = std::move(value);
  return content("application/json", object_of(all, {"model", "version"}));
}

json schemas() {
  const json tensor = object_of({{"name", text()},
                                 {"datatype", text()},
                                 {"shape", list_of(whole())},
                                 {"data", list_of(json::object())},
                                 {"parameters", {{"type", "object"}}}},
                                {"name", "datatype", "shape"});
  return {{"Error", object_of({{"error", text()}}, {"error"})},
          {"Class", object_of({{"name", text()}, {"index", whole()}, {"probability", number()}}, {"name", "index", "probability"})},
          {"Neighbor", object_of({{"file", text()}, {"row", whole()}, {"similarity", number()}}, {"file", "row", "similarity"})},
          {"Tensor", tensor},
          {"InferRequest", object_of({{"id", text()},
                                      {"inputs", list_of(tensor)},
                                      {"outputs", list_of(object_of({{"name", text()}, {"parameters", {{"type", "object"}}}}, {"name"}))},
                                      {"parameters", {{"type", "object"}}}},
                                     {"inputs"})},
          {"InferResponse", object_of({{"id", text()}, {"model_name", text()}, {"model_version", text()}, {"outputs", list_of(tensor)}},
                                      {"model_name", "outputs"})},
          {"EmbeddingRequest", object_of({{"model", text()},
                                          {"input", {{"oneOf", {text(), {{"type", "array"}, {"items", text()}, {"minItems", 1}}}}}},
                                          {"encoding_format", {{"type", "string"}, {"enum", {"float", "base64"}}}}},
                                         {"input"})},
          {"EmbeddingResponse",
           object_of({{"object", text()},
                      {"model", text()},
                      {"data",
                       list_of(object_of({{"object", text()}, {"index", whole()}, {"embedding", json::object()}}, {"index", "embedding"}))},
                      {"usage", {{"type", "object"}}}},
                     {"data", "model"})}};
}

}  // namespace

json openapi_document() {
  const json top = parameter("top", "query", "How many", {{"type", "integer"}, {"minimum", 1}});
  const json name = parameter("name", "path", "A model", text()), version_number = parameter("version", "path", "Its version", text());
  const json any = content("application/json", {{"type", "object"}});
  const std::vector<int> of_models{401, 404}, of_inference = kOfPictures;
  json infer_answer = content("application/json", reference("InferResponse"));
  infer_answer["application/octet-stream"] = {{"schema", {{"type", "string"}, {"format", "binary"}}}};
  json paths{
      {"/predict", of_pictures("The most probable classes", json::array({top}),
                               described("Classes, the most probable first", answer_with("classes", list_of(reference("Class")))))},
      {"/embed", of_pictures("The feature vector", json::array(), described("The vector", answer_with("embedding", list_of(number()))))},
      {"/explain",
       of_pictures("Where the network looked",
                   json::array({parameter("class", "query", "The class to explain; without it the most probable one", text()),
                                parameter("tap", "query", "Grad-CAM of another map", text()),
                                parameter("method", "query", "How", {{"type", "string"}, {"enum", {"auto", "gradcam", "rollout"}}})}),
                   described("The picture with the heat over it", content("image/png", {{"type", "string"}, {"format", "binary"}})))},
      {"/neighbors", of_pictures("The most similar pictures of the features given at the start", json::array({top}),
                                 described("Pictures, the most similar first", answer_with("neighbors", list_of(reference("Neighbor")))))},
      {"/neighbors/picture",
       get("One of the pictures that /neighbors names, small",
           described("The picture", content("image/jpeg", {{"type", "string"}, {"format", "binary"}})), {400, 401, 404},
           json::array({parameter("model", "query", "A served model", text()),
                        required(parameter("row", "query", "Its row", {{"type", "integer"}, {"minimum", 0}}))}))},
      {"/models", get("The models that are served", described("Models", any))},
      {"/health", get("Whether the server answers", described("It does", any), {})},
      {"/metrics", get("Counters for Prometheus", described("Metrics", content("text/plain", text())))},
      {"/openapi.json", get("This document", described("OpenAPI 3.0", any), {})},
      {"/v1/models", get("The models, as OpenAI lists them", described("Models", any))},
      {"/v1/embeddings", post("Feature vectors, as OpenAI's", reference("EmbeddingRequest"),
                              described("Vectors", content("application/json", reference("EmbeddingResponse"))), of_inference)},
      {"/embeddings_image", post("Feature vectors, as infinity's", reference("EmbeddingRequest"),
                                 described("Vectors", content("application/json", reference("EmbeddingResponse"))), of_inference)},
      {"/v2", get("Open Inference Protocol: the server", described("Metadata", any), {})},
      {"/v2/health/live", get("Open Inference Protocol: live", described("Yes", any), {})},
      {"/v2/health/ready", get("Open Inference Protocol: ready", described("Yes", any), {})},
      {"/v2/repository/index", post("Models that are loaded or could be", nullptr,
                                    described("Models", content("application/json", list_of({{"type", "object"}}))), {401, 413})},
      {"/v2/repository/models/{name}/load", post("Load a model, again or from the folder of models", nullptr, described("Loaded", any),
                                                 {400, 401, 403, 404, 413, 429, 500}, json::array({name}))},
      {"/v2/repository/models/{name}/unload",
       post("Unload a model", nullptr, described("Unloaded", any), {401, 403, 404, 413, 429}, json::array({name}))}};
  for (const bool with_version : {false, true}) {
    const std::string path = std::string("/v2/models/{name}") + (with_version ? "/versions/{version}" : "");
    const json parameters = with_version ? json::array({name, version_number}) : json::array({name});
    paths[path] = get("Open Inference Protocol: a model", described("Metadata", any), of_models, parameters);
    paths[path + "/ready"] = get("Open Inference Protocol: whether a model is ready", described("Yes", any), of_models, parameters);
    paths[path + "/infer"] =
        post("Open Inference Protocol: inference", reference("InferRequest"), described("Outputs", infer_answer), of_inference, parameters);
  }
  return {{"openapi", "3.0.3"},
          {"info", {{"title", "fovea"}, {"version", version()}, {"description", "Pre-trained vision encoders behind an address"}}},
          {"paths", paths},
          {"components", {{"schemas", schemas()}, {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
          {"security", json::array({json::object(), {{"token", json::array()}}})}};
}

}  // namespace fovea::serve
