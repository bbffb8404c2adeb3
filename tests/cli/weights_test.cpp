// weights, and --weights with files that are not what they should be.
#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;

TEST(WeightsCommand, ListsWhatIsPublishedAndHere) {
  const Folder cache;
  const Outcome outcome = run_fovea({"weights", "list", "--json"}, "FOVEA_CACHE=" + quoted(cache.path().string()));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  int defaults = 0;
  const nlohmann::json json = outcome.json();
  for (const nlohmann::json& row : json) {
    for (const char* key : {"model", "tag", "default", "file", "source", "licence", "accuracy1", "sha256", "path", "cached"})
      EXPECT_TRUE(row.contains(key)) << key;
    EXPECT_FALSE(row.at("cached"));
    EXPECT_THAT(row.at("path").get<std::string>(), HasSubstr(cache.path().string()));
    defaults += row.at("model") == "resnet50" && row.at("default");
  }
  EXPECT_EQ(defaults, 1);
}

TEST(WeightsCommand, FetchesNothingOffline) {
  const Folder cache;
  const std::string before = "FOVEA_OFFLINE=1 FOVEA_CACHE=" + quoted(cache.path().string());
  expect_one_line(run_fovea({"weights", "fetch", "resnet18"}, before), 1, {"resnet18"});
  expect_one_line(run_fovea({"predict", "resnet18", FOVEA_COMMAND}, before), 1, {"resnet18"});
  expect_one_line(run_fovea({"weights", "fetch", "resnet18", "--tag", "NONE_SUCH"}, before), 2, {"NONE_SUCH", "IMAGENET1K_V1"});
  expect_one_line(run_fovea({"weights", "fetch", "resnet18", "V9"}, before), 2,
                  {"V9 is no model, and resnet18 has no weights of that tag; there are IMAGENET1K_V1 (--tag IMAGENET1K_V1)"});
  expect_one_line(run_fovea({"weights", "fetch", "resnet50", "IMAGENET1K_V2"}, before), 2,
                  {"IMAGENET1K_V2 is a tag, and no model: --tag IMAGENET1K_V2"});
}

TEST(WeightsCommand, NamesWithTagsAndHubs) {
  const Folder cache;
  const std::string before = "FOVEA_OFFLINE=1 HF_HUB_CACHE=/nowhere FOVEA_CACHE=" + quoted(cache.path().string());
  expect_one_line(run_fovea({"weights", "fetch", "resnet18.a1_in1k"}, before), 1,
                  {"model.safetensors of timm/resnet18.a1_in1k", "offline"});
  expect_one_line(run_fovea({"predict", "timm/resnet18.a1_in1k", FOVEA_COMMAND}, before), 1, {"timm/resnet18.a1_in1k", "offline"});
  expect_one_line(run_fovea({"predict", "resnet18.none", FOVEA_COMMAND}, before), 2,
                  {"timm/resnet18 has no weights 'none'; there are a1_in1k"});
  expect_one_line(run_fovea({"predict", "hf-hub:people/net@v1", FOVEA_COMMAND}, before), 1, {"config.json of people/net", "offline"});
  expect_one_line(run_fovea({"predict", "hf-hub:net", FOVEA_COMMAND}, before), 2, {"'net' is no repository of a hub"});
  expect_one_line(run_fovea({"predict", "local-dir:/nowhere", FOVEA_COMMAND}, before), 1, {"/nowhere", "no config.json"});
  EXPECT_EQ(run_fovea({"summary", "resnet18.a3_in1k", "--json"}, before).json().at("height"), 160);
}

// As a hub holds it: timm's names and a configuration, of which the weights are those of a model that was trained.
TEST(WeightsCommand, AFolderOfAHubIsAModel) {
  const Folder folder;
  draw_classes(folder.path() / "pictures", 1);
  const std::string model = small_model(folder), picture = folder / "pictures/red/0.bmp", hub = folder / "hub";
  fs::create_directories(hub);
  ASSERT_EQ(run_fovea({"weights", "convert", model, hub + "/model.safetensors", "--model", "timm/resnet18"}).status, 0);
  write_all(
      hub + "/config.json",
      R"({"architecture": "resnet18", "num_classes": 3, "label_names": ["x", "y", "z"], "pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": 1.0}})");
  for (const std::string& name : {hub, "local-dir:" + hub}) {
    const Outcome outcome = run_fovea({"predict", name, picture, "--json"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    std::set<std::string> names;
    const nlohmann::json json = outcome.json();
    for (const nlohmann::json& one : json[0].at("classes")) names.insert(one.at("name").get<std::string>());
    EXPECT_EQ(names, (std::set<std::string>{"x", "y", "z"}));
  }
  EXPECT_EQ(run_fovea({"summary", hub, "--json"}).json().at("height"), 32);
  EXPECT_EQ(run_fovea({"predict", "timm/resnet18", picture, "--weights", hub}).status, 0);
  expect_one_line(run_fovea({"predict", "resnet34", picture, "--weights", hub}), 1,
                  {"loading resnet34 from " + hub, "the folder holds a timm/resnet18"});
  write_all(hub + "/config.json", R"({"architecture": "alexnet"})");
  expect_one_line(run_fovea({"predict", hub, picture}), 2, {hub + "/config.json", "alexnet"});
}

TEST(WeightsCommand, ListSaysWhatMayNotBeUsedForEverything) {
  const Folder cache;
  const std::string before = "FOVEA_CACHE=" + quoted(cache.path().string());
  const std::string text = run_fovea({"weights", "list"}, before).out;
  std::istringstream lines(text);
  int restricted = 0, features = 0, timm = 0, defaults = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("The cache") == std::string::npos) {
      EXPECT_LE(line.size(), 100u) << line;
    }
    const std::string remarks = line.substr(line.rfind(' ') + 1);
    restricted += line.find("SWAG_") != std::string::npos && remarks.ends_with('N');
    timm += line.starts_with("timm/resnet18 ") && line.find(" fb_swsl_ig1b_ft_in1k ") != std::string::npos && remarks == "N";
    features += line.starts_with("vgg16 ") && line.find(" IMAGENET1K_FEATURES ") != std::string::npos && remarks == "F";
    defaults += line.starts_with("resnet50 ") && remarks == "D";
  }
  EXPECT_EQ(restricted, 6);
  EXPECT_EQ(features, 1);
  EXPECT_EQ(timm, 1);
  EXPECT_EQ(defaults, 1);
  int in_json = 0, without_classifier = 0;
  const nlohmann::json json = run_fovea({"weights", "list", "--json"}, before).json();
  for (const nlohmann::json& row : json) {
    in_json += row.at("non_commercial").get<bool>() && row.at("licence").get<std::string>().starts_with("CC-BY-NC-4.0");
    without_classifier += row.at("classes") == 1000 && !row.at("classifies").get<bool>() && row.at("accuracy1").is_null();
  }
  EXPECT_EQ(in_json, 6);
  EXPECT_EQ(without_classifier, 1);
  const nlohmann::json some = run_fovea({"weights", "list", "--filter", "timm/resnet50.a?_in1k", "--json"}, before).json();
  ASSERT_EQ(some.size(), 4u);
  EXPECT_EQ(some.at(0).at("model"), "timm/resnet50");
  EXPECT_THAT(some.at(0).at("source").get<std::string>(), testing::EndsWith("/timm/resnet50.a1_in1k/resolve/main/model.safetensors"));
}

