#include "engine/session.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/head_graph.h"
#include "passes/drop_dead.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"

namespace fovea::engine {

Graph inference_graph(ModelGraph model, const std::vector<std::string>& outputs, DType precision, std::vector<OutputView::Form>* forms) {
  for (const std::string& name : outputs) {
    const OutputView output = find_output(model, name);
    if (forms) forms->push_back(output.form);
    if (!model.graph.find_output(name)) model.graph.output(name, output.value);  // else asked for twice
  }
  return passes::optimize(passes::set_precision(passes::lower_mode(model.graph, {}), precision));
}

std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures,
                                                   const std::vector<std::string>& outputs, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena, std::vector<OutputView::Form>* forms,
                                                   std::shared_ptr<PackedWeights> packed) {
  const auto build = [&](int64_t batch) {
    return inference_graph(network.build(batch, pictures.height, pictures.width), outputs, network.precision(), forms);
  };
  return BatchExecutable::compile(build, pictures.batch, backend, network.store(), std::move(arena), std::move(packed));
}

std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena) {
  return compile_inference(network, pictures, {last_output(network.build(1, pictures.height, pictures.width))}, backend, std::move(arena));
}

namespace {

std::unique_ptr<BatchExecutable> compile_head(const Network& network, const PictureBatch& pictures, const std::string& output,
                                              const backend::Backend& backend, std::shared_ptr<Arena> arena) {
  const auto build = [&](int64_t batch) {
    return head_graph(network.build(batch, pictures.height, pictures.width), output, network.precision());
  };
  return BatchExecutable::compile(build, pictures.batch, backend, network.store(), std::move(arena), network.packed_weights());
}

}  // namespace

struct Session::Seat {
  explicit Seat(std::shared_ptr<Arena> memory) : arena(std::move(memory)) {}

  std::shared_ptr<Arena> arena;
  std::map<Key, Entry> executables;
  uint64_t uses = 0;
};

Session::Session(std::shared_ptr<const Network> network, const backend::Backend& backend, std::shared_ptr<Arena> arena, int cores,
                 bool many)
    : network_(std::move(network)), backend_(backend), cores_(cores), many_(many) {
  seats_.push_back(std::make_unique<Seat>(arena ? std::move(arena) : std::make_shared<Arena>()));
  free_.push_back(seats_[0].get());
}

Session::Session(std::shared_ptr<const Network> network, const backend::Backend& backend, std::shared_ptr<Arena> arena)
    : Session(std::move(network), backend, std::move(arena), 0, false) {}

std::shared_ptr<Session> Session::for_many(std::shared_ptr<const Network> network, const backend::Backend& backend, int cores) {
  return std::shared_ptr<Session>(new Session(std::move(network), backend, nullptr, cores, true));
}

Session::~Session() = default;

Session::Turn::Turn(const Session& session) : session_(session), seat_(session.take_seat()) {}
Session::Turn::~Turn() { session_.give_back(seat_); }

Session::Seat* Session::take_seat() const {
  std::unique_lock lock(mutex_);
  if (free_.empty() && many_) {
    seats_.push_back(std::make_unique<Seat>(std::make_shared<Arena>()));
    return seats_.back().get();
  }
  given_back_.wait(lock, [&] { return !free_.empty(); });
  Seat* const seat = free_.back();
  free_.pop_back();
  return seat;
}

void Session::give_back(Seat* seat) const {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(seat);
  }
  given_back_.notify_one();
}

void Session::compile(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs) {
  const Turn turn(*this);
  const CoresScope scope(cores_);
  compiled(*turn.seat_, {batch, height, width, outputs});
}

bool Session::depends_on_cores(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs) {
  const Turn turn(*this);
  const CoresScope scope(cores_);
  return compiled(*turn.seat_, {batch, height, width, outputs}).executable->of_group().depends_on_cores();
}

Session::Entry& Session::find(Seat& seat, const Key& key) {
  Entry& entry = compiled(seat, key);
  if (!entry.executable->current()) entry.executable->prepare();
  return entry;
}

Session::Entry& Session::compiled(Seat& seat, const Key& key) {
  // Sizes change from call to call in some uses: what was used longest ago goes when there are too many.
  constexpr size_t kMostExecutables = 8;
  auto found = seat.executables.find(key);
  if (found == seat.executables.end()) {
    if (seat.executables.size() >= kMostExecutables) {
      const auto by_use = [](const auto& a, const auto& b) { return a.second.used < b.second.used; };
      seat.executables.erase(std::min_element(seat.executables.begin(), seat.executables.end(), by_use));
    }
    Entry entry;
    const std::lock_guard lock(compiling_);
    const PictureBatch pictures{key.batch, key.height, key.width};
    entry.executable =
        key.head ? compile_head(*network_, pictures, key.outputs[0], backend_, seat.arena)
                 : compile_inference(*network_, pictures, key.outputs, backend_, seat.arena, &entry.forms, network_->packed_weights());
    found = seat.executables.emplace(key, std::move(entry)).first;
  }
  Entry& entry = found->second;
  entry.used = ++seat.uses;
  return entry;
}

