// Pages from numbers alone: what is escaped, what is drawn, what is left out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fovea/error.h>
#include <fovea/image.h>

#include "base/base64.h"
#include "base/json_value.h"
#include "report/charts.h"
#include "report/html.h"
#include "report/report.h"
#include "report/sections.h"
#include "train/evaluation_json.h"

namespace fovea::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

// `classes` classes of two pictures each, the second of each taken for the next class.
json metrics_of(size_t classes) {
  Evaluation evaluation;
  evaluation.score = {0.5, static_cast<int64_t>(2 * classes)};
  evaluation.confusion.assign(classes, std::vector<int64_t>(classes));
  for (size_t i = 0; i < classes; ++i) {
    const auto label = static_cast<int64_t>(i), next = static_cast<int64_t>((i + 1) % classes);
    evaluation.classes.push_back({fmt::format("class {}", i), 2, 1});
    evaluation.confusion[i][i] = evaluation.confusion[i][(i + 1) % classes] = 1;
    evaluation.outcomes.push_back({fmt::format("{}.png", i), label, label, 0.9, {}, {}, 0.9});
    evaluation.outcomes.push_back({fmt::format("{}'.png", i), label, next, 0.5 + 0.001 * static_cast<double>(i), {}, {}, 0.1});
  }
  return {{"test", training::evaluation_json(evaluation)}, {"model", "resnet18"}};
}

// What a setting means, and none that means nothing to the phase.
TEST(Page, SettingsAreForReaders) {
  json metrics = metrics_of(2);
  const std::string none =
      "crop false area 0.08 to 1 ratio 0.75 to 1.33, flip 0.5, vertical flip 0, policy none operations 2 magnitude 9 of 31 nearest fill "
      "0/0/0, brightness 0, contrast 0, saturation 0, hue 0, erasing 0 area 0.02 to 0.33 ratio 0.3 to 3.3";
  const std::string much =
      "crop true area 0.35 to 1 ratio 0.75 to 1.33, flip 0.5, vertical flip 0, policy randaugment operations 2 magnitude 9 of 31 nearest "
      "fill 0/0/0, brightness 0.2, contrast 0, saturation 0, hue 0, erasing 0.1 area 0.02 to 0.33 ratio 0.3 to 3.3";
  metrics["phases"] = {{{"name", "head"}, {"solved", true}, {"epochs", 1}, {"rate", 0}, {"momentum", 0.9}, {"augmentation", none}},
                       {{"name", "all"},
                        {"solved", false},
                        {"epochs", 6},
                        {"rate", 0.001},
                        {"stochastic_depth", -1},
                        {"momentum", 0.9},
                        {"mixup", 0},
                        {"accumulate", 1},
                        {"augmentation", much}}};
  metrics["record"] = json::array();  // of pairs, as a run writes it
  for (const auto& [name, value] : {std::pair("model", "resnet18"), {"head", "1 hidden 512 dropout 0.3"}, {"channels", "3"}})
    metrics["record"].push_back(json::array({name, value}));
  const std::string text = page(metrics, {});
  EXPECT_THAT(text, HasSubstr("<td data-of=\"phases.0.augmentation\">flip 0.5</td>"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "crops of 0.35 to 1 of the area, flip 0.5, randaugment (2 operations, magnitude 9), brightness 0.2, erasing 0.1 (0.02 to 0.33 of "
          "the area)</td>"));
  EXPECT_THAT(text, HasSubstr("<th scope=\"row\">epochs</th><td>–</td><td data-of=\"phases.1.epochs\">6</td>"));
  for (const char* nothing : {"stochastic depth", ">mixup<", ">accumulate<", "1 hidden 512"}) EXPECT_THAT(text, Not(HasSubstr(nothing)));
  EXPECT_THAT(text, HasSubstr("<dt>head</dt><dd>mlp, 512 hidden, dropout 0.3</dd>"));
}

