// embed --shards.
#include <fovea/features.h>

#include <cstring>

#include "cli/support.h"

namespace fovea {
namespace {

using cli::expect_one_line;
using cli::Folder;
using cli::Outcome;
using cli::read_all;
using cli::run_fovea;
using cli::write_all;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Shards : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new Folder;
    model_ = cli::small_model(*shared_);
    cli::draw_classes(shared_->path() / "pictures", 4);
    write_all(shared_->path() / "pictures" / "green" / "bad.png", "no picture");
    ASSERT_EQ(run_fovea({"embed", model_, pictures(), "-o", *shared_ / "whole.npy"}).status, 0);
  }
  static void TearDownTestSuite() { delete shared_; }

  static std::string pictures() { return *shared_ / "pictures"; }
  std::string shard(const std::string& name) const { return (folder_.path() / "out" / ("shard-00000" + name)).string(); }
  Outcome run(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"embed", model_, pictures(), "--shards", folder_ / "out", "--shard-size", "5", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return run_fovea(words);
  }
  // All shards' rows, one after the other, are those of one file.
  void expect_whole() const {
    const FeatureSet whole = load_features(*shared_ / "whole.npy");
    std::vector<std::string> files;
    std::vector<float> values;
    for (const char* name : {"0.npy", "1.npy", "2.npy"}) {
      const FeatureSet one = load_features(shard(name));
      files.insert(files.end(), one.files.begin(), one.files.end());
      values.insert(values.end(), one.features.values<float>().begin(), one.features.values<float>().end());
    }
    EXPECT_EQ(files, whole.files);
    ASSERT_EQ(values.size(), static_cast<size_t>(whole.features.size()));
    EXPECT_EQ(std::memcmp(values.data(), whole.features.raw(), whole.features.bytes()), 0);
  }

  static inline Folder* shared_ = nullptr;
  static inline std::string model_;
  const Folder folder_;
};

TEST_F(Shards, HoldTheRowsOfOneFile) {
  const Outcome outcome = run();
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json(), nlohmann::json({{"shards", folder_ / "out"}, {"made", 3}, {"there", 0}, {"pictures", 12}, {"left_out", 1}}));
  EXPECT_THAT(outcome.err, HasSubstr("left out " + pictures() + "/green/bad.png"));
  expect_whole();
  EXPECT_THAT(read_all(shard("1.errors.csv")), testing::StartsWith("file,reason\n" + pictures() + "/green/bad.png,"));
  EXPECT_FALSE(fs::exists(shard("0.errors.csv")));
}

TEST_F(Shards, AreNotMadeTwice) {
  ASSERT_EQ(run().status, 0);
  const auto before = fs::last_write_time(shard("0.npy"));
  // What a process that was ended between two files leaves.
  fs::remove(shard("1.json"));
  write_all(shard("1.npy"), "half");
  const Outcome outcome = run();
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json(), nlohmann::json({{"shards", folder_ / "out"}, {"made", 1}, {"there", 2}, {"pictures", 12}, {"left_out", 1}}));
  EXPECT_EQ(fs::last_write_time(shard("0.npy")), before);
  expect_whole();
}

TEST_F(Shards, AreDividedAmongProcesses) {
  EXPECT_EQ(run({"--part", "2/2"}).json().at("made"), 1);
  EXPECT_FALSE(fs::exists(shard("0.npy")));
  EXPECT_TRUE(fs::exists(shard("1.npy")));
  EXPECT_EQ(run({"--part", "1/2"}).json().at("made"), 2);
  expect_whole();
  EXPECT_EQ(run({"--part", "4/4"}).json().at("made"), 0);  // there are three
}

TEST_F(Shards, TakeAListAsItComes) {
  std::string list;
  for (const std::string& file : load_features(*shared_ / "whole.npy").files) list += file + "\n";
  write_all(folder_.path() / "list", list);
  const Outcome outcome = run_fovea({"embed", model_, "-", "--shards", folder_ / "out", "--shard-size", "4", "--json"},
                                    "cat " + cli::quoted(folder_ / "list") + " |");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("made"), 3);
  expect_whole();
  expect_one_line(run_fovea({"embed", model_, "-", "--shards", folder_ / "none"}, "printf '' |"), 1, {"a list without a picture"});
}

TEST_F(Shards, WithNothingReadableHaveNoRows) {
  write_all(folder_.path() / "bad" / "a.png", "");
  write_all(folder_.path() / "bad" / "b.png", "");
  const Outcome outcome = run_fovea({"embed", model_, folder_ / "bad", "--shards", folder_ / "out", "--tap", "pooled"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("none of 2 files could be read"));
  const FeatureSet none = load_features(shard("0.npy"));
  EXPECT_EQ(none.features.shape(), (std::vector<int64_t>{0, 512}));
  EXPECT_EQ(none.record.output, "pooled");
}

TEST_F(Shards, OfAnotherListOrMadeOtherwiseAreRefused) {
  ASSERT_EQ(run().status, 0);
  expect_one_line(run({"--tap", "pooled"}), 1, {shard("0.json"), "the output pre_logits, now it is pooled"});
  expect_one_line(run({"--fit", "squash"}), 1, {shard("0.json"), "the preprocessing", "squash"});
  expect_one_line(run({"--normalize"}), 1, {shard("0.json"), "normalized no, now it is yes"});
  expect_one_line(run_fovea({"embed", model_, pictures(), "--shards", folder_ / "out", "--shard-size", "4"}), 1,
                  {shard("0.csv"), "5 pictures", "the list now has 4"});
  const std::string other = pictures() + "/red";
  expect_one_line(run_fovea({"embed", model_, other, "--shards", folder_ / "out", "--shard-size", "5"}), 1,
                  {shard("0.csv"), "/blue/0", "/red/0"});
}

TEST_F(Shards, OptionsThatMakeNoSenseAreTold) {
  expect_one_line(run({"-o", folder_ / "x.npy"}), 2, {"x.npy", "one of them"});
  expect_one_line(run_fovea({"embed", model_, pictures()}), 2, {"--shards"});
  expect_one_line(run({"--pca", "3"}), 2, {"--pca", "--shards"});
  for (const char* part : {"0/2", "3/2", "2", "2/", "/2", "a/b", "1/2/3", "-1/2", ""})
    expect_one_line(run({"--part", part}), 2, {"--part", part});
  expect_one_line(run_fovea({"embed", model_, pictures(), "-o", folder_ / "x.npy", "--part", "1/2"}), 2, {"--part", "--shards"});
}

}  // namespace
}  // namespace fovea
