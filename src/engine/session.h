// Inference on a network: executables compiled on demand for a set of outputs, a batch and a size, sharing weights and one arena.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "engine/batch_executable.h"
#include "engine/network.h"

namespace fovea::engine {

// What can be asked for: what find_output (nn/model_graph.h) knows.
class Session {
 public:
  // `arena`: one to share with whatever does not run at the same time; null: its own.
  Session(std::shared_ptr<const Network> network, const backend::Backend& backend, std::shared_ptr<Arena> arena = nullptr);

  // Runs images f32 [N,C,H,W] through the part of the network that the outputs need; the results in logical order, f32: vectors [N,K], maps
  // [N,C,H,W], tokens [N,T,C]. Callable from several threads: calls wait for one another, each uses all cores.
  std::vector<Tensor> run(const Tensor& images, const std::vector<std::string>& outputs);
  // The same without copies: `fill` writes N,H,W,C floats (BatchExecutable::image), `take` reads what came out (output), before the next
  // call may start.
  template <class Fill, class Take>
  void run(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs, Fill&& fill, Take&& take) {
    const std::lock_guard lock(mutex_);
    BatchExecutable& executable = *find(batch, height, width, outputs).executable;
    fill(executable);
    executable.run();
    take(static_cast<const BatchExecutable&>(executable));
  }

  const Network& network() const { return *network_; }

  // Compiles what such a run needs, so that `memory` tells; the memory is taken by the run.
  void compile(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs);
  // After weights changed: the next run prepares them again.
  void weights_changed();
  // After the head or the preprocessing changed: everything is compiled anew.
  void network_changed();
  MemoryUse memory() const;
  // Held by whoever runs another executable on the network's weights, so that calls wait for one another.
  std::unique_lock<std::mutex> alone() const { return std::unique_lock(mutex_); }

 private:
  using Key = std::tuple<int64_t, int64_t, int64_t, std::vector<std::string>>;
  struct Entry {
    std::unique_ptr<BatchExecutable> executable;
    std::vector<OutputView::Form> forms;  // of the outputs
    bool prepared = false;
    uint64_t used = 0;  // when last, counted in calls
  };

  Entry& compiled(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs);
  Entry& find(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs);

  std::shared_ptr<const Network> network_;
  const backend::Backend& backend_;
  std::shared_ptr<Arena> arena_;
  std::map<Key, Entry> executables_;
  uint64_t uses_ = 0;
  mutable std::mutex mutex_;
};

// The inference graph with these outputs, optimized; `forms` takes how each is to be read. Throws Error(usage) that lists the taps for an
// unknown name.
Graph inference_graph(ModelGraph model, const std::vector<std::string>& outputs, DType precision = DType::f32,
                      std::vector<OutputView::Form>* forms = nullptr);

// The same compiled for a batch of pictures of a size (0: the preprocessing's).
struct PictureBatch {
  int64_t batch = 1, height = 0, width = 0;
};
std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures,
                                                   const std::vector<std::string>& outputs, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena, std::vector<OutputView::Form>* forms = nullptr);
// Of the network's last output alone (last_output in nn/model_graph.h).
std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena);

}  // namespace fovea::engine
