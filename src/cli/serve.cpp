// fovea serve: models behind an address.
#include "serve/service.h"

#include <fmt/format.h>
#include <fovea/error.h>
#include <fovea/threads.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <mutex>
#include <thread>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kServeFooter =
    R"HELP(Each MODEL is what every command takes: a model file, the folder of a run, or a network's name; NAME=MODEL gives it another name in addresses
than its file has. The first one answers requests that name none.

  GET  /                the page: drop pictures, see classes, heat maps and similar pictures
  POST /predict?top=3   a picture as the body, or a form of several: classes and probabilities
  POST /embed           its feature vector            POST /explain   its heat map, as PNG
  POST /neighbors       the most similar pictures of --features
  POST /v2/models/NAME/infer, /v1/embeddings, /embeddings_image: as the Open Inference Protocol, OpenAI and infinity have them
  GET  /health, /metrics (for Prometheus), /openapi.json (all of it)

Pictures of several requests are computed together; each gets the bits that `fovea predict` gives for it alone. Where --queue requests are waiting,
the next are answered by 429. SIGTERM and Ctrl-C: no new requests, those that are there are answered, exit status 0. SIGHUP: models whose file is
another one now are loaded again; requests that are under way keep the one before.

Examples:
  fovea serve run
  fovea serve beetles=run/model.safetensors resnet50 --port 8080
  fovea serve run --host 0.0.0.0 --token-file token --tls-cert cert.pem --tls-key key.pem
  curl --data-binary @photo.jpg 'localhost:8000/predict?top=3')HELP";

struct ServeArguments {
  ModelOptions compute;
  std::vector<std::string> models;
  serve::ServiceOptions service;
  std::string token_file, max_body = "32M", log = "text";
  int decoders = 0;
  double max_pixels = 32;
};

sigset_t watched_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, one);
  return signals;
}

// Waits in a thread of its own for signals, so that none interrupts anything.
class Signals {
 public:
  explicit Signals(serve::Service& service) : service_(service), thread_([this] { watch(); }) {}
  ~Signals() {
    ended_ = true;
    thread_.join();
  }

 private:
  void watch() {
    const sigset_t watched = watched_signals();
    while (!ended_) {
      timespec wait{0, 200'000'000};
      const int got = sigtimedwait(&watched, nullptr, &wait);
      if (got == SIGHUP) service_.reload();
      if (got == SIGTERM || got == SIGINT) service_.stop();
    }
  }

  serve::Service& service_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

std::string read_token(const std::string& path) {
  std::ifstream file(path);
  std::string token;
  if (!file || !std::getline(file, token)) throw Error(ErrorKind::input, path + ": cannot be read, or is empty");
  while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) token.pop_back();
  if (token.empty()) throw Error(ErrorKind::input, path + ": its first line is empty, and no token");
  return token;
}

serve::ModelSource source_of(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals != std::string::npos && equals > 0 && word.find('/') > equals) return {word.substr(0, equals), word.substr(equals + 1)};
  return {serve::served_name(word), word};
}

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

int run_server(const ServeArguments& options) {
  serve::ServiceOptions service = options.service;
  if (service.http.certificate.empty() != service.http.key.empty())
    throw Error(ErrorKind::usage, "--tls-cert and --tls-key belong together");
  const sigset_t watched = watched_signals();  // blocked before any thread is started: all of them leave these to Signals
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  use_threads(options.compute);
  for (const std::string& word : options.models) service.models.models.push_back(source_of(word));
  service.models.load.weights = options.compute.weights;
  service.models.load.dtype = options.compute.dtype;
  service.http.max_body = parse_bytes(options.max_body);
  service.max_pixels = static_cast<int64_t>(options.max_pixels * 1e6);
  service.threads = options.decoders > 0 ? options.decoders : threads();
  if (!options.token_file.empty()) service.token = read_token(options.token_file);
  std::mutex printing;
  if (options.log != "off") {
    service.log_json = options.log == "json";
    service.log = [&](const std::string& line) {
      const std::lock_guard lock(printing);
      write_output(line + "\n");
      output_error();  // flushes; a log that cannot be written is lost, and no request
    };
  }
  service.news = [&](const std::string& line) {
    const std::lock_guard lock(printing);
    say(line);
  };
  result_is_in_files();
  serve::Service server(std::move(service));
  const bool tls = !options.service.http.certificate.empty();
  const std::string& host = options.service.http.host;
  if (!is_loopback(host) && (!tls || options.token_file.empty()))
    say(fmt::format("{} is open to other machines {}", host,
                    tls                          ? "without a token (--token-file)"
                    : options.token_file.empty() ? "without a token and TLS"
                                                 : "without TLS (--tls-cert, --tls-key)"));
  say(fmt::format("http{}://{}:{}/", tls ? "s" : "", host.find(':') == std::string::npos ? host : "[" + host + "]", server.port()));
  const Signals signals(server);
  server.run();
  return 0;
}

}  // namespace

void add_serve(Command& program) {
  Command command = program.command("serve", "Models behind an address, for programs and browsers");
  const auto options = std::make_shared<ServeArguments>();
  serve::ServiceOptions& service = options->service;
  command.positional("MODEL", options->models, "What to serve: model files, runs, names of networks, each also as NAME=MODEL");
  command.option("--host", service.http.host, "The address to listen at").type("HOST").shows_default();
  command.option("--port", service.http.port, "The port; 0: any that is free").type("N").between(0, 65'535).shows_default();
  command.option("--max-batch", service.max_batch, "Pictures computed together, and at most in one request")
      .type("N")
      .positive()
      .shows_default();
  command.option("--max-delay-ms", service.max_delay_ms, "How long a request waits for others while the cores are free")
      .type("MS")
      .not_negative()
      .shows_default();
  command.option("--queue", service.queue, "Requests that may wait; the next are answered by 429").type("N").positive().shows_default();
  command.option("--decoders", options->decoders, "Threads that decode pictures (default: as many as cores)").type("N").positive();
  command.option("--max-body", options->max_body, "The largest body of a request").type("BYTES").bytes().shows_default();
  command.option("--max-pixels", options->max_pixels, "The largest picture, in millions of pixels")
      .type("M")
      .not_negative()
      .shows_default();
  command.option("--timeout", service.http.timeout, "Seconds that a body may take to arrive, and an answer to be read")
      .type("S")
      .not_negative()
      .shows_default();
  command.option("--token-file", options->token_file, "Whose first line requests must bring: Authorization: Bearer TOKEN").type("FILE");
  command.option("--tls-cert", service.http.certificate, "The certificate, with those above it").type("FILE.pem");
  command.option("--tls-key", service.http.key, "Its key").type("FILE.pem");
  command.option("--models-folder", service.models.folder, "Whose models may be loaded by name").type("DIR");
  command.option("--features", service.models.features, "What `fovea embed` wrote, for /neighbors").type("FILE.npy");
  command.flag("--reload", service.reload, "Look every second whether a model has another file");
  command.option("--log", options->log, "The access log, on standard output").one_of({"text", "json", "off"}).shows_default();
  add_weights_option(command, options->compute);
  add_compute(command, options->compute);
  command.footer(kServeFooter);
  command.runs([options] { return run_server(*options); });
}

}  // namespace fovea::cli
