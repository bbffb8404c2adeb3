#include "serve/http.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <mutex>
#include <set>

#ifdef FOVEA_TLS
#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#endif

#include "base/error.h"

namespace fovea::serve {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = net::ip::tcp;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr size_t kHeaderBytes = 16 * 1024;
constexpr seconds kIdle{75}, kHeader{10}, kLinger{2};
constexpr int64_t kLingerBytes = 1 << 20;
// Bodies that are on their way take no more than this beyond one of the largest size.
constexpr int64_t kBodiesBeyondOne = 48'000'000;
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

std::string small_letters(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
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

Response refusal(int status, const std::string& error) { return {status, "application/json", fmt::format("{{\"error\":\"{}\"}}", error)}; }

class Core;

class SessionBase {
 public:
  virtual ~SessionBase() = default;
  virtual void close() = 0;       // at once
  virtual void close_idle() = 0;  // unless a request is being read or answered
  bool idle() const { return idle_; }
  Clock::time_point since() const { return since_; }

 protected:
  bool idle_ = true;
  Clock::time_point since_ = Clock::now();
};

// What all connections share. Only the thread of the network touches it, but for `stop`.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const HttpOptions& options, HttpServer::Handlers handlers) : options(options), handlers(std::move(handlers)), acceptor(context) {}

  void listen();
  void accept();
  void accepted(tcp::socket socket);
  void shut();
  void remove(SessionBase* session) {
    sessions.erase(session);
    open = static_cast<int64_t>(sessions.size());
  }
  void close_oldest_idle();

  const HttpOptions options;
  const HttpServer::Handlers handlers;
  net::io_context context{1};
  tcp::acceptor acceptor;
  net::steady_timer pause{context}, drain{context};
  std::set<SessionBase*> sessions;
  std::atomic<int64_t> open = 0;
  size_t most_sessions = 1000;
  int64_t body_bytes = 0;  // of all bodies that are being read
  bool stopping = false;
#ifdef FOVEA_TLS
  std::unique_ptr<net::ssl::context> tls;
#endif
};

template <class Stream>
class Session : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <class... Rest>
  Session(std::shared_ptr<Core> core, tcp::socket socket, Rest&... rest)
      : core_(std::move(core)), stream_(std::move(socket), rest...), buffer_(64 * 1024) {
    boost::system::error_code error;
    const auto end = lowest().socket().remote_endpoint(error);
    if (!error) client_ = end.address().to_string();
    lowest().socket().set_option(tcp::no_delay(true), error);
    core_->sessions.insert(this);
    core_->open = static_cast<int64_t>(core_->sessions.size());
  }
  ~Session() override {
    release_body();
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
    boost::system::error_code ignored;
    lowest().socket().close(ignored);
  }
  void close_idle() override {
    if (idle_) close();
  }

 private:
  static constexpr bool is_plain() { return std::is_same_v<Stream, beast::tcp_stream>; }
  std::shared_ptr<Session> self() { return this->shared_from_this(); }
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  // For the first byte of the next request.
  void wait() {
    if (core_->stopping) return close();
    if (buffer_.size() > 0) return read_header();
    idle_ = true;
    since_ = Clock::now();
    lowest().expires_after(kIdle);
    stream_.async_read_some(buffer_.prepare(8 * 1024), [self = self()](beast::error_code error, size_t bytes) {
      if (error) return;
      self->buffer_.commit(bytes);
      self->read_header();
    });
  }

  void read_header() {
    idle_ = false;
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
      return refuse({413, "application/json", {}}, too_large());
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return refuse({431, "application/json", {}}, fmt::format("the headers have more than {} bytes", kHeaderBytes));
    if (error == http::error::end_of_stream) return finish();
    if (error && error.category() == make_error_code(http::error::bad_method).category())
      return refuse({400, "application/json", {}}, "this is no HTTP request: " + error.message());
    if (error) return;  // the client has gone, or its time is over
    const auto wrong = take_header();
    if (wrong) return refuse({wrong->first, "application/json", {}}, wrong->second);
    if (core_->handlers.admit) {
      if (auto early = core_->handlers.admit(request_)) {
        const bool none =
            parser_->is_done() || (!parser_->content_length() && !parser_->chunked()) || parser_->content_length_remaining().value_or(1) == 0;
        return write(std::move(*early), none && keep_alive_);
      }
    }
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return go_on();
    start_body();
  }

