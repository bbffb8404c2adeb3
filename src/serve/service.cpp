#include "serve/service.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fovea/error.h>
#include <fovea/heat_map.h>
#include <fovea/version.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "serve/inference_protocol.h"
#include "serve/message.h"
#include "serve/metrics.h"
#include "serve/openapi.h"
#include "serve/page.h"
#include "serve/work.h"

namespace fovea::serve {

using nlohmann::json;
using std::chrono::duration;

namespace {

// Takes the same time wherever two texts part.
bool same_secret(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() != secret.size();
  for (size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  return difference == 0;
}

std::string_view route_of(const std::string& path) {
  if (path.starts_with("/v2/models/")) return path.ends_with("/infer") ? "/v2/models/{name}/infer" : "/v2/models/{name}";
  if (path.starts_with("/v2/repository/models/")) return "/v2/repository/models/{name}";
  return path;
}

double seconds_since(Clock::time_point then) { return duration<double>(Clock::now() - then).count(); }

// What the error of a request means to its client.
Response answer_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Refused& refused) {
    return error_answer(refused.status, refused.reason);
  } catch (const Error& failed) {
    const bool internal = failed.kind() == ErrorKind::internal || failed.kind() == ErrorKind::io;
    return error_answer(internal ? 500 : 400, failed.what());
  } catch (const std::bad_alloc&) {
    return error_answer(503, "there is not enough memory");
  } catch (const std::exception& failed) {
    return error_answer(500, failed.what());
  }
}

}  // namespace

class Service::Implementation {
 public:
  explicit Implementation(ServiceOptions given)
      : options_(std::move(given)),
        models_(options_.models),
        server_(options_.http, {[this](const Request& request) { return admit(request); },
                                [this](std::shared_ptr<Exchange> exchange) { handle(std::move(exchange)); },
                                [this](const Request& request, int status, int64_t bytes) { answered(request, status, bytes); }}),
        cores_({options_.max_batch, std::chrono::microseconds(static_cast<int64_t>(options_.max_delay_ms * 1000)), options_.threads,
                options_.queue}) {
    set_max_pixels(options_.max_pixels);
    watcher_ = std::thread([this] { watch(); });
  }
  ~Implementation() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    watcher_.join();
  }

  HttpServer& server() { return server_; }
  void reload() {
    {
      const std::lock_guard lock(mutex_);
      look_now_ = true;
    }
    wake_.notify_all();
  }

 private:
  using Respond = std::function<void(Response)>;
  enum class Where { network, cores };  // where a request is worked on
  struct Route {
    const char* method;
    const char* path;  // {name} stands for one part of it
    Where where;
    void (Implementation::*answer)(const std::shared_ptr<Exchange>&, const std::vector<std::string>& names);
    bool open = false;  // also without the token
  };
  static const std::vector<Route>& routes();
  static std::optional<std::vector<std::string>> match(const char* pattern, std::string_view path);

  // A request on its way: it holds a place in the queue, and ends with an answer.
  struct Visit {
    Visit(Implementation& service, std::shared_ptr<Exchange> exchange) : service(service), exchange(std::move(exchange)) {}
    ~Visit() { service.cores_.leave(); }
    Implementation& service;
    std::shared_ptr<Exchange> exchange;
    Clock::time_point deadline = Clock::time_point::max();

    bool wanted() {
      if (exchange->gone()) return false;
      if (Clock::now() < deadline) return true;
      exchange->answer(error_answer(504, "the request's time is over"));
      return false;
    }
  };
  using VisitPointer = std::shared_ptr<Visit>;

  std::optional<Response> admit(const Request& request);
  void handle(std::shared_ptr<Exchange> exchange);
  void answered(const Request& request, int status, int64_t bytes);
  void watch();

  ServedModel model_of(const std::string& name) const {
    ServedModel model = models_.find(name);
    if (!model) throw Refused{404, fmt::format("there is no model '{}'", name)};
    return model;
  }
  ServedModel asked_model(const Request& request) const {
    const auto name = request.query.find("model");
    return model_of(name == request.query.end() ? "" : name->second);
  }

  Image decode(const ServedModel& model, std::span<const std::byte> bytes);
  void compute(const VisitPointer& visit, Job job);
  void alone(const VisitPointer& visit, const ServedModel& model, std::function<Response()> work);

  // The routes' answers.
  void health(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
    exchange->answer(json_answer({{"status", "ok"}}));
  }
  void live(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) { exchange->answer(json_answer({{"live", true}})); }
  void ready(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
    exchange->answer(json_answer({{"ready", true}}));
  }
  void page(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) { exchange->answer(page_answer()); }
  void page_part(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    exchange->answer(page_part_answer(names[0]));
  }
  void openapi(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
    exchange->answer(json_answer(openapi_document()));
  }
  void metrics(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&);
  void list_models(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&);
  void openai_models(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&);
  void v2_server(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
    exchange->answer(json_answer(server_metadata()));
  }
  void v2_model(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names);
  void v2_model_ready(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names);
  void v2_index(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&);
  void v2_load(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names);
  void v2_unload(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names);
  void neighbor_picture(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&);
  void on_cores(const std::shared_ptr<Exchange>& exchange,
                void (Implementation::*work)(const VisitPointer&, const std::vector<std::string>&), const std::vector<std::string>& names);
  void predict(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    on_cores(exchange, &Implementation::do_predict, names);
  }
  void embed(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    on_cores(exchange, &Implementation::do_embed, names);
  }
  void explain(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    on_cores(exchange, &Implementation::do_explain, names);
  }
  void neighbors(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    on_cores(exchange, &Implementation::do_neighbors, names);
  }
  void embeddings(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    on_cores(exchange, &Implementation::do_embeddings, names);
  }
  void infer(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
    on_cores(exchange, &Implementation::do_infer, names);
  }

  void do_predict(const VisitPointer& visit, const std::vector<std::string>&);
  void do_embed(const VisitPointer& visit, const std::vector<std::string>&);
  void do_explain(const VisitPointer& visit, const std::vector<std::string>&);
  void do_neighbors(const VisitPointer& visit, const std::vector<std::string>&);
  void do_embeddings(const VisitPointer& visit, const std::vector<std::string>&);
  void do_infer(const VisitPointer& visit, const std::vector<std::string>& names);

  // Pictures of a request, of which some may not be readable.
  struct Decoded {
    std::vector<std::string> files, errors;  // errors: empty where the picture is there
    std::vector<Image> pictures;             // those that are there
  };
  Decoded decode_all(const ServedModel& model, const Request& request);
  static json joined(const ServedModel& model, const Request& request, const Decoded& decoded, const char* key,
                     const std::function<json(size_t)>& answer);

  const ServiceOptions options_;
  Metrics metrics_;
  Models models_;
  HttpServer server_;
  Cores cores_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false, look_now_ = false;
  std::thread watcher_;
};

