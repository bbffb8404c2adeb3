// Standard streams that are closed or full, interrupts, limits of the system: a command ends with a status and a line, never by a signal.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;

class Streams : public testing::Test {
 protected:
  void SetUp() override {
    model_ = small_model(folder_);
    write_all(folder_.path() / "a.bmp", bmp(32, 200, 30, 30));
    write_all(folder_.path() / "bad.bmp", "no picture");
  }
  // The status that a shell sees.
  int status(const std::string& words) const {
    const int result = std::system((cli::quoted(FOVEA_COMMAND) + " " + words).c_str());
    return WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
  }
  // Like /dev/full, of our own; empty where none can be made.
  std::string full() const {
    const std::string path = folder_ / "full";
    if (mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 7)) != 0) return "";
    return std::system(("true 2>/dev/null >>" + cli::quoted(path)).c_str()) == 0 ? path : "";
  }
  std::string trained(const std::string& out) const {
    return "train " + cli::quoted(folder_ / "pictures") +
           " --model mobilenet_v3_small --weights none --size 32 --batch 6 --recipe full --epochs 1 --no-report --out " +
           cli::quoted(folder_ / out);
  }

  Folder folder_;
  std::string model_;
};

TEST_F(Streams, AClosedOrFullStandardErrorEndsNothing) {
  const std::string predict = "predict " + cli::quoted(model_) + " ", picture = cli::quoted(folder_ / "a.bmp");
  std::vector<std::string> ways{"2>&-"};
  if (const std::string device = full(); !device.empty()) ways.push_back("2>" + cli::quoted(device));
  for (const std::string& way : ways) {
    EXPECT_EQ(status(predict + "nosuch.jpg " + way), 1) << way;
    EXPECT_EQ(status(predict + picture + " " + cli::quoted(folder_ / "bad.bmp") + " >" + cli::quoted(folder_ / "out") + " " + way), 0)
        << way;
    EXPECT_THAT(read_all(folder_ / "out"), HasSubstr("a.bmp"));
  }
}

TEST_F(Streams, WhatIsWrittenIsNeverMistakenForAStream) {
  const std::string out = folder_ / "f.npy";
  const std::string embed = "embed " + cli::quoted(model_) + " " + cli::quoted(folder_ / "a.bmp") + " -o " + cli::quoted(out);
  ASSERT_EQ(status(embed + " >" + cli::quoted(folder_ / "news")), 0);
  const std::string whole = read_all(out);
  for (const char* closed : {">&-", "<&- >&- 2>&-"}) {
    fs::remove(out);
    EXPECT_EQ(status(embed + " " + closed), 0) << closed;  // the features are there, whoever wanted to hear of it
    EXPECT_EQ(read_all(out), whole) << closed;
  }
  EXPECT_EQ(status("predict " + cli::quoted(model_) + " " + cli::quoted(folder_ / "a.bmp") + " >&- 2>" + cli::quoted(folder_ / "err")), 1);
  EXPECT_THAT(read_all(folder_ / "err"), HasSubstr("fovea: standard output: "));
}

TEST_F(Streams, ATrainingGoesOnWhenItsReaderIsGone) {
  draw_classes(folder_.path() / "pictures", 6);
  EXPECT_EQ(std::system(
                ("bash -c 'set -o pipefail; " + cli::quoted(FOVEA_COMMAND) + " " + trained("run") + " 2>&1 | head -1 >/dev/null'").c_str()),
            0);
  EXPECT_TRUE(fs::exists(folder_ / "run/metrics.json"));
}

TEST_F(Streams, AFileThatMayNotGrowIsAnErrorAndLeavesNothing) {
  draw_classes(folder_.path() / "pictures", 6);
  const Outcome outcome = run_fovea({"train", folder_ / "pictures", "--model", "mobilenet_v3_small", "--weights", "none", "--size", "32",
                                     "--recipe", "full", "--epochs", "1", "--out", folder_ / "run"},
                                    "ulimit -f 1000;");
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("File too large"));
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
    EXPECT_THAT(entry.path().string(), testing::Not(HasSubstr("partial")));
}

TEST_F(Streams, InterruptsAreStatus130) {
  draw_classes(folder_.path() / "pictures", 6);
  const auto after = [](double seconds) { return fmt::format("timeout --preserve-status -s INT {}", seconds); };
  EXPECT_EQ(run_fovea({"bench", "resnet18", "--size", "64", "--seconds", "30"}, after(0.7)).status, 130);
  // Also before the first step, of so many pictures that they take a while.
  const Outcome training = run_fovea({"train", folder_ / "pictures", "--model", "mobilenet_v3_small", "--weights", "none", "--size", "32",
                                      "--recipe", "full", "--epochs", "100000", "--out", folder_ / "run"},
                                     after(1));
  EXPECT_EQ(training.status, 130) << training.err;
}

TEST_F(Streams, OutputsAreRefusedBeforeTheWork) {
  const std::string gone = folder_ / "gone", nowhere = folder_ / "nowhere/x";
  expect_one_line(run_fovea({"embed", gone, folder_ / "a.bmp", "-o", nowhere + ".npy"}), 1, {nowhere + ".npy", "there is no folder"});
  expect_one_line(run_fovea({"explain", gone, folder_ / "a.bmp", "-o", nowhere + ".png"}), 1, {nowhere + ".png", "there is no folder"});
  expect_one_line(run_fovea({"augment", gone, "-o", nowhere + ".png"}), 1, {nowhere + ".png", "there is no folder"});
  expect_one_line(run_fovea({"evaluate", gone, folder_ / "a.bmp", "--report", nowhere + ".html"}), 1, {nowhere + ".html"});
  expect_one_line(run_fovea({"weights", "convert", gone, nowhere + ".pth"}), 1, {nowhere + ".pth", "there is no folder"});
  expect_one_line(run_fovea({"export", model_, "-o", folder_ / "m.pb"}), 2, {"m.pb", ".onnx"});
  expect_one_line(run_fovea({"augment", folder_ / "a.bmp", "-o", folder_ / "sheet.jpg"}), 2, {"sheet.jpg", ".png"});
}

}  // namespace
}  // namespace fovea::cli
