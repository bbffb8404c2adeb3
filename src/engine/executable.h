// A graph compiled for one backend: kernels planned, memory placed. Compiling may take milliseconds; running allocates nothing.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "backend/backend.h"
#include "engine/packed_weights.h"
#include "engine/state_store.h"
#include "ir/graph.h"
#include "ir/slots.h"
#include "passes/plan_memory.h"

namespace fovea::engine {

// Working memory shared by executables that do not run at the same time; as large as the largest of them needs.
class Arena {
 public:
  ~Arena();
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void reserve(size_t bytes);
  // What `reserve` takes for so many bytes, and the most that it can be asked for without taking more than so many.
  static size_t rounded_up(size_t bytes);
  static size_t rounded_down(size_t bytes);
  size_t resident_bytes() const;  // that lie in memory: pages never written to do not
  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

struct MemoryUse {
  size_t states = 0;                                               // parameters, statistics, moments of this executable
  size_t constants = 0;                                            // folded and packed weights
  size_t held = 0;                                                 // of these constants, that lie in memory now
  size_t arena = 0;                                                // values and workspace
  size_t workspace = 0;                                            // of the arena
  void add_constants(const std::set<const PackedBlock*>& blocks);  // with the mutex of their PackedWeights held
  size_t total() const { return states + constants + arena; }
  // What an arena of so many bytes leaves for values beside the workspace, which kernels need in any case.
  size_t values_within(size_t arena_bytes) const { return arena_bytes > workspace ? arena_bytes - workspace : 0; }
};

struct CompileOptions {
  bool keep_values = false;  // every value keeps its memory to the end of a run, to be looked at with `value`
  bool reserve = true;       // the arena's memory; false: `prepare` does, and no input is there before
  // For one of several executables that run at the same time, each on a part of the cores:
  int cores = 0;                // that a run takes; 0: all
  size_t arena_begin = 0;       // bytes from the arena's start where this executable's part begins
  bool inputs_outside = false;  // inputs lie where `bind_input` says, and are not written to
  // Where folded and packed weights lie, shared with other executables of the same store; null: this executable has them to itself.
  std::shared_ptr<PackedWeights> packed = {};
};

class Executable {
 public:
  // The graph is lowered and optimized. Declares the graph's states in the store; `store` and `arena` are kept alive.
  static std::unique_ptr<Executable> compile(Graph graph, const backend::Backend& backend, std::shared_ptr<StateStore> store,
                                             std::shared_ptr<Arena> arena, const CompileOptions& options = {});
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  const Graph& graph() const { return graph_; }

  // Folds and packs what follows from weights alone, but for what another executable has packed from the same weights. Call it after
  // compiling and whenever weights that this executable does not itself write have changed.
  void prepare();
  bool prepared() const { return bound_to_ != nullptr; }
  // Whether it was prepared with the weights as they are now.
  bool current() const { return prepared() && prepared_version_ == store_->version(); }
  void bind_input(std::string_view name, const void* memory);

  // Memory of an input or output, in the engine's order (rank 4: N, H, W, C). Valid until another executable of this arena is compiled; an
  // output until the next run of any executable of the arena, an input likewise.
  void* input(std::string_view name);
  const void* output(std::string_view name) const;
  template <class T>
  std::span<T> input_as(std::string_view name) {
    return {static_cast<T*>(checked(graph_.find_input(name), name, dtype_of<T>())),
            static_cast<size_t>(graph_.type(*graph_.find_input(name)).elements())};
  }
  template <class T>
  std::span<const T> output_as(std::string_view name) const {
    return {static_cast<const T*>(checked(graph_.find_output(name), name, dtype_of<T>())),
            static_cast<size_t>(graph_.type(*graph_.find_output(name)).elements())};
  }
  bool has_input(std::string_view name) const { return graph_.find_input(name).has_value(); }
  // The same by what the slot says.
  template <class T>
  std::span<T> input(const slots::Slot<T>& slot) {
    return input_as<T>(slot.name);
  }
  template <class T>
  std::span<const T> output(const slots::Slot<T>& slot) const {
    return output_as<T>(slot.name);
  }
  template <class T>
  bool has(const slots::Slot<T>& slot) const {
    return has_input(slot.name);
  }
  // An input of one number; nothing where the graph does not have it.
  template <class T>
  void set(const slots::Slot<T>& slot, std::type_identity_t<T> value) {
    if (has(slot)) input(slot).front() = value;
  }
  // Tensors are in logical order; numbers are converted to and from what the value is of.
  void write_input(std::string_view name, const Tensor& tensor);
  Tensor read_output(std::string_view name, DType floating = DType::f32) const;
  // A value of the last run, compiled with keep_values; a state gives its present content.
  Tensor value(ValueId id, DType floating = DType::f64) const;

  void run();
  // The same, one node at a time: seconds spent in each node, added to `seconds` (one entry a node; those run in prepare stay 0).
  void run_timed(std::span<double> seconds);
  std::string kernel(NodeId node) const;  // what runs it
  bool depends_on_cores() const;          // whether one of its kernels does (backend::Kernel)

  MemoryUse memory() const;
  size_t arena_bytes() const { return values_bytes_ + workspace_bytes_; }  // of `memory`
  // The folded and packed weights that it reads.
  void add_blocks(std::set<const PackedBlock*>& blocks) const;

 private:
  struct Step {
    NodeId node;
    std::unique_ptr<backend::Kernel> kernel;
  };
  struct Packed {  // a constant input that a kernel reads in a form of its own
    size_t step = 0;
    int input = 0;
    std::shared_ptr<PackedBlock> block;
  };

  Executable(Graph graph, std::shared_ptr<StateStore> store, std::shared_ptr<Arena> arena);
  backend::Operand operand(ValueId id) const;
  void plan_kernels(const backend::Backend& backend, int cores);
  void place_values(const DeviceTraits& device, const CompileOptions& options);
  void reserve();
  void bind();
  void bind_step(size_t step);
  void name_constants();
  void fold(size_t step, uint64_t version);
  void pack(ValueId id, uint64_t version);
  bool all_packed(uint64_t version) const;
  void plan_release();
  void* address(ValueId id) const;
  void* workspace() const;
  void* checked(std::optional<ValueId> id, std::string_view name, DType dtype) const;

  Graph graph_;
  std::shared_ptr<StateStore> store_;
  std::shared_ptr<Arena> arena_;
  std::shared_ptr<PackedWeights> packed_weights_;
  std::vector<Step> prologue_, body_;
  std::vector<Packed> packed_;
  std::vector<std::string> constant_names_;          // by value: what a constant is made of
  std::vector<std::vector<ValueId>> released_;       // by step of the prologue: constants that only prepare needs, and no longer after it
  std::vector<bool> constant_;                       // by value
  std::vector<bool> read_in_run_;                    // by value: a constant that some kernel reads as it is
  std::vector<std::shared_ptr<PackedBlock>> fixed_;  // by value: folded constants that some kernel reads as they are
  std::vector<std::shared_ptr<void>> temporary_;     // by value: memory of the other folded constants, while `prepare` runs
  std::vector<passes::Placement> places_;            // by value, in the arena
  std::vector<void*> outside_;                       // by value: memory of an input that lies outside of the arena
  std::vector<void*> inputs_, outputs_;              // of the step that is bound; kept, so that binding allocates nothing
  size_t arena_begin_ = 0, values_bytes_ = 0, workspace_bytes_ = 0;
  char* bound_to_ = nullptr;  // the arena's data that kernels hold pointers into
  uint64_t prepared_version_ = 0;
  bool writes_states_ = false;
};

}  // namespace fovea::engine