const std::vector<Service::Implementation::Route>& Service::Implementation::routes() {
  using I = Implementation;
  static const std::vector<Route> all{
      {"GET", "/", Where::network, &I::page, true},
      {"GET", "/page/{name}", Where::network, &I::page_part, true},
      {"GET", "/health", Where::network, &I::health, true},
      {"GET", "/metrics", Where::network, &I::metrics},
      {"GET", "/openapi.json", Where::network, &I::openapi, true},
      {"GET", "/models", Where::network, &I::list_models},
      {"POST", "/predict", Where::cores, &I::predict},
      {"POST", "/embed", Where::cores, &I::embed},
      {"POST", "/explain", Where::cores, &I::explain},
      {"POST", "/neighbors", Where::cores, &I::neighbors},
      {"GET", "/neighbors/picture", Where::network, &I::neighbor_picture},
      {"GET", "/v1/models", Where::network, &I::openai_models},
      {"POST", "/v1/embeddings", Where::cores, &I::embeddings},
      {"POST", "/embeddings_image", Where::cores, &I::embeddings},
      {"GET", "/v2", Where::network, &I::v2_server, true},
      {"GET", "/v2/health/live", Where::network, &I::live, true},
      {"GET", "/v2/health/ready", Where::network, &I::ready, true},
      {"GET", "/v2/models/{name}", Where::network, &I::v2_model},
      {"GET", "/v2/models/{name}/ready", Where::network, &I::v2_model_ready},
      {"GET", "/v2/models/{name}/versions/{version}", Where::network, &I::v2_model},
      {"GET", "/v2/models/{name}/versions/{version}/ready", Where::network, &I::v2_model_ready},
      {"POST", "/v2/models/{name}/infer", Where::cores, &I::infer},
      {"POST", "/v2/models/{name}/versions/{version}/infer", Where::cores, &I::infer},
      {"POST", "/v2/repository/index", Where::network, &I::v2_index},
      {"POST", "/v2/repository/models/{name}/load", Where::network, &I::v2_load},
      {"POST", "/v2/repository/models/{name}/unload", Where::network, &I::v2_unload},
  };
  return all;
}

