// Where runs are written: never over one another unasked, whole or not at all, by one training at a time; and going on with one by its
// folder.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RunFolders : public testing::Test {
 protected:
  void SetUp() override { draw_classes(folder_.path() / "pictures", 6); }

  // In the test's folder, where `run` is where it is by default.
  Outcome train(std::vector<std::string> more, const std::string& before = "") const {
    std::vector<std::string> words{"train", "pictures", "--model", "mobilenet_v3_small", "--weights", "none", "--size",
                                   "32",    "--batch",  "6",       "--recipe",           "full"};
    if (std::ranges::count(more, "--epochs") == 0) more.insert(more.end(), {"--epochs", "1"});
    words.insert(words.end(), more.begin(), more.end());
    return in_folder(words, before);
  }
  Outcome in_folder(const std::vector<std::string>& words, const std::string& before = "") const {
    return run_fovea(words, "cd " + quoted(folder_.path().string()) + " && " + before);
  }
  std::string model(const char* run) const { return read_all(folder_.path() / run / "model.safetensors"); }

  Folder folder_;
};

TEST_F(RunFolders, ARunIsReplacedOnlyWhereThatIsAskedForAndAsAWhole) {
  ASSERT_EQ(train({"--seed", "1"}).status, 0);
  ASSERT_EQ(train({"--seed", "2"}).status, 0);
  const std::string first = model("run"), second = model("run-2");
  EXPECT_NE(first, second);
  expect_one_line(train({"--seed", "3", "--out", "run"}), 2, {"run holds a finished run", "--overwrite"});
  EXPECT_EQ(model("run"), first);
  // One that is stopped in the middle leaves what was there.
  const Outcome stopped = train({"--epochs", "100000", "--seed", "2", "--out", "run", "--overwrite"}, "timeout --preserve-status -s INT 2");
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_EQ(model("run"), first);
  EXPECT_EQ(in_folder({"report", "run"}).status, 0);
  ASSERT_EQ(train({"--seed", "2", "--out", "run", "--overwrite"}).status, 0);
  EXPECT_EQ(model("run"), second);
  EXPECT_FALSE(fs::exists(folder_ / "run.new"));
}

TEST_F(RunFolders, ReplacingOneTakesNothingThatItDidNotWrite) {
  namespace fs = std::filesystem;
  const fs::path place = folder_.path();
  // The pictures lie in the run's folder, with a note; the run is asked for by a link.
  fs::create_directory(place / "project");
  fs::rename(place / "pictures", place / "project/pictures");
  fs::create_directory_symlink("project", place / "link");
  fs::create_directory_symlink("project/pictures", place / "pictures");
  ASSERT_EQ(train({"--out", "link", "--seed", "1"}).status, 0);
  write_all(place / "project/note.txt", "kept");
  const std::string first = model("project");
  const Outcome second = train({"--out", "link", "--seed", "2", "--overwrite"});
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_NE(model("project"), first);
  EXPECT_TRUE(fs::is_symlink(place / "link"));
  EXPECT_EQ(read_all(place / "project/note.txt"), "kept");
  EXPECT_EQ(std::distance(fs::recursive_directory_iterator(place / "project/pictures"), fs::recursive_directory_iterator()), 3 * 6 + 3);
  EXPECT_FALSE(fs::exists(place / "project.new"));
  EXPECT_FALSE(fs::exists(place / "project/run.lock"));
  // The folder of the pictures itself is none for a run, nor is one replaced from inside.
  EXPECT_THAT(train({"--out", "project/pictures"}).err, HasSubstr("holds the pictures"));
  const Outcome inside = run_fovea({"train", "pictures", "--model", "mobilenet_v3_small", "--weights", "none", "--out", ".", "--overwrite"},
                                   "cd " + quoted((place / "project").string()) + " && ");
  EXPECT_EQ(inside.status, 2);
  EXPECT_THAT(inside.err, HasSubstr("call it from elsewhere"));
}

