// A checkpoint's numbers: what is no whole number, or none that fits, is an error that says so and never read as another one.
#include "train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json_value.h"

namespace fovea::training {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A .safetensors without tensors, whose metadata holds this progress.
std::vector<std::byte> checkpoint_of(const json& progress) {
  const std::string header = json{{"__metadata__", {{"fovea.run", progress.dump()}}}}.dump();
  const uint64_t length = header.size();
  std::vector<std::byte> file(sizeof length + header.size());
  std::memcpy(file.data(), &length, sizeof length);
  std::memcpy(file.data() + sizeof length, header.data(), header.size());
  return file;
}

json progress() {
  return json::parse(R"({"version": 1, "phase": 0, "epoch": 3, "step": 2, "loss_sum": 0, "correct": 0, "seen": 0, "seconds": 3.5,
    "finished": false, "record": [["batch", "8"]], "history": [], "plateau": {"best": 0.7, "bad_epochs": 0, "factor": 1.0},
    "bad_epochs": 0, "all_steps": 4, "events": {"bytes": 0, "epochs": 0}, "told": [1, 0], "trial_kept": false})");
}

TEST(Checkpoint, IsReadWithEveryNumber) {
  const RunState state = read_checkpoint(checkpoint_of(progress()), nullptr).state;
  EXPECT_EQ(state.epoch, 3);
  EXPECT_EQ(state.all_steps, 4);
  EXPECT_EQ(state.loss_sum, 0.0);  // a whole number is one with a fraction too
  EXPECT_EQ(state.probe_correct, (std::vector<int>{1, 0}));
}

TEST(Checkpoint, RefusesNumbersThatAreNotWholeOrDoNotFit) {
  const struct {
    const char *place, *number, *message;
  } cases[] = {{"/epoch", "1e+128", "whole number"},
               {"/epoch", "2.5", "whole number, but is 2.5"},
               {"/all_steps", "18446744073709551615", "18446744073709551615 is too large"},
               {"/version", "4294967297", "4294967297 is too large"},
               {"/told/0", "-2147483649", "-2147483649 is too large or too small"},
               {"/told/1", "true", "whole number, but is boolean"},
               {"/plateau/bad_epochs", "-1e300", "whole number"},
               {"/events/bytes", "null", "whole number, but is null"}};
  for (const auto& one : cases) {
    json text = progress();
    text[json::json_pointer(one.place)] = json::parse(one.number);
    try {
      read_checkpoint(checkpoint_of(text), nullptr);
      ADD_FAILURE() << one.place << " of " << one.number << " was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::format) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(one.message)) << one.place;
    }
  }
}

}  // namespace
}  // namespace fovea::training