std::optional<std::vector<std::string>> Service::Implementation::match(const char* pattern, std::string_view path) {
  std::vector<std::string> names;
  std::string_view rest = pattern;
  for (;;) {
    const size_t open = rest.find('{');
    if (open == std::string_view::npos) return path == rest ? std::optional(names) : std::nullopt;
    if (!path.starts_with(rest.substr(0, open))) return std::nullopt;
    path.remove_prefix(open);
    rest.remove_prefix(rest.find('}') + 1);
    // A name goes to the next part; one that holds slashes ("timm/resnet50") to where the rest of the pattern fits.
    const size_t fixed = rest.find('{');
    const std::string_view next = rest.substr(0, fixed);
    const size_t end = next.empty()                      ? path.size()
                       : fixed == std::string_view::npos ? (path.ends_with(next) ? path.size() - next.size() : std::string_view::npos)
                                                         : path.find(next);
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    names.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
}

std::optional<Response> Service::Implementation::admit(const Request& request) {
  const Route* found = nullptr;
  std::string allowed;
  for (const Route& route : routes()) {
    if (!match(route.path, request.path)) continue;
    const bool fits = request.method == route.method || (request.method == "HEAD" && std::strcmp(route.method, "GET") == 0);
    // The last one: what ends in "/ready" is no model's name.
    if (fits) found = &route;
    allowed = std::strcmp(route.method, "GET") == 0 ? "GET, HEAD" : route.method;
  }
  if (allowed.empty()) return error_answer(404, fmt::format("there is nothing at {}", request.path));
  if (found == nullptr) {
    Response answer = error_answer(405, fmt::format("{}: {} expected", request.method, allowed));
    answer.headers["Allow"] = allowed;
    return answer;
  }
  if (!options_.token.empty() && !found->open) {
    const std::string& given = request.header("authorization");
    if (!given.starts_with("Bearer ") || !same_secret(std::string_view(given).substr(7), options_.token)) {
      Response answer = error_answer(401, "the token is missing or wrong");
      answer.headers["WWW-Authenticate"] = "Bearer";
      return answer;
    }
  }
  const std::string& coding = request.header("content-encoding");
  if (!coding.empty() && coding != "identity")
    return error_answer(415, fmt::format("Content-Encoding {}: bodies are read as they are", coding));
  if (found->where == Where::cores && cores_.inside() >= options_.queue) {
    Response answer = error_answer(429, fmt::format("{} requests wait already", options_.queue));
    answer.headers["Retry-After"] = "1";
    return answer;
  }
  return std::nullopt;
}

void Service::Implementation::handle(std::shared_ptr<Exchange> exchange) {
  const Request& request = exchange->request;
  const Route* found = nullptr;
  std::vector<std::string> names;
  for (const Route& route : routes()) {
    if (request.method != route.method && !(request.method == "HEAD" && std::strcmp(route.method, "GET") == 0)) continue;
    if (auto matched = match(route.path, request.path)) {
      found = &route;
      names = std::move(*matched);
    }
  }
  try {
    (this->*found->answer)(exchange, names);
  } catch (...) {
    exchange->answer(answer_of(std::current_exception()));
  }
}

void Service::Implementation::on_cores(const std::shared_ptr<Exchange>& exchange,
                                       void (Implementation::*work)(const VisitPointer&, const std::vector<std::string>&),
                                       const std::vector<std::string>& names) {
  if (!cores_.enter()) {
    Response answer = error_answer(429, fmt::format("{} requests wait already", options_.queue));
    answer.headers["Retry-After"] = "1";
    return exchange->answer(std::move(answer));
  }
  const auto visit = std::make_shared<Visit>(*this, exchange);
  if (const double timeout = timeout_of(exchange->request); timeout > 0)
    visit->deadline = exchange->request.arrived + std::chrono::duration_cast<Clock::duration>(duration<double>(std::min(timeout, 1e6)));
  cores_.prepare([this, visit, work, names] {
    if (!visit->wanted()) return;
    try {
      (this->*work)(visit, names);
    } catch (...) {
      visit->exchange->answer(answer_of(std::current_exception()));
    }
  });
}

void Service::Implementation::compute(const VisitPointer& visit, Job job) {
  job.wanted = [visit] { return visit->wanted(); };
  job.failed = [visit](std::exception_ptr error) { visit->exchange->answer(answer_of(error)); };
  job.timed = [this, name = job.model->name](double waited, double computed, int64_t pictures) {
    metrics_.spent("queue", name, waited);
    if (computed > 0) metrics_.spent("compute", name, computed);
    if (pictures > 0) metrics_.batch(name, pictures);
  };
  cores_.compute(std::move(job));
}

void Service::Implementation::alone(const VisitPointer& visit, const ServedModel& model, std::function<Response()> work) {
  Job job;
  job.model = model;
  job.kind = Job::Kind::alone;
  job.compute = [this, visit, model, work = std::move(work)] {
    const auto started = Clock::now();
    Response answer = work();
    metrics_.spent("compute", model->name, seconds_since(started));
    visit->exchange->answer(std::move(answer));
  };
  compute(visit, std::move(job));
}

Image Service::Implementation::decode(const ServedModel& model, std::span<const std::byte> bytes) {
  const auto started = Clock::now();
  Image picture = decode_image(bytes, model->predictor.preprocessing());
  metrics_.spent("decode", model->name, seconds_since(started));
  return picture;
}

Service::Implementation::Decoded Service::Implementation::decode_all(const ServedModel& model, const Request& request) {
  Decoded result;
  const std::vector<Part> parts = pictures_of(request);
  if (static_cast<int64_t>(parts.size()) > options_.max_batch)
    throw Refused{413, fmt::format("{} pictures in one request, at most {}", parts.size(), options_.max_batch)};
  for (const Part& part : parts) {
    result.files.push_back(part.file);
    result.errors.emplace_back();
    try {
      result.pictures.push_back(decode(model, as_bytes(part.bytes)));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input && error.kind() != ErrorKind::format) throw;
      if (!is_form(request)) throw;
      result.errors.back() = error.what();
    }
  }
  if (result.pictures.empty()) throw Refused{400, result.errors.front()};
  return result;
}