TEST_F(RunFolders, ARunningOneIsNotReplaced) {
  ASSERT_EQ(train({}).status, 0);
  const std::string lock = (folder_.path() / "run/run.lock").string();
  const int held = ::open(lock.c_str(), O_RDWR | O_CREAT, 0666);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  const std::string before = model("run");
  const Outcome other = train({"--out", "run", "--seed", "4", "--overwrite"});
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr("another training"));
  EXPECT_EQ(model("run"), before);
  ::close(held);
}

TEST_F(RunFolders, AMixtureOfRunsHasNoPage) {
  ASSERT_EQ(train({"--seed", "1", "--out", "a"}).status, 0);
  ASSERT_EQ(train({"--seed", "2", "--out", "b"}).status, 0);
  fs::copy_file(folder_ / "b/model.safetensors", folder_ / "a/model.safetensors", fs::copy_options::overwrite_existing);
  expect_one_line(in_folder({"report", "a"}), 1, {"a: ", "metrics.json", "model.safetensors", "different runs"});
  EXPECT_EQ(in_folder({"report", "b"}).status, 0);
}

TEST_F(RunFolders, AFolderIsOneTrainingsAtATime) {
  fs::create_directories(folder_.path() / "run");
  const int lock = open((folder_ / "run/run.lock").c_str(), O_RDWR | O_CREAT, 0666);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  ASSERT_EQ(write(lock, "1234\n", 5), 5);
  expect_one_line(train({"--out", "run"}), 1, {"run: another training (process 1234) writes into this folder"});
  close(lock);
  ASSERT_EQ(train({"--out", "run"}).status, 0);
  EXPECT_FALSE(fs::exists(folder_ / "run/run.lock"));
}

TEST_F(RunFolders, ResumedByItsFolderItTakesItsOwnOptions) {
  const std::vector<std::string> how{"--epochs", "3", "--seed", "4", "--lr", "0.002"};
  std::vector<std::string> whole = how;
  whole.insert(whole.end(), {"--out", "whole"});
  ASSERT_EQ(train(whole).status, 0);
  // Interrupted as soon as there is something to go on with.
  const std::string typed = fmt::format(
      "cd {} && {} train pictures --model mobilenet_v3_small --weights none --size 32 --batch 6 --recipe full {} "
      "--out parts >log & while [ ! -e {}/last.ckpt ]; do :; done; kill -TERM $!; wait $!",
      cli::quoted(folder_.path().string()), "exec " FOVEA_COMMAND, fmt::join(how, " "), cli::quoted(folder_ / "parts"));
  const int ended = std::system(typed.c_str());
  ASSERT_EQ(WEXITSTATUS(ended), 143);
  expect_one_line(run_fovea({"train", "--resume", folder_ / "parts", "--batch", "5"}), 1, {"batch: 6 in the run, 5 now"});
  const Outcome resumed = run_fovea({"train", "--resume", folder_ / "parts"});  // from elsewhere
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(model("parts"), model("whole"));
  EXPECT_THAT(run_fovea({"train", "--resume", folder_ / "parts"}).out, HasSubstr("is finished"));
  const auto command = nlohmann::json::parse(read_all(folder_ / "parts/metrics.json")).at("command");
  EXPECT_EQ(std::ranges::count(command, "--resume"), 0);
  EXPECT_EQ(std::ranges::count(command, "0.002"), 1);
  expect_one_line(in_folder({"train", "--resume", "pictures"}), 1, {"pictures: no run is there to go on with"});
}

TEST_F(RunFolders, AModelIsAskedForByItsRun) {
  ASSERT_EQ(train({"--out", "run"}).status, 0);
  const Outcome outcome = in_folder({"predict", "run", "pictures/red/0.bmp", "pictures/blue/0.bmp", "--jsonl", "--top", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 2);
  EXPECT_TRUE(outcome.out.starts_with("{\"file\":\"pictures/red/0.bmp\",\"classes\":[{\"name\":")) << outcome.out;
}

TEST_F(RunFolders, NamesThatCannotBeKeptAreToldBeforeTheTraining) {
  fs::rename(folder_.path() / "pictures/blue", folder_.path() / "pictures/bl\xfc");
  const Outcome outcome = train({"--out", "run"});
  expect_one_line(outcome, 1, {"bl\\xfc", "not UTF-8"});
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

}  // namespace
}  // namespace fovea::cli
