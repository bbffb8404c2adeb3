#include "train/step_memory.h"

#include <algorithm>

#include "base/parallel.h"
#include "image/channels.h"

namespace fovea::training {

StepRunner runner_of(const Parts& parts, const Feed& feed, uint64_t seed) {
  return {[&feed](int64_t batch, Gradients gradients, const passes::RecomputeOptions& recompute) {
            return feed.build_step(batch, gradients, recompute);
          },
          feed.data_inputs(),
          parts.backend,
          parts.network->store(),
          parts.arena,
          seed};
}

size_t compile_steps(StepRunner& runner, Feed& feed, const Parts& parts, const Phase& phase, const Held& held,
                     engine::MemoryAccount& account) {
  runner.compile(feed.batches());
  const bool validates = !phase.on_features && !phase.with_validation && !parts.data.splits.validation.samples.empty();
  if (validates) feed.compile_validation();
  if (phase.ema > 0) runner.compile_average();
  const size_t states = parts.network->store()->bytes();
  const engine::MemoryUse inference = parts.session.memory();
  const FeedMemory fed = feed.memory();
  account.measure_rest(held.now + states + fed.now + inference.held + runner.memory().held + parts.arena->resident_bytes());

  const auto beside_arena = [&] { return held.later + states + fed.later + inference.constants + runner.memory().constants; };
  const auto planned = [&] {
    const size_t arena = std::max({runner.memory().arena, inference.arena, fed.arena});
    return account.planned(beside_arena() + engine::Arena::rounded_up(arena));
  };
  if (account.limit() > 0 && planned() > account.limit())
    runner.compile_within(engine::Arena::rounded_down(account.left_for_arena(beside_arena())));
  account.require_within_limit(planned(), phase.batch, parts.network->variant().name);
  return planned();
}

size_t evaluation_bytes(const engine::Network& network, const DeviceTraits& device) {
  const Preprocessing& size = network.preprocessing();
  const engine::Grouping group = engine::grouping(kInferenceBatch, threads(), device);  // those that the cores look at
  const size_t pictures = static_cast<size_t>(group.pictures * group.workers) * fits_of(size).size();
  return pictures * static_cast<size_t>(size.height * size.width * image::picture_channels(network.channels())) * sizeof(float);
}

}  // namespace fovea::training
