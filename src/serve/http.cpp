#include "serve/http.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <set>
#include <utility>

#ifdef FOVEA_TLS
#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#endif

#include "base/error.h"
#include "base/text.h"

namespace fovea::serve {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = net::ip::tcp;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr size_t kHeaderBytes = 8 * 1024, kFirstBytes = 2 * 1024, kBufferBytes = 64 * 1024;
constexpr size_t kMostConnections = 2048, kMostOfTls = 1000;  // OpenSSL takes some 50 kB a connection
constexpr seconds kIdle{75}, kHeader{10}, kLinger{2};
constexpr std::chrono::milliseconds kLook{100};  // between looks at a client that waits for its answer
// Bodies that are on their way or being answered take no more than this beyond one of the largest size.
constexpr int64_t kBodiesBeyondOne = 48'000'000;
constexpr int64_t kAnswerBytes = 32'000'000;  // of answers that are being read, beyond the newest
constexpr const char* kServer = "fovea";

// Of "%41+b": "A b" in a query, "A+b" in a path. Nothing for a % without two digits behind it, and for a zero byte.
std::optional<std::string> decoded(std::string_view text, bool query) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
      c = static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else if (c == '+' && query) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    result.push_back(c);
  }
  return result;
}

// False where the target cannot be read.
bool read_target(std::string_view target, Request& request) {
  if (target.empty() || target.front() != '/') return false;
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  const auto path = decoded(target.substr(0, mark), false);
  if (!path) return false;
  request.path = *path;
  if (mark == std::string_view::npos) return true;
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = decoded(pair.substr(0, equals), true), value = decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return false;
    request.query[*name] = *value;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

Response refusal(int status, const std::string& error) {
  return {status, "application/json", fmt::format("{{\"error\":\"{}\"}}\n", error)};
}

Response too_many(const std::string& error) {
  Response response = refusal(429, error);
  response.headers["Retry-After"] = "1";
  return response;
}

// What a connection is doing. Where room is needed, those that wait go first, then those that send a body, then those that read an answer:
// whoever has a whole request here is never sent away for others. What is sent away is ending: nobody is sent away twice.
enum class Stage { waiting, sending, asking, reading, ending };

class Connection {
 public:
  virtual ~Connection() = default;
  virtual void close() = 0;        // at once
  virtual void refuse_body() = 0;  // answers 429 in place of reading on
  Stage stage() const { return stage_; }
  Clock::time_point since() const { return since_; }

 protected:
  void enter(Stage stage) {
    stage_ = stage;
    since_ = Clock::now();
  }

 private:
  Stage stage_ = Stage::waiting;
  Clock::time_point since_ = Clock::now();
};

// What all connections share. Only the thread of the network touches it, but for `stop`.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const HttpOptions& options, HttpServer::Handlers handlers) : options(options), handlers(std::move(handlers)), acceptor(context) {}

  void use_certificate();
  void listen();
  void accept();
  void accepted(tcp::socket socket);
  void shut();
  void add(Connection* connection) {
    connections.insert(connection);
    open = static_cast<int64_t>(connections.size());
  }
  void remove(Connection* connection) {
    connections.erase(connection);
    open = static_cast<int64_t>(connections.size());
  }
  // The one that has been longest at this stage; null where none is.
  Connection* oldest(Stage stage, const Connection* but = nullptr) const;
  void make_room();
  // Runs what is there to do, or waits for it. What one connection throws ends that connection alone.
  void run_one();

  const HttpOptions options;
  const HttpServer::Handlers handlers;
  net::io_context context{1};
  tcp::acceptor acceptor;
  net::steady_timer pause{context}, drain{context};
  std::set<Connection*> connections;
  std::atomic<int64_t> open = 0;
  size_t most_connections = kMostConnections;
  int64_t body_bytes = 0, answer_bytes = 0;  // of all bodies that are being read or answered, of all answers that are being sent
  bool stopping = false;
#ifdef FOVEA_TLS
  std::unique_ptr<net::ssl::context> tls;
#endif
};

