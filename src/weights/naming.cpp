// Whose names a file's tensors have: a wrapper's prefix, another library's layout, a head of another make.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "weights/load.h"
#include "weights/name_map.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

using Names = std::vector<std::string>;

constexpr size_t kMostPrefixes = 8;
constexpr size_t kMostWords = 6;  // of a prefix

// Of networks that are as good: an average over others comes before what it is made of, and the encoder that trains before its copy.
constexpr std::array<std::string_view, 7> kPreferred = {"ema", "model_ema", "teacher", "encoder_q", "online_network", "student", "encoder"};

size_t preference(const std::string& prefix) {
  size_t best = kPreferred.size();
  for (size_t i = 0; i < kPreferred.size(); ++i)
    if (("." + prefix).find(fmt::format(".{}.", kPreferred[i])) != std::string::npos) best = std::min(best, i);
  return best;
}

// A way of reading the names, and how many of the model's tensors it finds.
struct Reading {
  std::string prefix;
  const NameMap* map = nullptr;
  Names names;
  std::vector<bool> dropped;
  size_t found = 0;
};

class Reader {
 public:
  Reader(const StateDict& file, std::span<const ExpectedTensor> model, const std::string& name_map) : name_map_(name_map) {
    for (const NamedTensor& named : file) file_.push_back(named.name);
    for (const ExpectedTensor& expected : model) {
      model_.push_back(expected.name);
      if (!expected.optional) wanted_.insert(expected.name);
    }
  }

  size_t wanted() const { return wanted_.size(); }

  Reading read(const std::string& prefix) const {
    Reading reading{prefix, nullptr, Names(file_.size()), std::vector<bool>(file_.size()), 0};
    Names inside;
    for (const std::string& name : file_)
      if (name.starts_with(prefix)) inside.push_back(name.substr(prefix.size()));
    reading.map = name_map_.empty() ? &choose_name_map(inside, model_) : &find_name_map(name_map_);
    const Names mapped = reading.map->apply(inside, model_);
    std::unordered_set<std::string_view> found;
    for (size_t i = 0, next = 0; i < file_.size(); ++i) {
      if (!file_[i].starts_with(prefix)) continue;
      reading.names[i] = mapped[next++];
      reading.dropped[i] = reading.names[i].empty();
      if (wanted_.contains(reading.names[i])) found.insert(reading.names[i]);
    }
    reading.found = found.size();
    if (!prefix.empty()) read_outside(reading, found);
    return reading;
  }

  // Prefixes that most of the model's names may lie under, in the file's order, shortest first where one begins another.
  Names prefixes() const {
    std::map<std::string, size_t> counts;
    Names order;
    for (const std::string& name : file_) {
      size_t dot = name.find('.');
      for (size_t words = 0; words < kMostWords && dot != std::string::npos; ++words, dot = name.find('.', dot + 1))
        if (const std::string prefix = name.substr(0, dot + 1); counts[prefix]++ == 0) order.push_back(prefix);
    }
    std::erase_if(order, [&](const std::string& prefix) { return 2 * counts[prefix] <= wanted(); });
    if (order.size() > kMostPrefixes) order.resize(kMostPrefixes);
    return order;
  }

 private:
  // A head may lie outside the wrapper of the rest; nothing else there is wanted.
  void read_outside(Reading& reading, const std::unordered_set<std::string_view>& found) const {
    const Names mapped = reading.map->apply(file_, model_);
    for (size_t i = 0; i < file_.size(); ++i) {
      if (file_[i].starts_with(reading.prefix)) continue;
      if (wanted_.contains(mapped[i]) && !found.contains(mapped[i])) reading.names[i] = mapped[i];
      reading.dropped[i] = mapped[i].empty();
    }
  }

  const std::string& name_map_;
  Names file_, model_;
  std::unordered_set<std::string> wanted_;
};

// The file's own naming where that finds most of the model; else the one that finds most.
Reading best_reading(const Reader& reader, std::vector<std::string>& notes) {
  Reading best = reader.read("");
  if (2 * best.found > reader.wanted()) return best;
  std::vector<Reading> good;
  for (const std::string& prefix : reader.prefixes()) good.push_back(reader.read(prefix));
  std::erase_if(good, [&](const Reading& one) { return 2 * one.found <= reader.wanted() || one.found <= best.found; });
  if (good.empty()) return best;
  std::ranges::stable_sort(good, [](const Reading& a, const Reading& b) {
    return a.found != b.found ? a.found > b.found : preference(a.prefix) < preference(b.prefix);
  });
  Names taken{good[0].prefix}, others;
  for (const Reading& one : good) {
    const auto overlaps = [&](const std::string& other) { return one.prefix.starts_with(other) || other.starts_with(one.prefix); };
    if (std::ranges::any_of(taken, overlaps)) continue;
    taken.push_back(one.prefix);
    others.push_back(in_quotes(one.prefix));
  }
  notes.push_back(others.empty() ? fmt::format("the network is what the file has under {}", in_quotes(good[0].prefix))
                                 : fmt::format("the file has a network under {} and under {}: the first is taken (FILE#NAME takes another)",
                                               in_quotes(good[0].prefix), fmt::join(others, ", ")));
  return std::move(good[0]);
}

std::string_view layer_of_weight(std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : std::string_view();
}