// {"model", "version", KEY: ...} of a picture that was the body, {"model", "version", "pictures": [{"file", KEY} or {"file", "error"}]} of
// a form.
json Service::Implementation::joined(const ServedModel& model, const Request& request, const Decoded& decoded, const char* key,
                                     const std::function<json(size_t)>& answer) {
  json result{{"model", model->name}, {"version", model->version}};
  if (!is_form(request)) {
    result[key] = answer(0);
    return result;
  }
  result["pictures"] = json::array();
  size_t at = 0;
  for (size_t i = 0; i < decoded.files.size(); ++i) {
    json one{{"file", decoded.files[i]}};
    if (decoded.errors[i].empty())
      one[key] = answer(at++);
    else
      one["error"] = decoded.errors[i];
    result["pictures"].push_back(std::move(one));
  }
  return result;
}

void Service::Implementation::do_predict(const VisitPointer& visit, const std::vector<std::string>&) {
  const Request& request = visit->exchange->request;
  const ServedModel model = asked_model(request);
  const int64_t top = std::min<int64_t>(count_of(request, "top", 5), static_cast<int64_t>(model->predictor.classes().size()));
  if (model->predictor.classes().empty()) throw Refused{400, fmt::format("{} has no classifier: /embed gives its features", model->name)};
  auto decoded = std::make_shared<Decoded>(decode_all(model, request));
  Job job;
  job.model = model;
  job.kind = Job::Kind::classes;
  job.top = top;
  job.pictures = std::move(decoded->pictures);
  job.done = [visit, model, decoded, top](std::vector<std::vector<ClassProbability>> classes, Tensor) {
    for (auto& one : classes) one.resize(std::min(one.size(), static_cast<size_t>(top)));
    visit->exchange->answer(
        json_answer(joined(model, visit->exchange->request, *decoded, "classes", [&](size_t i) { return classes_json(classes[i]); })));
  };
  compute(visit, std::move(job));
}

