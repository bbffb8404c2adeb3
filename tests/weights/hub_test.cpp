// Repositories of a hub: what is asked of it, what its answers are held against, and the cache of its own client.
#include "weights/hub.h"

#include <algorithm>
#include <cstdlib>

#include "weights/http_server.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariables[] = {"HF_ENDPOINT",    "HF_HUB_CACHE",  "HUGGINGFACE_HUB_CACHE", "HF_HOME",       "HF_TOKEN",
                                      "HF_HUB_OFFLINE", "FOVEA_OFFLINE", "FOVEA_WEIGHTS_URL",     "XDG_CACHE_HOME"};

std::string random_body(size_t bytes) {
  std::string body(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) body[i] = static_cast<char>(i * 37 + i / 253);
  return body;
}

class Hub : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kVariables) unsetenv(name);
    for (const char* proxy : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(proxy);
    setenv("FOVEA_CACHE", (folder_ / "own").c_str(), 1);
    setenv("HF_HOME", (folder_ / "client").c_str(), 1);
    setenv("HF_ENDPOINT", server_.url().c_str(), 1);
    options_.download.first_pause = std::chrono::milliseconds(1);
  }
  void TearDown() override {
    for (const char* name : kVariables) unsetenv(name);
  }
  std::string at(const std::string& file) const { return "people/net/resolve/main/" + file; }

  TemporaryFolder folder_;
  HttpServer server_;
  FetchOptions options_;
  const HubRepository repository_{"people/net"};
};

class HubFetch : public Hub {
 protected:
  void SetUp() override {
    if (const char* why = why_no_download()) GTEST_SKIP() << why;
    Hub::SetUp();
  }
};

TEST_F(HubFetch, AFolderOfOneFile) {
  server_.bodies = {{at("config.json"), "{}"}, {at("preprocessor_config.json"), "{\"size\": 3}"}, {at("model.safetensors"), "weights"}};
  const fs::path found = fetch_hub_folder(repository_, options_);
  EXPECT_EQ(found, folder_ / "own/hub/people--net/main");
  EXPECT_EQ(contents_of(found / "config.json"), "{}");
  EXPECT_EQ(contents_of(found / "preprocessor_config.json"), "{\"size\": 3}");
  EXPECT_EQ(contents_of(found / "model.safetensors"), "weights");
  const int before = server_.requests();
  EXPECT_EQ(fetch_hub_folder(repository_, options_), found);
  EXPECT_EQ(server_.requests(), before) << "the second time it is there";
  setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_EQ(fetch_hub_folder(repository_, options_), found);
  EXPECT_CONTAINS(message_of([&] { fetch_hub_folder({"people/other"}, options_); }), "offline");
}

