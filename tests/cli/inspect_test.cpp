// summary, compare, models, bench.
#include <limits>
#include <map>
#include <sstream>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SummaryCommand, KnowsResNet50) {
  const Outcome outcome = run_fovea({"summary", "resnet50", "--size", "224", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const nlohmann::json json = outcome.json();
  EXPECT_EQ(json.at("parameters"), 25557032);                             // torchvision's own number
  EXPECT_NEAR(json.at("multiply_adds").get<double>(), 4.089e9, 0.001e9);  // torchvision's table: 4.09 G
  const nlohmann::json& taps = json.at("taps");
  ASSERT_FALSE(taps.empty());
  const nlohmann::json& last = taps.back();
  EXPECT_EQ(last.at("name"), "layer4");
  EXPECT_EQ(last.at("channels"), 2048);
  EXPECT_EQ(last.at("stride"), 32);
  EXPECT_EQ(last.at("shape"), nlohmann::json({2048, 7, 7}));
  int64_t parameters = 0, multiply_adds = 0;
  for (const nlohmann::json& stage : json.at("stages")) {
    parameters += stage.at("parameters").get<int64_t>();
    multiply_adds += stage.at("multiply_adds").get<int64_t>();
  }
  EXPECT_EQ(parameters, json.at("parameters"));
  EXPECT_EQ(multiply_adds, json.at("multiply_adds"));
  EXPECT_GT(json.at("memory").at("training"), json.at("memory").at("inference"));
}

TEST(SummaryCommand, FreezingSavesMemoryAndWork) {
  // Large enough that maps outweigh the packed weights of frozen layers, which Winograd's form makes four times as large.
  const nlohmann::json all = run_fovea({"summary", "resnet18", "--size", "224", "--batch", "8", "--json"}).json();
  const nlohmann::json part = run_fovea({"summary", "resnet18", "--size", "224", "--batch", "8", "--freeze", "layer3", "--json"}).json();
  const auto training = [](const nlohmann::json& summary) {
    const nlohmann::json& memory = summary.at("memory");
    return memory.at("training").get<int64_t>() + memory.at("optimizer").get<int64_t>();
  };
  EXPECT_LT(training(part), training(all));
  EXPECT_LT(part.at("memory").at("optimizer"), all.at("memory").at("optimizer"));
  EXPECT_LT(part.at("training_multiply_adds"), all.at("training_multiply_adds"));
  EXPECT_LT(part.at("trainable_parameters"), all.at("trainable_parameters"));
  EXPECT_EQ(part.at("parameters"), all.at("parameters"));
}

TEST(SummaryCommand, TakesAModelFileAndPrintsText) {
  const Folder folder;
  const Outcome outcome = run_fovea({"summary", small_model(folder)});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("resnet18, 64x64, 3 classes"));
  EXPECT_THAT(outcome.out, HasSubstr("layer4"));
}

// The last maps have one position, of which a single picture makes no batch statistics.
TEST(SummaryCommand, KnowsSmallPictures) {
  const nlohmann::json one = run_fovea({"summary", "resnet18", "--size", "32", "--json"}).json();
  const nlohmann::json two = run_fovea({"summary", "resnet18", "--size", "32", "--batch", "2", "--json"}).json();
  EXPECT_EQ(one.at("multiply_adds"), two.at("multiply_adds"));
  EXPECT_EQ(one.at("training_bytes"), two.at("training_bytes"));
  EXPECT_GT(one.at("training_bytes"), 0);
  EXPECT_EQ(one.at("memory").at("training"), 0);
  EXPECT_GT(two.at("memory").at("training"), 0);
  EXPECT_THAT(run_fovea({"summary", "resnet18", "--size", "32"}).out, HasSubstr("none: batch norm needs two values a channel"));
  // Nothing that trains has so few.
  const nlohmann::json frozen = run_fovea({"summary", "resnet18", "--size", "32", "--freeze", "all", "--json"}).json();
  EXPECT_GT(frozen.at("memory").at("training"), 0);
}

