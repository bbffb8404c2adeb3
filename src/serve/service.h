// A model behind an address: which request is answered how.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "serve/http.h"
#include "serve/models.h"

namespace fovea::serve {

struct ServiceOptions {
  HttpOptions http;
  Models::Options models;
  int64_t threads = 1;                           // that read requests and decode pictures
  int64_t max_batch = 16;                        // pictures computed together
  double max_delay_ms = 0;                       // that a request waits for others while the cores are free
  int64_t queue = 256;                           // requests that wait or are worked on; the next are answered by 429
  int64_t max_pixels = 32'000'000;               // of a picture
  std::string token;                             // empty: none is asked for
  bool reload = false;                           // look every second whether a model has another file
  bool log_json = false;                         // the access log, a line a request
  std::function<void(const std::string&)> log;   // gets each line; may be called from several threads
  std::function<void(const std::string&)> news;  // gets what else is to be told
};

class Service {
 public:
  // Loads the models and listens. Throws what Models and HttpServer throw.
  explicit Service(ServiceOptions options);
  ~Service();

  int port() const;
  void run();     // until `stop`
  void stop();    // from any thread: takes no new requests, answers those that are there
  void reload();  // from any thread: looks now for other files of the models

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace fovea::serve
