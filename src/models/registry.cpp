#include "models/registry.h"

#include <algorithm>
#include <deque>
#include <mutex>

#include "base/error.h"
#include "base/nearest.h"
#include "ir/slots.h"
#include "models/families.h"
#include "nn/heads.h"

namespace fovea::models {
namespace {

// Pointers to variants stay valid, whatever is added.
class Registry {
 public:
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  // By name.
  std::vector<const Variant*> variants() const {
    const std::lock_guard lock(mutex_);
    return sorted_;
  }

  void add(Variant variant) {
    const std::lock_guard lock(mutex_);
    const auto place = std::ranges::lower_bound(sorted_, variant.name, {}, name_of);
    if (place != sorted_.end() && (*place)->name == variant.name)
      fail(ErrorKind::usage, "there is a model '{}' already, of the family {}", variant.name, (*place)->family);
    sorted_.insert(place, &variants_.emplace_back(std::move(variant)));
  }

 private:
  Registry() {
    const auto add_family = [&](std::vector<Variant> family) {
      for (Variant& variant : family) add(std::move(variant));
    };
#define FOVEA_ADD_FAMILY(NAME) add_family(NAME::variants());
    FOVEA_FAMILIES(FOVEA_ADD_FAMILY)
#undef FOVEA_ADD_FAMILY
  }
  static const std::string& name_of(const Variant* variant) { return variant->name; }

  mutable std::mutex mutex_;
  std::deque<Variant> variants_;
  std::vector<const Variant*> sorted_;
};

std::vector<const Variant*> all() { return Registry::instance().variants(); }

// "timm/NAME" for both "NAME" and "timm/NAME" of timm's layout.
std::string full_name(const Variant& variant) {
  return variant.name.find('/') == std::string::npos ? variant.layout + "/" + variant.name : variant.name;
}

void check_options(const Variant& variant, const BuildOptions& options) {
  const int64_t least = variant.least_size;
  if (options.height < least || options.width < least)
    fail(ErrorKind::usage, "{} takes pictures of at least {}x{}, not {}x{}", variant.name, least, least, options.height, options.width);
  const int64_t multiple = variant.size_multiple;
  // Some networks' own size is none: what is left at the right and the bottom belongs to no patch.
  const auto takes = [&](int64_t size) { return size % multiple == 0 || size == variant.input_size; };
  if (!takes(options.height) || !takes(options.width))
    fail(ErrorKind::usage, "{} takes pictures whose sides are multiples of {}, not {}x{}", variant.name, multiple, options.height,
         options.width);
  if (options.head.hidden < 1) fail(ErrorKind::usage, "{}: a head {} wide inside, at least 1 expected", variant.name, options.head.hidden);
  if (options.head.dropout >= 1)
    fail(ErrorKind::usage, "{}: a head that drops {} of its features, less than 1 expected", variant.name, options.head.dropout);
  if (options.batch < 1) fail(ErrorKind::usage, "{}: a batch of {}, at least 1 expected", variant.name, options.batch);
  if (options.channels < 1) fail(ErrorKind::usage, "{}: pictures of {} channels, at least 1 expected", variant.name, options.channels);
  if (options.classes < 0) fail(ErrorKind::usage, "{}: {} classes, at least 0 (no head) expected", variant.name, options.classes);
}

}  // namespace

void add(Variant variant) { Registry::instance().add(std::move(variant)); }

bool in_head(const Variant& variant, std::string_view name) {
  const auto below = [&](const std::string& path) { return !path.empty() && name.starts_with(path + "."); };
  return below(variant.head) || below(variant.second_head);
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const Variant* variant : all()) result.push_back(variant->name);
  return result;
}

const Variant* find(std::string_view name) {
  for (const Variant* variant : all())
    if (variant->name == name || full_name(*variant) == name) return variant;
  return nullptr;
}

const Variant& get(std::string_view name) {
  if (const Variant* variant = find(name)) return *variant;
  // As it was asked for: with or without a library.
  std::vector<std::string> candidates;
  const bool with_library = name.find('/') != std::string_view::npos;
  for (const Variant* variant : all()) candidates.push_back(with_library ? full_name(*variant) : variant->name);
  // The other library's, where that one has it.
  const bool qualified = name.starts_with("timm/") || name.starts_with("torchvision/");
  const Variant* elsewhere = qualified ? find(name.substr(name.find('/') + 1)) : nullptr;
  fail(ErrorKind::usage, "there is no model '{}'; the nearest names: {}{}", name, elsewhere ? elsewhere->name + ", " : "",
       nearest(name, candidates));
}

ModelGraph build(const Variant& variant, const BuildOptions& options) {
  check_options(variant, options);
  return in_context(variant.name, [&] {
    ModelGraph model;
    Graph& graph = model.graph;
    Scope scope(graph, model.taps, model.positions);
    const Value image(graph,
                      graph.input(slots::kImage.name, {DType::f32, {options.batch, options.channels, options.height, options.width}}));
    const Size2 native{options.native_height > 0 ? options.native_height : variant.input_size,
                       options.native_width > 0 ? options.native_width : variant.input_size};
    const Features features = variant.body(scope, image, native);
    model.image = image.id();
    model.map = features.map.id();
    model.pooled = features.pooled.id();
    model.pre_logits = features.pre_logits.id();
    if (options.classes > 0) {
      const Head made{.classes = options.classes,
                      .options = options.head,
                      .dropout = variant.head_dropout,
                      .as_convolution = variant.head_convolution,
                      .second = variant.second_head,
                      .weight = variant.head_weight_init,
                      .bias = variant.head_bias_init};
      const HeadValues values = head(scope, variant.head, features, made);
      model.head_input = values.input.id();
      model.logits = values.logits.id();
    }
    const std::vector<int64_t> strides = strides_from(graph, model.image);
    for (Tap& tap : model.taps) tap.stride = static_cast<double>(strides[tap.value.index]);
    return model;
  });
}

}  // namespace fovea::models
