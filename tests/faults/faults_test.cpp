// Each call of the system that a command makes fails once in turn (inject/inject.cpp), limits are set, streams closed, commands killed,
// pictures taken away, the clock set: there is one clear error and a status, what was there before stays, and what is left is whole or can
// be gone on with. A sample of it; FOVEA_FAULTS=all tries hundreds of points of each.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "cli/support.h"
#include "weights/http_server.h"

namespace fovea::cli {
namespace {

using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;
using testing::Not;

bool everything() {
  const char* wanted = std::getenv("FOVEA_FAULTS");
  return wanted && std::string(wanted) == "all";
}

// The library for LD_PRELOAD; empty in builds with sanitizers, which want to be first themselves.
std::string injector() {
#ifdef FOVEA_INJECT
  return FOVEA_INJECT;
#else
  return "";
#endif
}

// Every file below a folder, with what is in it.
std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> found;
  std::error_code none;
  for (fs::recursive_directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none))
    if (entry->is_regular_file()) found.emplace(fs::relative(entry->path(), folder).string(), read_all(entry->path()));
  return found;
}

void expect_no_partial_files(const fs::path& folder, const std::string& what) {
  for (const auto& [name, text] : files_in(folder)) EXPECT_THAT(name, Not(HasSubstr("partial"))) << what;
}

// "fovea: " and a sentence, once, beside the pictures that were left out.
int errors_told(const Outcome& outcome) {
  std::istringstream lines(outcome.err);
  int told = 0;
  for (std::string line; std::getline(lines, line);) told += line.starts_with("fovea: ") && !line.starts_with("fovea: left out");
  return told;
}

bool left_out(const Outcome& outcome) { return (outcome.out + outcome.err).find("left out") != std::string::npos; }

class FaultsSlow : public testing::Test {
 protected:
  void SetUp() override {
    draw_classes(folder_.path() / "pictures", 4);
    ASSERT_EQ(run_fovea(training("trained", 1)).status, 0);
    model_ = folder_ / "trained/model.safetensors";
  }

  std::vector<std::string> training(const std::string& out, int epochs, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"train",     folder_ / "pictures",
                                   "--model",   "timm/test_resnet",
                                   "--weights", "none",
                                   "--recipe",  "full",
                                   "--size",    "32",
                                   "--batch",   "4",
                                   "--epochs",  std::to_string(epochs),
                                   "--out",     folder_ / out};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  struct Attack {
    std::string name;
    std::vector<std::string> words;
    std::string environment = {};
    std::function<void()> prepare = [] {};
    // What must hold afterwards, whatever the status; the first call is of a run in which nothing failed.
    std::function<void(const Outcome&, const std::string& fault)> check = [](const Outcome&, const std::string&) {};
  };

  void attack(const Attack& one) {
    if (injector().empty()) GTEST_SKIP() << "no library can be put before those of the sanitizers";
    const std::string counts = folder_ / "counts", before = "timeout 60 env " + one.environment + " LD_PRELOAD=" + quoted(injector()) + " ";
    one.prepare();
    const Outcome whole = run_fovea(one.words, before + "FOVEA_FAULT_COUNTS=" + quoted(counts));
    ASSERT_EQ(whole.status, 0) << one.name << ": " << whole.err;
    one.check(whole, "");
    std::istringstream lines(read_all(counts));
    int64_t number = 0;
    for (std::string kind; lines >> kind >> number;) {
      const int64_t points = std::min<int64_t>(number, everything() ? 100 : 5);
      for (int64_t i = 0; i < points; ++i) {
        const std::string fault = kind + ":" + std::to_string(1 + (points > 1 ? i * (number - 1) / (points - 1) : number / 2));
        one.prepare();
        const Outcome outcome = run_fovea(one.words, before + "FOVEA_FAULT=" + fault);
        const std::string what = one.name + " with " + fault + ": " + outcome.err;
        EXPECT_THAT(outcome.status, AnyOf(Eq(0), Eq(1))) << what;
        EXPECT_EQ(errors_told(outcome), outcome.status == 0 ? 0 : 1) << what;
        one.check(outcome, what);
      }
    }
  }

  // Commands that write, with what each writes below out/.
  std::vector<std::pair<std::string, std::vector<std::string>>> writers() const {
    const std::string picture = folder_ / "pictures/red/0.bmp", out = folder_ / "out/";
    return {{"embed", {"embed", model_, folder_ / "pictures", "-o", out + "f.npy"}},
            {"export", {"export", model_, "-o", out + "m.onnx"}},
            {"convert", {"weights", "convert", model_, out + "m.pth"}},
            {"explain", {"explain", model_, picture, "-o", out + "e.png"}},
            {"augment", {"augment", picture, "-o", out + "a.png"}},
            {"evaluate", {"evaluate", model_, folder_ / "pictures", "--report", out + "p.html"}}};
  }

