// Inference on a batch of pictures: on all cores together, or, where there are pictures enough, in groups of a few, each on one core. What
// the layers of a group give stays in that core's cache, and no core waits for another from layer to layer.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "engine/executable.h"

namespace fovea::engine {

// How a batch is cut up. Groups are of one size; the last one overlaps the one before where they do not fill the batch exactly.
struct Grouping {
  int64_t pictures = 0;  // of a group
  int64_t groups = 1;
  int workers = 1;  // groups that run at the same time, each on a core; a group that is the whole batch runs on all cores
};
Grouping grouping(int64_t batch, int cores, const DeviceTraits& device);

class BatchExecutable {
 public:
  // The graph of a batch: lowered, optimized, with the input "image" f32 [batch, ...] and outputs f32 [batch, ...], in which no picture
  // meets another.
  using Build = std::function<Graph(int64_t batch)>;

  // `store`, `arena` and `packed` mean what they mean for an Executable. The arena's memory is taken by `prepare`.
  static std::unique_ptr<BatchExecutable> compile(const Build& build, int64_t batch, const backend::Backend& backend,
                                                  std::shared_ptr<StateStore> store, std::shared_ptr<Arena> arena,
                                                  std::shared_ptr<PackedWeights> packed = {});

  int64_t batch() const { return batch_; }
  const Grouping& grouping() const { return grouping_; }
  int64_t picture_numbers() const { return image_.elements() / batch_; }
  int64_t picture_numbers(std::string_view output) const { return find(output).type.elements() / batch_; }
  // Pictures of the groups that are run at the same time.
  int64_t pictures_at_once() const { return grouping_.pictures * static_cast<int64_t>(workers_.size()); }
  const Executable& of_group() const { return *workers_[0]; }

  // These do what an Executable's do.
  void prepare();
  bool current() const { return workers_[0]->current(); }
  void add_blocks(std::set<const PackedBlock*>& blocks) const { workers_[0]->add_blocks(blocks); }
  // [batch, height, width, channels], in the engine's order; kept by runs. Valid like an Executable's input and output.
  std::span<float> image();
  std::span<const float> output(std::string_view name) const;
  // Tensors are in logical order.
  void write_image(const Tensor& images);
  Tensor read_output(std::string_view name) const;

  void run();
  // The same; seconds spent in each node of the group's graph, as a core's share of them, are added to `seconds`.
  void run_timed(std::span<double> seconds);

  // A group in the hands of one core, which fills its image and runs it, as often as it likes.
  class Group {
   public:
    int64_t pictures() const { return owner_.grouping_.pictures; }
    // [pictures, height, width, channels], in the engine's order; kept by runs.
    std::span<float> image() const;
    void run() const { owner_.run_worker(worker_, {}); }
    std::span<const float> output(std::string_view name) const;  // [pictures, ...]; valid until the next run

   private:
    friend class BatchExecutable;
    Group(BatchExecutable& owner, size_t worker) : owner_(owner), worker_(worker) {}
    BatchExecutable& owner_;
    size_t worker_;
  };
  // Calls body(i, group) for any number of groups, in no order and, where the batch is cut into several, on several cores at once, so that
  // each of them reads and computes without waiting for another. A picture's numbers are those that `run` gives it. What was in the batch's
  // image is lost. What a body throws is thrown once no other works any more.
  void for_groups(int64_t groups, const std::function<void(int64_t, Group&)>& body);

  MemoryUse memory() const;
  size_t arena_bytes() const;  // of `memory`

 private:
  struct Output {
    std::string name;
    Type type;                 // of the batch
    size_t offset = 0;         // in the arena, of the batch's
    size_t picture_bytes = 0;  // of one picture's
  };

  BatchExecutable() = default;
  void run_groups(std::span<double> seconds);
  void run_group(size_t worker, int64_t group, std::span<double> seconds);
  void run_worker(size_t worker, std::span<double> seconds);
  // Calls body(worker, group) for all of them, a thread for each worker.
  void share_out(int64_t groups, const std::function<void(size_t, int64_t)>& body);
  size_t image_room() const;  // bytes of the arena: of the batch, and of a group for each worker
  const Output& find(std::string_view name) const;

  int64_t batch_ = 0;
  Grouping grouping_;
  std::shared_ptr<Arena> arena_;
  Type image_;  // of the batch, at the arena's start
  std::vector<Output> outputs_;
  std::vector<std::unique_ptr<Executable>> workers_;
  std::atomic<int64_t> next_group_{0};
  std::vector<std::vector<double>> seconds_;  // by worker
};

}  // namespace fovea::engine