  // Fills the request from the parser's header; the status and the reason where it must be refused.
  std::optional<std::pair<int, std::string>> take_header() {
    const auto& message = parser_->get();
    request_.method = std::string(message.method_string());
    keep_alive_ = message.keep_alive();
    int hosts = 0;
    for (const auto& field : message) {
      const std::string name = small_letters({field.name_string().data(), field.name_string().size()});
      const std::string value(field.value());
      hosts += name == "host";
      auto [at, first] = request_.headers.try_emplace(name, value);
      if (!first) at->second += ", " + value;
    }
    if (!read_target({message.target().data(), message.target().size()}, request_)) return {{400, "the address cannot be read"}};
    if (message.version() != 10 && message.version() != 11) return {{505, "HTTP/1.0 or HTTP/1.1 expected"}};
    if (message.version() == 11 && hosts != 1) return {{400, "one Host header expected"}};
    const bool coded = request_.headers.contains("transfer-encoding");
    if (coded && request_.headers.contains("content-length")) return {{400, "both Content-Length and Transfer-Encoding were given"}};
    if (coded && (message.version() == 10 || small_letters(request_.headers["transfer-encoding"]) != "chunked"))
      return {{501, "no Transfer-Encoding but chunked is read"}};
    return std::nullopt;
  }

  void go_on() {
    auto message = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    lowest().expires_after(kHeader);
    http::async_write(stream_, *message, [self = self(), message](beast::error_code error, size_t) {
      if (!error) self->start_body();
    });
  }

  void start_body() {
    lowest().expires_after(std::chrono::milliseconds(static_cast<int64_t>(core_->options.timeout * 1000)));
    read_body();
  }

  void read_body() {
    if (parser_->is_done()) return whole();
    http::async_read_some(stream_, buffer_, *parser_, [self = self()](beast::error_code error, size_t) {
      if (error == http::error::body_limit) return self->refuse({413, "application/json", {}}, self->too_large());
      if (error == beast::error::timeout) return;
      if (error && error.category() == make_error_code(http::error::bad_method).category() && error != http::error::partial_message &&
          error != http::error::end_of_stream)
        return self->refuse({400, "application/json", {}}, "the body cannot be read: " + error.message());
      if (error) return;
      const int64_t held = static_cast<int64_t>(self->parser_->get().body().size());
      self->core_->body_bytes += held - self->counted_;
      self->counted_ = held;
      if (self->core_->body_bytes > self->core_->options.max_body + kBodiesBeyondOne)
        return self->refuse({503, "application/json", {}, {{"Retry-After", "1"}}}, "too many large requests at once");
      self->read_body();
    });
  }

  void whole() {
    request_.body = std::move(parser_->get().body());
    parser_.reset();
    lowest().expires_never();
    // What the answer sends comes back to this thread.
    auto exchange = std::make_shared<Exchange>(std::move(request_), [self = self()](Response response) {
      net::post(self->core_->context, [self, response = std::move(response)]() mutable {
        self->release_body();
        self->answered_ = true;
        if (self->watching_) self->lowest().socket().cancel();
        self->write(std::move(response), self->keep_alive_);
      });
    });
    asked_ = exchange;
    answered_ = false;
    head_ = exchange->request;
    head_.body.clear();
    watch();
    core_->handlers.handle(std::move(exchange));
  }

  // Looks whether the client goes away while its answer is made.
  void watch() {
    watching_ = true;
    lowest().socket().async_wait(tcp::socket::wait_read, [self = self()](beast::error_code error) {
      self->watching_ = false;
      const auto exchange = self->asked_.lock();
      if (error || self->answered_ || !exchange) return;
      char byte;
      const ssize_t got = ::recv(self->lowest().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got > 0) return;  // the next request
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return self->watch();
      exchange->set_gone();
    });
  }

  std::string too_large() const { return fmt::format("the body has more than {} bytes", core_->options.max_body); }

  void refuse(Response response, const std::string& error) {
    response.body = refusal(0, error).body;
    head_ = std::move(request_);
    write(std::move(response), false);
  }