TEST(SummaryCommand, CountsThePublishedWeightsOfATagWithoutFetchingThem) {
  const Outcome outcome = run_fovea({"summary", "vit_b_16", "--weights", "IMAGENET1K_SWAG_E2E_V1", "--json"}, "FOVEA_OFFLINE=1");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("width"), 384);
  EXPECT_EQ(outcome.json().at("parameters"), 86859496);  // torchvision's own number
}

TEST(SummaryCommand, PrintsTheGraph) {
  const std::string plain = run_fovea({"summary", "resnet18", "--graph"}).out,
                    compiled = run_fovea({"summary", "resnet18", "--compiled"}).out;
  EXPECT_THAT(plain, HasSubstr("layer1.0.conv1"));
  EXPECT_THAT(plain, HasSubstr("batch_norm"));
  EXPECT_THAT(compiled, HasSubstr("fused_conv2d"));
}

TEST(SummaryCommand, RefusesASizeThatTheNetworkCannotTake) {
  const Outcome outcome = run_fovea({"summary", "resnet18", "--size", "65537"});
  expect_one_line(outcome, 2, {"65537"});
}

TEST(SummaryCommand, ExplainsItself) {
  const nlohmann::json json = run_fovea({"summary", "resnet50", "--size", "224", "--json"}).json();
  const nlohmann::json& stages = json.at("stages");
  EXPECT_EQ(stages.at(5).at("name"), "layer4");
  EXPECT_EQ(stages.at(5).at("receptive_field"), nlohmann::json({{"height", 427}, {"width", 427}, {"whole", false}}));
  EXPECT_EQ(stages.at(5).at("stride"), 32);
  ASSERT_EQ(json.at("explanations").size(), 1U);
  const nlohmann::json& shortcuts = json.at("explanations").at(0);
  EXPECT_EQ(shortcuts.at("topic"), "shortcuts");
  EXPECT_EQ(shortcuts.at("facts").at("parameters"), 2776576);  // torchvision's "downsample" modules
  EXPECT_EQ(shortcuts.at("rows").size(), 4U);

  const Outcome text = run_fovea({"summary", "deit_tiny_patch16_224"});
  EXPECT_THAT(text.out, HasSubstr("(224/16)(224/16) = 14 x 14 = 196 patches"));
  std::istringstream lines(text.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST(SummaryCommand, ListsTheNodes) {
  const Outcome text = run_fovea({"summary", "resnet18", "--nodes"});
  EXPECT_THAT(text.out, HasSubstr("layer1.0.bn1:relu"));
  const nlohmann::json nodes = run_fovea({"summary", "resnet18", "--size", "64", "--nodes", "--json"}).json().at("nodes");
  EXPECT_EQ(nodes.at(0), nlohmann::json({{"name", "conv1"}, {"operation", "conv2d"}, {"shape", {64, 32, 32}}}));
}

TEST(SummaryCommand, KnowsANetworkWithoutAHead) {
  const Outcome text = run_fovea({"summary", "vit_small_patch14_dinov2", "--size", "28"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("vit_small_patch14_dinov2, 28x28, no head"));
}

TEST(SummaryCommand, CountsOtherChannels) {
  const nlohmann::json json = run_fovea({"summary", "resnet18", "--size", "64", "--channels", "1", "--json"}).json();
  EXPECT_EQ(json.at("parameters"), 11689512 - 2 * 64 * 7 * 7);
}

TEST(CompareCommand, PutsNetworksSideBySide) {
  const Folder folder;
  const std::string file = small_model(folder);
  const nlohmann::json json =
      run_fovea({"compare", "resnet18", file, "--batch", "2", "--size", "64", "--seconds", "0.01", "--threads", "1", "--json"}).json();
  const nlohmann::json &published = json.at("models").at(0), &own = json.at("models").at(1);
  EXPECT_EQ(published.at("parameters"), 11689512);
  EXPECT_EQ(own.at("parameters"), 11689512 - 997 * 513);
  EXPECT_EQ(own.at("model"), "resnet18");
  EXPECT_NEAR(published.at("accuracy1").get<double>(), 69.758, 1e-3);
  EXPECT_TRUE(own.at("accuracy1").is_null());
  EXPECT_GE(json.at("rounds"), 3);
  EXPECT_LE(own.at("milliseconds").at("least"), own.at("milliseconds").at("median"));

  const Outcome text =
      run_fovea({"compare", "resnet18", "resnet34", "mobilenet_v3_small", "efficientnet_b0", "vit_b_32", "--size", "64", "--no-time"});
  EXPECT_THAT(text.out, HasSubstr("21,797,672"));
  EXPECT_THAT(text.out, Not(HasSubstr(" ms")));
  std::istringstream lines(text.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  expect_one_line(run_fovea({"compare", "resnet18", "resnet51"}), 2, {"resnet51", "resnet50"});
}

// The table in the README is the registry's.
TEST(ModelsCommand, WritesTheTableOfTheReadme) {
  const std::string readme = read_all(fs::path(FOVEA_SOURCE_DIR) / "README.md"), begin = "<!-- models -->\n", end = "<!-- /models -->";
  const size_t from = readme.find(begin), to = readme.find(end);
  ASSERT_NE(from, readme.npos);
  ASSERT_NE(to, readme.npos);
  EXPECT_EQ(readme.substr(from + begin.size(), to - from - begin.size()), run_fovea({"models", "--markdown"}).out)
      << "put what `fovea models --markdown` prints between the two marks";
}

TEST(ModelsCommand, ListsThemWithTheirWeights) {
  const nlohmann::json json = run_fovea({"models", "--json"}).json();
  bool found = false;
  for (const nlohmann::json& model : json) {
    for (const char* key : {"name", "family", "layout", "input_size", "feature_width", "parameters", "weights"})
      EXPECT_TRUE(model.contains(key)) << key;
    found = found || (model.at("name") == "tf_efficientnet_lite0" && !model.at("weights").empty());
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(json.size(), model_names().size());
  EXPECT_THAT(run_fovea({"models"}).out, HasSubstr("resnet152"));
}

TEST(ModelsCommand, SelectsByFamilyNameAndWeights) {
  const auto names = [](std::vector<std::string> how) {
    how.insert(how.begin(), {"models", "--json"});
    std::vector<std::string> found;
    const nlohmann::json json = run_fovea(how).json();
    for (const nlohmann::json& model : json) found.push_back(model.at("name"));
    return found;
  };
  for (const std::string& name : names({"--family", "densenet"})) EXPECT_THAT(name, HasSubstr("densenet"));
  EXPECT_THAT(names({"--filter", "*LITE0"}), testing::UnorderedElementsAre("efficientnet_lite0", "tf_efficientnet_lite0"));
  EXPECT_THAT(names({"--filter", "vit_small_patch14_dinov2"}), testing::ElementsAre("vit_small_patch14_dinov2"));
  EXPECT_THAT(names({"--family", "convnext", "--pretrained"}), testing::Not(testing::Contains("convnextv2_small")));
  expect_one_line(run_fovea({"models", "--family", "resnets"}), 2, {"there is no family resnets; there are", "densenet"});
  expect_one_line(run_fovea({"models", "--filter", "*nothing*"}), 2, {"no name matches *nothing*"});
}

// The three tables add up to the same and, but for what else the machine does, to a run.
void expect_whole_profile(const nlohmann::json& json, double run_milliseconds) {
  const nlohmann::json& profile = json.at("profile");
  std::map<std::string, double> sums;
  for (const char* table : {"nodes", "operations", "kernels"}) {
    double share = 0, last = std::numeric_limits<double>::infinity();
    int64_t nodes = 0;
    for (const nlohmann::json& row : profile.at(table)) {
      const double milliseconds = row.at("milliseconds");
      EXPECT_LE(milliseconds, last) << table;
      last = milliseconds;
      sums[table] += milliseconds;
      share += row.at("share").get<double>();
      nodes += row.at("nodes").get<int64_t>();
      EXPECT_NEAR(row.at("gflops"), 2e-6 * row.at("multiply_adds").get<double>() / milliseconds,
                  1e-6 * (1 + row.at("gflops").get<double>()));
    }
    EXPECT_NEAR(share, 1, 1e-9) << table;
    EXPECT_EQ(nodes, profile.at("nodes").size()) << table;
    EXPECT_NEAR(sums[table], sums["nodes"], 1e-9 * sums["nodes"]) << table;
  }
  EXPECT_GT(sums["nodes"], 0.2 * run_milliseconds);
  EXPECT_LT(sums["nodes"], 2 * run_milliseconds);
  // ResNet-18 at 64 x 64: 148 M multiply-adds a picture in its convolutions and its linear layer, each convolution or its gradients.
  int64_t forward = 0;
  for (const nlohmann::json& row : profile.at("nodes"))
    if (!row.at("name").get<std::string>().starts_with("grad:")) forward += row.at("multiply_adds").get<int64_t>();
  EXPECT_NEAR(static_cast<double>(forward), 2 * 148.6e6, 2 * 1e6);
}

TEST(BenchCommand, MeasuresInferenceAndTraining) {
  for (const char* mode : {"infer", "train"}) {
    const Outcome outcome = run_fovea(
        {"bench", "resnet18", "--mode", mode, "--batch", "2", "--size", "64", "--seconds", "0.1", "--threads", "1", "--profile", "--json"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const nlohmann::json json = outcome.json();
    const double least = json.at("milliseconds").at("least"), median = json.at("milliseconds").at("median");
    EXPECT_GT(least, 0);
    EXPECT_LE(least, median);
    EXPECT_NEAR(json.at("pictures_per_second").get<double>(), 2000 / median, 1e-6 * 2000 / median);
    EXPECT_GT(json.at("peak_bytes").at("planned"), 11'000'000 * 4);  // the weights alone
    EXPECT_GT(json.at("peak_bytes").at("measured"), 11'000'000 * 4);
    EXPECT_EQ(json.at("threads"), 1);
    EXPECT_EQ(json.at("batch"), 2);
    expect_whole_profile(json, median);
  }
  EXPECT_THAT(run_fovea({"bench", "resnet18", "--size", "64", "--seconds", "0"}).out, HasSubstr("pictures a second"));
}

TEST(BenchCommand, AStepFitsIntoTheMemoryAllowed) {
  const std::vector<std::string> step{"bench", "resnet18",  "--mode", "train",     "--batch", "8",     "--size",
                                      "128",   "--seconds", "0",      "--threads", "1",       "--json"};
  const auto within = [&](const std::string& limit) {
    std::vector<std::string> arguments = step;
    arguments.insert(arguments.end(), {"--memory", limit});
    return run_fovea(arguments);
  };
  const int64_t planned = run_fovea(step).json().at("peak_bytes").at("planned");
  const int64_t limit = planned * 19 / 20;
  const Outcome outcome = within(std::to_string(limit));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_LE(outcome.json().at("peak_bytes").at("planned"), limit);
#ifndef FOVEA_SANITIZED  // which keeps freed memory for a while, the discarded build's too
  EXPECT_LE(outcome.json().at("peak_bytes").at("measured"), limit * 21 / 20);
#endif
  EXPECT_THAT(within("1M").err, HasSubstr("1 MB of memory are allowed, a batch of 8 of resnet18 takes "));
  EXPECT_THAT(within("1X").err, HasSubstr("--memory 1X: a number with K, M or G behind it is expected"));
}

}  // namespace
}  // namespace fovea::cli
