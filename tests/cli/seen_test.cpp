// What `evaluate` tells of pictures that the model was trained on; arguments in the wrong order, and commands of commands.
#include "cli/support.h"

namespace fovea::cli {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

TEST(EvaluateCommand, TellsWhichPicturesTheModelKnows) {
  const Folder folder;
  draw_classes(folder.path() / "pictures", 4);
  const std::string model = folder / "run/model.safetensors", page = folder / "page.html";
  const auto train = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"train", folder / "pictures", "--model", "timm/test_resnet", "--weights", "none",    "--recipe",
                                   "full",  "--epochs",          "1",       "--size",           "32",        "--batch", "4",
                                   "--out", folder / "run"};
    words.insert(words.end(), more.begin(), more.end());
    return run_fovea(words).status;
  };
  ASSERT_EQ(train({}), 0);
  write_all(folder.path() / "pictures/red/new.bmp", bmp(32, 250, 10, 120));
  const Outcome told = run_fovea({"evaluate", model, folder / "pictures", "--report", page});
  EXPECT_THAT(told.out, HasSubstr("12 of 13 pictures were used in the model's training (12 pixel by pixel, 0 nearly)"));
  EXPECT_THAT(told.out, HasSubstr("without them: accuracy "));
  EXPECT_THAT(told.out, HasSubstr(" of 1 picture, "));
  EXPECT_THAT(read_all(page), HasSubstr("12 of 13 pictures were used in its training"));
  const nlohmann::json json = run_fovea({"evaluate", model, folder / "pictures", "--json"}).json();
  EXPECT_EQ(json.at("seen_in_training").at("recorded"), 12);
  EXPECT_EQ(json.at("seen_in_training").at("all"), true);
  EXPECT_THAT(json.at("seen_in_training").at("pictures"), SizeIs(12));
  EXPECT_EQ(json.at("seen_in_training").at("others").at("pictures"), 1);
  EXPECT_EQ(json.at("pictures"), 13);

  ASSERT_EQ(train({"--overwrite", "--no-fingerprints"}), 0);
  EXPECT_THAT(run_fovea({"evaluate", model, folder / "pictures"}).out,
              HasSubstr("which pictures the model was trained on is not recorded"));
  EXPECT_TRUE(run_fovea({"evaluate", model, folder / "pictures", "--json"}).json().at("seen_in_training").is_null());
}

TEST(Usage, WhatWasTypedInAnotherOrder) {
  const Folder folder;
  const std::string model = small_model(folder), picture = folder / "a.bmp";
  write_all(picture, bmp(32, 200, 30, 30));
  for (const char* command : {"predict", "evaluate"})
    expect_one_line(run_fovea({command, picture, model}), 2, {"a.bmp: is a picture, where a model is expected: the model comes first"});
  write_all(folder.path() / "notes.txt", "hello");
  expect_one_line(run_fovea({"predict", folder / "notes.txt", picture}), 1, {"notes.txt: not a model file"});
  expect_one_line(run_fovea({"weights", "lst"}), 2, {"there is no command 'weights lst', did you mean list? There are list, "});
}

}  // namespace
}  // namespace fovea::cli
