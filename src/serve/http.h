// Requests and answers over HTTP/1.1. Boost.Beast, which speaks it, and OpenSSL are included by http.cpp alone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace fovea::serve {

struct Request {
  std::string method;                          // "GET"
  std::string path;                            // with its %XX decoded, without the query: "/v2/models/a"
  std::map<std::string, std::string> query;    // decoded; of a name that is given twice the last
  std::map<std::string, std::string> headers;  // names in small letters; the values of a name that is given twice are joined by ", "
  std::string body;
  std::string client;                             // address, without the port
  std::chrono::steady_clock::time_point arrived;  // when its headers were there

  // Empty where there is none.
  const std::string& header(const std::string& name) const;
  Request without_body() const;  // nor headers
};

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::string body = {};
  std::map<std::string, std::string> headers = {};
  std::string model = {};  // which one answered, for those who count; not sent
};

// One request and the way back to its client. Answered once, from any thread. One that ends without an answer is answered by 500; one whose
// client has gone is told as 499.
class Exchange {
 public:
  using Clock = std::chrono::steady_clock;
  struct Way {
    std::function<void(Response)> answer;
    std::function<void(Clock::time_point)> answer_by;
  };
  Exchange(Request request, Way way) : request(std::move(request)), way_(std::move(way)) {}
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const Request request;

  // The first answer counts; later ones are dropped.
  void answer(Response response);
  // A client that has no answer by then gets 504.
  void answer_by(Clock::time_point deadline);
  // Whether an answer would still be read: it has none, and its client is there.
  bool wanted() const { return !answered_ && !gone_; }
  void set_gone() { gone_ = true; }

 private:
  Way way_;
  std::atomic<bool> gone_ = false, answered_ = false;
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8000;  // 0: any free one
  int64_t max_body = 32'000'000;
  double timeout = 30;                      // seconds for a body to arrive, and for an answer to be taken
  std::string certificate, key;             // PEM files; empty: no TLS
  std::chrono::milliseconds drain{30'000};  // how long `stop` waits for answers that are on their way
};

class HttpServer {
 public:
  // `admit` sees a request's headers before its body is read, and may answer it then. `handle` gets the whole request. Both run on the
  // thread of the network and return at once. `done` is told of every answer, and of how many bytes its body has. What an exception ends is
  // one connection; `failed` is told what it says.
  struct Handlers {
    std::function<std::optional<Response>(const Request&)> admit;
    std::function<void(std::shared_ptr<Exchange>)> handle;
    std::function<void(const Request&, const Response&, int64_t bytes)> done;
    std::function<void(const std::string&)> failed;
  };

  // Listens. Throws Error(io) naming host and port where that cannot be, Error(input) for a certificate or key that cannot be read.
  HttpServer(const HttpOptions& options, Handlers handlers);
  ~HttpServer();

  int port() const;
  int64_t connections() const;
  // Serves until `stop`; then takes no new connections or requests, and returns when the last answer is out, or `drain` is over.
  void run();
  void stop();  // from any thread

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// Whether this build has TLS.
bool has_tls();

}  // namespace fovea::serve
