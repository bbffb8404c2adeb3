// Requests that no honest client sends: each is answered by the status that begins its file's name in hostile/, or by an end of the
// connection (0), and nobody else notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "serve/support.h"
#include "support/files.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;

class HostileTest : public testing::Test {
 protected:
  // Of pictures that are as large as the tests' own, and no larger.
  static serve::ServiceOptions options() {
    serve::ServiceOptions options;
    options.models.models = {{"small", model_file("besieged.safetensors", {"cup", "cat"})}};
    options.http.max_body = 1'000'000;
    options.http.timeout = 5;
    options.max_pixels = 2'000'000;
    return options;
  }
  std::string honest(const Server& server) const { return server.post("/predict", picture("api/chelsea.webp")).body; }
};

TEST_F(HostileTest, EveryRequestOfTheCorpusIsRefusedAndTheNextOneAnswered) {
  const Server server(options());
  const std::string expected = honest(server);
  ASSERT_THAT(expected, testing::HasSubstr("classes"));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(FOVEA_SOURCE_DIR) / "tests/serve/hostile")) files.push_back(entry.path());
  std::ranges::sort(files);
  ASSERT_GT(files.size(), 60u);
  for (const fs::path& file : files) {
    const int status = std::stoi(file.filename().string());
    Connection connection(server.port());
    connection.send(contents_of(file));
    if (status == 0) connection.end_sending();
    const Answer answer = connection.read();
    EXPECT_EQ(answer.status, status) << file << ": " << answer.body;
    EXPECT_EQ(status != 0, answer.body.starts_with("{\"error\":")) << file << ": " << answer.body;
    EXPECT_EQ(server.get("/health").status, 200) << file;
  }
  EXPECT_EQ(honest(server), expected);
}

// What is cut off anywhere ends its own connection, and is never taken for a whole request.
TEST_F(HostileTest, ARequestCutOffAtAnyByteIsNone) {
  const Server server(options());
  const std::string whole = "POST /v2/models/small/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
  for (size_t size = 1; size < whole.size(); ++size) {
    Connection connection(server.port());
    connection.send(whole.substr(0, size));
    connection.end_sending();
    EXPECT_THAT(connection.read().status, testing::AnyOf(0, 400)) << size;
  }
  EXPECT_EQ(server.raw(whole).status, 400);
  EXPECT_EQ(server.get("/health").status, 200);
}

TEST_F(HostileTest, ThoseWhoSayNothingOrHalfASentenceDelayNobody) {
  serve::ServiceOptions patient = options();
  patient.http.timeout = 60;
  const Server server(std::move(patient));
  const std::string expected = honest(server);
  std::vector<std::unique_ptr<Connection>> others;
  for (int i = 0; i < 300; ++i) {
    others.push_back(std::make_unique<Connection>(server.port()));
    if (i % 3 == 1) others.back()->send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-");
    if (i % 3 == 2) others.back()->send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nabc");
  }
  EXPECT_EQ(honest(server), expected);
  EXPECT_EQ(server.get("/health").status, 200);
}

// Answers that nobody reads, and many requests at once on a connection, do not mix anything up.
TEST_F(HostileTest, RequestsInOneGoAreAnsweredInOrder) {
  const Server server(options());
  Connection connection(server.port());
  std::string all;
  for (int i = 0; i < 20; ++i) all += "GET /" + std::string(i % 2 == 0 ? "health" : "nothing") + " HTTP/1.1\r\nHost: a\r\n\r\n";
  connection.send(all);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(connection.read().status, i % 2 == 0 ? 200 : 404) << i;
  std::vector<std::unique_ptr<Connection>> never_read;
  for (int i = 0; i < 20; ++i) {
    never_read.push_back(std::make_unique<Connection>(server.port()));
    for (int k = 0; k < 50; ++k) never_read.back()->send("GET /page/script.js HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_EQ(server.get("/health").status, 200);
}

// Bodies that arrive at the same time share a limited memory: whoever sends longest is sent away, and the next one too where that was not
// enough, and the others are answered.
TEST_F(HostileTest, LargeBodiesThatNeverEndMakeRoom) {
  serve::ServiceOptions large = options();
  large.http.max_body = 8'000'000;
  large.http.timeout = 60;
  const Server server(std::move(large));
  Connection small(server.port());
  small.send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\nabc");
  std::vector<std::unique_ptr<Connection>> others;
  for (int i = 0; i < 12; ++i) {
    others.push_back(std::make_unique<Connection>(server.port()));
    others.back()->send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + std::string(7'900'000, 'a'));
  }
  const Answer first = others.front()->read();
  EXPECT_EQ(first.status, 429);
  EXPECT_EQ(first.headers.at("retry-after"), "1");
  EXPECT_EQ(small.read().status, 429);
  EXPECT_EQ(server.post("/predict", picture("api/chelsea.webp")).status, 200);
}

TEST_F(HostileTest, AClientThatHasGoneIsNotComputedFor) {
  serve::ServiceOptions patient = options();
  patient.max_delay_ms = 4000;
  const Server server(std::move(patient));
  const std::string body = picture("api/chelsea.webp");
  Connection connection(server.port());
  connection.send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  while (server.get("/metrics").body.find("fovea_decode_seconds_count{model=\"small\"} 1") == std::string::npos) std::this_thread::yield();
  connection.close();
  std::string text;
  for (int i = 0; i < 600 && text.find("status=\"499\"") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    text = server.get("/metrics").body;
  }
  EXPECT_THAT(text, testing::HasSubstr("route=\"/predict\",status=\"499\"} 1"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("fovea_compute_seconds_count")));
}

}  // namespace
}  // namespace fovea::test
