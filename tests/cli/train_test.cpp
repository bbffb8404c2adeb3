// train and evaluate.
#include <fmt/format.h>
#include <sys/mount.h>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;

class Train : public testing::Test {
 protected:
  void SetUp() override { draw_classes(folder_.path() / "pictures", 6); }

  // A run of seconds: small pictures, random weights, resnet18.
  Outcome train(const std::vector<std::string>& data, const std::string& out, std::vector<std::string> more = {},
                const std::string& before = "") {
    std::vector<std::string> arguments{"train", "--model", "resnet18", "--weights", "none", "--size", "64", "--batch", "6", "--out", out};
    arguments.insert(arguments.begin() + 1, data.begin(), data.end());
    if (std::find(more.begin(), more.end(), "--epochs") == more.end()) more.insert(more.end(), {"--epochs", "2"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fovea(arguments, before);
  }

  // The same on one folder.
  Outcome train(const std::string& data, const std::string& out, const std::vector<std::string>& more = {},
                const std::string& before = "") {
    return train(std::vector<std::string>{data}, out, more, before);
  }

  // The pictures in an order of their own.
  std::vector<std::string> files() const {
    std::vector<std::string> files;
    for (int i = 5; i >= 0; --i)
      for (const char* name : {"green", "red", "blue"}) files.push_back(folder_ / fmt::format("pictures/{}/{}.bmp", name, i));
    return files;
  }
  // Shell that hands a list over on standard input.
  std::string piped(const std::vector<std::string>& files) {
    write_all(folder_.path() / "list", fmt::format("{}\n", fmt::join(files, "\n")));
    return "cat " + quoted(folder_ / "list") + " |";
  }

  Folder folder_;
};

TEST_F(Train, WritesARunThatOtherCommandsTake) {
  const std::string run = folder_ / "run", model = run + "/model.safetensors";
  const Outcome outcome = train(folder_ / "pictures", run, {"--recipe", "full", "--test", "0.2", "--fit", "pad"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("recipe full"));
  EXPECT_THAT(outcome.out, HasSubstr("epoch 2 of 2"));
  EXPECT_THAT(outcome.out, HasSubstr("test "));
  for (const char* name : {"model.safetensors", "last.ckpt", "history.csv", "metrics.json"})
    EXPECT_TRUE(fs::exists(run + "/" + name)) << name;
  const nlohmann::json metrics = nlohmann::json::parse(read_all(run + "/metrics.json"));
  for (const char* part : {"validation", "test"}) {
    EXPECT_GE(metrics.at(part).at("accuracy").get<double>(), 0);
    EXPECT_GT(metrics.at(part).at("pictures").get<int64_t>(), 0);
  }
  EXPECT_GT(metrics.at("seconds").get<double>(), 0);

  const Model loaded = Model::load(model);
  EXPECT_EQ(loaded.classes(), (std::vector<std::string>{"blue", "green", "red"}));
  EXPECT_EQ(loaded.preprocessing().fit, Fit::pad);
  EXPECT_EQ(loaded.preprocessing().height, 64);

  const Outcome evaluated = run_fovea({"evaluate", model, folder_ / "pictures", "--json"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const nlohmann::json json = evaluated.json();
  EXPECT_EQ(json.at("pictures"), 18);
  int64_t correct = 0, confused = 0;
  for (const nlohmann::json& one : json.at("classes")) correct += one.at("correct").get<int64_t>();
  for (const nlohmann::json& row : json.at("confusion"))
    for (const nlohmann::json& cell : row) confused += cell.get<int64_t>();
  EXPECT_EQ(confused, 18);
  EXPECT_NEAR(json.at("accuracy").get<double>(), static_cast<double>(correct) / 18, 1e-9);
  EXPECT_THAT(run_fovea({"evaluate", model, folder_ / "pictures"}).out, HasSubstr("confusion"));
}

TEST_F(Train, GivesJsonWithNothingElseOnStandardOutput) {
  const Outcome outcome = train(folder_ / "pictures", folder_ / "run", {"--json", "--recipe", "probe"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const nlohmann::json json = outcome.json();
  for (const char* key : {"validation", "test", "seconds", "recipe", "reason", "epochs", "left_out"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_THAT(outcome.err, HasSubstr("recipe probe"));
}

TEST_F(Train, LooksForARateWithoutATrace) {
  const std::vector<std::string> how{"--recipe", "full", "--optimizer", "sgd", "--accumulate", "2", "--epochs", "1"};
  ASSERT_EQ(train(folder_ / "pictures", folder_ / "before", how).status, 0);
  std::vector<std::string> search = how;
  search.push_back("--find-rate");
  const Outcome text = train(folder_ / "pictures", folder_ / "searched", search);
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("smoothed"));
  EXPECT_THAT(text.out, HasSubstr("recipe full, sgd"));
  EXPECT_FALSE(fs::exists(folder_ / "searched"));
  search.push_back("--json");
  const nlohmann::json json = train(folder_ / "pictures", folder_ / "searched", search).json();
  ASSERT_GT(json.at("rates").size(), 10u);
  EXPECT_NEAR(json.at("rates")[0].at("rate").get<double>(), 1e-6, 1e-12);
  EXPECT_GT(json.at("rates")[1].at("rate"), json.at("rates")[0].at("rate"));
  EXPECT_GT(json.at("batches").get<size_t>(), json.at("rates").size());  // three batches make two steps
  ASSERT_EQ(train(folder_ / "pictures", folder_ / "after", how).status, 0);
  EXPECT_EQ(read_all(folder_ / "before/model.safetensors"), read_all(folder_ / "after/model.safetensors"));
  EXPECT_THAT(train(folder_ / "pictures", folder_ / "searched", {"--recipe", "probe", "--find-rate"}).err, HasSubstr("no rate"));
}

TEST_F(Train, ListsBadPicturesAndLeavesThemOut) {
  write_all(folder_.path() / "pictures/red/bad.jpg", "no picture");
  write_all(folder_.path() / "pictures/blue/huge.png", png_header(60000, 60000));
  const Outcome outcome = train(folder_ / "pictures", folder_ / "run", {"--recipe", "probe", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("red/bad.jpg"));
  EXPECT_THAT(outcome.err, HasSubstr("blue/huge.png"));
  EXPECT_EQ(outcome.json().at("left_out").size(), 2u);
}

TEST_F(Train, TakesFilesOrAListInsteadOfAFolderToTheSameBits) {
  const std::vector<std::string> more{"--recipe", "full", "--test", "0.2"};
  ASSERT_EQ(train(folder_ / "pictures", folder_ / "folder", more).status, 0);
  const Outcome named = train(files(), folder_ / "named", more);
  ASSERT_EQ(named.status, 0) << named.err;
  const Outcome listed = train("-", folder_ / "listed", more, piped(files()));
  ASSERT_EQ(listed.status, 0) << listed.err;
  const auto tested = [&](const char* run) {
    return nlohmann::json::parse(read_all(folder_.path() / run / "metrics.json")).at("test_files");
  };
  EXPECT_EQ(tested("folder").size(), 3u);
  for (const char* run : {"named", "listed"}) {
    EXPECT_EQ(read_all(folder_.path() / run / "model.safetensors"), read_all(folder_ / "folder/model.safetensors")) << run;
    EXPECT_EQ(tested(run), tested("folder"));
  }
  EXPECT_THAT(train("-", folder_ / "listed", {"--recipe", "full", "--test", "0.2", "--resume"}, piped(files())).out,
              HasSubstr("is finished"));
}

TEST_F(Train, EvaluatesFilesAndListsAsTheFolder) {
  const std::string model = small_model(folder_);
  const Outcome whole = run_fovea({"evaluate", model, folder_ / "pictures", "--json"});
  ASSERT_EQ(whole.status, 0) << whole.err;
  std::vector<std::string> arguments{"evaluate", model, "--json"};
  const std::vector<std::string> all = files();
  arguments.insert(arguments.end(), all.begin(), all.end());
  EXPECT_EQ(run_fovea(arguments).out, whole.out);
  EXPECT_EQ(run_fovea({"evaluate", model, "-", "--json"}, piped(all)).out, whole.out);
  EXPECT_EQ(run_fovea({"evaluate", model, folder_ / "pictures/blue", folder_ / "pictures/green", folder_ / "pictures/red", "--json"}).out,
            whole.out);

  // One class, a file that is not there, and one that is no picture.
  const std::string gone = folder_ / "pictures/green/gone.bmp", bad = folder_ / "pictures/green/bad.bmp";
  write_all(bad, "no picture");
  const Outcome some = run_fovea({"evaluate", model, "-", "--json"}, piped({all[0], gone, all[3], bad}));
  ASSERT_EQ(some.status, 0) << some.err;
  EXPECT_EQ(some.json().at("pictures"), 2);
  EXPECT_EQ(some.json().at("left_out").size(), 2u);
  EXPECT_THAT(some.err, testing::AllOf(HasSubstr(gone), HasSubstr(bad)));
}

TEST_F(Train, NamesWhatIsWrongWithAList) {
  const std::string model = small_model(folder_), out = folder_ / "run";
  const std::vector<std::string> all = files();
  const auto expect_error = [&](std::vector<std::string> data, const std::vector<std::string>& parts) {
    const Outcome trained = train("-", out, {}, piped(data)), evaluated = run_fovea({"evaluate", model, "-"}, piped(data));
    for (const Outcome* outcome : {&trained, &evaluated}) {
      expect_one_line(*outcome, 1, parts);
      EXPECT_EQ(outcome->out, "");
    }
  };
  expect_error({""}, {"standard input", "list"});
  expect_error({all[0], all[1], all[0]}, {all[0], "twice"});
  expect_error({all[0], all[1], folder_ / "pictures/red/../green/5.bmp"}, {"red/../green/5.bmp", all[0], "twice"});
  expect_error({all[0], all[1], "/1.bmp"}, {"/1.bmp", "folder"});
  expect_one_line(train(std::vector<std::string>{all[0], folder_ / "gone.bmp"}, out), 1, {folder_ / "gone.bmp"});
  expect_one_line(train("-", out, {}, piped({all[0], all[3]})), 1, {all[0], "one class", "green"});
  write_all(folder_.path() / "pictures/pink/1.bmp", bmp(48, 200, 100, 100));
  expect_one_line(run_fovea({"evaluate", model, folder_ / "pictures/pink/1.bmp"}), 1, {"pink/1.bmp", "\"pink\"", "3 known classes"});
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Train, LooksAtTheDataBeforeAnyWeights) {
  fs::create_directories(folder_.path() / "empty");
  for (const std::string& data : {folder_ / "gone", folder_ / "empty"}) {
    const Outcome outcome = run_fovea({"train", data, "--weights", folder_ / "gone.pth", "--out", folder_ / "run"});
    expect_one_line(outcome, 1, {data});
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, testing::Not(HasSubstr("gone.pth")));
    expect_one_line(run_fovea({"evaluate", "resnet18", folder_ / "gone", "--weights", folder_ / "gone.pth"}), 1, {folder_ / "gone"});
  }
  expect_one_line(run_fovea({"train", folder_ / "pictures", "--weights", folder_ / "gone.pth", "--out", folder_ / "run"}), 1, {"gone.pth"});
}

TEST_F(Train, NamesWhatIsWrongWithAFolder) {
  const std::string picture = bmp(32, 1, 2, 3);
  write_all(folder_.path() / "one/cats/a.bmp", picture);
  expect_one_line(train(folder_ / "one", folder_ / "run"), 1, {folder_ / "one", "cats"});
  write_all(folder_.path() / "hollow/cats/a.bmp", picture);
  fs::create_directories(folder_.path() / "hollow/dogs");
  expect_one_line(train(folder_ / "hollow", folder_ / "run"), 1, {"hollow/dogs"});
  for (const char* name : {"cats", "Cats", "dogs"}) write_all(folder_.path() / "cases" / name / "a.bmp", picture);
  expect_one_line(train(folder_ / "cases", folder_ / "run"), 1, {"cats", "Cats"});
  expect_one_line(train(folder_ / "gone", folder_ / "run"), 1, {folder_ / "gone"});
  write_all(folder_.path() / "unreadable/cats/a.bmp", picture);
  write_all(folder_.path() / "unreadable/dogs/a.bmp", "no picture");
  const Outcome unreadable = train(folder_ / "unreadable", folder_ / "run");
  EXPECT_EQ(unreadable.status, 1);
  EXPECT_THAT(unreadable.err, HasSubstr("dogs"));
  EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));
}

TEST_F(Train, NamesAFolderThatCannotBeWritten) {
  write_all(folder_.path() / "file", "in the way");
  expect_one_line(train(folder_ / "pictures", folder_ / "file/run"), 1, {folder_ / "file/run"});
}

TEST_F(Train, SlowlyGoesOnAfterInterruptionsAndKillsToTheSameBits) {
  const std::vector<std::string> longer{"--recipe", "full", "--epochs", "6"};
  ASSERT_EQ(train(folder_ / "pictures", folder_ / "whole", longer).status, 0);
  std::vector<std::string> resumed = longer;
  resumed.push_back("--resume");
  int interruptions = 0, kills = 0;
  Outcome outcome;
  for (int i = 0; i < 60; ++i) {  // ever later, so that however slow the machine is the run gets through in the end
    const bool kill = i % 2 == 1;
    const std::string before = fmt::format("timeout --preserve-status -s {} {}", kill ? "KILL" : "INT", 1.0 + 0.5 * i);
    outcome = train(folder_ / "pictures", folder_ / "parts", resumed, before);
    if (outcome.status == 0) break;
    kills += kill;
    if (outcome.status != 130 || outcome.err.find("saved") == std::string::npos) continue;  // killed, or interrupted too early
    ++interruptions;
    EXPECT_THAT(outcome.err, HasSubstr("--resume"));
  }
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  RecordProperty("interruptions", interruptions);
  RecordProperty("kills", kills);
  EXPECT_GT(interruptions + kills, 0);
  EXPECT_EQ(read_all(folder_ / "parts/model.safetensors"), read_all(folder_ / "whole/model.safetensors"));
}

TEST_F(Train, FoldsHaveThePrecisionOfTheRun) {
  ASSERT_EQ(train(folder_ / "pictures", folder_ / "run", {"--recipe", "probe", "--folds", "2", "--dtype", "bf16"}).status, 0);
  const auto precision = [&](const std::string& run) {
    const auto metrics = nlohmann::json::parse(read_all(folder_ / (run + "/metrics.json")));
    for (const auto& row : metrics.at("record"))
      if (row.at(0) == "precision") return row.at(1).get<std::string>();
    return std::string();
  };
  EXPECT_FALSE(precision("run").empty());  // f32 where bf16 does not pay
  for (const char* fold : {"run/fold-1", "run/fold-2"}) EXPECT_EQ(precision(fold), precision("run")) << fold;
}

// Values of a step that are made again rather than kept are the same bits.
TEST_F(Train, FitsIntoTheMemoryAllowed) {
  const auto within = [&](const std::string& limit, const std::string& out, const std::vector<std::string>& how) {
    std::vector<std::string> arguments{
        "train", folder_ / "pictures", "--model", "resnet18",    "--weights", "none", "--size", "128",         "--batch",
        "8",     "--epochs",           "1",       "--no-report", "--threads", "1",    "--out",  folder_ / out, "--memory",
        limit,   "--overwrite"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    return run_fovea(arguments);
  };
  const auto peak = [&](const std::string& out, const char* which) {
    return nlohmann::json::parse(read_all(folder_ / (out + "/metrics.json"))).at("peak_bytes").at(which).get<int64_t>();
  };
  struct Case {
    std::vector<std::string> how;
    int64_t less;
  };
  for (const auto& [how, less] : {Case{{"--recipe", "full"}, 8'000'000}, Case{{"--recipe", "finetune", "--freeze", "layer1"}, 3'000'000}}) {
    ASSERT_EQ(within("100G", "free", how).status, 0);
    const int64_t limit = peak("free", "planned") - less;
    const Outcome outcome = within(std::to_string(limit), "limited", how);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out,
                HasSubstr(fmt::format("MB planned for the steps of the phase all, {:.1f} MB allowed", static_cast<double>(limit) / 1e6)));
    EXPECT_LE(peak("limited", "planned"), limit);
    EXPECT_EQ(read_all(folder_ / "limited/model.safetensors"), read_all(folder_ / "free/model.safetensors"));
#ifndef FOVEA_SANITIZED  // which keeps freed memory for a while
    for (const char* out : {"free", "limited"})
      EXPECT_NEAR(static_cast<double>(peak(out, "planned")) / static_cast<double>(peak(out, "measured")), 1, 0.05) << out;
#endif
    expect_one_line(within("1M", "none", how), 2, {"1 MB of memory are allowed, a batch of 8 of resnet18 takes ", " MB at least"});
    EXPECT_FALSE(fs::exists(folder_ / "none"));
  }
  expect_one_line(within("1X", "none", {}), 2, {"--memory 1X: a number with K, M or G behind it is expected"});
}

// A file system of its own, too small for a model.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    fs::create_directories(path);
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount(path_.c_str());
  }
  bool mounted() const { return mounted_; }

 private:
  fs::path path_;
  bool mounted_ = false;
};

TEST_F(Train, LosesNothingOnAFullDisk) {
  const SmallDisk disk(folder_.path() / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  write_all(folder_.path() / "disk/copy.safetensors", "what was there");
  const std::string model = small_model(folder_);
  expect_one_line(run_fovea({"weights", "convert", model, folder_ / "disk/copy.safetensors"}), 1,
                  {folder_ / "disk/copy.safetensors", "space"});
  EXPECT_EQ(read_all(folder_ / "disk/copy.safetensors"), "what was there");
  const Outcome outcome = train(folder_ / "pictures", folder_ / "disk/run", {"--recipe", "probe"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("space"));
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path() / "disk"))
    EXPECT_THAT(entry.path().string(), testing::Not(HasSubstr("partial")));
}

}  // namespace
}  // namespace fovea::cli
