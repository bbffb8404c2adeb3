#include "engine/executable.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "passes/plan_memory.h"
#include "passes/rewrite.h"

namespace fovea::engine {
namespace {

constexpr size_t kAlignment = 64;
// Large pages where there is enough to fill them: a step of resnet50 is about 4 % faster.
constexpr size_t kLargePage = size_t{2} << 20, kLeastLarge = 4 * kLargePage;

}  // namespace

Arena::~Arena() { std::free(data_); }

size_t Arena::rounded_up(size_t bytes) {
  const size_t unit = bytes >= kLeastLarge ? kLargePage : kAlignment;
  return (bytes + unit - 1) / unit * unit;
}

size_t Arena::rounded_down(size_t bytes) {
  const size_t unit = bytes >= kLeastLarge ? kLargePage : kAlignment;
  return bytes / unit * unit;
}

size_t Arena::resident_bytes() const {
  if (!data_) return 0;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(data_) / page * page;
  std::vector<unsigned char> pages((reinterpret_cast<uintptr_t>(data_) + bytes_ - begin + page - 1) / page);
  if (mincore(reinterpret_cast<void*>(begin), pages.size() * page, pages.data()) != 0) return bytes_;
  return page * static_cast<size_t>(std::ranges::count_if(pages, [](unsigned char state) { return (state & 1) != 0; }));
}

void Arena::reserve(size_t bytes) {
  if (bytes <= bytes_) return;
  std::free(data_);
  data_ = nullptr;
  bytes_ = rounded_up(bytes);
  const bool large = bytes_ >= kLeastLarge;
  data_ = static_cast<char*>(std::aligned_alloc(large ? kLargePage : kAlignment, bytes_));
  if (!data_) {
    bytes_ = 0;
    throw std::bad_alloc();
  }
  if (large) madvise(data_, bytes_, MADV_HUGEPAGE);  // a wish: where it is not granted, pages are small
}

void MemoryUse::add_constants(const std::set<const PackedBlock*>& blocks) {
  for (const PackedBlock* block : blocks) {
    constants += block->bytes;
    if (block->memory) held += block->bytes;
  }
}

Executable::Executable(Graph graph, std::shared_ptr<StateStore> store, std::shared_ptr<Arena> arena)
    : graph_(std::move(graph)), store_(std::move(store)), arena_(std::move(arena)), constant_(passes::constant_values(graph_)) {}

Executable::~Executable() = default;

std::unique_ptr<Executable> Executable::compile(Graph graph, const backend::Backend& backend, std::shared_ptr<StateStore> store,
                                                std::shared_ptr<Arena> arena, const CompileOptions& options) {
  store->declare(graph);
  std::unique_ptr<Executable> executable(new Executable(std::move(graph), std::move(store), std::move(arena)));
  executable->packed_weights_ = options.packed ? options.packed : std::make_shared<PackedWeights>();
  executable->name_constants();
  executable->place_values(backend.traits(), options);
  executable->plan_kernels(backend, options.cores);
  if (options.reserve) executable->reserve();
  return executable;
}

backend::Operand Executable::operand(ValueId id) const {
  backend::Operand operand = backend::Operand::dense(graph_.type(id));
  if (places_[id.index].row_stride > 0) operand.row_stride = places_[id.index].row_stride;
  return operand;
}

void Executable::plan_kernels(const backend::Backend& backend, int cores) {
  const CoresScope same(threads());  // of all kernels, whatever another thread sets meanwhile
  const passes::Uses uses(graph_);
  read_in_run_.assign(graph_.value_count(), false);
  for (const NamedValue& output : graph_.outputs()) read_in_run_[output.value.index] = true;
  for (uint32_t n = 0; n < graph_.node_count(); ++n) {
    const NodeInfo& node = graph_.node(NodeId{n});
    const bool once = !node.outputs.empty() && constant_[node.outputs[0].index];
    std::vector<backend::Operand> inputs, outputs;
    for (ValueId id : node.inputs) {
      inputs.push_back(operand(id));
      inputs.back().constant = !once && constant_[id.index];
    }
    for (ValueId id : node.outputs) {
      outputs.push_back(operand(id));
      outputs.back().used = !uses.nodes[id.index].empty() || uses.other[id.index] > 0;
    }
    const CoresScope scope(once ? 0 : cores);  // what prepares constants may take all of them
    auto kernel = in_context(node.name, [&] { return backend.plan(node.op, inputs, outputs); });
    workspace_bytes_ = std::max(workspace_bytes_, kernel->workspace_bytes());
    std::vector<Step>& steps = once ? prologue_ : body_;
    for (size_t i = 0; i < node.inputs.size() && !once; ++i) {
      if (!constant_[node.inputs[i].index]) continue;
      const size_t bytes = kernel->packed_bytes(static_cast<int>(i));
      if (bytes > 0) {
        const std::string form = kernel->packed_form(static_cast<int>(i));
        packed_.push_back(
            {steps.size(), static_cast<int>(i), packed_weights_->block(constant_names_[node.inputs[i].index] + " as " + form, bytes)});
      } else {
        read_in_run_[node.inputs[i].index] = true;
      }
    }
    steps.push_back({NodeId{n}, std::move(kernel)});
  }
  for (const Step& step : prologue_)
    for (ValueId id : graph_.node(step.node).outputs)
      if (read_in_run_[id.index]) fixed_[id.index] = packed_weights_->block(constant_names_[id.index], graph_.type(id).bytes());
  log("memory", "{} nodes: arena {} bytes, workspace {}", graph_.node_count(), values_bytes_, workspace_bytes_);
  plan_release();
}

void Executable::place_values(const DeviceTraits& device, const CompileOptions& options) {
  passes::MemoryOptions memory{std::vector<bool>(graph_.value_count(), false), !options.keep_values};
  for (uint32_t v = 0; v < graph_.value_count(); ++v) memory.outside[v] = constant_[v];
  if (options.inputs_outside)
    for (const NamedValue& input : graph_.inputs()) memory.outside[input.value.index] = true;
  outside_.resize(graph_.value_count());
  arena_begin_ = options.arena_begin;
  for (const State& state : graph_.states()) {
    memory.outside[state.value.index] = true;
    if (!state.next.valid()) continue;
    memory.outside[state.next.index] = true;
    const NodeInfo& writer = graph_.node(graph_.value(state.next).producer);
    const uint32_t result = graph_.value(state.next).result;
    bool allowed = false;
    for (size_t i = 0; i < writer.inputs.size(); ++i) {
      allowed = allowed || (writer.inputs[i] == state.value && writer.op.overwrites(static_cast<int>(i), static_cast<int>(result)));
    }
    if (!allowed) fail(ErrorKind::internal, "{}: {} cannot write the next {} in place", writer.name, writer.op.name(), state.name);
  }
  passes::MemoryPlan plan = passes::plan_memory(graph_, device, memory);
  places_ = std::move(plan.values);
  fixed_.resize(graph_.value_count());
  temporary_.resize(graph_.value_count());
  values_bytes_ = plan.arena_bytes;
}

void* Executable::address(ValueId id) const {
  if (places_[id.index].offset != passes::Placement::kNone) return arena_->data() + arena_begin_ + places_[id.index].offset;
  if (outside_[id.index]) return outside_[id.index];
  if (fixed_[id.index]) return fixed_[id.index]->memory.get();
  if (temporary_[id.index]) return temporary_[id.index].get();
  if (const State* state = graph_.state_of(id)) return store_->memory(state->name);
  const NodeId producer = graph_.value(id).producer;
  if (producer.valid()) {  // the next value of a state lies in the state's memory
    for (ValueId input : graph_.node(producer).inputs) {
      const State* state = graph_.state_of(input);
      if (state && state->next == id) return store_->memory(state->name);
    }
  }
  return nullptr;
}

void Executable::bind_step(size_t index) {
  Step& step = body_[index];
  const NodeInfo& node = graph_.node(step.node);
  inputs_.clear();
  outputs_.clear();
  for (ValueId id : node.inputs) inputs_.push_back(address(id));
  for (const Packed& packed : packed_)
    if (packed.step == index) inputs_[static_cast<size_t>(packed.input)] = packed.block->memory.get();
  for (ValueId id : node.outputs) outputs_.push_back(address(id));
  step.kernel->bind(inputs_, outputs_, workspace());
}

void Executable::bind() {
  for (size_t i = 0; i < body_.size(); ++i) bind_step(i);
  bound_to_ = arena_->data();
}

void* Executable::workspace() const { return workspace_bytes_ > 0 ? arena_->data() + arena_begin_ + values_bytes_ : nullptr; }

void Executable::reserve() { arena_->reserve(arena_begin_ + values_bytes_ + workspace_bytes_); }

// What a constant is made of, down to the states: equal names in graphs of one store are equal constants.
void Executable::name_constants() {
  constant_names_.resize(graph_.value_count());
  for (const State& state : graph_.states()) {
    constant_names_[state.value.index] = state.name;
    writes_states_ = writes_states_ || state.next.valid();
  }
  for (uint32_t n = 0; n < graph_.node_count(); ++n) {
    const NodeInfo& node = graph_.node(NodeId{n});
    if (node.outputs.empty() || !constant_[node.outputs[0].index]) continue;
    std::string made = fmt::format("{}({})[", node.op.name(), node.op.attributes());
    for (ValueId input : node.inputs) made += constant_names_[input.index] + ",";
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const Type& type = graph_.type(node.outputs[i]);
      constant_names_[node.outputs[i].index] = fmt::format("{}]{} {}", made, i, to_string(type));
    }
  }
}