void Service::Implementation::do_embed(const VisitPointer& visit, const std::vector<std::string>&) {
  const Request& request = visit->exchange->request;
  const ServedModel model = asked_model(request);
  auto decoded = std::make_shared<Decoded>(decode_all(model, request));
  Job job;
  job.model = model;
  job.kind = Job::Kind::vectors;
  job.pictures = std::move(decoded->pictures);
  job.done = [visit, model, decoded](std::vector<std::vector<ClassProbability>>, Tensor vectors) {
    const auto values = vectors.values<float>();
    const size_t width = static_cast<size_t>(vectors.shape()[1]);
    visit->exchange->answer(json_answer(joined(model, visit->exchange->request, *decoded, "embedding",
                                               [&](size_t i) { return vector_json(values.subspan(i * width, width)); })));
  };
  compute(visit, std::move(job));
}

void Service::Implementation::do_explain(const VisitPointer& visit, const std::vector<std::string>&) {
  const Request& request = visit->exchange->request;
  const ServedModel model = asked_model(request);
  const auto given = [&](const char* name, const char* otherwise) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string(otherwise) : found->second;
  };
  const HeatMapOptions asked{parse_heat_method(given("method", "auto")), given("tap", ""), given("class", "")};
  const auto parts = pictures_of(request);
  if (parts.size() > 1) throw Refused{400, fmt::format("{} pictures: one is explained at a time", parts.size())};
  auto picture = std::make_shared<Image>(decode(model, as_bytes(parts[0].bytes)));
  alone(visit, model, [model, asked, picture] {
    const HeatMap map = heat_map(model->model, *picture, asked);
    const auto png = encode_png(overlay(*picture, map.heat));
    Response answer{200, "image/png", std::string(reinterpret_cast<const char*>(png.data()), png.size())};
    if (map.explained.index >= 0) {
      answer.headers["X-Class-Index"] = std::to_string(map.explained.index);
      answer.headers["X-Probability"] = fmt::format("{}", map.explained.probability);
    }
    return answer;
  });
}

void Service::Implementation::do_neighbors(const VisitPointer& visit, const std::vector<std::string>&) {
  const Request& request = visit->exchange->request;
  const ServedModel model = asked_model(request);
  if (!model->features) throw Refused{400, fmt::format("{}: no features were given at the start (--features)", model->name)};
  const int64_t top = count_of(request, "top", 6);
  auto decoded = std::make_shared<Decoded>(decode_all(model, request));
  alone(visit, model, [visit, model, decoded, top] {
    json found = json::array();
    for (const Image& picture : decoded->pictures) {
      json one = json::array();
      const Tensor query = query_features(model->model, *model->features, picture);
      for (const Neighbor& neighbor : nearest_pictures(*model->features, query, top))
        one.push_back({{"file", neighbor.file}, {"row", neighbor.row}, {"similarity", neighbor.similarity}});
      found.push_back(std::move(one));
    }
    return json_answer(joined(model, visit->exchange->request, *decoded, "neighbors", [&](size_t i) { return found[i]; }));
  });
}

