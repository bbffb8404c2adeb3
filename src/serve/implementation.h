// What answers requests: service.cpp says which is answered where, answers.cpp how pictures are.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/json_value.h"
#include "serve/message.h"
#include "serve/metrics.h"
#include "serve/service.h"
#include "serve/work.h"

namespace fovea::serve {

class Service::Implementation {
 public:
  explicit Implementation(ServiceOptions given);
  ~Implementation();

  HttpServer& server() { return server_; }
  void reload();

 private:
  using ExchangePointer = std::shared_ptr<Exchange>;
  using Names = std::vector<std::string>;  // what stands for the {name}s of a route

  // A request on its way: it holds a place in the queue, and ends with an answer.
  struct Visit {
    Visit(Implementation& service, ExchangePointer exchange) : service(service), exchange(std::move(exchange)) {}
    ~Visit() { leave(); }
    const Request& request() const { return exchange->request; }
    // Gives its place back first, so that whoever has an answer finds it free.
    void answer(Response response) {
      if (served) response.model = served->name;
      leave();
      exchange->answer(std::move(response));
    }
    void leave() {
      if (!left.exchange(true)) service.cores_.leave();
    }

    Implementation& service;
    const ExchangePointer exchange;
    ServedModel served;
    std::atomic<bool> left = false;
  };
  using VisitPointer = std::shared_ptr<Visit>;

  struct Route {
    const char* method;
    const char* path;  // {name} stands for one part of it, or several
    // One of the two: the first answers at once, on the thread of the network, the second beside it, with a place in the queue.
    void (Implementation::*now)(const ExchangePointer&, const Names&) = nullptr;
    void (Implementation::*later)(const VisitPointer&, const Names&) = nullptr;
    enum class Access { open, token } access = Access::token;  // open: also without the token
  };
  static const std::vector<Route>& routes();
  static std::optional<Names> match(std::string_view pattern, std::string_view path);
  struct Found {
    const Route* route = nullptr;
    Names names;
    std::string allowed;  // the methods that this path takes
  };
  static Found find(const Request& request);

  std::optional<Response> admit(const Request& request);
  void handle(const ExchangePointer& exchange);
  void visit(const ExchangePointer& exchange, const Route& route, const Names& names);
  void answered(const Request& request, const Response& response, int64_t bytes);

  // A thread of its own loads models: it takes seconds, and others shall not wait for it.
  void errand(std::function<void()> work);
  void run_errands();

  // Throw Refused(404).
  ServedModel model_of(const std::string& name) const;
  ServedModel asked_model(const Request& request) const;
  ServedModel version_of(const Names& names) const;

  void health(const ExchangePointer& exchange, const Names&);
  void live(const ExchangePointer& exchange, const Names&);
  void ready(const ExchangePointer& exchange, const Names&);
  void page(const ExchangePointer& exchange, const Names&);
  void page_part(const ExchangePointer& exchange, const Names& names);
  void openapi(const ExchangePointer& exchange, const Names&);
  void metrics(const ExchangePointer& exchange, const Names&);
  void list_models(const ExchangePointer& exchange, const Names&);
  void openai_models(const ExchangePointer& exchange, const Names&);
  void v2_server(const ExchangePointer& exchange, const Names&);
  void v2_model(const ExchangePointer& exchange, const Names& names);
  void v2_model_ready(const ExchangePointer& exchange, const Names& names);
  void v2_index(const ExchangePointer& exchange, const Names&);

  void v2_load(const VisitPointer& visit, const Names& names);
  void v2_unload(const VisitPointer& visit, const Names& names);
  void predict(const VisitPointer& visit, const Names&);
  void embed(const VisitPointer& visit, const Names&);
  void explain(const VisitPointer& visit, const Names&);
  void neighbors(const VisitPointer& visit, const Names&);
  void neighbor_picture(const VisitPointer& visit, const Names&);
  void embeddings(const VisitPointer& visit, const Names&);
  void infer(const VisitPointer& visit, const Names& names);

  // Answers to the pictures of one request, which come one by one and from several threads. The last one answers the request.
  template <class One>
  class Gathering {
   public:
    Gathering(VisitPointer visit, size_t count, std::function<Response(std::vector<One>)> finish)
        : visit_(std::move(visit)), finish_(std::move(finish)), all_(count), missing_(count) {}
    void put(size_t i, One one) {
      {
        const std::lock_guard lock(mutex_);
        all_[i] = std::move(one);
        if (--missing_ > 0) return;
      }
      visit_->answer(finish_(std::move(all_)));
    }

   private:
    const VisitPointer visit_;
    const std::function<Response(std::vector<One>)> finish_;
    std::mutex mutex_;
    std::vector<One> all_;
    size_t missing_;
  };
  // What a picture's job puts into the answer of its request.
  using Fill = std::function<void(Job& job, const std::function<void(nlohmann::json)>& put)>;
  void answer_pictures(const VisitPointer& visit, const char* key, const Fill& fill);

  Image decode(const ServedModel& model, std::span<const std::byte> bytes);
  void compute(const VisitPointer& visit, Job job);
  // What `work` does on the cores by itself.
  void alone(const VisitPointer& visit, std::function<void()> work);

  const ServiceOptions options_;
  Metrics metrics_;
  Models models_;
  HttpServer server_;
  Cores cores_;
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool ending_ = false;
  std::deque<std::function<void()>> errands_;
  std::thread errand_thread_;
};

}  // namespace fovea::serve