void Executable::prepare() {
  reserve();
  const std::lock_guard lock(packed_weights_->mutex());
  const uint64_t version = store_->version();
  if (!all_packed(version)) {
    // Packed weights are taken before the first folded one: between them, what those give back would lie in holes that fit nothing else.
    for (const Packed& packed : packed_)
      if (!packed.block->memory) packed.block->memory = aligned_memory(packed.block->bytes);
    for (const State& state : graph_.states()) pack(state.value, version);
    for (size_t i = 0; i < prologue_.size(); ++i) fold(i, version);
    for (const Packed& packed : packed_) packed.block->version = version;
    for (const auto& block : fixed_)
      if (block) block->version = version;
  }
  prepared_version_ = version;
  bind();
}

bool Executable::all_packed(uint64_t version) const {
  const auto stale = [version](const PackedBlock& block) { return block.version != version; };
  return std::ranges::none_of(packed_, [&](const Packed& packed) { return stale(*packed.block); }) &&
         std::ranges::none_of(fixed_, [&](const auto& block) { return block && stale(*block); });
}

// Runs a step of the prologue and packs what it gives.
void Executable::fold(size_t step, uint64_t version) {
  const NodeInfo& node = graph_.node(prologue_[step].node);
  for (ValueId id : node.outputs) {
    std::shared_ptr<void>& memory = fixed_[id.index] ? fixed_[id.index]->memory : temporary_[id.index];
    if (!memory) memory = aligned_memory(graph_.type(id).bytes());
  }
  std::vector<void*> inputs, outputs;
  std::vector<std::shared_ptr<void>> again;  // what is there already: others may be reading it at this moment
  for (ValueId id : node.inputs) inputs.push_back(address(id));
  for (ValueId id : node.outputs) {
    const bool there = fixed_[id.index] && fixed_[id.index]->version == version;
    if (there) again.push_back(aligned_memory(graph_.type(id).bytes()));
    outputs.push_back(there ? again.back().get() : address(id));
  }
  if (again.size() < outputs.size()) {
    prologue_[step].kernel->bind(inputs, outputs, workspace());
    prologue_[step].kernel->run();
  }
  for (ValueId id : node.outputs) pack(id, version);
  // What nobody reads any more goes at once: a large network's folded weights never lie in memory all at the same time.
  for (ValueId id : released_[step]) temporary_[id.index].reset();
}

