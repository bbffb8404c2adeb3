// A small HTTP server on this machine that serves one body under every path, or a body a path, with ranges, and can misbehave.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace fovea::weights {

class HttpServer {
 public:
  HttpServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      throw std::runtime_error("no local server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  int requests() const { return requests_; }
  // Where each request wanted to begin.
  std::vector<int64_t> ranges() const {
    const std::lock_guard lock(mutex_);
    return ranges_;
  }

  // What each request said, its first line first.
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  // Set before the first request.
  std::string body;
  std::map<std::string, std::string> bodies;  // by path, where there are any; 404 for others
  std::string headers;                        // further ones of every good answer: "ETag: \"...\"\r\n"
  std::string redirect;                       // where to send every request to
  std::string token;                          // without which the answer is 401
  int refusals = 0;                           // of so many requests with `status`, before the others are answered
  size_t cut_after = SIZE_MAX;                // bytes of a body, then the connection is closed
  bool ignore_ranges = false;
  int status = 200;

 private:
  void serve() {
    for (;;) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string request;
    for (char buffer[4096]; request.find("\r\n\r\n") == std::string::npos;) {
      const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      request.append(buffer, static_cast<size_t>(count));
    }
    const int number = requests_++;
    size_t start = 0;
    const size_t range = request.find("Range: bytes=");
    if (range != std::string::npos) start = std::stoul(request.substr(range + 13));
    {
      const std::lock_guard lock(mutex_);
      ranges_.push_back(static_cast<int64_t>(start));
      asked_.push_back(request);
    }
    if (ignore_ranges) start = 0;
    const std::string end = "Connection: close\r\n\r\n";
    const auto refuse = [&](int with) {
      send_all(connection, "HTTP/1.1 " + std::to_string(with) + " No\r\nContent-Length: 4\r\n" + headers + end + "body");
    };
    if (!token.empty() && request.find("Authorization: Bearer " + token + "\r\n") == std::string::npos) return refuse(401);
    if (status != 200 && (refusals == 0 || number < refusals)) return refuse(status);
    if (!redirect.empty())
      return send_all(connection, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + redirect + "\r\n" + headers + end);
    const std::string path = request.substr(5, request.find(' ', 5) - 5);  // behind "GET /"
    if (!bodies.empty() && !bodies.contains(path)) return refuse(404);
    const std::string& body = bodies.empty() ? this->body : bodies.at(path);
    if (start > 0 && start >= body.size()) {
      return send_all(connection, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n" + end);
    }
    std::string head = start > 0 ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
    if (start > 0) {
      head += "Content-Range: bytes " + std::to_string(start) + "-" + std::to_string(body.size() - 1) + "/" + std::to_string(body.size()) +
              "\r\n";
    }
    head += "Content-Length: " + std::to_string(body.size() - start) + "\r\n" + headers + end;
    send_all(connection, head + body.substr(start, cut_after));
  }

  static void send_all(int connection, const std::string& text) {
    for (size_t done = 0; done < text.size();) {
      const ssize_t count = ::send(connection, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (count <= 0) return;
      done += static_cast<size_t>(count);
    }
  }

  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
  std::atomic<int> requests_{0};
  mutable std::mutex mutex_;
  std::vector<int64_t> ranges_;
  std::vector<std::string> asked_;
};

}  // namespace fovea::weights
