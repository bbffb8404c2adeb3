// Inference on a network: executables compiled on demand for a set of outputs, a batch and a size, sharing weights and working memory.
#pragma once

#include <compare>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "engine/batch_executable.h"
#include "engine/network.h"

namespace fovea::engine {

// Output names are those that find_output (nn/model_graph.h) accepts. Every call has a seat: working memory and the executables that lie in
// it. A session for one caller has one seat, for which calls wait, and weights may change between them. One for many callers has as many as
// there are calls at the same time, and the network must stay as it is. All sessions of a network share its packed weights.
class Session {
 private:
  struct Seat;

 public:
  // For one caller, on all cores. `arena`: one to share with whatever does not run at the same time; null: its own.
  Session(std::shared_ptr<const Network> network, const backend::Backend& backend, std::shared_ptr<Arena> arena = nullptr);
  // For many callers, each on so many cores (0: all).
  static std::shared_ptr<Session> for_many(std::shared_ptr<const Network> network, const backend::Backend& backend, int cores);
  ~Session();

  // Holds a seat; given back at the end.
  class Turn {
   public:
    explicit Turn(const Session& session);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    friend class Session;
    const Session& session_;
    Seat* seat_;
  };

  // Runs images f32 [N,C,H,W] through the part of the network that the outputs need; the results in logical order, f32: vectors [N,K], maps
  // [N,C,H,W], tokens [N,T,C]. Callable from several threads.
  std::vector<Tensor> run(const Tensor& images, const std::vector<std::string>& outputs);
  // An output of what lies behind the last map, which is given as `run` gives "last_map": f32 [N,C,H,W], of transformers [N,T,C].
  Tensor run_head(const Tensor& map, const std::string& output);
  // The same without copies: `fill` writes N,H,W,C floats (BatchExecutable::image), `take` reads what came out (output), before the seat's
  // next call may start.
  template <class Fill, class Take>
  void run(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs, Fill&& fill, Take&& take) {
    lend(batch, height, width, outputs, [&](BatchExecutable& executable) {
      fill(executable);
      executable.run();
      take(static_cast<const BatchExecutable&>(executable));
    });
  }
  // Calls body(executable), which may run it as often as it likes.
  template <class Body>
  void lend(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs, Body&& body) {
    const Turn turn(*this);
    const CoresScope scope(cores_);
    body(*find(*turn.seat_, {batch, height, width, outputs}).executable);
  }

  const Network& network() const { return *network_; }
  int cores() const { return cores_; }

  // Compiles what such a run needs, so that `memory` tells; the memory is taken by the run.
  void compile(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs);
  // Whether another number of cores could give other bits of such a run. Compiles what it needs.
  bool depends_on_cores(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs);
  // After the head or the preprocessing changed: everything is compiled anew.
  void network_changed();
  MemoryUse memory() const;  // of the first seat
  // Held by whoever runs another executable on the weights of a network with one caller, so that calls wait for one another.
  Turn alone() const { return Turn(*this); }

 private:
  // Batch, height and width of the pictures, outputs, and whether it is the head alone, which runs from the last map of such pictures on.
  struct Key {
    int64_t batch, height, width;
    std::vector<std::string> outputs;
    bool head = false;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::unique_ptr<BatchExecutable> executable;
    std::vector<OutputView::Form> forms;  // of the outputs
    uint64_t used = 0;                    // when last, counted in the seat's calls
  };

  Entry& compiled(Seat& seat, const Key& key);
  Entry& find(Seat& seat, const Key& key);
  Seat* take_seat() const;
  void give_back(Seat* seat) const;

  std::shared_ptr<const Network> network_;
  const backend::Backend& backend_;
  const int cores_;
  const bool many_;
  mutable std::mutex mutex_;  // of the seats
  mutable std::condition_variable given_back_;
  mutable std::vector<std::unique_ptr<Seat>> seats_;
  mutable std::vector<Seat*> free_;  // the last one used comes first: its memory is in the caches
  std::mutex compiling_;             // held while anything is compiled

  Session(std::shared_ptr<const Network> network, const backend::Backend& backend, std::shared_ptr<Arena> arena, int cores, bool many);
};

// The inference graph with these outputs, optimized; `forms` takes how each is to be read. Throws Error(usage) that lists the taps for an
// unknown name.
Graph inference_graph(ModelGraph model, const std::vector<std::string>& outputs, DType precision = DType::f32,
                      std::vector<OutputView::Form>* forms = nullptr);

// The same compiled for a batch of pictures of a size (0: the preprocessing's). `packed`: as in CompileOptions.
struct PictureBatch {
  int64_t batch = 1, height = 0, width = 0;
};
std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures,
                                                   const std::vector<std::string>& outputs, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena, std::vector<OutputView::Form>* forms = nullptr,
                                                   std::shared_ptr<PackedWeights> packed = {});
// Compiles for the network's last output alone (last_output in nn/model_graph.h).
std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena);

}  // namespace fovea::engine
