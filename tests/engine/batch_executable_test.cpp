#include "engine/batch_executable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/random.h"
#include "engine/session.h"
#include "engine/tiny.h"
#include "models/registry.h"
#include "nn/init.h"
#include "support/threads.h"

namespace fovea {
namespace {

using engine::Arena;
using engine::BatchExecutable;
using test::Threads;

TEST(Grouping, CoversTheBatchAndIsNeverMuchSlowerThanAllCoresTogether) {
  for (int cores = 1; cores <= 17; ++cores) {
    for (int64_t batch = 1; batch <= 100; ++batch) {
      SCOPED_TRACE(fmt::format("{} pictures on {} cores", batch, cores));
      const engine::Grouping cut = engine::grouping(batch, cores, cpu::cpu_backend().traits());
      ASSERT_GE(cut.pictures, 1);
      ASSERT_LE(cut.pictures, batch);
      EXPECT_GE(cut.groups * cut.pictures, batch);
      EXPECT_LT((cut.groups - 1) * cut.pictures, batch);
      EXPECT_GE(cut.workers, 1);
      EXPECT_LE(cut.workers, std::min<int64_t>(cores, cut.groups));
      const int64_t of_a_core = (cut.groups + cut.workers - 1) / cut.workers * cut.pictures;
      if (cut.groups > 1) {
        EXPECT_LE(static_cast<double>(of_a_core * cores), 1.25 * static_cast<double>(batch));
      }
    }
  }
  EXPECT_EQ(engine::grouping(1, 2, cpu::cpu_backend().traits()).groups, 1);   // one picture: all cores share it
  EXPECT_EQ(engine::grouping(3, 2, cpu::cpu_backend().traits()).groups, 1);   // a core would wait for the other one's second picture
  EXPECT_EQ(engine::grouping(32, 2, cpu::cpu_backend().traits()).groups, 4);  // of 8
  EXPECT_EQ(engine::grouping(16, 16, cpu::cpu_backend().traits()).workers, 16);
}

std::shared_ptr<engine::StateStore> weights_of(const Graph& graph, uint64_t seed) {
  auto store = std::make_shared<engine::StateStore>();
  store->declare(graph);
  for (const State& state : graph.states()) store->set(state.name, initialize(state, seed, graph.type(state.value).dtype));
  return store;
}

Graph tiny_graph(int64_t batch) { return engine::inference_graph(tiny_model({.batch = batch}), {"logits", "unit2"}); }

std::vector<float> noise(size_t count) {
  std::vector<float> values(count);
  const RandomStream stream(3, "batch");
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(2 * stream.uniform(i) - 1);
  return values;
}

std::unique_ptr<BatchExecutable> tiny(int64_t batch, std::shared_ptr<engine::StateStore> store, std::shared_ptr<Arena> arena = nullptr) {
  auto result = BatchExecutable::compile(tiny_graph, batch, cpu::cpu_backend(), std::move(store),
                                         arena ? std::move(arena) : std::make_shared<Arena>());
  result->prepare();
  return result;
}

std::vector<float> run(BatchExecutable& executable, std::span<const float> images, const char* output = "logits") {
  std::ranges::copy(images, executable.image().begin());
  executable.run();
  const auto values = executable.output(output);
  return {values.begin(), values.end()};
}

void expect_near(std::span<const float> a, std::span<const float> b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-6) << "number " << i;
}

TEST(BatchExecutable, AnswersAsOnePictureAtATime) {
  const auto store = weights_of(tiny_graph(1), 1);
  for (int cores : {1, 2, 3}) {
    const Threads scope(cores);
    const auto one = tiny(1, store);
    const auto picture = static_cast<size_t>(one->picture_numbers());
    for (int64_t batch : {1, 2, 3, 5, 7, 13, 16, 21}) {
      SCOPED_TRACE(fmt::format("{} pictures on {} cores", batch, cores));
      const std::vector<float> images = noise(picture * static_cast<size_t>(batch));
      const auto all = tiny(batch, store);
      for (const char* output : {"logits", "unit2"}) {
        const std::vector<float> together = run(*all, images, output);
        std::vector<float> alone;
        for (size_t i = 0; i < static_cast<size_t>(batch); ++i) {
          const auto own = run(*one, std::span(images).subspan(i * picture, picture), output);
          alone.insert(alone.end(), own.begin(), own.end());
        }
        expect_near(together, alone);
        EXPECT_GT(std::abs(*std::ranges::max_element(together)), 0.01f);
      }
    }
  }
}

// In whichever group it comes, and whichever core takes that.
TEST(BatchExecutable, AlikePicturesGetTheSameBits) {
  const Threads scope(2);
  const auto executable = tiny(21, weights_of(tiny_graph(1), 1));
  ASSERT_GT(executable->grouping().groups, 1);
  const std::vector<float> one = noise(static_cast<size_t>(executable->picture_numbers()));
  std::vector<float> images;
  for (int i = 0; i < 21; ++i) images.insert(images.end(), one.begin(), one.end());
  const std::vector<float> answers = run(*executable, images);
  for (size_t i = 5; i < answers.size(); ++i) ASSERT_EQ(answers[i], answers[i - 5]);
}

TEST(BatchExecutable, KeepsItsImage) {
  const Threads scope(2);
  const auto executable = tiny(16, weights_of(tiny_graph(1), 1));
  const std::vector<float> images = noise(executable->image().size()), first = run(*executable, images);
  EXPECT_TRUE(std::ranges::equal(executable->image(), images));
  executable->run();
  EXPECT_TRUE(std::ranges::equal(executable->output("logits"), first));
}

TEST(BatchExecutable, TakesOtherWeightsWhenPrepared) {
  const Threads scope(2);
  const auto store = weights_of(tiny_graph(1), 1), other = weights_of(tiny_graph(1), 2);
  const auto executable = tiny(16, store), fresh = tiny(16, other);
  const std::vector<float> images = noise(executable->image().size()), before = run(*executable, images);
  for (const auto& [name, entry] : other->entries()) store->set(name, other->get(name));
  executable->prepare();
  const std::vector<float> after = run(*executable, images);
  EXPECT_EQ(after, run(*fresh, images));
  EXPECT_NE(after, before);
}

TEST(BatchExecutable, FollowsItsArena) {
  const Threads scope(2);
  const auto store = weights_of(tiny_graph(1), 1);
  const auto arena = std::make_shared<Arena>();
  const auto executable = tiny(16, store, arena);
  const std::vector<float> images = noise(executable->image().size()), before = run(*executable, images);
  const auto larger = tiny(64, store, arena);
  run(*larger, noise(larger->image().size()));
  EXPECT_EQ(run(*executable, images), before);
}

TEST(BatchExecutable, TimesItsNodes) {
  const Threads scope(2);
  const auto executable = tiny(16, weights_of(tiny_graph(1), 1));
  const std::vector<float> images = noise(executable->image().size()), plain = run(*executable, images);
  std::vector<double> seconds(executable->of_group().graph().node_count());
  executable->run_timed(seconds);
  EXPECT_TRUE(std::ranges::equal(executable->output("logits"), plain));
  EXPECT_GT(std::accumulate(seconds.begin(), seconds.end(), 0.0), 0.0);
}

// A batch's memory is its pictures and answers, and what a few pictures take on each core.
TEST(BatchExecutable, TakesLessMemoryThanTheWholeBatchAtOnce) {
  const Threads scope(2);
  const auto graph = [](int64_t batch) {
    BuildOptions build;
    build.batch = batch;
    build.height = build.width = 64;
    return engine::inference_graph(models::build(models::get("resnet18"), build), {"logits"});
  };
  const auto store = weights_of(graph(1), 1);
  const auto grouped = BatchExecutable::compile(graph, 32, cpu::cpu_backend(), store, std::make_shared<Arena>());
  const auto whole = engine::Executable::compile(graph(32), cpu::cpu_backend(), store, std::make_shared<Arena>());
  EXPECT_LT(grouped->memory().arena, whole->memory().arena * 3 / 4);
  EXPECT_EQ(grouped->memory().constants, grouped->of_group().memory().constants);  // once, not once a core
}

TEST(BatchExecutable, RefusesAGraphWhoseAnswersAreNotOfPictures) {
  const auto build = [](int64_t batch) {
    Graph graph = tiny_graph(batch);
    graph.output("weights", graph.states()[0].value);
    return graph;
  };
  try {
    BatchExecutable::compile(build, 4, cpu::cpu_backend(), std::make_shared<engine::StateStore>(), std::make_shared<Arena>());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'weights'"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("2 pictures"), std::string::npos) << error.what();
  }
}

// A backend whose kernels run into an error.
class Failing final : public backend::Backend {
 public:
  std::string_view name() const override { return "failing"; }
  bool supports(DType) const override { return true; }
  const DeviceTraits& traits() const override { return cpu::cpu_backend().traits(); }
  std::unique_ptr<backend::Kernel> plan(const Op&, std::span<const backend::Operand>, std::span<const backend::Operand>) const override {
    class Kernel final : public backend::Kernel {
      void bind(std::span<void* const>, std::span<void* const>, void*) override {}
      void run() override { fail(ErrorKind::internal, "out of order"); }
      std::string describe() const override { return "failing"; }
    };
    return std::make_unique<Kernel>();
  }
};

TEST(BatchExecutable, AnErrorOnAnyCoreReachesTheCaller) {
  const Threads scope(2);
  const Failing backend;
  const auto build = [](int64_t batch) {
    Graph graph;
    const ValueId image = graph.input("image", {DType::f32, {batch, 3, 4, 4}});
    graph.output("same", (Value(graph, image) + Value(graph, image)).id());
    return graph;
  };
  const auto executable = BatchExecutable::compile(build, 16, backend, std::make_shared<engine::StateStore>(), std::make_shared<Arena>());
  executable->prepare();
  EXPECT_THROW(executable->run(), Error);
}

TEST(CoresScope, HoldsForTheThreadThatHasIt) {
  const Threads outer(3);
  {
    const CoresScope scope(1);
    EXPECT_EQ(threads(), 1);
    {
      const CoresScope inner(2);
      EXPECT_EQ(threads(), 2);
    }
    EXPECT_EQ(threads(), 1);
    const CoresScope as_it_is(0);
    EXPECT_EQ(threads(), 1);
  }
  EXPECT_EQ(threads(), 3);
}

}  // namespace
}  // namespace fovea
