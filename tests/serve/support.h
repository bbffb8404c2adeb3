// A server in a thread, and a client that sends bytes as they are.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/json_value.h"
#include "serve/service.h"

namespace fovea::test {

struct Answer {
  int status = 0;                              // 0: the connection was closed without one
  std::map<std::string, std::string> headers;  // names in small letters
  std::string body;

  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

// Serves until it ends, on a port of its own.
class Server {
 public:
  explicit Server(serve::ServiceOptions options);
  ~Server();

  int port() const { return service_.port(); }
  serve::Service& service() { return service_; }

  Answer get(const std::string& path, const std::map<std::string, std::string>& headers = {}) const;
  Answer post(const std::string& path, const std::string& body, const std::map<std::string, std::string>& headers = {}) const;
  // These bytes, and what comes back until an answer is whole or the connection is closed.
  Answer raw(const std::string& bytes) const;

 private:
  serve::Service service_;
  std::thread thread_;
};

// A connection of one's own.
class Connection {
 public:
  explicit Connection(int port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(const std::string& bytes);
  void close();
  void end_sending();
  Answer read(bool head = false);

 private:
  int socket_ = -1;
  std::string rest_;
};

// A small model of random weights for these classes, in a file of a temporary folder.
std::string model_file(const std::string& name, const std::vector<std::string>& classes, uint64_t seed = 1);
std::string picture(const std::string& name);  // the bytes of a picture of the tests
std::string form(const std::vector<std::pair<std::string, std::string>>& files, const std::string& boundary);

}  // namespace fovea::test