  void write(Response response, bool keep) {
    if (head_.method.empty()) head_ = std::move(request_);
    keep = keep && !core_->stopping;
    const int64_t bytes = static_cast<int64_t>(response.body.size());
    const int status = response.status;
    auto message = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(status), 11);
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
    }
    if (core_->handlers.done) core_->handlers.done(head_, status, bytes);
    head_ = {};
    lowest().expires_after(std::chrono::milliseconds(static_cast<int64_t>(core_->options.timeout * 1000)));
    auto serializer = std::make_shared<http::response_serializer<http::string_body>>(*message);
    const auto written = [self = self(), message, serializer, keep](beast::error_code error, size_t) {
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
    boost::system::error_code ignored;
    lowest().expires_after(kLinger);
    if constexpr (is_plain()) {
      lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
      linger(0);
    } else {
#ifdef FOVEA_TLS
      stream_.async_shutdown([self = self()](beast::error_code) {
        boost::system::error_code none;
        self->lowest().socket().shutdown(tcp::socket::shutdown_send, none);
      });
#endif
    }
  }
  void linger(int64_t read) {
    buffer_.consume(buffer_.size());
    lowest().async_read_some(buffer_.prepare(16 * 1024), [self = self(), read](beast::error_code error, size_t bytes) {
      const int64_t now = read + static_cast<int64_t>(bytes);
      if (!error && now < kLingerBytes) self->linger(now);
    });
  }

  void release_body() {
    core_->body_bytes -= counted_;
    counted_ = 0;
  }

  std::shared_ptr<Core> core_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string client_;
  Request request_, head_;  // head_: of the request that is being answered, without its body
  std::weak_ptr<Exchange> asked_;
  bool keep_alive_ = false, answered_ = true, watching_ = false;
  int64_t counted_ = 0;  // bytes of this body in Core::body_bytes
};

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
  acceptor.listen(4096, error);
  check();
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 65'536);
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  most_sessions = files.rlim_cur > 192 ? files.rlim_cur - 128 : files.rlim_cur / 3 + 1;
}

void Core::close_oldest_idle() {
  SessionBase* oldest = nullptr;
  for (SessionBase* one : sessions)
    if (one->idle() && (oldest == nullptr || one->since() < oldest->since())) oldest = one;
  if (oldest != nullptr) oldest->close();
}

void Core::accept() {
  acceptor.async_accept([self = shared_from_this()](beast::error_code error, tcp::socket socket) {
    if (self->stopping || error == net::error::operation_aborted) return;
    if (!error) {
      self->accepted(std::move(socket));
      return self->accept();
    }
    // No file descriptor or memory is left: somebody who asks nothing makes room, and a moment later it goes on.
    self->close_oldest_idle();
    self->pause.expires_after(std::chrono::milliseconds(20));
    self->pause.async_wait([self](beast::error_code) {
      if (!self->stopping) self->accept();
    });
  });
}

void Core::accepted(tcp::socket socket) {
  if (sessions.size() >= most_sessions) close_oldest_idle();
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
  for (SessionBase* one : std::set<SessionBase*>(sessions)) one->close_idle();
  drain.expires_after(options.drain);
  drain.async_wait([self = shared_from_this()](beast::error_code error) {
    if (!error) self->context.stop();
  });
}

}  // namespace

const std::string& Request::header(const std::string& name) const {
  static const std::string none;
  const auto found = headers.find(name);
  return found == headers.end() ? none : found->second;
}

Exchange::~Exchange() { answer(refusal(500, "no answer was made")); }

void Exchange::answer(Response response) {
  if (!answered_.exchange(true)) send_(std::move(response));
}

class HttpServer::Implementation {
 public:
  std::shared_ptr<Core> core;
};

HttpServer::HttpServer(const HttpOptions& options, Handlers handlers) : implementation_(std::make_unique<Implementation>()) {
  implementation_->core = std::make_shared<Core>(options, std::move(handlers));
  Core& core = *implementation_->core;
  if (!options.certificate.empty() || !options.key.empty()) {
#ifdef FOVEA_TLS
    core.tls = std::make_unique<net::ssl::context>(net::ssl::context::tls_server);
    SSL_CTX_set_min_proto_version(core.tls->native_handle(), TLS1_2_VERSION);
    boost::system::error_code error;
    core.tls->use_certificate_chain_file(options.certificate, error);
    if (error) fail(ErrorKind::input, "{}: this certificate cannot be read: {}", options.certificate, error.message());
    core.tls->use_private_key_file(options.key, net::ssl::context::pem, error);
    if (error) fail(ErrorKind::input, "{}: this key cannot be read, or is not the certificate's: {}", options.key, error.message());
#else
    fail(ErrorKind::unsupported, "this build has no TLS");
#endif
  }
  core.listen();
}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return implementation_->core->acceptor.local_endpoint().port(); }
int64_t HttpServer::connections() const { return implementation_->core->open; }

void HttpServer::run() {
  Core& core = *implementation_->core;
  core.accept();
  // It runs until all sessions have ended and the timer of `shut` is alone; the last session cancels that.
  while (!core.context.stopped()) {
    core.context.run_one();
    if (core.stopping && core.sessions.empty()) core.drain.cancel();
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