void Executable::bind_input(std::string_view name, const void* memory) {
  const auto id = graph_.find_input(name);
  if (!id) fail(ErrorKind::internal, "there is no input '{}'", name);
  outside_[id->index] = const_cast<void*>(memory);
  if (!bound_to_) return;
  for (size_t i = 0; i < body_.size(); ++i)
    if (const auto& read = graph_.node(body_[i].node).inputs; std::ranges::find(read, *id) != read.end()) bind_step(i);
}

void Executable::pack(ValueId id, uint64_t version) {
  for (const Packed& packed : packed_) {
    const Step& step = body_[packed.step];
    if (packed.block->version == version || graph_.node(step.node).inputs[static_cast<size_t>(packed.input)] != id) continue;
    step.kernel->pack(packed.input, address(id), packed.block->memory.get());
  }
}

// Finds after which step of the prologue each folded constant can go: after its last reader there. Those that a run reads stay.
void Executable::plan_release() {
  released_.resize(prologue_.size());
  std::vector<size_t> last(graph_.value_count());
  for (size_t i = 0; i < prologue_.size(); ++i) {
    const NodeInfo& node = graph_.node(prologue_[i].node);
    for (const auto* ids : {&node.inputs, &node.outputs})
      for (ValueId id : *ids) last[id.index] = i;
  }
  for (const Step& step : prologue_)
    for (ValueId id : graph_.node(step.node).outputs)
      if (!read_in_run_[id.index]) released_[last[id.index]].push_back(id);
}

