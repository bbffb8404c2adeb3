// Sessions and executables of one network, which share its packed and folded weights.
#include <gtest/gtest.h>

#include "api/implementation.h"
#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "engine/session.h"
#include "support.h"
#include "support/threads.h"

namespace fovea {
namespace {

using engine::Session;

// Each compiles other outputs, batches and sizes, and asks what it holds, while others pack what they lack.
void compile_at_once(DType precision) {
  for (const std::string& name : test::small_networks()) {
    const Model model = test::small_model(name), reference = test::small_model(name);
    for (const Model& one : {model, reference}) one.implementation().shared_network()->set_precision(precision);
    const std::string tap = model.taps().front().name;
    const std::vector<std::vector<std::string>> outputs{{"logits"}, {tap}, {"pooled", "logits"}, {"pre_logits"}};
    const auto run = [&](Session& session, int thread, int64_t batch) {
      const auto& wanted = outputs[static_cast<size_t>(thread)];
      return numbers(session.run(test::prepared(thread, batch), wanted).back());
    };
    const auto session_of = [](const Model& of, int thread) {
      return Session::for_many(of.implementation().shared_network(), cpu::cpu_backend(), 1 + thread % 2);
    };
    std::vector<std::vector<float>> expected;
    for (int thread = 0; thread < 4; ++thread)
      for (const int64_t batch : {1, 5}) expected.push_back(run(*session_of(reference, thread), thread, batch));
    for (int round = 0; round < 3; ++round) {  // nothing is packed at its start, for no session is left
      std::atomic<int> wrong{0};
      test::at_once(4, [&](int thread) {
        const auto session = session_of(model, thread);
        for (const int64_t batch : {1, 5}) {
          session->compile(batch, test::kSide, test::kSide, outputs[static_cast<size_t>(thread)]);
          wrong += session->memory().constants > 0 ? 0 : 1;
          wrong += run(*session, thread, batch) == expected[static_cast<size_t>(2 * thread + (batch > 1 ? 1 : 0))] ? 0 : 1;
          wrong += session->memory().held > 0 ? 0 : 1;
        }
      });
      EXPECT_EQ(wrong, 0) << name;
    }
  }
}

TEST(Sessions, OfOneNetworkCompileAtOnce) { compile_at_once(DType::f32); }
TEST(Sessions, InBf16CompileAtOnce) { compile_at_once(DType::bf16); }

TEST(Sessions, OnTheReferenceBackendRunAtOnce) {
  const test::Threads three(3);
  for (const std::string& name : test::small_networks()) {
    const Model model = test::small_model(name);
    const auto run = [&] {
      Session session(model.implementation().shared_network(), reference::reference_backend());
      return numbers(session.run(test::prepared(1, 2), {"logits"}).front());
    };
    const std::vector<float> expected = run();
    std::atomic<int> wrong{0};
    test::at_once(2, [&](int) { wrong += run() == expected ? 0 : 1; });
    EXPECT_EQ(wrong, 0) << name;
  }
}

// One session runs all the time while others come, read the same folded constants and some that nobody has had yet, and go.
TEST(Sessions, RunWhileOthersFoldTheRest) {
  const Model model = test::small_model("threads_maps");
  const std::shared_ptr<engine::Network>& network = model.implementation().shared_network();
  Session first(network, cpu::cpu_backend());
  const std::string tap = model.taps()[1].name;
  const std::vector<float> expected = numbers(first.run(test::prepared(1), {tap}).front());
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, runs{0};
  std::thread runner([&] {
    for (; !stop || runs < 10; ++runs) wrong += numbers(first.run(test::prepared(1), {tap}).front()) == expected ? 0 : 1;
  });
  for (int round = 0; round < 6; ++round) {
    Session other(network, cpu::cpu_backend());
    for (const char* output : {"pooled", "logits"}) other.run(test::prepared(round, 1 + round % 3), {output});
  }
  stop = true;
  runner.join();
  EXPECT_EQ(wrong, 0);
}

// The calls of a session for one caller take turns, whatever they want.
TEST(Sessions, ForOneCallerTakeTurns) {
  const Model model = test::small_model("threads_tokens");
  Session session(model.implementation().shared_network(), cpu::cpu_backend());
  std::vector<std::vector<float>> expected;
  for (int thread = 0; thread < 3; ++thread) expected.push_back(numbers(session.run(test::prepared(1, 1 + thread), {"logits"}).front()));
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int thread) {
    for (int round = 0; round < 5; ++round) {
      const auto result = numbers(session.run(test::prepared(1, 1 + thread), {"logits"}).front());
      wrong += result == expected[static_cast<size_t>(thread)] ? 0 : 1;
      if (thread == 0) wrong += session.memory().arena > 0 ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace fovea