  Folder folder_;
  std::string model_;
};

TEST_F(FaultsSlow, ATrainingThatReplacesARun) {
  const fs::path run = folder_.path() / "run", next = folder_.path() / "run.new";
  const auto earlier = files_in(folder_.path() / "trained");
  std::string whole;
  int failed = 0;
  attack({"train", training("run", 2, {"--overwrite", "--test", "0.25"}), "",
          [&] {
            fs::remove_all(run);
            fs::remove_all(next);
            fs::copy(folder_.path() / "trained", run);
          },
          [&](const Outcome& outcome, const std::string& what) {
            expect_no_partial_files(folder_.path(), what);
            auto now = files_in(run);
            if (what.empty()) whole = now.at("model.safetensors");
            if (outcome.status == 0) {
              if (!left_out(outcome)) {
                EXPECT_TRUE(now.at("model.safetensors") == whole) << what;
              }
              EXPECT_FALSE(fs::exists(next)) << what;
              return;
            }
            if (now != earlier) {
              EXPECT_TRUE(now.contains("model.safetensors") && now.at("model.safetensors") == whole) << what;
            }
            constexpr int kEvery = 4;
            if (!fs::exists(next / "last.ckpt") || ++failed % kEvery != 0) return;
            const Outcome resumed = run_fovea({"train", "--resume", next.string()});
            EXPECT_EQ(resumed.status, 0) << what << resumed.err;
            EXPECT_TRUE(read_all(run / "model.safetensors") == whole) << what;
          }});
}

TEST_F(FaultsSlow, AnEvaluationWithAPage) {
  const fs::path page = folder_.path() / "out/page.html";
  std::string answer;
  attack({"evaluate",
          {"evaluate", model_, folder_ / "pictures", "--report", page.string()},
          "",
          [&] { write_all(page, "the page of before"); },
          [&](const Outcome& outcome, const std::string& what) {
            expect_no_partial_files(folder_.path(), what);
            if (what.empty()) answer = outcome.out;
            if (outcome.status == 0 && !left_out(outcome)) {
              EXPECT_EQ(outcome.out, answer) << what;
            }
            const std::string there = read_all(page);
            EXPECT_TRUE(there == "the page of before" || there.ends_with("</html>\n")) << what;
            if (outcome.status == 0) {
              EXPECT_NE(there, "the page of before") << what;
            }
          }});
}

TEST_F(FaultsSlow, FeaturesThatBelongTogether) {
  const fs::path out = folder_.path() / "out";
  const std::vector<std::string> words{"embed", model_, folder_ / "pictures", "-o", (out / "f.npy").string(), "--normalize"};
  std::map<std::string, std::string> before, whole;
  fs::create_directories(out);
  ASSERT_EQ(run_fovea({words.begin(), words.end() - 1}).status, 0);
  before = files_in(out);
  attack({"embed", words, "",
          [&] {
            for (const auto& [name, text] : before) write_all(out / name, text);
          },
          [&](const Outcome& outcome, const std::string& what) {
            const auto now = files_in(out);
            if (what.empty()) whole = now;
            if (outcome.status == 0 && !left_out(outcome)) {
              EXPECT_TRUE(now == whole) << what;
            }
            // The last step, giving three names, is not one; what failed before it has changed nothing.
            if (outcome.status != 0 && what.find("rename:") == std::string::npos) {
              EXPECT_TRUE(now == before) << what;
            }
          }});
}