// As OpenAI's /v1/embeddings and infinity's /embeddings_image: https://platform.openai.com/docs/api-reference/embeddings.
void Service::Implementation::do_embeddings(const VisitPointer& visit, const std::vector<std::string>&) {
  const json asked = read_json(visit->exchange->request.body);
  if (!asked.is_object() || !asked.contains("input")) throw Refused{400, "an object with \"model\" and \"input\" expected"};
  std::string name;
  if (asked.contains("model") && !asked["model"].is_null()) {
    if (!asked["model"].is_string()) throw Refused{400, "\"model\": a text expected"};
    name = asked["model"].get<std::string>();
  }
  const ServedModel model = model_of(name);
  const std::string format =
      asked.contains("encoding_format") && asked["encoding_format"].is_string() ? asked["encoding_format"].get<std::string>() : "float";
  if (format != "float" && format != "base64") throw Refused{400, "\"encoding_format\": \"float\" or \"base64\" expected"};
  const json& given = asked["input"];
  std::vector<const json*> inputs;
  if (given.is_array())
    for (const json& one : given) inputs.push_back(&one);
  else
    inputs.push_back(&given);
  if (inputs.empty()) throw Refused{400, "\"input\" is empty"};
  if (static_cast<int64_t>(inputs.size()) > options_.max_batch)
    throw Refused{413, fmt::format("{} pictures in one request, at most {}", inputs.size(), options_.max_batch)};
  Job job;
  job.model = model;
  job.kind = Job::Kind::vectors;
  for (const json* one : inputs) {
    if (!one->is_string()) throw Refused{400, "\"input\": a picture as base64 or as a data address, or a list of them, expected"};
    job.pictures.push_back(decode(model, picture_of_text(one->get_ref<const std::string&>())));
  }
  job.done = [visit, model, format](std::vector<std::vector<ClassProbability>>, Tensor vectors) {
    const auto values = vectors.values<float>();
    const size_t width = static_cast<size_t>(vectors.shape()[1]);
    json data = json::array();
    for (int64_t i = 0; i < vectors.shape()[0]; ++i) {
      const auto row = values.subspan(static_cast<size_t>(i) * width, width);
      data.push_back({{"object", "embedding"},
                      {"index", i},
                      {"embedding", format == "base64" ? json(to_base64(std::as_bytes(row))) : vector_json(row)}});
    }
    visit->exchange->answer(
        json_answer({{"object", "list"}, {"data", data}, {"model", model->name}, {"usage", {{"prompt_tokens", 0}, {"total_tokens", 0}}}}));
  };
  compute(visit, std::move(job));
}

void Service::Implementation::do_infer(const VisitPointer& visit, const std::vector<std::string>& names) {
  const Request& request = visit->exchange->request;
  const ServedModel model = model_of(names[0]);
  if (names.size() > 1 && names[1] != model->version) throw Refused{404, fmt::format("{} has no version '{}'", names[0], names[1])};
  auto asked = std::make_shared<InferRequest>(read_infer(*model, request, options_.max_batch));
  if (asked->timeout > 0)
    visit->deadline =
        std::min(visit->deadline, request.arrived + std::chrono::duration_cast<Clock::duration>(duration<double>(asked->timeout)));
  auto pictures = std::make_shared<std::vector<Image>>();
  for (const auto& bytes : asked->pictures) pictures->push_back(decode(model, bytes));
  alone(visit, model, [model, asked, pictures] { return infer_answer(*model, *asked, *pictures); });
}

void Service::Implementation::metrics(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
  Metrics::Now now{cores_.inside(), server_.connections(), {}};
  for (const ServedModel& model : models_.all()) now.models.push_back(model->name);
  exchange->answer({200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text(now)});
}

void Service::Implementation::list_models(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
  json all = json::array();
  for (const ServedModel& model : models_.all())
    all.push_back({{"name", model->name},
                   {"version", model->version},
                   {"architecture", model->model.name()},
                   {"classes", model->predictor.classes()},
                   {"height", model->predictor.preprocessing().height},
                   {"width", model->predictor.preprocessing().width},
                   {"features", model->predictor.feature_width()},
                   {"neighbors", model->features ? static_cast<int64_t>(model->features->files.size()) : int64_t{0}}});
  exchange->answer(json_answer({{"models", all}}));
}

void Service::Implementation::openai_models(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
  json all = json::array();
  for (const ServedModel& model : models_.all())
    all.push_back({{"id", model->name}, {"object", "model"}, {"created", 0}, {"owned_by", "fovea"}});
  exchange->answer(json_answer({{"object", "list"}, {"data", all}}));
}

void Service::Implementation::v2_model(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
  const ServedModel model = model_of(names[0]);
  if (names.size() > 1 && names[1] != model->version) throw Refused{404, fmt::format("{} has no version '{}'", names[0], names[1])};
  exchange->answer(json_answer(model_metadata(*model)));
}

