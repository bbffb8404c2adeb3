// Data care and cross validation as a user meets them: audit, CSV files of labels, folds, seeds, copies across splits.
#include <fmt/format.h>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Data : public testing::Test {
 protected:
  void SetUp() override { draw_classes(folder_.path() / "pictures", 6); }

  Outcome train(const std::string& data, const std::string& out, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"train",   data, "--model", "mobilenet_v3_small", "--weights", "none", "--size", "32",
                                       "--batch", "6",  "--out",   folder_ / out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fovea(arguments);
  }
  std::string pictures() const { return folder_ / "pictures"; }
  json metrics(const std::string& out) const { return json::parse(read_all(folder_.path() / out / "metrics.json")); }

  Folder folder_;
};

TEST_F(Data, AuditNamesWhatIsWrongAndStrictlyFails) {
  fs::copy(folder_.path() / "pictures/red/0.bmp", folder_.path() / "pictures/blue/red.png");
  write_all(folder_.path() / "pictures/green/bad.jpg", "no picture");
  const Outcome text = run_fovea({"audit", pictures()});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("unreadable: " + pictures() + "/green/bad.jpg: not a picture"),
                              HasSubstr("under different classes): " + pictures() + "/blue/red.png, "),
                              HasSubstr("wrong extension: " + pictures() + "/blue/red.png is bmp"), HasSubstr("tiny class: blue")));
  const Outcome strict = run_fovea({"audit", pictures(), "--json", "--strict"});
  EXPECT_EQ(strict.status, 1);
  const json found = strict.json();
  EXPECT_EQ(found.at("pictures"), 20);
  EXPECT_EQ(found.at("unreadable")[0].at("file"), pictures() + "/green/bad.jpg");
  EXPECT_EQ(found.at("wrong_extensions").size(), 1u);
  EXPECT_EQ(found.at("tiny_classes").size(), 3u);
  const std::string listed = folder_ / "pictures/red/1.bmp";
  write_all(folder_.path() / "labels.csv", "file,labels\npictures/red/1.bmp,red\npictures/blue/1.bmp,blue\n");
  EXPECT_EQ(run_fovea({"audit", folder_ / "labels.csv", "--json"}).json().at("pictures"), 2);
  expect_one_line(run_fovea({"audit", folder_ / "gone"}), 1, {folder_ / "gone"});
}