TEST(Html, EscapesWhatAPageWouldTakeForItsOwn) {
  EXPECT_EQ(escaped("<a href=\"x\">Tom & 'Jerry'</a>"), "&lt;a href=&quot;x&quot;&gt;Tom &amp; &#39;Jerry&#39;&lt;/a&gt;");
  EXPECT_EQ(escaped("Füße 猫 🐈"), "Füße 猫 🐈");
  EXPECT_EQ(escaped("a\x01"
                    "b\x7F"),
            "a\uFFFDb\uFFFD");
  // Cut short, overlong, a surrogate, beyond Unicode, a lone continuation.
  EXPECT_EQ(escaped("\xC3"), "\uFFFD");
  EXPECT_EQ(escaped("\xC0\xBC!"), "\uFFFD\uFFFD!");
  EXPECT_EQ(escaped("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(escaped("x\x80<"), "x\uFFFD&lt;");
}

TEST(Html, WritesNumbersAsPeopleReadThem) {
  EXPECT_EQ(percent(0.8333), "83.3\u202F%");
  EXPECT_EQ(percent_range(0.72, 0.907), "72.0 to 90.7\u202F%");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-123), "-123");
  EXPECT_EQ(with_commas(-1234), "-1,234");
  EXPECT_EQ(as_bytes(256450560), "256\u00A0MB");
  EXPECT_EQ(as_bytes(999), "999\u00A0bytes");
  EXPECT_EQ(as_bytes(1.57e9), "1.57\u00A0GB");
  EXPECT_EQ(as_seconds(8.19), "8.2\u00A0s");
  EXPECT_EQ(as_seconds(125.4), "2\u00A0min 5\u00A0s");
  EXPECT_EQ(as_seconds(7290), "2\u00A0h 1\u00A0min");
}