template <class Stream>
class Session : public Connection, public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <class... Rest>
  Session(std::shared_ptr<Core> core, tcp::socket socket, Rest&... rest)
      : core_(std::move(core)), stream_(std::move(socket), rest...), buffer_(kBufferBytes), timer_(core_->context) {
    boost::system::error_code error;
    const auto end = lowest().socket().remote_endpoint(error);
    if (!error) client_ = end.address().to_string();
    lowest().socket().set_option(tcp::no_delay(true), error);
    core_->add(this);
  }
  ~Session() override {
    release_body();
    release_answer();
    core_->remove(this);
  }

  void start() {
    if constexpr (is_plain()) {
      wait();
    } else {
#ifdef FOVEA_TLS
      lowest().expires_after(kHeader);
      stream_.async_handshake(net::ssl::stream_base::server, [self = self()](beast::error_code error) {
        if (!error) self->wait();
      });
#endif
    }
  }

  void close() override {
    if (const auto exchange = asked_.lock()) exchange->set_gone();
    enter(Stage::ending);
    release_answer();
    boost::system::error_code ignored;
    lowest().socket().close(ignored);
  }
  void refuse_body() override {
    sent_away_ = true;
    enter(Stage::ending);
    release_body();
    lowest().cancel();
  }

 private:
  static constexpr bool is_plain() { return std::is_same_v<Stream, beast::tcp_stream>; }
  std::shared_ptr<Session> self() { return this->shared_from_this(); }
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }
  static std::chrono::milliseconds milliseconds_of(double seconds) {
    return std::chrono::milliseconds(static_cast<int64_t>(std::clamp(seconds, 0.001, 1e6) * 1000));
  }

  // For the first byte of the next request.
  void wait() {
    if (core_->stopping) return close();
    enter(Stage::waiting);
    if (buffer_.size() > 0) return read_header();
    buffer_.shrink_to_fit();
    lowest().expires_after(kIdle);
    stream_.async_read_some(buffer_.prepare(kFirstBytes), [self = self()](beast::error_code error, size_t bytes) {
      if (error) return;
      self->buffer_.commit(bytes);
      self->read_header();
    });
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytes);
    parser_->body_limit(static_cast<uint64_t>(core_->options.max_body));
    lowest().expires_after(kHeader);
    http::async_read_header(stream_, buffer_, *parser_, [self = self()](beast::error_code error, size_t) { self->header_read(error); });
  }

  void header_read(beast::error_code error) {
    request_ = {};
    request_.client = client_;
    request_.arrived = Clock::now();
    if (error == http::error::body_limit) {
      take_header();
      return refuse(refusal(413, too_large()));
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return refuse(refusal(431, fmt::format("the headers have more than {} bytes", kHeaderBytes)));
    if (error == http::error::end_of_stream) return finish();
    if (is_wrong(error)) return refuse(refusal(400, "this is no HTTP request: " + error.message()));
    if (error) return;  // the client has gone, or its time is over
    if (auto wrong = take_header()) return refuse(std::move(*wrong));
    if (auto early = core_->handlers.admit(request_)) {
      const bool empty =
          parser_->is_done() || (!parser_->content_length() && !parser_->chunked()) || parser_->content_length_remaining().value_or(1) == 0;
      return write(std::move(*early), empty && keep_alive_);
    }
    enter(Stage::sending);
    lowest().expires_after(milliseconds_of(core_->options.timeout));
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return go_on();
    read_body();
  }

  // Whether the other side sent what is no HTTP, rather than nothing.
  static bool is_wrong(beast::error_code error) {
    return error && error.category() == make_error_code(http::error::bad_method).category() && error != http::error::partial_message &&
           error != http::error::end_of_stream;
  }

  // Fills the request from the parser's header; an answer where it must be refused.
  std::optional<Response> take_header() {
    const auto& message = parser_->get();
    request_.method = std::string(message.method_string());
    keep_alive_ = message.keep_alive();
    int hosts = 0;
    for (const auto& field : message) {
      const std::string name = lower_case({field.name_string().data(), field.name_string().size()});
      const std::string value(field.value());
      hosts += name == "host";
      auto [at, first] = request_.headers.try_emplace(name, value);
      if (!first) at->second += ", " + value;
    }
    if (!read_target({message.target().data(), message.target().size()}, request_)) return refusal(400, "the address cannot be read");
    if (message.version() != 10 && message.version() != 11) return refusal(505, "HTTP/1.0 or HTTP/1.1 expected");
    if (message.version() == 11 && hosts != 1) return refusal(400, "one Host header expected");
    const bool coded = request_.headers.contains("transfer-encoding");
    if (coded && request_.headers.contains("content-length")) return refusal(400, "both Content-Length and Transfer-Encoding were given");
    if (coded && (message.version() == 10 || lower_case(request_.headers["transfer-encoding"]) != "chunked"))
      return refusal(501, "no Transfer-Encoding but chunked is read");
    return std::nullopt;
  }

  void go_on() {
    auto message = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(stream_, *message, [self = self(), message](beast::error_code error, size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    if (sent_away_) return refuse(too_many("too many large requests at once"));
    if (parser_->is_done()) return whole();
    if (parser_->chunked() || parser_->content_length_remaining().value_or(0) > kFirstBytes) buffer_.reserve(kBufferBytes);
    http::async_read_some(stream_, buffer_, *parser_, [self = self()](beast::error_code error, size_t) {
      if (self->sent_away_) return self->refuse(too_many("too many large requests at once"));
      if (error == http::error::body_limit) return self->refuse(refusal(413, self->too_large()));
      if (is_wrong(error)) return self->refuse(refusal(400, "the body cannot be read: " + error.message()));
      if (error) return;
      self->count_body();
      self->read_body();
    });
  }

  // Bodies that arrive share a limited memory. Where it is used up, whoever has been sending longest is sent away.
  void count_body() {
    const auto& body = parser_->get().body();
    const int64_t held = static_cast<int64_t>(parser_->chunked() ? body.capacity() : body.size());
    core_->body_bytes += held - counted_;
    counted_ = held;
    while (core_->body_bytes > core_->options.max_body + kBodiesBeyondOne) {
      Connection* other = core_->oldest(Stage::sending, this);
      if (other == nullptr || other->since() > since()) return refuse_body();
      other->refuse_body();
    }
  }

  void whole() {
    enter(Stage::asking);
    request_.body = std::move(parser_->get().body());
    parser_.reset();
    lowest().expires_never();
    head_ = request_.without_body();
    deadline_ = Clock::time_point::max();
    // What comes back is told on this thread. The answer takes the session with it: no other thread may be the last to hold one.
    Exchange::Way way;
    way.answer = [self = self()](Response response) mutable {
      net::io_context& context = self->core_->context;
      net::post(context, [self = std::move(self), response = std::move(response)]() mutable { self->answer(std::move(response)); });
    };
    way.answer_by = [weak = this->weak_from_this(), core = core_](Clock::time_point deadline) {
      net::post(core->context, [weak, deadline] {
        if (const auto self = weak.lock()) self->answer_by(deadline);
      });
    };
    auto exchange = std::make_shared<Exchange>(std::move(request_), std::move(way));
    asked_ = exchange;
    core_->handlers.handle(exchange);
    watch();
  }

  void answer_by(Clock::time_point deadline) {
    deadline_ = deadline;
    if (!asked_.expired()) watch();
  }

  // Looks whether the client goes away while its answer is made, and whether its time is over.
  void watch() {
    if (Clock::now() >= deadline_) {
      if (const auto exchange = asked_.lock()) exchange->answer(refusal(504, "the request's time is over"));
      return;
    }
    timer_.expires_at(std::min(deadline_, Clock::now() + kLook));
    timer_.async_wait([self = self()](beast::error_code error) {
      const auto exchange = self->asked_.lock();
      if (error || !exchange) return;
      pollfd other{self->lowest().socket().native_handle(), POLLRDHUP, 0};
      if (::poll(&other, 1, 0) > 0) return exchange->set_gone();
      self->watch();
    });
  }

  void answer(Response response) {
    timer_.cancel();
    asked_.reset();
    release_body();
    write(std::move(response), keep_alive_);
  }

  std::string too_large() const { return fmt::format("the body has more than {} bytes", core_->options.max_body); }

  void refuse(Response response) {
    parser_.reset();
    release_body();
    write(std::move(response), false);
  }

  void write(Response response, bool keep) {
    enter(Stage::reading);
    if (head_.method.empty()) head_ = request_.without_body();
    keep = keep && !core_->stopping;
    const int64_t bytes = static_cast<int64_t>(response.body.size());
    if (core_->handlers.done) core_->handlers.done(head_, response, bytes);
    if (response.status == 499) return;
    auto message = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(response.status), 11);
    message->set(http::field::server, kServer);
    message->set("X-Content-Type-Options", "nosniff");
    if (!response.type.empty()) message->set(http::field::content_type, response.type);
    for (const auto& [name, value] : response.headers) message->set(name, value);
    message->keep_alive(keep);
    if (head_.method == "HEAD") {
      message->content_length(static_cast<uint64_t>(bytes));
    } else {
      message->body() = std::move(response.body);
      message->prepare_payload();
      sent_bytes_ = bytes;
      core_->answer_bytes += bytes;
      while (core_->answer_bytes > kAnswerBytes) {
        Connection* other = core_->oldest(Stage::reading, this);
        if (other == nullptr) break;
        other->close();
      }
    }
    head_ = {};
    lowest().expires_after(milliseconds_of(core_->options.timeout));
    auto serializer = std::make_shared<http::response_serializer<http::string_body>>(*message);
    const auto written = [self = self(), message, serializer, keep](beast::error_code error, size_t) {
      self->release_answer();
      if (error) return;
      keep ? self->wait() : self->finish();
    };
    if (message->body().empty())
      http::async_write_header(stream_, *serializer, written);
    else
      http::async_write(stream_, *serializer, written);
  }

  // Says that nothing more comes, and reads what the client still sends for a moment, so that it can read the answer.
  void finish() {
    enter(Stage::waiting);
    boost::system::error_code ignored;
    lowest().expires_after(kLinger);
    if constexpr (is_plain()) {
      lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
      linger();
    } else {
#ifdef FOVEA_TLS
      stream_.async_shutdown([self = self()](beast::error_code) {
        boost::system::error_code none;
        self->lowest().socket().shutdown(tcp::socket::shutdown_send, none);
      });
#endif
    }
  }
  void linger() {
    buffer_.consume(buffer_.size());
    lowest().async_read_some(buffer_.prepare(kBufferBytes / 4), [self = self()](beast::error_code error, size_t bytes) {
      self->lingered_ += static_cast<int64_t>(bytes);
      if (!error && self->lingered_ < self->core_->options.max_body) self->linger();
    });
  }

  void release_body() {
    core_->body_bytes -= counted_;
    counted_ = 0;
  }
  void release_answer() {
    core_->answer_bytes -= sent_bytes_;
    sent_bytes_ = 0;
  }

  std::shared_ptr<Core> core_;
  Stream stream_;
  beast::flat_buffer buffer_;
  net::steady_timer timer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string client_;
  Request request_, head_;  // head_: of the request that is being answered, without its body
  std::weak_ptr<Exchange> asked_;
  Clock::time_point deadline_;
  bool keep_alive_ = false, sent_away_ = false;
  int64_t counted_ = 0, sent_bytes_ = 0, lingered_ = 0;  // bytes in Core::body_bytes and Core::answer_bytes; read after the last answer
};

void Core::use_certificate() {
  if (options.certificate.empty() && options.key.empty()) return;
#ifdef FOVEA_TLS
  tls = std::make_unique<net::ssl::context>(net::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(tls->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  boost::system::error_code error;
  tls->use_certificate_chain_file(options.certificate, error);
  if (error) fail(ErrorKind::input, "{}: this certificate cannot be read: {}", options.certificate, error.message());
  tls->use_private_key_file(options.key, net::ssl::context::pem, error);
  if (error) fail(ErrorKind::input, "{}: this key cannot be read, or is not the certificate's: {}", options.key, error.message());
  most_connections = kMostOfTls;
#else
  fail(ErrorKind::unsupported, "this build has no TLS");
#endif
}

void Core::listen() {
  boost::system::error_code error;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error) fail(ErrorKind::io, "{}: this host cannot be found: {}", options.host, error.message());
  const tcp::endpoint end = *found.begin();
  const auto check = [&] {
    if (error) fail(ErrorKind::io, "{}:{}: cannot listen there: {}", options.host, options.port, error.message());
  };
  acceptor.open(end.protocol(), error);
  check();
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(end, error);
  check();
  acceptor.listen(tcp::acceptor::max_listen_connections, error);
  check();
  // Files are opened beside the connections: models, pictures.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, std::max<rlim_t>(files.rlim_cur, 2 * kMostConnections));
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  most_connections = std::min<size_t>(most_connections, files.rlim_cur > 192 ? files.rlim_cur - 128 : files.rlim_cur / 3 + 1);
}

Connection* Core::oldest(Stage stage, const Connection* but) const {
  Connection* found = nullptr;
  for (Connection* one : connections)
    if (one != but && one->stage() == stage && (found == nullptr || one->since() < found->since())) found = one;
  return found;
}

void Core::make_room() {
  for (const Stage stage : {Stage::waiting, Stage::sending, Stage::reading})
    if (Connection* one = oldest(stage)) return one->close();
}

void Core::accept() {
  acceptor.async_accept([self = shared_from_this()](beast::error_code error, tcp::socket socket) {
    if (self->stopping || error == net::error::operation_aborted) return;
    if (!error) {
      const auto again = std::shared_ptr<void>(nullptr, [self](void*) { self->accept(); });  // whatever is thrown
      return self->accepted(std::move(socket));
    }
    // No file descriptor or memory is left: somebody who asks nothing makes room, and a moment later it goes on.
    self->make_room();
    self->pause.expires_after(std::chrono::milliseconds(20));
    self->pause.async_wait([self](beast::error_code) {
      if (!self->stopping) self->accept();
    });
  });
}

void Core::accepted(tcp::socket socket) {
  if (connections.size() >= most_connections) make_room();
#ifdef FOVEA_TLS
  if (tls) return std::make_shared<Session<beast::ssl_stream<beast::tcp_stream>>>(shared_from_this(), std::move(socket), *tls)->start();
#endif
  std::make_shared<Session<beast::tcp_stream>>(shared_from_this(), std::move(socket))->start();
}

void Core::shut() {
  if (stopping) return;
  stopping = true;
  boost::system::error_code ignored;
  acceptor.close(ignored);
  pause.cancel();
  for (Connection* one : std::set<Connection*>(connections))
    if (one->stage() == Stage::waiting) one->close();
  drain.expires_after(options.drain);
  drain.async_wait([self = shared_from_this()](beast::error_code error) {
    if (!error)
      for (Connection* one : std::set<Connection*>(self->connections)) one->close();
  });
}

void Core::run_one() {
  try {
    context.run_one();
  } catch (const std::exception& error) {
    if (handlers.failed) handlers.failed(error.what());
  }
}

}  // namespace

Request Request::without_body() const {
  Request head{method, path, query, {}, {}, client, arrived};
  return head;
}

const std::string& Request::header(const std::string& name) const {
  static const std::string none;
  const auto found = headers.find(name);
  return found == headers.end() ? none : found->second;
}

Exchange::~Exchange() { answer(gone_ ? refusal(499, "the client has gone") : refusal(500, "no answer was made")); }

void Exchange::answer(Response response) {
  if (!answered_.exchange(true)) std::exchange(way_.answer, nullptr)(std::move(response));
}

void Exchange::answer_by(Clock::time_point deadline) { way_.answer_by(deadline); }

class HttpServer::Implementation {
 public:
  std::shared_ptr<Core> core;
};

HttpServer::HttpServer(const HttpOptions& options, Handlers handlers) : implementation_(std::make_unique<Implementation>()) {
  implementation_->core = std::make_shared<Core>(options, std::move(handlers));
  implementation_->core->use_certificate();
  implementation_->core->listen();
}

// What still waits for an answer is closed, and what came too late is done, so that nothing holds on to anything.
HttpServer::~HttpServer() {
  Core& core = *implementation_->core;
  core.shut();
  for (Connection* one : std::set<Connection*>(core.connections)) one->close();
  core.drain.cancel();
  core.context.restart();
  while (!core.context.stopped()) core.run_one();
}

int HttpServer::port() const { return implementation_->core->acceptor.local_endpoint().port(); }
int64_t HttpServer::connections() const { return implementation_->core->open; }

void HttpServer::run() {
  Core& core = *implementation_->core;
  core.accept();
  // Until all connections have ended: then the timer of `shut` is alone, and is cancelled.
  while (!core.context.stopped()) {
    core.run_one();
    if (core.stopping && core.connections.empty()) core.drain.cancel();
  }
}

void HttpServer::stop() {
  net::post(implementation_->core->context, [core = implementation_->core] { core->shut(); });
}

bool has_tls() {
#ifdef FOVEA_TLS
  return true;
#else
  return false;
#endif
}

}  // namespace fovea::serve