TEST_F(Data, TrainingWarnsOfCopiesAcrossSplitsAndShowsThem) {
  for (const char* name : {"red", "green", "blue"}) {
    fs::create_directories(folder_.path() / "split/test" / name);
    fs::create_directories(folder_.path() / "split/train");
    fs::rename(folder_.path() / "pictures" / name, folder_.path() / "split/train" / name);
    fs::rename(folder_.path() / "split/train" / name / "5.bmp", folder_.path() / "split/test" / name / "5.bmp");
  }
  fs::copy(folder_.path() / "split/train/red/2.bmp", folder_.path() / "split/test/red/again.bmp");
  const Outcome outcome = train(folder_ / "split", "run", {"--recipe", "probe"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string trained = folder_ / "split/train/red/2.bmp", tested = folder_ / "split/test/red/again.bmp";
  EXPECT_THAT(outcome.out, HasSubstr("warning: one picture is on both sides of a split: "));
  const size_t line = outcome.out.find("on both sides of a split: ");
  const std::string warning = outcome.out.substr(line, outcome.out.find('\n', line) - line);
  EXPECT_THAT(warning, HasSubstr(tested + " (test)"));
  const json audit = metrics("run").at("audit");
  bool named = false;
  for (const json& copies : audit.at("copies")) {
    const auto files = copies.at("files").get<std::vector<std::string>>();
    const auto at = std::ranges::find(files, tested);
    if (at == files.end()) continue;
    named = true;
    EXPECT_TRUE(copies.at("across_splits"));
    EXPECT_EQ(copies.at("splits")[static_cast<size_t>(at - files.begin())], "test");
    EXPECT_EQ(std::ranges::count(files, trained), 1);
  }
  EXPECT_TRUE(named);
  EXPECT_EQ(audit.at("tiny_classes").size(), 3u);
  const std::string page = read_all(folder_ / "run/report.html");
  EXPECT_THAT(page, AllOf(HasSubstr("test/red/again.bmp</span> (test)"), HasSubstr("both trained on and held out"),
                          HasSubstr("classes of fewer than 10 pictures")));
}

TEST_F(Data, CsvOfOneLabelIsTheFolder) {
  std::string csv = "file,label\n";
  for (const char* name : {"red", "blue", "green"})
    for (int i = 0; i < 6; ++i) csv += fmt::format("pictures/{0}/{1}.bmp,{0}\n", name, i);
  write_all(folder_.path() / "labels.csv", csv);
  const Outcome outcome = train(folder_ / "labels.csv", "run", {"--recipe", "probe", "--test", "0.3", "--no-report"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(metrics("run").at("classes"), json({"blue", "green", "red"}));
  EXPECT_EQ(metrics("run").at("test").at("pictures"), 6);
  EXPECT_FALSE(metrics("run").at("test").contains("mean_average_precision"));
  const json evaluated = run_fovea({"evaluate", folder_ / "run/model.safetensors", folder_ / "labels.csv", "--json"}).json();
  EXPECT_EQ(evaluated.at("pictures"), 18);
}

TEST_F(Data, CsvOfSeveralLabelsGoesByMeanAveragePrecision) {
  std::string csv = "file,labels\n";
  for (int i = 0; i < 6; ++i)
    csv += fmt::format("pictures/red/{0}.bmp,warm;bright\npictures/blue/{0}.bmp,bright\npictures/green/{0}.bmp,\n", i);
  write_all(folder_.path() / "labels.csv", csv);
  const Outcome outcome = train(folder_ / "labels.csv", "run", {"--recipe", "full", "--epochs", "2", "--test", "0.3"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("epoch 2 of 2: loss "), HasSubstr("validation loss"), HasSubstr(", mean average precision "),
                                 Not(HasSubstr("accuracy"))));
  const json run = metrics("run");
  EXPECT_TRUE(run.at("test").contains("mean_average_precision"));
  ASSERT_EQ(run.at("history").size(), 2u);
  double best = 0;
  for (const json& row : run["history"]) best = std::max(best, row.at("validation_mean_average_precision").get<double>());
  EXPECT_EQ(run.at("validation").at("mean_average_precision"), best);
  EXPECT_THAT(read_all(folder_ / "run/history.csv"), HasSubstr("validation_accuracy,validation_mean_average_precision,rate"));
  EXPECT_THAT(read_all(folder_ / "run/report.html"), HasSubstr("Mean average precision over epochs"));
  write_all(folder_.path() / "labels.csv", "file,labels\npictures/red/0.bmp,red\npictures/red/0.bmp,blue\n");
  expect_one_line(train(folder_ / "labels.csv", "other"), 1, {"pictures/red/0.bmp is given twice"});
}

TEST_F(Data, FoldsSayWhatTheyCameToAndAreNotReplacedUnfinished) {
  const Outcome outcome = train(pictures(), "run", {"--recipe", "probe", "--folds", "3", "--seeds", "2", "--no-report", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json told = outcome.json().at("folds"), written = metrics("run").at("folds");
  EXPECT_EQ(told, written);
  double seconds = 0;  // of the six
  for (const char* seed : {"seed-0", "seed-1"})
    for (int fold = 1; fold <= 3; ++fold) seconds += metrics(fmt::format("run/{}/fold-{}", seed, fold)).at("seconds").get<double>();
  EXPECT_GT(metrics("run").at("seconds").get<double>(), seconds);
  EXPECT_EQ(written.at("accuracy").size(), 6u);
  EXPECT_EQ(metrics("run").at("seeds").at("accuracy").size(), 2u);
  EXPECT_EQ(metrics("run").at("out_of_fold").at("pictures"), 18);
  const std::string first = folder_ / "run/seed-0/fold-1/predictions.csv", before = read_all(first);
  const auto written_at = fs::last_write_time(first);
  // As if it had been killed between the last fold and the run on all pictures.
  fs::remove(folder_.path() / "run/last.ckpt");
  const std::vector<std::string> others{"--recipe", "probe", "--folds", "3", "--seeds", "2", "--no-report", "--seed", "9"};
  expect_one_line(train(pictures(), "run", others), 2, {folder_ / "run", "seed-1/fold-3", "resume it"});
  EXPECT_EQ(fs::last_write_time(first), written_at);
  EXPECT_EQ(read_all(first), before);
  const Outcome resumed =
      train(pictures(), "run", {"--recipe", "probe", "--folds", "3", "--seeds", "2", "--no-report", "--json", "--resume"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(resumed.json().at("folds"), told);
  EXPECT_EQ(fs::last_write_time(first), written_at);
  // A finished run is replaced, folds and all, where that is asked for.
  std::vector<std::string> two{"--recipe", "probe", "--folds", "2", "--no-report"};
  expect_one_line(train(pictures(), "run", two), 2, {folder_ / "run", "finished run", "--overwrite"});
  two.push_back("--overwrite");
  const Outcome anew = train(pictures(), "run", two);
  ASSERT_EQ(anew.status, 0) << anew.err;
  EXPECT_THAT(anew.out, HasSubstr("fold 2 of 2: accuracy "));
  EXPECT_FALSE(fs::exists(folder_ / "run/seed-0"));
  EXPECT_EQ(metrics("run").at("folds").at("accuracy").size(), 2u);
}

TEST_F(Data, SeedsWithATestShare) {
  const Outcome outcome = train(pictures(), "run", {"--recipe", "probe", "--seeds", "2", "--test", "0.3", "--no-report"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("over 2 runs"));
  EXPECT_EQ(metrics("run").at("seeds").at("accuracy")[0], metrics("run").at("test").at("accuracy"));
  expect_one_line(train(pictures(), "none", {"--seeds", "2"}), 2, {"no picture is there to test"});
}

// A PGM of 16 bits whose left half is twice as bright.
std::string wide_pgm(int side, int level) {
  std::string text = fmt::format("P5\n{} {}\n65535\n", side, side);
  for (int i = 0; i < side * side; ++i) {
    const int value = i % side < side / 2 ? 2 * level : level;
    text += {static_cast<char>(value >> 8), static_cast<char>(value)};
  }
  return text;
}

TEST_F(Data, GreysOfSixteenBitsAreStretchedAndToldOnce) {
  const std::string model = small_model(folder_), a = folder_ / "a.pgm", b = folder_ / "b.pgm";
  write_all(a, wide_pgm(40, 900));
  write_all(b, wide_pgm(40, 1800));
  const auto predicted = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"predict", model, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fovea(arguments);
  };
  const Outcome plain = predicted({a, b}), automatic = predicted({a, "--range", "auto", b}),
                fixed = predicted({"--range", "0", "3600", a, b});
  for (const Outcome* outcome : {&plain, &automatic, &fixed}) {
    ASSERT_EQ(outcome->status, 0) << outcome->err;
    EXPECT_EQ(std::count(outcome->err.begin(), outcome->err.end(), '\n'), 1) << outcome->err;
    ASSERT_EQ(outcome->json().size(), 2u);
  }
  EXPECT_THAT(plain.err, HasSubstr("2 grey pictures are of 16 bits or floats: values beyond 255 are white; --range"));
  EXPECT_THAT(fixed.err, HasSubstr("2 grey pictures were of 16 bits or floats, stretched by --range"));
  EXPECT_EQ(plain.json()[0].at("classes"), plain.json()[1].at("classes"));          // both are white
  EXPECT_EQ(automatic.json()[0].at("classes"), automatic.json()[1].at("classes"));  // of each picture its own range
  EXPECT_NE(fixed.json()[0].at("classes"), fixed.json()[1].at("classes"));
  EXPECT_NE(plain.json()[0].at("classes"), automatic.json()[0].at("classes"));
  expect_one_line(predicted({a, "--range", "5"}), 2, {"range \"5\": auto or two numbers MIN,MAX expected"});
  expect_one_line(predicted({a, "--page", "2"}), 1, {"page 2 of a PNM, of which fovea reads the first picture alone"});
}

TEST_F(Data, PageAndRangeStayWithTheModel) {
  const Outcome outcome = train(pictures(), "run", {"--recipe", "probe", "--range", "0", "4095", "--page", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(read_all(folder_ / "run/model.safetensors").substr(0, 100000), HasSubstr("|range=0,4095|page=1"));
}

TEST_F(Data, WhatIsNotUsedIsTold) {
  write_all(folder_.path() / "pictures/notes.txt", "notes");
  write_all(folder_.path() / "pictures/red/.cache", "x");
  fs::create_symlink("gone.bmp", folder_.path() / "pictures/red/link.bmp");
  const Outcome trained = train(pictures(), "run", {"--recipe", "probe", "--json"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.err, AllOf(HasSubstr("not used: " + pictures() + "/notes.txt (beside the class folders, not in one)"),
                                 HasSubstr("not used: " + pictures() + "/red/.cache (hidden)"),
                                 HasSubstr(pictures() + "/red/link.bmp: a link to gone.bmp, which is not there")));
  EXPECT_EQ(trained.json().at("left_out").size(), 1u);
  const json audited = run_fovea({"audit", pictures(), "--json"}).json();
  EXPECT_EQ(audited.at("unused").size(), 2u);
  EXPECT_EQ(audited.at("unreadable").size(), 1u);
  const Outcome evaluated = run_fovea({"evaluate", folder_ / "run/model.safetensors", pictures(), "--json"});
  EXPECT_EQ(evaluated.json().at("unused").size(), 2u);
  EXPECT_EQ(evaluated.json().at("left_out").size(), 1u);
  EXPECT_THAT(run_fovea({"predict", folder_ / "run/model.safetensors", pictures()}).err, HasSubstr("red/.cache (hidden)"));
}

TEST_F(Data, EvaluatesThePartOfAFolderThatIsForIt) {
  const fs::path parts = folder_.path() / "parts";
  draw_classes(parts / "train", 6);
  draw_classes(parts / "val", 2);
  ASSERT_EQ(train(parts.string(), "run", {"--recipe", "probe"}).status, 0);
  const auto evaluated = [&] { return run_fovea({"evaluate", folder_ / "run/model.safetensors", parts.string(), "--json"}); };
  const Outcome validated = evaluated();
  ASSERT_EQ(validated.status, 0) << validated.err;
  EXPECT_EQ(validated.json().at("pictures"), 6);
  EXPECT_THAT(validated.err, HasSubstr("not used: " + (parts / "train").string() + " (not evaluated beside val/)"));
  draw_classes(parts / "test", 3);
  EXPECT_EQ(evaluated().json().at("pictures"), 9);
}

TEST_F(Data, TablesAsPeopleHaveThem) {
  std::string table = "\tfile\tlabel\twidth\n";
  int64_t row = 0;
  for (const char* color : {"red", "green", "blue"})
    for (int i = 0; i < 6; ++i)
      table += fmt::format("{}\tpictures/{}/{}.bmp\t{}\t40\n", row++, color, i, i == 5 && color[0] == 'r' ? "" : color);
  table += fmt::format("{}\tpictures/red/gone.bmp\tred\t40\n", row);
  write_all(folder_.path() / "labels.tsv", table);
  const std::string tsv = folder_ / "labels.tsv";
  const Outcome outcome = train(tsv, "run", {"--recipe", "probe", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("column \"\" (an index)"), HasSubstr("column \"width\" (not named as one of labels)"),
                                 HasSubstr("line 7, pictures/red/5.bmp (no label)"), HasSubstr("red/gone.bmp")));
  EXPECT_EQ(outcome.json().at("left_out").size(), 1u);
  EXPECT_EQ(run_fovea({"evaluate", folder_ / "run/model.safetensors", tsv, "--json"}).json().at("pictures"), 17);
}

TEST_F(Data, FoldersOfSplitsAreTold) {
  fs::create_directories(folder_.path() / "split");
  fs::rename(folder_.path() / "pictures", folder_.path() / "split/Training");
  draw_classes(folder_.path() / "split/Testing", 2);
  const Outcome outcome = train(folder_ / "split", "run", {"--recipe", "probe", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("its folders are taken for splits, Training/ for training, Testing/ for testing"));
  EXPECT_EQ(outcome.json().at("test").at("pictures"), 6);
}

}  // namespace
}  // namespace fovea::cli