TEST(WeightsCommand, ConvertsBothWays) {
  const Folder folder;
  const std::string model = small_model(folder);
  const Outcome outcome = run_fovea({"weights", "convert", model, folder / "copy.safetensors", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("tensors"), 122);  // as torchvision's resnet18 has
  EXPECT_EQ(run_fovea({"summary", folder / "copy.safetensors"}).status, 0);
  ASSERT_EQ(run_fovea({"weights", "convert", folder / "copy.safetensors", folder / "copy.pth"}).status, 0);
  ASSERT_EQ(run_fovea({"weights", "convert", folder / "copy.pth", folder / "again.safetensors"}).status, 0);
  ASSERT_EQ(run_fovea({"weights", "convert", folder / "again.safetensors", folder / "again.pth"}).status, 0);
  EXPECT_EQ(read_all(folder / "again.pth"), read_all(folder / "copy.pth"));
  expect_one_line(run_fovea({"weights", "convert", model, folder / "copy.onnx"}), 1, {"copy.onnx", ".pth and .safetensors"});
  expect_one_line(run_fovea({"weights", "convert", folder / "gone.pth", folder / "x.safetensors"}), 1, {"gone.pth"});
  EXPECT_FALSE(fs::exists(folder / "x.safetensors"));
}

TEST(WeightsOption, NamesWhatIsWrongWithAFile) {
  const Folder folder;
  draw_classes(folder.path() / "pictures", 1);
  const std::string model = small_model(folder), picture = folder / "pictures/red/0.bmp", whole = read_all(model);
  const auto predict = [&](const std::string& name, const std::string& weights) {
    return run_fovea({"predict", name, picture, "--weights", weights});
  };
  EXPECT_EQ(predict("resnet18", model).status, 0);
  EXPECT_EQ(predict("resnet18", "none").status, 0);
  write_all(folder.path() / "cut.safetensors", whole.substr(0, whole.size() - 100));
  expect_one_line(predict("resnet18", folder / "cut.safetensors"), 1, {"cut.safetensors"});
  write_all(folder.path() / "empty.pth", "");
  expect_one_line(predict("resnet18", folder / "empty.pth"), 1, {"empty.pth", "empty"});
  write_all(folder.path() / "text.pth", "hello");
  expect_one_line(predict("resnet18", folder / "text.pth"), 1, {"text.pth", "hello"});
  expect_one_line(predict("resnet18", folder / "gone.pth"), 1, {"gone.pth"});
  expect_one_line(predict("resnet50", model), 1, {"resnet50", model, "resnet18"});
  expect_one_line(predict("efficientnet_b0", folder / "text.pth"), 1, {"text.pth"});
  expect_one_line(run_fovea({"predict", picture, picture}), 2, {picture, "is a picture, where a model is expected"});
  expect_one_line(run_fovea({"predict", folder / "gone.safetensors", picture}), 1, {"gone.safetensors"});
}

// Under names of the library alone, without what a model file adds.
TEST(WeightsOption, TakesTheWidthOfTheHeadFromAFile) {
  const Folder folder;
  draw_classes(folder.path() / "pictures", 1);
  ASSERT_EQ(run_fovea({"weights", "convert", small_model(folder), folder / "plain.safetensors", "--model", "resnet18"}).status, 0);
  const Outcome outcome =
      run_fovea({"predict", "resnet18", folder / "pictures/red/0.bmp", "--weights", folder / "plain.safetensors", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::set<std::string> names;
  const nlohmann::json json = outcome.json();
  for (const nlohmann::json& one : json[0].at("classes")) names.insert(one.at("name").get<std::string>());
  EXPECT_EQ(names, (std::set<std::string>{"0", "1", "2"}));
  expect_one_line(run_fovea({"predict", "resnet50", folder / "pictures/red/0.bmp", "--weights", folder / "plain.safetensors"}), 1,
                  {"resnet50", "plain.safetensors"});
}

}  // namespace
}  // namespace fovea::cli