void Executable::run() {
  if (!bound_to_) fail(ErrorKind::internal, "an executable was run before its weights were prepared");
  if (bound_to_ != arena_->data()) bind();
  for (Step& step : body_) step.kernel->run();
  if (writes_states_) store_->changed();
}

void Executable::run_timed(std::span<double> seconds) {
  if (!bound_to_) fail(ErrorKind::internal, "an executable was run before its weights were prepared");
  if (bound_to_ != arena_->data()) bind();
  using Clock = std::chrono::steady_clock;
  for (Step& step : body_) {
    const auto start = Clock::now();
    step.kernel->run();
    seconds[step.node.index] += std::chrono::duration<double>(Clock::now() - start).count();
  }
  if (writes_states_) store_->changed();
}

std::string Executable::kernel(NodeId node) const {
  for (const auto* steps : {&prologue_, &body_})
    for (const Step& step : *steps)
      if (step.node == node) return step.kernel->describe();
  return {};
}

bool Executable::depends_on_cores() const {
  return std::ranges::any_of(body_, [](const Step& step) { return step.kernel->depends_on_cores(); });
}

void* Executable::checked(std::optional<ValueId> id, std::string_view name, DType dtype) const {
  if (!id) fail(ErrorKind::internal, "there is no input or output '{}'", name);
  if (graph_.type(*id).dtype != dtype)
    fail(ErrorKind::internal, "'{}' is {}, read as {}", name, to_string(graph_.type(*id)), to_string(dtype));
  return address(*id);
}

void* Executable::input(std::string_view name) {
  const auto id = graph_.find_input(name);
  if (!id) fail(ErrorKind::internal, "there is no input '{}'", name);
  return address(*id);
}

const void* Executable::output(std::string_view name) const {
  const auto id = graph_.find_output(name);
  if (!id) fail(ErrorKind::internal, "there is no output '{}'", name);
  return address(*id);
}

void Executable::write_input(std::string_view name, const Tensor& tensor) {
  void* memory = input(name);
  in_context(name, [&] { write_memory(tensor, graph_.type(*graph_.find_input(name)), memory); });
}

Tensor Executable::read_output(std::string_view name, DType floating) const {
  output(name);
  return value(*graph_.find_output(name), floating);
}

Tensor Executable::value(ValueId id, DType floating) const {
  const Type& type = graph_.type(id);
  const void* memory = address(id);
  if (!memory) fail(ErrorKind::internal, "value %{} has no memory", id.index);
  return read_memory(memory, type, std::vector<int64_t>(type.shape.dims().begin(), type.shape.dims().end()), floating);
}

void Executable::add_blocks(std::set<const PackedBlock*>& blocks) const {
  for (const Packed& packed : packed_) blocks.insert(packed.block.get());
  for (const auto& block : fixed_)
    if (block) blocks.insert(block.get());
}

MemoryUse Executable::memory() const {
  MemoryUse use;
  for (const State& state : graph_.states()) use.states += store_->at(state.name).memory.bytes();
  std::set<const PackedBlock*> blocks;
  add_blocks(blocks);
  {
    const std::lock_guard lock(packed_weights_->mutex());
    use.add_constants(blocks);
  }
  use.arena = arena_bytes();
  use.workspace = workspace_bytes_;
  return use;
}

}  // namespace fovea::engine
