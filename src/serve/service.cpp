#include "serve/service.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fovea/limits.h>
#include <fovea/version.h>

#include <ctime>

#include "serve/implementation.h"
#include "serve/inference_protocol.h"
#include "serve/openapi.h"
#include "serve/page.h"

namespace fovea::serve {

using nlohmann::json;

namespace {

// Takes the same time wherever two texts part.
bool same_secret(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() != secret.size();
  for (size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  return difference == 0;
}

Response queue_is_full(int64_t queue) {
  Response answer = error_answer(429, fmt::format("{} requests wait already", queue));
  answer.headers["Retry-After"] = "1";
  return answer;
}

}  // namespace

Service::Implementation::Implementation(ServiceOptions given)
    : options_(std::move(given)),
      models_(options_.models),
      server_(
          options_.http,
          {[this](const Request& request) { return admit(request); }, [this](const ExchangePointer& exchange) { handle(exchange); },
           [this](const Request& request, const Response& response, int64_t bytes) { answered(request, response, bytes); }, options_.news}),
      cores_({options_.max_batch, std::chrono::microseconds(static_cast<int64_t>(options_.max_delay_ms * 1000)), options_.threads,
              options_.queue}) {
  set_max_pixels(options_.max_pixels);
  errand_thread_ = std::thread([this] { run_errands(); });
}

Service::Implementation::~Implementation() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  errand_thread_.join();
}

const std::vector<Service::Implementation::Route>& Service::Implementation::routes() {
  using I = Implementation;
  constexpr auto kOpen = Route::Access::open;
  static const std::vector<Route> all{
      {"GET", "/", &I::page, nullptr, kOpen},
      {"GET", "/page/{name}", &I::page_part, nullptr, kOpen},
      {"GET", "/health", &I::health, nullptr, kOpen},
      {"GET", "/metrics", &I::metrics},
      {"GET", "/openapi.json", &I::openapi, nullptr, kOpen},
      {"GET", "/models", &I::list_models},
      {"POST", "/predict", nullptr, &I::predict},
      {"POST", "/embed", nullptr, &I::embed},
      {"POST", "/explain", nullptr, &I::explain},
      {"POST", "/neighbors", nullptr, &I::neighbors},
      {"GET", "/neighbors/picture", nullptr, &I::neighbor_picture},
      {"GET", "/v1/models", &I::openai_models},
      {"POST", "/v1/embeddings", nullptr, &I::embeddings},
      {"POST", "/embeddings_image", nullptr, &I::embeddings},
      {"GET", "/v2", &I::v2_server, nullptr, kOpen},
      {"GET", "/v2/health/live", &I::live, nullptr, kOpen},
      {"GET", "/v2/health/ready", &I::ready, nullptr, kOpen},
      {"GET", "/v2/models/{name}", &I::v2_model},
      {"GET", "/v2/models/{name}/ready", &I::v2_model_ready},
      {"GET", "/v2/models/{name}/versions/{version}", &I::v2_model},
      {"GET", "/v2/models/{name}/versions/{version}/ready", &I::v2_model_ready},
      {"POST", "/v2/models/{name}/infer", nullptr, &I::infer},
      {"POST", "/v2/models/{name}/versions/{version}/infer", nullptr, &I::infer},
      {"POST", "/v2/repository/index", &I::v2_index},
      {"POST", "/v2/repository/models/{name}/load", nullptr, &I::v2_load},
      {"POST", "/v2/repository/models/{name}/unload", nullptr, &I::v2_unload},
  };
  return all;
}

// A name goes to the next part of the address; one that holds slashes ("timm/resnet50") to where the rest of the pattern fits.
std::optional<Service::Implementation::Names> Service::Implementation::match(std::string_view pattern, std::string_view path) {
  Names names;
  for (;;) {
    const size_t open = pattern.find('{');
    if (open == std::string_view::npos) return path == pattern ? std::optional(names) : std::nullopt;
    if (!path.starts_with(pattern.substr(0, open))) return std::nullopt;
    path.remove_prefix(open);
    pattern.remove_prefix(pattern.find('}') + 1);
    const size_t another = pattern.find('{');
    const std::string_view next = pattern.substr(0, another);
    size_t end = path.size();
    if (another != std::string_view::npos)
      end = path.find(next);
    else if (!next.empty())
      end = path.ends_with(next) ? path.size() - next.size() : std::string_view::npos;
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    names.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
}

Service::Implementation::Found Service::Implementation::find(const Request& request) {
  Found found;
  for (const Route& route : routes()) {
    auto names = match(route.path, request.path);
    if (!names) continue;
    const std::string_view method = route.method;
    found.allowed = method == "GET" ? "GET, HEAD" : method;
    if (request.method != method && !(request.method == "HEAD" && method == "GET")) continue;
    // Of several the last one: what ends in "/ready" is no model's name.
    found.route = &route;
    found.names = std::move(*names);
  }
  return found;
}

std::optional<Response> Service::Implementation::admit(const Request& request) {
  const Found found = find(request);
  if (found.allowed.empty()) return error_answer(404, fmt::format("there is nothing at {}", request.path));
  if (found.route == nullptr) {
    Response answer = error_answer(405, fmt::format("{}: {} expected", request.method, found.allowed));
    answer.headers["Allow"] = found.allowed;
    return answer;
  }
  if (!options_.token.empty() && found.route->access == Route::Access::token) {
    const std::string_view given = request.header("authorization");
    if (!given.starts_with("Bearer ") || !same_secret(given.substr(7), options_.token)) {
      Response answer = error_answer(401, "the token is missing or wrong");
      answer.headers["WWW-Authenticate"] = "Bearer";
      return answer;
    }
  }
  const std::string& coding = request.header("content-encoding");
  if (!coding.empty() && coding != "identity")
    return error_answer(415, fmt::format("Content-Encoding {}: bodies are read as they are", coding));
  if (found.route->later != nullptr && cores_.inside() >= options_.queue) return queue_is_full(options_.queue);
  return std::nullopt;
}

void Service::Implementation::handle(const ExchangePointer& exchange) {
  const Found found = find(exchange->request);
  try {
    if (found.route->now != nullptr)
      (this->*found.route->now)(exchange, found.names);
    else
      visit(exchange, *found.route, found.names);
  } catch (...) {
    exchange->answer(error_answer(std::current_exception()));
  }
}

void Service::Implementation::visit(const ExchangePointer& exchange, const Route& route, const Names& names) {
  if (!cores_.enter()) return exchange->answer(queue_is_full(options_.queue));
  const auto visit = std::make_shared<Visit>(*this, exchange);
  if (const auto deadline = deadline_of(exchange->request)) exchange->answer_by(*deadline);
  cores_.prepare([this, visit, later = route.later, names] {
    if (!visit->exchange->wanted()) return;
    try {
      (this->*later)(visit, names);
    } catch (...) {
      visit->answer(error_answer(std::current_exception()));
    }
  });
}

ServedModel Service::Implementation::model_of(const std::string& name) const {
  ServedModel model = models_.find(name);
  if (!model) throw Refused{404, fmt::format("there is no model '{}'", name)};
  return model;
}

ServedModel Service::Implementation::asked_model(const Request& request) const { return model_of(text_in(request, "model", "")); }

ServedModel Service::Implementation::version_of(const Names& names) const {
  ServedModel model = model_of(names[0]);
  if (names.size() > 1 && names[1] != model->version)
    throw Refused{404, fmt::format("{} has no version '{}', but '{}'", names[0], names[1], model->version)};
  return model;
}

void Service::Implementation::health(const ExchangePointer& exchange, const Names&) { exchange->answer(json_answer({{"status", "ok"}})); }
void Service::Implementation::live(const ExchangePointer& exchange, const Names&) { exchange->answer(json_answer({{"live", true}})); }
void Service::Implementation::ready(const ExchangePointer& exchange, const Names&) { exchange->answer(json_answer({{"ready", true}})); }
void Service::Implementation::page(const ExchangePointer& exchange, const Names&) { exchange->answer(page_answer()); }
void Service::Implementation::page_part(const ExchangePointer& exchange, const Names& names) {
  exchange->answer(page_part_answer(names[0]));
}
void Service::Implementation::openapi(const ExchangePointer& exchange, const Names&) { exchange->answer(json_answer(openapi_document())); }

void Service::Implementation::metrics(const ExchangePointer& exchange, const Names&) {
  Metrics::Now now{cores_.inside(), server_.connections(), {}};
  for (const ServedModel& model : models_.all()) now.models.push_back(model->name);
  exchange->answer({200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text(now)});
}

void Service::Implementation::list_models(const ExchangePointer& exchange, const Names&) {
  json all = json::array();
  for (const ServedModel& model : models_.all())
    all.push_back({{"name", model->name},
                   {"version", model->version},
                   {"architecture", model->model.name()},
                   {"classes", model->predictor.classes()},
                   {"height", model->predictor.preprocessing().height},
                   {"width", model->predictor.preprocessing().width},
                   {"features", model->predictor.feature_width()},
                   {"neighbors", model->features ? model->features->files.size() : 0}});
  exchange->answer(json_answer({{"models", all}}));
}

void Service::Implementation::openai_models(const ExchangePointer& exchange, const Names&) {
  json all = json::array();
  for (const ServedModel& model : models_.all())
    all.push_back({{"id", model->name}, {"object", "model"}, {"created", 0}, {"owned_by", "fovea"}});
  exchange->answer(json_answer({{"object", "list"}, {"data", all}}));
}

void Service::Implementation::v2_server(const ExchangePointer& exchange, const Names&) { exchange->answer(json_answer(server_metadata())); }

void Service::Implementation::v2_model(const ExchangePointer& exchange, const Names& names) {
  exchange->answer(json_answer(model_metadata(*version_of(names))));
}

void Service::Implementation::v2_model_ready(const ExchangePointer& exchange, const Names& names) {
  exchange->answer(json_answer({{"name", version_of(names)->name}, {"ready", true}}));
}

void Service::Implementation::v2_index(const ExchangePointer& exchange, const Names&) {
  json all = json::array();
  for (const Models::Entry& one : models_.index())
    all.push_back({{"name", one.name}, {"version", one.version}, {"state", one.state}, {"reason", one.reason}});
  exchange->answer(json_answer(all));
}

void Service::Implementation::v2_load(const VisitPointer& visit, const Names& names) {
  if (options_.models.folder.empty()) throw Refused{403, "models are loaded and unloaded only where the server has a --models-folder"};
  errand([this, visit, name = names[0]] {
    try {
      if (!models_.load(name)) throw Refused{404, fmt::format("there is no model '{}'", name)};
      visit->answer(json_answer(json::object()));
    } catch (...) {
      visit->answer(error_answer(std::current_exception()));
    }
  });
}

void Service::Implementation::v2_unload(const VisitPointer& visit, const Names& names) {
  if (options_.models.folder.empty()) throw Refused{403, "models are loaded and unloaded only where the server has a --models-folder"};
  if (!models_.unload(names[0])) throw Refused{404, fmt::format("there is no model '{}'", names[0])};
  visit->answer(json_answer(json::object()));
}

void Service::Implementation::answered(const Request& request, const Response& response, int64_t bytes) {
  // Only routes of the table and models that are there become labels: what clients make up would grow without end.
  const Found found = find(request);
  const double seconds = std::chrono::duration<double>(Clock::now() - request.arrived).count();
  metrics_.answered(response.model, found.route != nullptr ? found.route->path : "other", response.status);
  metrics_.spent("request", response.model, seconds);
  if (!options_.log) return;
  const std::string time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  options_.log(options_.log_json ? json_line({{"time", time},
                                              {"client", request.client},
                                              {"method", request.method},
                                              {"path", request.path},
                                              {"model", response.model},
                                              {"status", response.status},
                                              {"bytes", bytes},
                                              {"seconds", seconds}})
                                 : fmt::format("{} {} {} {} {} {} {:.1f} ms", time, request.client.empty() ? "-" : request.client,
                                               request.method.empty() ? "-" : request.method, json_line(request.path), response.status,
                                               bytes, seconds * 1000));
}

void Service::Implementation::errand(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    errands_.push_back(std::move(work));
  }
  wake_.notify_all();
}

void Service::Implementation::reload() {
  errand([this] {
    for (const std::string& line : models_.reload_changed())
      if (options_.news) options_.news(line);
  });
}

void Service::Implementation::run_errands() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const auto due = [this] { return ending_ || !errands_.empty(); };
    if (!options_.reload) {
      wake_.wait(lock, due);
    } else if (!wake_.wait_for(lock, std::chrono::seconds(1), due)) {
      lock.unlock();
      reload();
      lock.lock();
    }
    while (!ending_ && !errands_.empty()) {
      const std::function<void()> work = std::move(errands_.front());
      errands_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }
}

Service::Service(ServiceOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Service::~Service() = default;
int Service::port() const { return implementation_->server().port(); }
void Service::run() { implementation_->server().run(); }
void Service::stop() { implementation_->server().stop(); }
void Service::reload() { implementation_->reload(); }

}  // namespace fovea::serve
