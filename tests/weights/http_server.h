// A small HTTP server on this machine that serves one body under every path, with ranges, and can misbehave.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
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

  // Set before the first request.
  std::string body;
  size_t cut_after = SIZE_MAX;  // bytes of a body, then the connection is closed
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
    ++requests_;
    size_t start = 0;
    const size_t range = request.find("Range: bytes=");
    if (range != std::string::npos) start = std::stoul(request.substr(range + 13));
    {
      const std::lock_guard lock(mutex_);
      ranges_.push_back(static_cast<int64_t>(start));
    }
    if (ignore_ranges) start = 0;
    const std::string end = "Connection: close\r\n\r\n";
    if (status != 200) return send_all(connection, "HTTP/1.1 " + std::to_string(status) + " No\r\nContent-Length: 4\r\n" + end + "body");
    if (start > 0 && start >= body.size()) {
      return send_all(connection, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n" + end);
    }
    std::string head = start > 0 ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
    if (start > 0) {
      head += "Content-Range: bytes " + std::to_string(start) + "-" + std::to_string(body.size() - 1) + "/" + std::to_string(body.size()) +
              "\r\n";
    }
    head += "Content-Length: " + std::to_string(body.size() - start) + "\r\n" + end;
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
};

}  // namespace fovea::weights