std::string_view parent_of(std::string_view layer) {
  return layer.substr(0, layer.rfind('.') == std::string_view::npos ? 0 : layer.rfind('.'));
}

class HeadSearch {
 public:
  HeadSearch(const StateDict& file, std::span<const ExpectedTensor> model, const HeadPlace& head, Naming& naming)
      : file_(file), head_(head), naming_(naming) {
    for (const ExpectedTensor& expected : model) model_.insert(expected.name);
  }

  void run() {
    if (head_.path.empty()) return;
    const std::string weight = head_.path + ".weight";
    if (!head_.absent) {
      if (!model_.contains(weight) || std::ranges::find(naming_.names, weight) != naming_.names.end()) return;
      if (std::ranges::any_of(file_.unusable, [&](const auto& one) { return one.first == weight; })) return;
    }
    collect_linear();
    if (const std::string_view layer = head_.absent ? std::string_view() : find(); !layer.empty()) return rename(layer);
    naming_.head_missing = true;
    naming_.notes.push_back(
        fmt::format("the file has no head that maps {} features to classes: the network ends with its features", head_.inputs));
    leave_out_projections();
    start_what_leads_to_it();
  }

 private:
  bool belongs(size_t i) const { return model_.contains(naming_.names[i]); }

  void collect_linear() {
    for (size_t i = 0; i < file_.size(); ++i) {
      const std::vector<int64_t>& shape = file_[i].tensor.shape();
      const std::string_view layer = layer_of_weight(file_[i].name);
      const bool linear = shape.size() == 2 || (head_.is_convolution && shape.size() == 4 && shape[2] == 1 && shape[3] == 1);
      const Tensor* bias = layer.empty() ? nullptr : file_.find(fmt::format("{}.bias", layer));
      if (linear && !belongs(i) && !naming_.dropped[i] && shape[0] > 0 && bias && bias->shape() == std::vector<int64_t>{shape[0]})
        linear_.push_back({layer, parent_of(layer), shape[0], shape[1]});
    }
  }

  // The one linear layer with a bias that reads the features, among those that are no part of the network, and that stands alone: of
  // several in a row none is a classifier.
  std::string_view find() const {
    std::vector<std::string_view> heads;
    for (const Linear& one : linear_) {
      const bool in_a_row = std::ranges::any_of(linear_, [&](const Linear& other) {
        return other.layer != one.layer && other.parent == one.parent && (other.inputs == one.outputs || other.outputs == one.inputs);
      });
      if (one.inputs == head_.inputs && !in_a_row) heads.push_back(one.layer);
    }
    return heads.size() == 1 ? heads[0] : std::string_view();
  }

  void rename(std::string_view layer) {
    for (size_t i = 0; i < file_.size(); ++i)
      for (const char* last : {"weight", "bias"})
        if (file_[i].name == fmt::format("{}.{}", layer, last)) naming_.names[i] = fmt::format("{}.{}", head_.path, last);
    naming_.notes.push_back(fmt::format("the head is {} in the file", in_quotes(layer)));
  }

  // What stands in the head's place, or beside the network's own parts: projections of a training without labels.
  void leave_out_projections() {
    std::unordered_set<std::string_view> parts;
    for (const std::string& name : model_)
      if (!name.starts_with(head_.path + ".")) parts.insert(std::string_view(name).substr(0, name.find('.')));
    size_t count = 0;
    std::string first;
    for (size_t i = 0; i < file_.size(); ++i) {
      const std::string& name = naming_.names[i];
      if (name.empty() || belongs(i) || parts.contains(std::string_view(name).substr(0, name.find('.')))) continue;
      if (count++ == 0) first = in_quotes(file_[i].name);
      naming_.names[i].clear();
    }
    if (count > 0) naming_.notes.push_back(fmt::format("{} tensors that are no part of the network are left out, first {}", count, first));
  }

  // Hidden layers of a classifier, of which a backbone has none either.
  void start_what_leads_to_it() {
    const size_t dot = head_.path.rfind('.');
    if (dot == std::string::npos) return;
    const std::string parent = head_.path.substr(0, dot + 1);
    const auto inside = [&](const std::string& name) { return name.starts_with(parent) && !name.starts_with(head_.path + "."); };
    if (std::ranges::none_of(model_, inside) || std::ranges::any_of(naming_.names, inside)) return;
    naming_.start_new.push_back(parent);
    naming_.notes.push_back(fmt::format("{} before the head start at random: take features before them (pooled)", in_quotes(parent + "*")));
  }

  const StateDict& file_;
  const HeadPlace& head_;
  Naming& naming_;
  std::unordered_set<std::string> model_;
  struct Linear {
    std::string_view layer, parent;
    int64_t outputs, inputs;
  };
  std::vector<Linear> linear_;  // that are no part of the network
};

}  // namespace

Naming name_tensors(const StateDict& file, std::span<const ExpectedTensor> model, const std::string& name_map, const HeadPlace& head) {
  Naming naming;
  const Reader reader(file, model, name_map);
  Reading reading = best_reading(reader, naming.notes);
  naming.map = reading.map->name();
  naming.prefix = std::move(reading.prefix);
  naming.names = std::move(reading.names);
  naming.dropped = std::move(reading.dropped);
  if (2 * reading.found > reader.wanted()) HeadSearch(file, model, head, naming).run();
  return naming;
}

}  // namespace fovea::weights
