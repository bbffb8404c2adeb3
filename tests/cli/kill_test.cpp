// A run that is killed at random moments (SIGKILL) and resumed ends with the files of one that never was.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>

#include "base/random.h"
#include "cli/support.h"

namespace fovea::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Way {
  const char* name;
  std::vector<std::string> options;
};

const std::vector<Way>& ways() {
  static const std::vector<Way> all{
      {"probe", {"--recipe", "probe"}},
      {"finetune", {"--recipe", "finetune", "--epochs", "3"}},
      {"full", {"--recipe", "full", "--epochs", "4"}},
      {"kept in memory", {"--recipe", "full", "--epochs", "6", "--freeze", "features.3", "--no-augment", "--cache", "memory"}},
      {"kept on disk", {"--recipe", "full", "--epochs", "6", "--freeze", "features.3", "--stored-views", "2", "--cache", "disk"}},
      {"folds", {"--recipe", "probe", "--folds", "2"}},
      {"averaged and mixed", {"--recipe", "full", "--epochs", "4", "--ema", "0.9", "--mixup", "0.2", "--label-smoothing", "0.1"}},
  };
  return all;
}

class Kill : public testing::Test {
 protected:
  void SetUp() override { draw_classes(folder_.path() / "pictures", 6); }

  pid_t start(const Way& way, const std::string& out, bool resume) {
    std::vector<std::string> words{FOVEA_COMMAND,
                                   "train",
                                   folder_ / "pictures",
                                   "--model",
                                   "mobilenet_v3_small",
                                   "--weights",
                                   "none",
                                   "--size",
                                   "32",
                                   "--batch",
                                   "4",
                                   "--out",
                                   out,
                                   "--json",
                                   "--no-report"};
    words.insert(words.end(), way.options.begin(), way.options.end());
    if (std::ranges::count(way.options, "--folds") == 0) words.insert(words.end(), {"--test", "0.2"});  // folds test every picture
    if (resume) words.push_back("--resume");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = folder_ / "log";
    const pid_t child = fork();
    if (child == 0) {
      const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
      dup2(file, 1);
      dup2(file, 2);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    return child;
  }

  // Whether it ended by itself, which must be well. `seconds` below 0: it is not killed.
  bool run(const Way& way, const std::string& out, bool resume, double seconds) {
    const pid_t child = start(way, out, resume);
    const auto begin = Clock::now();
    int status = 0;
    while (seconds >= 0 && std::chrono::duration<double>(Clock::now() - begin).count() < seconds) {
      if (waitpid(child, &status, WNOHANG) == child) {
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << way.name << ": " << read_all(folder_ / "log");
        return true;
      }
      usleep(2000);
    }
    if (seconds >= 0) kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) return false;
    EXPECT_EQ(WEXITSTATUS(status), 0) << way.name << ": " << read_all(folder_ / "log");
    return true;
  }

  static void drop_seconds(nlohmann::json& part) {
    if (part.is_object()) {
      part.erase("seconds");
      part.erase("waited_seconds");
    }
    for (auto& inner : part)
      if (inner.is_structured()) drop_seconds(inner);
  }
  // Without what tells the time or the memory.
  static nlohmann::json metrics(const std::string& out) {
    nlohmann::json metrics = nlohmann::json::parse(read_all(fs::path(out) / "metrics.json"));
    for (const char* key : {"peak_bytes", "command", "started", "finished"}) metrics.erase(key);
    drop_seconds(metrics);
    return metrics;
  }
  static std::string history(const std::string& out) {
    std::ifstream file(fs::path(out) / "history.csv");
    std::string text;
    for (std::string line; std::getline(file, line);) {
      for (int i = 0; i < 2; ++i) line.resize(line.rfind(','));
      text += line + "\n";
    }
    return text;
  }

  // Kills until `kills` have met a run; each run that ends before that is compared and begun anew.
  void kill_and_compare(const Way& way, int kills, uint64_t seed) {
    const std::string whole = folder_ / "whole", killed = folder_ / "killed";
    fs::remove_all(whole);
    const auto begin = Clock::now();
    ASSERT_TRUE(run(way, whole, false, -1));
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const RandomStream delays(seed, way.name);
    int met = 0, lost = 0;
    fs::remove_all(killed);
    for (uint64_t tries = 0; met < kills || fs::exists(killed); ++tries) {
      ASSERT_LT(tries, static_cast<uint64_t>(20 * kills));
      // A run's end is met as often as its beginning: what one kill leaves, the next run goes on with.
      const bool had_checkpoint = fs::exists(fs::path(killed) / "last.ckpt");
      const double delay = met < kills ? seconds * (0.1 + 0.8 * delays.uniform(tries)) : -1;
      const bool ended = run(way, killed, true, delay);
      ASSERT_FALSE(testing::Test::HasFailure());
      met += !ended;
      lost += had_checkpoint && !fs::exists(fs::path(killed) / "last.ckpt");
      if (!ended) continue;
      EXPECT_EQ(read_all(fs::path(whole) / "model.safetensors"), read_all(fs::path(killed) / "model.safetensors"))
          << way.name << " after " << met << " kills";
      EXPECT_EQ(metrics(whole), metrics(killed)) << way.name;
      EXPECT_EQ(history(whole), history(killed)) << way.name;
      for (const auto& entry : fs::directory_iterator(killed))
        EXPECT_EQ(entry.path().string().find(".partial-"), std::string::npos) << entry.path();
      fs::remove_all(killed);
    }
    EXPECT_EQ(lost, 0);
  }

  Folder folder_;
};

TEST_F(Kill, EveryKindOfRunEndsWithTheSameBits) {
  uint64_t seed = 0;
  for (const Way& way : ways()) kill_and_compare(way, 1, ++seed);
}

TEST_F(Kill, SlowAHundredTimes) {
  constexpr int kKills = 100;
  const int each = kKills / static_cast<int>(ways().size());
  int rest = kKills - each * static_cast<int>(ways().size());
  uint64_t seed = 100;
  for (const Way& way : ways()) kill_and_compare(way, each + (rest-- > 0 ? 1 : 0), ++seed);
}

}  // namespace
}  // namespace fovea::cli
