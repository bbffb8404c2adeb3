#include "serve/support.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fovea/model.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <stdexcept>

#include "support/files.h"

namespace fovea::test {

Server::Server(serve::ServiceOptions options)
    : service_([&] {
        options.http.port = 0;
        return std::move(options);
      }()),
      thread_([this] { service_.run(); }) {}

Server::~Server() {
  service_.stop();
  thread_.join();
}

Answer Server::get(const std::string& path, const std::map<std::string, std::string>& headers) const {
  std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", path);
  for (const auto& [name, value] : headers) request += name + ": " + value + "\r\n";
  return raw(request + "\r\n");
}

Answer Server::post(const std::string& path, const std::string& body, const std::map<std::string, std::string>& headers) const {
  std::string request = fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n", path, body.size());
  for (const auto& [name, value] : headers) request += name + ": " + value + "\r\n";
  return raw(request + "\r\n" + body);
}

Answer Server::raw(const std::string& bytes) const {
  Connection connection(port());
  connection.send(bytes);
  return connection.read();
}

Connection::Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{60, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("cannot connect");
}

Connection::~Connection() { close(); }

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void Connection::end_sending() { ::shutdown(socket_, SHUT_WR); }

// A server that has answered may have closed the connection by now.
void Connection::send(const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t sent = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return;
    at += static_cast<size_t>(sent);
  }
}

Answer Connection::read(bool head) {
  char buffer[64 * 1024];
  const auto more = [&] {
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got > 0) rest_.append(buffer, static_cast<size_t>(got));
    return got > 0;
  };
  Answer answer;
  do {
    while (rest_.find("\r\n\r\n") == std::string::npos)
      if (!more()) return {};
    answer = {};
    const size_t end = rest_.find("\r\n\r\n");
    answer.status = std::stoi(rest_.substr(9, 3));
    for (size_t at = rest_.find("\r\n") + 2; at < end + 2;) {
      const size_t stop = rest_.find("\r\n", at), colon = rest_.find(':', at);
      std::string name = rest_.substr(at, colon - at);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      answer.headers[name] = rest_.substr(colon + 2, stop - colon - 2);
      at = stop + 2;
    }
    rest_.erase(0, end + 4);
  } while (answer.status == 100);
  if (head) return answer;
  const size_t length = std::stoul(answer.headers["content-length"]);
  while (rest_.size() < length)
    if (!more()) return {};
  answer.body = rest_.substr(0, length);
  rest_.erase(0, length);
  return answer;
}

std::string model_file(const std::string& name, const std::vector<std::string>& classes, uint64_t seed) {
  const std::string path = (std::filesystem::path(testing::TempDir()) / name).string();
  Model model = Model::load("test_resnet", {.weights = "none", .seed = seed});
  model.replace_head(classes, seed);
  model.save(path);
  return path;
}

std::string picture(const std::string& name) { return contents_of(std::string(FOVEA_TEST_DATA) + "/" + name); }

std::string form(const std::vector<std::pair<std::string, std::string>>& files, const std::string& boundary) {
  std::string body;
  for (const auto& [name, bytes] : files)
    body += fmt::format(
                "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
                boundary, name) +
            bytes + "\r\n";
  return body + "--" + boundary + "--\r\n";
}

}  // namespace fovea::test