TEST_F(FaultsSlow, AFetchFromAServer) {
  weights::HttpServer server;
  std::string body(200'000, 'w');
  for (size_t i = 0; i < body.size(); i += 7) body[i] = static_cast<char>(i % 251);
  server.bodies = {{"people/net/resolve/main/config.json", R"({"architecture": "test_resnet"})"},
                   {"people/net/resolve/main/model.safetensors", body}};
  const fs::path cache = folder_.path() / "cache";
  attack({"fetch",
          {"weights", "fetch", "hf-hub:people/net"},
          "HF_HUB_CACHE=/nowhere FOVEA_WEIGHTS_URL=" + quoted(server.url()) + " FOVEA_CACHE=" + quoted(cache.string()),
          [&] { fs::remove_all(cache); },
          [&](const Outcome& outcome, const std::string& what) {
            bool there = false;
            for (const auto& [name, text] : files_in(cache)) {
              if (!name.ends_with("model.safetensors")) continue;
              there = true;
              EXPECT_TRUE(text == body) << what;
            }
            if (outcome.status == 0) {
              EXPECT_TRUE(there) << what;
            }
          }});
}

TEST_F(FaultsSlow, NoThreadsAtAll) {
  if (injector().empty()) GTEST_SKIP() << "no library can be put before those of the sanitizers";
  const std::string before = "timeout 60 env FOVEA_FAULT=thread:1+ LD_PRELOAD=" + quoted(injector());
  for (const auto& words : {training("alone", 1), std::vector<std::string>{"evaluate", model_, folder_ / "pictures"}}) {
    const Outcome outcome = run_fovea(words, before);
    EXPECT_THAT(outcome.status, AnyOf(Eq(0), Eq(1))) << outcome.err;
    EXPECT_EQ(errors_told(outcome), outcome.status) << outcome.err;
  }
}

TEST_F(FaultsSlow, LimitsOfTheSystem) {
  std::vector<std::string> limits{"ulimit -n 6", "ulimit -n 8", "ulimit -n 12", "ulimit -f 1", "ulimit -f 40", "ulimit -f 1000"};
  for (int megabytes = 100; megabytes <= (injector().empty() ? 0 : 700); megabytes += everything() ? 10 : 100)
    limits.push_back("ulimit -v " + std::to_string(1024 * megabytes));
  for (const std::string& limit : limits) {
    // Where the program cannot even be loaded, the loader says so.
    if (run_fovea({"--version"}, limit + ";").status != 0) continue;
    fs::remove_all(folder_.path() / "limited");
    for (const auto& words : {training("limited", 1), std::vector<std::string>{"evaluate", model_, folder_ / "pictures"}}) {
      const Outcome outcome = run_fovea(words, limit + "; timeout 60");
      EXPECT_THAT(outcome.status, AnyOf(Eq(0), Eq(1))) << limit << ": " << outcome.err;
      EXPECT_EQ(errors_told(outcome), outcome.status) << limit << ": " << outcome.err;
    }
    expect_no_partial_files(folder_.path(), limit);
  }
}

TEST_F(FaultsSlow, StreamsClosedOneByOne) {
  std::vector<std::vector<std::string>> commands{{"evaluate", model_, folder_ / "pictures"},
                                                 {"predict", model_, folder_ / "pictures/red/0.bmp"},
                                                 {"audit", folder_ / "pictures"},
                                                 {"summary", model_},
                                                 {"models"},
                                                 {"weights", "list"},
                                                 {"report", folder_ / "trained"},
                                                 {"--version"},
                                                 {"train", "--help"},
                                                 {"help"},
                                                 training("closed", 1, {"--overwrite"})};
  for (const auto& [name, words] : writers()) commands.push_back(words);
  fs::create_directories(folder_.path() / "out");
  for (const auto& words : commands) {
    std::string line = quoted(FOVEA_COMMAND);
    for (const std::string& word : words) line += " " + quoted(word);
    const auto status = [&](const std::string& streams) {
      const int result = std::system((line + " " + streams).c_str());
      return WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
    };
    const std::string err = folder_ / "err";
    EXPECT_EQ(status("<&- >/dev/null 2>" + quoted(err)), 0) << line;
    EXPECT_EQ(status(">/dev/null 2>&-"), 0) << line;
    // Nothing was told to anybody: an error, unless the files are what was wanted.
    const bool files = words.back().starts_with("-") ? words[0] == "train" && words.size() > 2
                                                     : words[0] == "report" || words[0] == "train" || std::ranges::count(words, "-o") > 0 ||
                                                           (words[0] == "weights" && words[1] == "convert");
    EXPECT_EQ(status(">&- 2>" + quoted(err)), files ? 0 : 1) << line << read_all(err);
    if (!files) {
      EXPECT_THAT(read_all(err), HasSubstr("standard output: ")) << line;
    }
  }
}

TEST_F(FaultsSlow, TwoRunsAtOnce) {
  // Into one folder: the second names the lock.
  const fs::path ready = folder_.path() / "both/run.lock";
  const std::string line = [&] {
    std::string text = quoted(FOVEA_COMMAND);
    for (const std::string& word : training("both", 100000)) text += " " + quoted(word);
    return text;
  }();
  ASSERT_EQ(std::system((line + " >/dev/null 2>&1 & echo $! >" + quoted(folder_ / "pid")).c_str()), 0);
  for (int i = 0; i < 500 && !fs::exists(ready); ++i) usleep(10'000);
  expect_one_line(run_fovea(training("both", 1)), 1, {"both: another training (process ", "run.lock is locked"});
  const int first = std::stoi(read_all(folder_.path() / "pid"));
  kill(first, SIGKILL);
  // Without a name each has a folder of its own.
  std::string many =
      "cd " + quoted(folder_.path().string()) + "; for i in 1 2 3 4; do " + quoted(FOVEA_COMMAND) +
      " train pictures --model timm/test_resnet --weights none --recipe full --size 32 --epochs 1 --no-report >log$i 2>&1 & done; wait";
  ASSERT_EQ(std::system(many.c_str()), 0);
  for (const char* name : {"run", "run-2", "run-3", "run-4"})
    EXPECT_TRUE(fs::exists(folder_.path() / name / "model.safetensors")) << name << read_all(folder_.path() / "log1");
}

TEST_F(FaultsSlow, PicturesThatVanishOrChange) {
  const fs::path pictures = folder_.path() / "pictures", kept = folder_.path() / "kept", next = folder_.path() / "going";
  fs::copy(pictures, kept, fs::copy_options::recursive);
  const std::vector<std::pair<std::string, std::string>> ways{{"vanish", "rm -r pictures/red"},
                                                              {"break", "for f in pictures/*/*; do echo broken >$f; done"},
                                                              {"change", "for f in pictures/*/*; do cp kept/blue/0.bmp $f; done"}};
  for (const auto& [name, way] : ways) {
    for (const char* cached : {"0", "100M"}) {
      fs::remove_all(next);
      std::string line = "cd " + quoted(folder_.path().string()) + "; " + quoted(FOVEA_COMMAND);
      for (const std::string& word : training("going", 400, {"--picture-cache", cached, "--no-report"})) line += " " + quoted(word);
      line += " >log 2>err & p=$!; until grep -q '^1,' going/history.csv; do sleep 0.02; done 2>waited; " + way + "; wait $p";
      const int result = std::system(line.c_str());
      const int status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
      const std::string log = read_all(folder_.path() / "log"), err = read_all(folder_.path() / "err");
      if (status == 0)
        EXPECT_THAT(log, HasSubstr("changed or vanished while the training went on")) << name << cached;
      else
        EXPECT_THAT(err, HasSubstr("fovea: ")) << name << cached;
      EXPECT_THAT(status, AnyOf(Eq(0), Eq(1))) << name << cached << err;
      EXPECT_TRUE(std::string(cached) == "0" || status == 0) << name << err;  // what is in memory is not read again
      fs::remove_all(pictures);
      fs::copy(kept, pictures, fs::copy_options::recursive);
      if (status != 0) {
        EXPECT_TRUE(fs::exists(next / "last.ckpt"));
      }
    }
  }
}

TEST_F(FaultsSlow, CommandsThatAreKilledLeaveWhatIsWhole) {
  const fs::path out = folder_.path() / "out";
  for (const auto& [name, words] : writers()) {
    fs::remove_all(out);
    fs::create_directories(out);
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_EQ(run_fovea(words).status, 0) << name;
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto whole = files_in(out);
    ASSERT_FALSE(whole.empty()) << name;
    std::map<std::string, std::string> before;
    for (const auto& [file, text] : whole) before.emplace(file, "what was there before");
    const int kills = everything() ? 150 : 6;
    for (int i = 0; i < kills; ++i) {
      for (const auto& [file, text] : before) write_all(out / file, text);
      (void)run_fovea(words, "timeout -s KILL " + std::to_string(took * (0.3 + 0.8 * i / kills)));
      for (const auto& [file, text] : files_in(out)) {
        ASSERT_TRUE(whole.contains(file)) << name << " left " << file;
        EXPECT_TRUE(text == before.at(file) || text == whole.at(file) || file.ends_with(".html")) << name << ": " << file;
        if (file.ends_with(".html")) {
          EXPECT_TRUE(text == before.at(file) || text.ends_with("</html>\n")) << name;
        }
      }
    }
  }
}

TEST_F(FaultsSlow, TheClockMayJump) {
  if (injector().empty()) GTEST_SKIP() << "no library can be put before those of the sanitizers";
  for (const char* seconds : {"100000000", "-100000000"}) {
    fs::remove_all(folder_.path() / "jumped");
    const Outcome outcome =
        run_fovea(training("jumped", 1), "env FOVEA_CLOCK_JUMPS=" + std::string(seconds) + " LD_PRELOAD=" + quoted(injector()));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_TRUE(read_all(folder_.path() / "jumped/model.safetensors") == read_all(model_));
    const nlohmann::json metrics = nlohmann::json::parse(read_all(folder_.path() / "jumped/metrics.json"));
    EXPECT_GE(metrics.at("seconds").get<double>(), 0);
    EXPECT_LT(metrics.at("seconds").get<double>(), 60);
  }
}

}  // namespace
}  // namespace fovea::cli
