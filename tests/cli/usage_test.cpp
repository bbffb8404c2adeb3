#include "cli/support.h"

#include <sstream>

namespace fovea::cli {
namespace {

using testing::HasSubstr;

TEST(Usage, VersionIsPrinted) {
  const Outcome outcome = run_fovea({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.out.starts_with("fovea ")) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("\nreads JPEG, PNG, WebP, GIF, BMP"));
}

TEST(Usage, EveryCommandHasHelp) {
  const std::vector<std::vector<std::string>> commands = {{"train"},
                                                          {"augment"},
                                                          {"evaluate"},
                                                          {"predict"},
                                                          {"embed"},
                                                          {"export"},
                                                          {"summary"},
                                                          {"models"},
                                                          {"weights"},
                                                          {"bench"},
                                                          {"weights", "list"},
                                                          {"weights", "fetch"},
                                                          {"weights", "convert"}};
  EXPECT_EQ(run_fovea({"--help"}).status, 0);
  for (std::vector<std::string> command : commands) {
    EXPECT_THAT(run_fovea({"--help"}).out, HasSubstr(command[0]));
    command.push_back("--help");
    const Outcome outcome = run_fovea(command);
    EXPECT_EQ(outcome.status, 0) << command[0];
    EXPECT_THAT(outcome.out, HasSubstr("Usage"));
    EXPECT_EQ(outcome.err, "");
    const bool group = command == std::vector<std::string>{"weights", "--help"};
    if (command.size() == 2 && !group) {
      EXPECT_THAT(outcome.out, HasSubstr("xample")) << command[0];
    }
    if (!group) {
      EXPECT_THAT(outcome.out, HasSubstr("--json")) << command[0];
    }
  }
}

TEST(Usage, HelpNamesEveryOptionOfTraining) {
  const std::string help = run_fovea({"train", "--help"}).out;
  for (const char* option :
       {"--model", "--recipe", "--freeze", "--epochs", "--batch", "--lr", "--optimizer", "--validation", "--test", "--seed", "--threads",
        "--out", "--resume", "--weights", "--fit", "--alpha", "--dtype", "tf_efficientnet_lite0"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
}

TEST(Usage, HelpOfTrainingIsNarrowAndInTheGroupsOfTrainOptions) {
  const std::string help = run_fovea({"train", "--help"}).out;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  size_t before = 0;
  for (const auto& [title, option] : {std::pair("Recipe:", "--freeze"), std::pair("Data:", "--folds"), std::pair("Optimizer:", "--lr"),
                                      std::pair("Augmentation:", "--mixup"), std::pair("Regularization:", "--dropout"),
                                      std::pair("Views:", "--fit"), std::pair("Run:", "--out")}) {
    const size_t at = help.find(std::string("\n") + title + "\n");
    ASSERT_NE(at, std::string::npos) << title;
    EXPECT_GT(at, before);
    EXPECT_GT(help.find(std::string("\n  ") + option + " "), at) << option;
    before = at;
  }
  EXPECT_THAT(help, HasSubstr("\n  fovea train pictures --out run\n"));  // examples stay lines
}

TEST(Usage, WrongUsageIsStatus2AndOneLine) {
  expect_one_line(run_fovea({}), 2, {"--help"});
  expect_one_line(run_fovea({"foo"}), 2, {"foo"});
  expect_one_line(run_fovea({"predict", "--unknown"}), 2, {"fovea predict --help"});
  expect_one_line(run_fovea({"predict", "resnet18"}), 2, {"DATA"});
  expect_one_line(run_fovea({"predict", "resnet18", "x.png", "--top", "0"}), 2, {"--top"});
  expect_one_line(run_fovea({"train", "x", "--recipe", "magic"}), 2, {"--recipe", "magic"});
  expect_one_line(run_fovea({"train", "x", "--test", "2"}), 2, {"--test"});
  expect_one_line(run_fovea({"train", "x", "--test", "0.6", "--validation", "0.5"}), 2, {"0.6", "0.5"});
  expect_one_line(run_fovea({"summary", "resnet18", "--size", "0"}), 2, {"--size 0"});
  expect_one_line(run_fovea({"summary", "resnet18", "--size", "99999999999999999999"}), 2, {"--size"});
  expect_one_line(run_fovea({"summary", "resnet18", "--freeze", "layer9"}), 2, {"layer9", "layer4"});
  expect_one_line(run_fovea({"weights"}), 2, {"fovea weights --help"});
}

TEST(Usage, NumbersAreToldTheirRange) {
  const auto refused = [](const std::string& option, const std::string& value, const std::string& range) {
    const Outcome outcome = run_fovea({"train", "x", option, value});
    expect_one_line(outcome, 2, {option, value, range});
    EXPECT_LT(outcome.err.size(), 200u) << outcome.err;
  };
  refused("--epochs", "0", "1 to 1000000 expected");
  refused("--epochs", "2.5", "1 to 1000000");
  refused("--batch", "1", "2 to 65536");
  for (const char* value : {"-1", "0", "1000", "nan", "inf", "fast"}) refused("--lr", value, "above 0 and below 1000");
  refused("--validation", "1", "from 0 to below 1");
  refused("--dropout", "1", "from 0 to below 1");
  refused("--layer-decay", "0", "above 0 up to 1");
  refused("--clip", "nan", "above 0");
  refused("--cache-limit", "-5", "size of 0 or more");
  refused("--picture-cache", "5X", "size of 0 or more");
  refused("--folds", "1", "2 to 1000");
  refused("--checkpoint-every", "-1", "from 0");
  for (const char* seed : {"-1", "+1", "1.5", "18446744073709551616", "x"})
    refused("--seed", seed, "a whole number from 0 to 18446744073709551615");
  expect_one_line(run_fovea({"summary", "resnet18", "--size", "10000"}), 2, {"--size 10000", "1 to 4096"});
}

TEST(Usage, WhatIsMistypedNamesTheNearest) {
  expect_one_line(run_fovea({"trian"}), 2, {"trian", "did you mean train?"});
  expect_one_line(run_fovea({"train", "x", "--epoch", "3"}), 2, {"--epoch,", "did you mean --epochs?"});
  expect_one_line(run_fovea({"train", "x", "--optimiser", "sgd"}), 2, {"did you mean --optimizer?"});
  expect_one_line(run_fovea({"train", "x", "--recipe", "fintune"}), 2, {"fintune", "finetune, full, probe", "did you mean finetune?"});
  expect_one_line(run_fovea({"train", "x", "--fit", "stretch"}), 2, {"stretch", "squash+pad"});
  EXPECT_EQ(run_fovea({"help"}).out, run_fovea({"--help"}).out);
  EXPECT_EQ(run_fovea({"help", "weights", "fetch"}).out, run_fovea({"weights", "fetch", "--help"}).out);
}

TEST(Usage, AnUnknownModelNamesTheNearest) {
  expect_one_line(run_fovea({"summary", "resnet51"}), 2, {"resnet51", "resnet50"});
  expect_one_line(run_fovea({"weights", "fetch", "resnet51"}), 2, {"resnet51"});
}

TEST(Usage, AnotherTypeIsRefusedByName) {
  expect_one_line(run_fovea({"bench", "resnet18", "--dtype", "f16"}), 1, {"f16", "f32", "bf16"});
  expect_one_line(run_fovea({"predict", "resnet18", "--weights", "none", "--dtype", "f16", FOVEA_COMMAND}), 1, {"f16"});
}

TEST(Usage, AFullDiskUnderStandardOutputIsTold) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const Folder folder;
  const int result = std::system((quoted(FOVEA_COMMAND) + " models >/dev/full 2>" + quoted(folder / "err")).c_str());
  EXPECT_EQ(WEXITSTATUS(result), 1);
  EXPECT_THAT(read_all(folder / "err"), HasSubstr("fovea: standard output: "));
}

TEST(Usage, AReaderThatGoesAwayIsNoError) {
  const int result = std::system(("bash -c 'set -o pipefail; " + quoted(FOVEA_COMMAND) + " models | head -1 >/dev/null'").c_str());
  EXPECT_EQ(WEXITSTATUS(result), 0);
}

}  // namespace
}  // namespace fovea::cli
