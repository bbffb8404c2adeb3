// The server's answers are the library's, to the last bit, whoever asks and how.
#include "serve/service.h"

#include <fovea/error.h>
#include <fovea/features.h>
#include <fovea/model.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/base64.h"
#include "serve/message.h"
#include "serve/support.h"
#include "support/files.h"

namespace fovea::test {
namespace {

using nlohmann::json;

const std::vector<std::string> kClasses{"cup", "cat", "rocket", "motorcycle"};
const std::vector<std::string> kPictures{"api/coffee.webp", "api/chelsea.webp", "api/rocket.jpg", "api/motorcycle_left.webp"};

std::string path_of(const std::string& name) { return std::string(FOVEA_TEST_DATA) + "/" + name; }

serve::ServiceOptions options_of(const std::vector<serve::ModelSource>& models) {
  serve::ServiceOptions options;
  options.models.models = models;
  options.threads = 2;
  return options;
}

void expect_classes(const json& answered, const std::vector<ClassProbability>& expected) {
  ASSERT_EQ(answered.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(answered[i]["name"], expected[i].name);
    EXPECT_EQ(answered[i]["index"], expected[i].index);
    EXPECT_EQ(answered[i]["probability"].get<double>(), expected[i].probability);
  }
}

void expect_vector(const json& answered, const Tensor& expected) {
  const auto values = expected.values<float>();
  ASSERT_EQ(answered.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(answered[i].get<float>(), values[i]);
}

class ServiceTest : public testing::Test {
 protected:
  const std::string file_ = model_file("served.safetensors", kClasses);
  const Model model_ = Model::load(file_);
};

TEST_F(ServiceTest, PredictsAndEmbedsAsTheLibrary) {
  const Server server(options_of({{"small", file_}}));
  for (const std::string& name : kPictures) {
    const Answer classes = server.post("/predict?top=3", picture(name));
    ASSERT_EQ(classes.status, 200) << classes.body;
    EXPECT_EQ(classes.json()["model"], "small");
    expect_classes(classes.json()["classes"], model_.predict(path_of(name), 3));
    const Answer vector = server.post("/embed?model=small", picture(name));
    ASSERT_EQ(vector.status, 200) << vector.body;
    expect_vector(vector.json()["embedding"], model_.embed(path_of(name)));
  }
}

TEST_F(ServiceTest, ManyClientsGetTheBitsOfOne) {
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.max_delay_ms = 3;
  const Server server(std::move(options));
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  std::vector<std::string> expected;
  for (const std::string& name : kPictures) expected.push_back(server.post("/predict", picture(name)).body);
  for (size_t i = 0; i < 8; ++i)
    clients.emplace_back([&, i] {
      for (size_t k = 0; k < 5; ++k) {
        const size_t which = (i + k) % kPictures.size();
        right += server.post("/predict", picture(kPictures[which])).body == expected[which];
      }
    });
  for (std::thread& one : clients) one.join();
  EXPECT_EQ(right, 40);
}

TEST_F(ServiceTest, AFormHoldsSeveralPicturesAndNamesThoseThatAreNone) {
  const Server server(options_of({{"small", file_}}));
  const std::string body =
      form({{"a.webp", picture(kPictures[0])}, {"notes.txt", "no picture"}, {"b \"2\".jpg", picture(kPictures[2])}}, "xyz");
  const Answer answer = server.post("/predict?top=2", body, {{"Content-Type", "multipart/form-data; boundary=xyz"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json pictures = answer.json()["pictures"];
  ASSERT_EQ(pictures.size(), 3u);
  EXPECT_EQ(pictures[0]["file"], "a.webp");
  expect_classes(pictures[0]["classes"], model_.predict(path_of(kPictures[0]), 2));
  EXPECT_TRUE(pictures[1].contains("error"));
  EXPECT_FALSE(pictures[1].contains("classes"));
  expect_classes(pictures[2]["classes"], model_.predict(path_of(kPictures[2]), 2));
}

TEST_F(ServiceTest, ExplainsWithAPictureOfTheSameSize) {
  const Server server(options_of({{"small", file_}}));
  const Answer answer = server.post("/explain?class=cat&method=gradcam", picture(kPictures[2]));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "image/png");
  const Image given = read_image(path_of(kPictures[2])), shown = decode_image(serve::as_bytes(answer.body));
  EXPECT_EQ(shown.width, given.width);
  EXPECT_EQ(shown.height, given.height);
  EXPECT_EQ(server.post("/explain?class=dog", picture(kPictures[2])).status, 400);
}

TEST_F(ServiceTest, FindsTheMostSimilarPictures) {
  FeatureSet set;
  set.record = record_of(model_, file_, "default", "pre_logits");
  set.record.folder = std::string(FOVEA_TEST_DATA);
  set.files = kPictures;
  set.features = Tensor(DType::f32, {4, model_.feature_width()});
  for (size_t i = 0; i < 4; ++i) {
    const Tensor vector = model_.embed(path_of(kPictures[i]));
    std::ranges::copy(vector.values<float>(),
                      set.features.mutable_values<float>().begin() + static_cast<std::ptrdiff_t>(i) * model_.feature_width());
  }
  const std::string features = testing::TempDir() + "/served_features.npy";
  save_features(set, features);
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.models.features = features;
  const Server server(std::move(options));
  const json found = server.post("/neighbors?top=2", picture(kPictures[1])).json()["neighbors"];
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["row"], 1);
  EXPECT_NEAR(found[0]["similarity"].get<double>(), 1, 1e-6);
  const Answer small = server.get("/neighbors/picture?row=1");
  ASSERT_EQ(small.status, 200);
  EXPECT_LE(decode_image(serve::as_bytes(small.body)).width, 256);
  EXPECT_EQ(server.get("/neighbors/picture?row=4").status, 404);
  EXPECT_EQ(server.get("/neighbors/picture?row=-1").status, 400);
}

TEST_F(ServiceTest, SpeaksTheInferenceProtocolInBothForms) {
  const Server server(options_of({{"small", file_}}));
  const json about = server.get("/v2/models/small").json();
  EXPECT_EQ(about["versions"], json::array({"1"}));
  EXPECT_EQ(about["inputs"][0]["shape"], json::array({-1, 3, 160, 160}));
  EXPECT_EQ(server.get("/v2/models/small/versions/1/ready").status, 200);
  EXPECT_EQ(server.get("/v2/models/small/versions/2/ready").status, 404);
  EXPECT_EQ(server.get("/v2/health/live").status, 200);

  const Tensor one = preprocess(read_image(path_of(kPictures[0])), model_.preprocessing());
  const Tensor images = one.reshaped({1, 3, 160, 160});
  const auto expected = model_.logits(images);
  const std::string bytes(static_cast<const char*>(images.raw()), images.bytes());
  const json input{{"name", "images"}, {"datatype", "FP32"}, {"shape", {1, 3, 160, 160}}};
  json asked{{"id", "7"}, {"inputs", {input}}, {"outputs", {{{"name", "logits"}}}}};
  asked["inputs"][0]["data"] = std::vector<float>(images.values<float>().begin(), images.values<float>().end());
  const json as_text = server.post("/v2/models/small/infer", asked.dump()).json();
  EXPECT_EQ(as_text["id"], "7");
  expect_vector(as_text["outputs"][0]["data"], expected);

  asked["inputs"][0].erase("data");
  asked["inputs"][0]["parameters"] = {{"binary_data_size", bytes.size()}};
  asked["outputs"][0]["parameters"] = {{"binary_data", true}};
  const Answer binary = server.post("/v2/models/small/versions/1/infer", asked.dump() + bytes,
                                    {{"Inference-Header-Content-Length", std::to_string(asked.dump().size())}});
  ASSERT_EQ(binary.status, 200) << binary.body;
  const size_t head = std::stoul(binary.headers.at("inference-header-content-length"));
  ASSERT_EQ(binary.body.size() - head, expected.bytes());
  EXPECT_EQ(std::memcmp(binary.body.data() + head, expected.raw(), expected.bytes()), 0);

  const json pictures{
      {"inputs",
       {{{"name", "pictures"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {base64(serve::as_bytes(picture(kPictures[0])))}}}}},
      {"outputs", {{{"name", "probabilities"}, {"parameters", {{"classification", 2}}}}}}};
  const json best = server.post("/v2/models/small/infer", pictures.dump()).json()["outputs"][0];
  const auto classes = model_.predict(path_of(kPictures[0]), 2);
  EXPECT_EQ(best["shape"], json::array({1, 2}));
  for (size_t i = 0; i < 2; ++i) {
    const std::string line = best["data"][i];
    EXPECT_TRUE(line.ends_with(":" + std::to_string(classes[i].index) + ":" + classes[i].name)) << line;
  }
}

TEST_F(ServiceTest, GivesEmbeddingsAsOpenAI) {
  const Server server(options_of({{"small", file_}}));
  const std::string text = "data:image/webp;base64," + base64(serve::as_bytes(picture(kPictures[1])));
  const Tensor expected = model_.embed(path_of(kPictures[1]));
  for (const char* path : {"/v1/embeddings", "/embeddings_image"}) {
    const json answer = server.post(path, json{{"model", "small"}, {"input", {text, text}}}.dump()).json();
    ASSERT_EQ(answer["data"].size(), 2u) << answer;
    expect_vector(answer["data"][1]["embedding"], expected);
  }
  const json packed = server.post("/v1/embeddings", json{{"input", text}, {"encoding_format", "base64"}}.dump()).json();
  const auto bytes = *from_base64(packed["data"][0]["embedding"].get<std::string>());
  ASSERT_EQ(bytes.size(), expected.bytes());
  EXPECT_EQ(std::memcmp(bytes.data(), expected.raw(), bytes.size()), 0);
  EXPECT_EQ(server.post("/v1/embeddings", R"({"input": "https://example.org/a.jpg"})").status, 400);
}

TEST_F(ServiceTest, SaysWhatIsWrong) {
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.http.max_body = 1'000'000;
  options.max_pixels = 1'000'000;
  const Server server(std::move(options));
  EXPECT_EQ(server.get("/nothing").status, 404);
  EXPECT_EQ(server.get("/page/../../etc/passwd").status, 404);
  const Answer method = server.get("/predict");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("allow"), "POST");
  EXPECT_EQ(server.post("/predict", "").status, 400);
  EXPECT_EQ(server.post("/predict", "no picture").status, 400);
  EXPECT_EQ(server.post("/predict?top=0", picture(kPictures[0])).status, 400);
  EXPECT_EQ(server.post("/predict?top=9999999999999999999", picture(kPictures[0])).status, 400);
  EXPECT_EQ(server.post("/predict?timeout=nan", picture(kPictures[0])).status, 400);
  EXPECT_EQ(server.post("/predict?model=other", picture(kPictures[0])).status, 404);
  EXPECT_EQ(server.post("/predict", picture(kPictures[0]), {{"Content-Encoding", "gzip"}}).status, 415);
  EXPECT_EQ(server.post("/predict", std::string(1'000'001, 'a')).status, 413);
  EXPECT_EQ(server.post("/predict?timeout=1e-9", picture(kPictures[0])).status, 504);
  EXPECT_EQ(server.post("/neighbors", picture(kPictures[0])).status, 404);
  // A picture of 60000 x 60000 by its header: refused for that, before anything of that size is there.
  const std::string huge = std::string("P6 60000 60000 255\n") + std::string(1000, 'a');
  const Answer large = server.post("/predict", huge);
  EXPECT_EQ(large.status, 400);
  EXPECT_NE(large.body.find("60000 x 60000"), std::string::npos) << large.body;
  const auto infer = [&](const std::string& body) { return server.post("/v2/models/small/infer", body).status; };
  const auto tensor = [](const std::string& shape, const std::string& data) {
    return R"({"inputs": [{"name": "images", "datatype": "FP32", "shape": )" + shape + R"(, "data": )" + data + "}]}";
  };
  EXPECT_EQ(infer(tensor("[1,3,160,160]", "[1]")), 400);
  EXPECT_EQ(infer(tensor("[1,3,-160,160]", "[1]")), 400);
  EXPECT_EQ(infer(tensor("[9223372036854775807,3,160,160]", "[1]")), 413);
  EXPECT_EQ(infer(tensor("[18446744073709551615,3,160,160]", "[1]")), 400);
  EXPECT_EQ(infer(tensor("[1,3,160,160]", "[NaN]")), 400);
  EXPECT_EQ(infer(tensor("[1,3,160,160]", "[1e999]")), 400);
  EXPECT_EQ(infer(tensor("[1,3,160,160]", "\"a\"")), 400);
  EXPECT_EQ(infer(std::string(20'000, '[')), 400);
  EXPECT_EQ(infer("\"\xff\""), 400);
  EXPECT_EQ(infer("{}"), 400);
  EXPECT_EQ(server.get("/health").status, 200);
}

TEST_F(ServiceTest, AsksForItsToken) {
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.token = "secret";
  const Server server(std::move(options));
  EXPECT_EQ(server.get("/health").status, 200);
  EXPECT_EQ(server.get("/").status, 200);
  EXPECT_EQ(server.get("/models").status, 401);
  for (const char* wrong : {"Bearer secre", "Bearer secrets", "Bearer ", "Basic secret", "secret"})
    EXPECT_EQ(server.get("/models", {{"Authorization", wrong}}).status, 401) << wrong;
  EXPECT_EQ(server.get("/models", {{"Authorization", "Bearer secret"}}).status, 200);
}

TEST_F(ServiceTest, AFullQueueIsToldAndEverybodyElseIsAnswered) {
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.queue = 2;
  options.max_delay_ms = 3000;
  const Server server(std::move(options));
  const std::string body = picture(kPictures[0]);
  Connection first(server.port()), second(server.port());
  for (Connection* one : {&first, &second})
    one->send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  while (server.get("/metrics").body.find("fovea_queue_requests 2") == std::string::npos) std::this_thread::yield();
  const Answer refused = server.post("/predict", body);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(server.get("/models").status, 200);
  EXPECT_EQ(first.read().status, 200);
  EXPECT_EQ(second.read().status, 200);
}

// The answer comes when the time is over, not when its turn does.
TEST_F(ServiceTest, ADeadlineIsKeptWhileTheRequestWaits) {
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.max_delay_ms = 60'000;
  const Server server(std::move(options));
  EXPECT_EQ(server.post("/predict?timeout=0.2", picture(kPictures[0])).status, 504);
}

TEST_F(ServiceTest, ANewFileIsTakenWithoutALostRequest) {
  const std::string file = model_file("replaced.safetensors", kClasses, 1), other = model_file("other.safetensors", kClasses, 2);
  const Model first = Model::load(file), second = Model::load(other);
  const double before = first.predict(path_of(kPictures[0]), 1)[0].probability,
               after = second.predict(path_of(kPictures[0]), 1)[0].probability;
  ASSERT_NE(before, after);
  Server server(options_of({{"small", file}}));
  std::atomic<bool> ended = false;
  std::atomic<int> wrong = 0, old_ones = 0, new_ones = 0;
  std::thread client([&] {
    while (!ended) {
      const Answer answer = server.post("/predict?top=1", picture(kPictures[0]));
      const double got = answer.status == 200 ? answer.json()["classes"][0]["probability"].get<double>() : -1;
      const std::string version = answer.status == 200 ? answer.json()["version"].get<std::string>() : "";
      old_ones += got == before && version == "1";
      new_ones += got == after && version == "2";
      wrong += !((got == before && version == "1") || (got == after && version == "2"));
    }
  });
  while (old_ones < 2 && wrong == 0) std::this_thread::yield();
  std::filesystem::rename(other, file);
  server.service().reload();
  for (int i = 0; i < 600 && new_ones < 2 && wrong == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ended = true;
  client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(new_ones, 2);
  // What is no model file leaves the one before in its place.
  std::ofstream(file) << "no model";
  server.service().reload();
  EXPECT_EQ(server.post("/predict?top=1", picture(kPictures[0])).json()["classes"][0]["probability"].get<double>(), after);
}

TEST_F(ServiceTest, LoadsAndUnloadsFromItsFolder) {
  const std::string folder = testing::TempDir() + "/served_models";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(file_, folder + "/extra.safetensors", std::filesystem::copy_options::overwrite_existing);
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.models.folder = folder;
  const Server server(std::move(options));
  const json index = server.post("/v2/repository/index", "").json();
  EXPECT_EQ(index.size(), 2u);
  EXPECT_EQ(server.get("/v2/models/extra").status, 404);
  EXPECT_EQ(server.post("/v2/repository/models/extra/load", "").status, 200);
  EXPECT_EQ(server.get("/v2/models/extra").status, 200);
  EXPECT_EQ(server.post("/v2/repository/models/extra/unload", "").status, 200);
  EXPECT_EQ(server.get("/v2/models/extra").status, 404);
  EXPECT_EQ(server.post("/v2/repository/models/extra/unload", "").status, 404);
  EXPECT_EQ(server.post("/v2/repository/models/..%2F..%2Fetc/load", "").status, 404);
}

TEST_F(ServiceTest, AnswersWhatIsUnderWayBeforeItEnds) {
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.max_delay_ms = 2000;
  auto server = std::make_unique<Server>(std::move(options));
  Connection connection(server->port());
  const std::string body = picture(kPictures[0]);
  connection.send("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  while (server->get("/metrics").body.find("fovea_queue_requests 1") == std::string::npos) std::this_thread::yield();
  server.reset();
  const Answer answer = connection.read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("connection"), "close");
}

TEST_F(ServiceTest, CountsWhatItDoes) {
  std::vector<std::string> lines;
  std::mutex mutex;
  serve::ServiceOptions options = options_of({{"small", file_}});
  options.log_json = true;
  options.log = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  };
  {
    const Server server(std::move(options));
    EXPECT_EQ(server.post("/predict?model=small", picture(kPictures[0])).status, 200);
    EXPECT_EQ(server.get("/a\"b").status, 404);
    const std::string text = server.get("/metrics").body;
    for (const char* line :
         {"fovea_requests_total{model=\"small\",route=\"/predict\",status=\"200\"} 1", "fovea_compute_seconds_count{model=\"small\"} 1",
          "fovea_batch_pictures_bucket{model=\"small\",le=\"1\"} 1", "fovea_decode_seconds_count{model=\"small\"} 1",
          "fovea_queue_requests 0", "fovea_model_loaded{model=\"small\"} 1"})
      EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
  ASSERT_GE(lines.size(), 2u);
  const json first = json::parse(lines[0]);
  EXPECT_EQ(first["path"], "/predict");
  EXPECT_EQ(first["status"], 200);
}

TEST_F(ServiceTest, TwoModelsOfOneNameAndFeaturesOfNoneAreErrors) {
  EXPECT_THROW(serve::Service(options_of({{"a", file_}, {"a", file_}})), Error);
  EXPECT_THROW(serve::Service(options_of({{"a", "nothing.safetensors"}})), Error);
}

}  // namespace
}  // namespace fovea::test