void Service::Implementation::v2_model_ready(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
  const ServedModel model = model_of(names[0]);
  if (names.size() > 1 && names[1] != model->version) throw Refused{404, fmt::format("{} has no version '{}'", names[0], names[1])};
  exchange->answer(json_answer({{"name", model->name}, {"ready", true}}));
}

void Service::Implementation::v2_index(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
  json all = json::array();
  for (const Models::Entry& one : models_.index())
    all.push_back({{"name", one.name}, {"version", one.version}, {"state", one.state}, {"reason", one.reason}});
  exchange->answer(json_answer(all));
}

// Loading takes seconds, so it is done where pictures are decoded.
void Service::Implementation::v2_load(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
  cores_.prepare([this, exchange, name = names[0]] {
    try {
      models_.load(name);
      exchange->answer(json_answer(json::object()));
    } catch (...) {
      exchange->answer(answer_of(std::current_exception()));
    }
  });
}

void Service::Implementation::v2_unload(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>& names) {
  if (!models_.unload(names[0])) throw Refused{404, fmt::format("there is no model '{}'", names[0])};
  exchange->answer(json_answer(json::object()));
}

// One of the pictures that /neighbors names, small.
void Service::Implementation::neighbor_picture(const std::shared_ptr<Exchange>& exchange, const std::vector<std::string>&) {
  const ServedModel model = asked_model(exchange->request);
  const auto asked = exchange->request.query.find("row");
  const int64_t row = asked != exchange->request.query.end() && asked->second == "0" ? 0 : count_of(exchange->request, "row", -1);
  if (!model->features || row < 0 || row >= static_cast<int64_t>(model->features->files.size()))
    throw Refused{404, "there is no such picture"};
  cores_.prepare([exchange, model, row] {
    try {
      const std::filesystem::path file =
          std::filesystem::path(model->features->record.folder) / model->features->files[static_cast<size_t>(row)];
      const Image picture = read_image(file.string());
      const double scale = std::min(1.0, 256.0 / static_cast<double>(std::max(picture.width, picture.height)));
      const auto side = [&](int64_t pixels) {
        return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(pixels) * scale + 0.5));
      };
      const auto jpeg = encode_jpeg(resize(picture, side(picture.width), side(picture.height), Interpolation::bicubic));
      exchange->answer({200, "image/jpeg", std::string(reinterpret_cast<const char*>(jpeg.data()), jpeg.size())});
    } catch (...) {
      exchange->answer(error_answer(404, "this picture cannot be read any more"));
    }
  });
}

void Service::Implementation::answered(const Request& request, int status, int64_t bytes) {
  const auto model = request.query.find("model");
  const std::string name = model != request.query.end() && models_.find(model->second) ? model->second : "";
  const double seconds = request.arrived == Clock::time_point() ? 0 : seconds_since(request.arrived);
  const std::string route(status == 404 ? "other" : route_of(request.path));
  metrics_.answered(name, route, status);
  metrics_.spent("request", name, seconds);
  if (!options_.log) return;
  const std::time_t now = std::time(nullptr);
  const std::string time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
  options_.log(options_.log_json
                   ? json_line({{"time", time},
                                {"client", request.client},
                                {"method", request.method},
                                {"path", request.path},
                                {"status", status},
                                {"bytes", bytes},
                                {"seconds", seconds}})
                   : fmt::format("{} {} {} {} {} {} {:.1f} ms", time, request.client.empty() ? "-" : request.client,
                                 request.method.empty() ? "-" : request.method, json_line(request.path), status, bytes, seconds * 1000));
}

// Looks for other files of the models when asked to, and with `reload` every second.
void Service::Implementation::watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const auto due = [this] { return ending_ || look_now_; };
    if (options_.reload)
      wake_.wait_for(lock, std::chrono::seconds(1), due);
    else
      wake_.wait(lock, due);
    if (ending_) return;
    look_now_ = false;
    lock.unlock();
    for (const std::string& line : models_.reload_changed())
      if (options_.news) options_.news(line);
    lock.lock();
  }
}

Service::Service(ServiceOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Service::~Service() = default;
int Service::port() const { return implementation_->server().port(); }
void Service::run() { implementation_->server().run(); }
void Service::stop() { implementation_->server().stop(); }
void Service::reload() { implementation_->reload(); }

}  // namespace fovea::serve