TEST_F(HubFetch, ShardsTogetherEachCutAndContinued) {
  const std::string index = R"({"weight_map": {"a": "one.bin", "b": "two.bin", "c": "three.bin", "d": "one.bin"}})";
  server_.bodies = {{at("config.json"), "{}"}, {at("pytorch_model.bin.index.json"), index}};
  for (const char* shard : {"one.bin", "two.bin", "three.bin"}) server_.bodies[at(shard)] = shard + random_body(100'000);
  server_.cut_after = 40'000;
  int64_t last = 0, total = 0;
  options_.download.progress = [&](int64_t done, int64_t of) {
    last = std::max(last, done);
    total = of;
  };
  const fs::path found = fetch_hub_folder(repository_, options_);
  for (const char* shard : {"one.bin", "two.bin", "three.bin"})
    EXPECT_EQ(contents_of(found / shard), shard + random_body(100'000)) << shard;
  EXPECT_GE(last, 300'000);
  EXPECT_GE(total, last);
  EXPECT_EQ(fetch_hub_folder(repository_, options_), found);
  fs::remove(found / "two.bin");
  EXPECT_EQ(contents_of(fetch_hub_folder(repository_, options_) / "two.bin"), "two.bin" + random_body(100'000)) << "it was incomplete";
}

TEST_F(HubFetch, AShardThatIsMissing) {
  server_.bodies = {{at("config.json"), "{}"},
                    {at("model.safetensors.index.json"), R"({"weight_map": {"a": "one.bin", "b": "two.bin"}})"},
                    {at("two.bin"), "two"}};
  EXPECT_CONTAINS(message_of([&] { fetch_hub_folder(repository_, options_); }), "people/net has no one.bin, which its index names");
}

TEST_F(HubFetch, NoRepositoryAndNoWeights) {
  server_.bodies = {{"other", ""}};
  EXPECT_CONTAINS(message_of([&] { fetch_hub_folder(repository_, options_); }),
                  "people/net: the repository is not there, or it has no config.json");
  server_.bodies = {{at("config.json"), "{}"}};
  EXPECT_CONTAINS(message_of([&] { fetch_hub_folder(repository_, options_); }), "people/net: the repository has no model.safetensors");
}

TEST_F(HubFetch, IsHeldAgainstTheDigestThatTheHubTells) {
  const std::string body = "weights", wrong(64, 'a');
  server_.body = body;
  server_.headers = "ETag: \"not a digest\"\r\nX-Linked-ETag: \"" + digest_of(body) + "\"\r\n";
  EXPECT_EQ(contents_of(*fetch_hub_file(repository_, "good", options_)), body);
  for (const std::string& header : {"X-Linked-ETag: \"" + wrong + "\"\r\n", "ETag: W/\"" + wrong + "\"\r\n", "etag: " + wrong + "\r\n"}) {
    server_.headers = header;
    ErrorKind kind{};
    const std::string message = message_of([&] { fetch_hub_file(repository_, "bad", options_); }, &kind);
    EXPECT_EQ(kind, ErrorKind::mismatch) << header;
    EXPECT_CONTAINS(message, "fetching bad of people/net");
    EXPECT_CONTAINS(message, digest_of(body));
    EXPECT_CONTAINS(message, wrong);
    EXPECT_FALSE(fs::exists(hub_folder_in_cache(repository_) / "bad"));
    EXPECT_FALSE(fs::exists(hub_folder_in_cache(repository_) / "bad.part"));
  }
}

TEST_F(HubFetch, TheTokenGoesToTheHubAlone) {
  HttpServer elsewhere;
  elsewhere.body = "weights";
  elsewhere.headers = "ETag: \"" + std::string(64, 'b') + "\"\r\n";  // of a store that counts otherwise
  server_.redirect = elsewhere.url() + "blob";
  server_.headers = "X-Linked-ETag: \"" + digest_of("weights") + "\"\r\n";
  server_.token = "secret";
  EXPECT_CONTAINS(message_of([&] { fetch_hub_file(repository_, "model.safetensors", options_); }),
                  "the server answers 401: it asks for a token (HF_TOKEN)");
  setenv("HF_TOKEN", "wrong", 1);
  EXPECT_CONTAINS(message_of([&] { fetch_hub_file(repository_, "model.safetensors", options_); }), "the token in HF_TOKEN is not allowed");
  setenv("HF_TOKEN", "secret", 1);
  EXPECT_EQ(contents_of(*fetch_hub_file(repository_, "model.safetensors", options_)), "weights");
  ASSERT_EQ(elsewhere.asked().size(), 1u);
  EXPECT_EQ(elsewhere.asked()[0].find("secret"), std::string::npos) << elsewhere.asked()[0];
  EXPECT_EQ(elsewhere.asked()[0].find("Authorization"), std::string::npos);
}

TEST_F(HubFetch, AMirrorARevisionAndAnotherSource) {
  setenv("HF_ENDPOINT", (server_.url() + "mirror/").c_str(), 1);
  server_.bodies = {{"mirror/people/net/resolve/refs%2Fpr%2F1/x", "mirrored"}, {"elsewhere/people/net/resolve/main/x", "replaced"}};
  EXPECT_EQ(contents_of(*fetch_hub_file({"people/net", "refs/pr/1"}, "x", options_)), "mirrored");
  EXPECT_FALSE(fetch_hub_file({"people/net", "refs/pr/2"}, "x", options_));
  setenv("FOVEA_WEIGHTS_URL", (server_.url() + "elsewhere").c_str(), 1);
  EXPECT_EQ(contents_of(*fetch_hub_file(repository_, "x", options_)), "replaced");
}

TEST_F(Hub, WhatTheClientHasIsUsedAsItLies) {
  const fs::path cache = folder_ / "client/hub/models--people--net";
  fs::create_directories(cache / "snapshots/0123abc");
  fs::create_directories(cache / "refs");
  fs::create_directories(cache / "blobs");
  write_file(cache / "refs/main", "0123abc\n");
  write_file(cache / "blobs/b1", "{}");
  write_file(cache / "blobs/b2", "weights");
  fs::create_symlink("../../blobs/b1", cache / "snapshots/0123abc/config.json");
  fs::create_symlink("../../blobs/b2", cache / "snapshots/0123abc/model.safetensors");
  EXPECT_EQ(fetch_hub_folder(repository_, options_), cache / "snapshots/0123abc");
  EXPECT_EQ(fetch_hub_folder({"people/net", "0123abc"}, options_), cache / "snapshots/0123abc");
  EXPECT_EQ(*fetch_hub_file(repository_, "model.safetensors", options_), cache / "snapshots/0123abc/model.safetensors");
  EXPECT_EQ(server_.requests(), 0);
  unsetenv("HF_HOME");
  setenv("HF_HUB_CACHE", (folder_ / "client/hub").c_str(), 1);
  EXPECT_EQ(hub_snapshot(repository_), cache / "snapshots/0123abc");
  write_file(cache / "refs/main", "../../../etc");
  EXPECT_FALSE(hub_snapshot(repository_));
  PublishedWeights row;
  row.model = "net";
  row.origin = Origin::hub;
  row.repository = "people/net";
  row.file = "model.safetensors";
  write_file(cache / "refs/main", "0123abc");
  EXPECT_EQ(fetch(row, options_), cache / "snapshots/0123abc/model.safetensors");
  EXPECT_EQ(cached_path(row), cache / "snapshots/0123abc/model.safetensors");
}

TEST(HubNames, OfRepositories) {
  EXPECT_EQ(parse_hub_repository("timm/resnet50.a1_in1k").name, "timm/resnet50.a1_in1k");
  EXPECT_EQ(parse_hub_repository("timm/resnet50.a1_in1k").revision, "main");
  EXPECT_EQ(parse_hub_repository("a/b@v1.0").revision, "v1.0");
  for (const char* wrong :
       {"", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/b@", "a/b@../x", "a/b@/etc", "a b/c", "a/b?c", "a/b#c", "https://x/y"})
    EXPECT_CONTAINS(message_of([&] { parse_hub_repository(wrong); }),
                    "is no repository of a hub: OWNER/NAME or OWNER/NAME@REVISION expected");
}

}  // namespace
}  // namespace fovea::weights