TEST(Html, Base64IsThatOfRfc4648) {
  const auto of = [](std::string_view text) { return base64(std::as_bytes(std::span(text))); };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foob"), "Zm9vYg==");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

TEST(Charts, TicksAreRoundNumbers) {
  EXPECT_THAT(ticks(0, 1, 4),
              ElementsAre(0, testing::DoubleEq(0.2), testing::DoubleEq(0.4), testing::DoubleEq(0.6), testing::DoubleEq(0.8), 1));
  EXPECT_THAT(ticks(1, 200, 6), ElementsAre(50, 100, 150, 200));
  EXPECT_THAT(ticks(-3, 3, 3), ElementsAre(-2, 0, 2));
  EXPECT_THAT(ticks(5, 5, 4), ElementsAre(5));
}

TEST(Charts, DrawEveryPointInsideTheFrame) {
  LineChart chart;
  chart.id = "c";
  chart.x_label = "epoch";
  chart.y_label = "rate";
  chart.series = {{"a", "training", {{1, 1e-3}, {2, 5e-4}, {3, 1e-5}}}, {"b", "validation", {{3, 2e-4}}}};
  chart.bands = {{"head", 1, 2}, {"all", 3, 3}};
  chart.mark = 2;
  chart.mark_name = "best epoch (2)";
  const std::string svg = line_chart(chart);
  EXPECT_THAT(svg, AllOf(HasSubstr(">head<"), HasSubstr("best epoch (2)"), HasSubstr("rate (in 10⁻³)"), Not(HasSubstr("nan"))));
  EXPECT_EQ(count(svg, "<circle"), 4);
  chart.series = {{"a", "training", {{1, 0}}}};
  EXPECT_THAT(line_chart(chart), AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

// A head that was solved for has a curve of another kind than epochs.
TEST(Page, AProbeShowsHowItsPenaltyWasChosen) {
  json metrics = metrics_of(3);
  const auto trial = [](double penalty, double accuracy, double loss) {
    return json{{"fit", "squash"}, {"mirrored", false}, {"penalty", penalty}, {"accuracy", accuracy}, {"loss", loss}};
  };
  metrics["history"] = {{{"epoch", 1}, {"phase", "head"}, {"train_loss", 0.25}, {"train_accuracy", 0.975}, {"rate", 0}}};
  metrics["phases"] = {{{"name", "head"}, {"solved", true}}};
  metrics["best_epoch"] = 1;
  metrics["probe"] = {{"C", 2},
                      {"folds", 5},
                      {"best", trial(1e-3, 0.8, 0.5)},
                      {"trials", {trial(1e-3, 0.8, 0.5)}},
                      {"curve", {trial(1e-1, 0.6, 0.9), trial(1e-2, 0.7, 0.7), trial(1e-3, 0.8, 0.5), trial(1e-4, 0.75, 0.6)}}};
  const std::string text = page(metrics, {});
  EXPECT_THAT(text,
              AllOf(HasSubstr("id=\"probe-accuracy\""), HasSubstr("id=\"probe-loss\""), HasSubstr("chosen (2)"), HasSubstr(">10⁻¹<"),
                    HasSubstr(">5</span>-fold"), HasSubstr("squash 80.0\u202F% (loss 0.500)"), HasSubstr("loss 0.250, 97.5\u202F% right")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("loss-curve")), Not(HasSubstr("rate-curve")), Not(HasSubstr("best epoch"))));
  EXPECT_EQ(count(text, "<circle"), 8 + count(page(metrics_of(3), {}), "<circle"));
  metrics["probe"]["folds"] = 0;  // too few pictures to choose by
  EXPECT_THAT(page(metrics, {}), AllOf(HasSubstr("solved for"), Not(HasSubstr("probe-accuracy"))));
  EXPECT_THAT(text, Not(HasSubstr("&quot;penalty&quot;")));  // nothing as JSON
  // Epochs beside it have their curves too.
  metrics["probe"]["folds"] = 5;
  metrics["phases"].push_back({{"name", "all"}, {"solved", false}});
  EXPECT_THAT(page(metrics, {}), AllOf(HasSubstr("loss-curve"), HasSubstr("probe-accuracy")));
}

TEST(Page, UpToFortyClassesAreAMatrixMoreAreItsWorstPairs) {
  const std::string matrix = page(metrics_of(40), {}), pairs = page(metrics_of(41), {});
  EXPECT_THAT(matrix, HasSubstr("class=\"matrix\""));
  EXPECT_EQ(count(matrix, "data-of=\"test.confusion."), 80);
  EXPECT_THAT(pairs, AllOf(Not(HasSubstr("class=\"matrix\"")), HasSubstr("30 of 41 confused pairs")));
  EXPECT_EQ(count(pairs, "data-of=\"test.confusion."), 30);
}

TEST(Page, ShowsTwentyFourMistakesAndNamesPicturesThatAreGone) {
  const std::string text = page(metrics_of(30), {});
  EXPECT_EQ(count(text, "class=\"mistake\""), 24);
  EXPECT_EQ(count(text, "class=\"gone\""), 24);
  EXPECT_THAT(text, HasSubstr("The 24 of 30 mistakes"));
  // The surest first: that of the last class.
  EXPECT_LT(text.find(">29&#39;.png<"), text.find(">28&#39;.png<"));
}

TEST(Page, DrawsWhereTheNetworkLookedBesideThePicture) {
  json metrics = metrics_of(2);
  const std::string coffee = std::string(FOVEA_TEST_DATA) + "/api/coffee.webp";
  for (json& one : metrics["test"]["worst_mistakes"]) one["file"] = coffee;
  std::vector<int64_t> asked;
  Eyes eyes;
  eyes.look = [&](const Image&, const Image& thumbnail, int64_t class_index) {
    EXPECT_EQ(std::max(thumbnail.width, thumbnail.height), 200);
    asked.push_back(class_index);
    return thumbnail;
  };
  const std::string text = page(metrics, eyes);
  EXPECT_EQ(count(text, "src=\"data:image/jpeg;base64,"), 4);
  EXPECT_THAT(asked, ElementsAre(0, 1));  // what was guessed
  EXPECT_LT(text.size(), 200000u);
}

TEST(Page, ShowsWhatThereIsAndRefusesWhatItCannotRead) {
  EXPECT_THAT(page({{"model", "<b>"}}, {}), AllOf(HasSubstr("&lt;b&gt;"), Not(HasSubstr("<b>"))));
  json metrics = metrics_of(3);
  metrics["test"]["classes"][0].erase("correct");
  try {
    page(metrics, {});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::format);
    EXPECT_THAT(error.what(), HasSubstr("correct"));
  }
}

TEST(Page, ShowsFoldsAndSeveralLabels) {
  json metrics = metrics_of(3);
  metrics["folds"] = {{"accuracy_mean", 0.85}, {"accuracy_std", 0.02}, {"accuracy", {0.83, 0.87}}};
  EXPECT_THAT(page(metrics, {}), AllOf(HasSubstr("data-of=\"folds.accuracy_mean\">85.0"), HasSubstr("data-of=\"folds.accuracy.1\">87.0")));
  Evaluation evaluation;
  evaluation.score = {0.5, 2, LabelScores{0.71, 0.6, 0.65}};
  evaluation.classes = {{"cat", 1, 0, 0.5, 0}, {"dog", 0, 0}};
  evaluation.outcomes = {{"a.png", -1, -1, 0.6, {0.2f, 0.4f}, {0}}, {"b.png", -1, -1, 0.6, {0.1f, 0.4f}, {}}};
  const std::string text = page({{"test", training::evaluation_json(evaluation)}}, {});
  EXPECT_THAT(text, AllOf(HasSubstr("data-of=\"test.mean_average_precision\">71.0"), Not(HasSubstr("id=\"confusion\""))));
  EXPECT_THAT(text, AllOf(HasSubstr("<dt>missed</dt><dd><strong>cat</strong>"), HasSubstr("Mean average precision 71.0")));
  EXPECT_EQ(count(text, "class=\"mistake\""), 1);
}

TEST(Page, NamesCopiesTheGravestFirst) {
  json metrics = metrics_of(2);
  metrics["data"] = "pictures";
  metrics["audit"]["copies"] = {{{"files", {"pictures/a/1.png", "pictures/a/2.png"}}, {"across_splits", false}, {"across_classes", false}},
                                {{"files", {"pictures/a/3.png", "pictures/b/<4>.png"}}, {"across_splits", true}, {"across_classes", true}}};
  const std::string text = page(metrics, {});
  EXPECT_THAT(text,
              AllOf(HasSubstr("2 pictures are there more than once"), HasSubstr("b/&lt;4&gt;.png</span>: both trained on and held out")));
  EXPECT_LT(text.find(">a/3.png<"), text.find(">a/1.png<"));
  metrics["audit"]["copies"] = json::array();
  EXPECT_THAT(page(metrics, {}), Not(HasSubstr("Copies")));
}

TEST(Jpeg, IsDecodedToNearlyTheSamePicture) {
  const Image picture = read_image(std::string(FOVEA_TEST_DATA) + "/api/coffee.webp");
  const std::vector<std::byte> bytes = encode_jpeg(picture, 95);
  const Image back = decode_image(bytes);
  ASSERT_EQ(back.width, picture.width);
  ASSERT_EQ(back.height, picture.height);
  double sum = 0;
  for (size_t i = 0; i < back.pixels.size(); ++i) sum += std::abs(int{back.pixels[i]} - int{picture.pixels[i]});
  EXPECT_LT(sum / static_cast<double>(back.pixels.size()), 3);
  EXPECT_LT(encode_jpeg(picture, 50).size(), bytes.size());
  EXPECT_THROW(encode_jpeg(picture, 0), Error);
  EXPECT_THROW(encode_jpeg({2, 2, {1, 2, 3}}), Error);
}

}  // namespace
}  // namespace fovea::report