namespace {

// Prepared pictures are what `preprocess` gives; a network computes something of any other numbers, too, and means nothing by it.
void require_pixels(const Tensor& images) {
  if (images.dtype() == DType::u8)
    fail(ErrorKind::usage, "pictures of u8, f32 expected: bytes are brought to the network's range first (preprocess)");
  if (images.dtype() != DType::f32) fail(ErrorKind::usage, "pictures of {}, f32 expected: convert them", to_string(images.dtype()));
  const auto values = images.values<float>();
  if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) return;
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  const int64_t at = bad - values.begin(), each = images.size() / std::max<int64_t>(1, images.shape()[0]);
  fail(ErrorKind::input, "picture {} of {} holds a pixel of {}, which is no number", at / each + 1, images.shape()[0], *bad);
}

// How large pictures are whose last map has this shape: the preprocessing's size, or by the map's stride. Throws Error(usage) for a map
// that no pictures have, naming the usual one.
PictureBatch pictures_of_map(const Network& network, const std::vector<int64_t>& shape) {
  ModelGraph usual = network.build(1);
  const OutputView view = last_map(usual);
  const Shape& type = usual.graph.type(view.value).shape;
  const std::vector<int64_t> expected = view.form == OutputView::Form::tokens
                                            ? std::vector<int64_t>{type[1], type[2]}
                                            : std::vector<int64_t>{type.channels(), type.height(), type.width()};
  const auto refuse = [&] {
    std::string words = "[N";
    for (int64_t dim : expected) words += "," + std::to_string(dim);
    fail(ErrorKind::usage, "a last map of {}, {}] expected", shape_string(shape), words);
  };
  if (shape.size() != expected.size() + 1 || shape[0] < 1) refuse();
  if (std::equal(expected.begin(), expected.end(), shape.begin() + 1)) return {shape[0], 0, 0};
  if (view.form == OutputView::Form::tokens || shape[1] != expected[0]) refuse();
  const int64_t stride = strides_from(usual.graph, usual.image)[view.value.index];
  return {shape[0], shape[2] * stride, shape[3] * stride};
}

}  // namespace

Tensor Session::run_head(const Tensor& map, const std::string& output) {
  if (map.dtype() != DType::f32) fail(ErrorKind::usage, "a last map of {}, f32 expected", to_string(map.dtype()));
  const PictureBatch pictures = pictures_of_map(*network_, map.shape());
  const Turn turn(*this);
  const CoresScope scope(cores_);
  BatchExecutable& executable = *find(*turn.seat_, {pictures.batch, pictures.height, pictures.width, {output}, true}).executable;
  if (static_cast<int64_t>(executable.image().size()) != map.size())
    fail(ErrorKind::usage, "a last map of {}, which no pictures have", shape_string(map.shape()));
  if (map.shape().size() == 3)
    std::ranges::copy(map.values<float>(), executable.image().begin());  // tokens lie in memory as they are given
  else
    executable.write_image(map);
  executable.run();
  const Tensor result = executable.read_output(output);
  return result.reshaped({result.shape()[0], result.shape()[1]});
}

std::vector<Tensor> Session::run(const Tensor& images, const std::vector<std::string>& outputs) {
  const auto& shape = images.shape();
  if (shape.size() != 4 || shape[1] != network_->channels()) {
    fail(ErrorKind::usage, "pictures of shape {}, [N,{},height,width] expected", shape_string(shape), network_->channels());
  }
  require_pixels(images);
  const Turn turn(*this);
  const CoresScope scope(cores_);
  const Entry& entry = find(*turn.seat_, {shape[0], shape[2], shape[3], outputs});
  entry.executable->write_image(images);
  entry.executable->run();
  std::vector<Tensor> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor result = entry.executable->read_output(outputs[i]);
    if (entry.forms[i] == OutputView::Form::vector) result = result.reshaped({result.shape()[0], result.shape()[1]});
    results.push_back(std::move(result));
  }
  return results;
}

void Session::network_changed() {
  const Turn turn(*this);
  turn.seat_->executables.clear();
}

MemoryUse Session::memory() const {
  const Turn turn(*this);
  MemoryUse sum;
  sum.states = network_->store()->bytes();
  sum.arena = turn.seat_->arena->bytes();
  std::set<const PackedBlock*> blocks;
  for (const auto& [key, entry] : turn.seat_->executables) {
    entry.executable->add_blocks(blocks);
    sum.arena = std::max(sum.arena, entry.executable->arena_bytes());
  }
  const std::lock_guard lock(network_->packed_weights()->mutex());
  sum.add_constants(blocks);
  return sum;
}

}  // namespace fovea::engine
