#include "api/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "api/implementation.h"
#include "base/error.h"
#include "image/picture.h"
#include "train/data.h"

namespace fovea {
namespace {

using Implementation = Dataset::Implementation;

class MemorySource final : public DatasetSource {
 public:
  explicit MemorySource(std::vector<Example> examples) : examples_(std::move(examples)) {}
  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  Image picture(int64_t index) const override { return at(index).image; }
  Labels labels(int64_t index) const override { return at(index).labels; }
  std::string name(int64_t index) const override { return at(index).name; }
  std::string group(int64_t index) const override { return at(index).group; }

 private:
  const Example& at(int64_t index) const { return examples_[static_cast<size_t>(index)]; }
  const std::vector<Example> examples_;
};

template <class T>
constexpr bool is_several = std::is_same_v<T, std::vector<int64_t>> || std::is_same_v<T, std::vector<std::string>>;

// What the labels of all pictures are about.
struct Kinds {
  std::set<std::string> names;
  int64_t largest = -1;  // index
  size_t targets = 0;    // of a picture with soft ones
  bool several = false;
};

Kinds kinds_of(const std::vector<Labels>& labels) {
  Kinds kinds;
  const auto index = [&](int64_t value) { kinds.largest = std::max(kinds.largest, value); };
  for (const Labels& one : labels) {
    std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (is_several<T>) kinds.several = true;
          if constexpr (std::is_same_v<T, int64_t>) index(value);
          if constexpr (std::is_same_v<T, std::string>) kinds.names.insert(value);
          if constexpr (std::is_same_v<T, std::vector<int64_t>>) std::ranges::for_each(value, index);
          if constexpr (std::is_same_v<T, std::vector<std::string>>) kinds.names.insert(value.begin(), value.end());
          if constexpr (std::is_same_v<T, std::vector<float>>) kinds.targets = std::max(kinds.targets, value.size());
        },
        one);
  }
  return kinds;
}

// Settles the classes by what the caller says, or else by the labels.
void settle_classes(Implementation& made, const Kinds& kinds, const DatasetOptions& options) {
  const int64_t counted = std::max(kinds.largest + 1, static_cast<int64_t>(kinds.targets));
  if (!options.classes.empty()) {
    made.classes = options.classes;
  } else if (!kinds.names.empty() && counted > 0) {
    fail(ErrorKind::input, "some labels are names (\"{}\"), others numbers: the classes must be given", *kinds.names.begin());
  } else if (!kinds.names.empty()) {
    made.classes.assign(kinds.names.begin(), kinds.names.end());
  } else {
    made.classes = numbered(counted);
    made.named = false;
  }
  std::set<std::string> seen;
  for (const std::string& name : made.classes)
    if (!seen.insert(name).second) fail(ErrorKind::input, "class \"{}\" is given twice", name);
  if (made.classes.empty()) fail(ErrorKind::input, "no picture has a label");
  if (made.classes.size() == 1) fail(ErrorKind::input, "one class only (\"{}\"); a classifier needs two", made.classes.front());
}

class Labelling {
 public:
  explicit Labelling(const Implementation& made) : made_(made) {
    for (size_t i = 0; i < made.classes.size(); ++i) of_name_.emplace(made.classes[i], static_cast<int32_t>(i));
  }

  void label(image::Sample& sample, const Labels& labels) const {
    std::visit([&](const auto& value) { set(sample, value); }, labels);
  }

 private:
  int32_t class_of(int64_t index) const {
    if (index < 0 || index >= static_cast<int64_t>(made_.classes.size()))
      fail(ErrorKind::input, "label {} is none of the classes 0 to {}", index, made_.classes.size() - 1);
    return static_cast<int32_t>(index);
  }
  int32_t class_of(const std::string& name) const {
    const auto found = of_name_.find(name);
    if (found == of_name_.end()) fail(ErrorKind::input, "\"{}\" is none of the {} known classes", name, made_.classes.size());
    return found->second;
  }
  void set(image::Sample& sample, const auto& one) const {
    sample.label = made_.independent ? -1 : class_of(one);
    if (made_.independent) sample.labels = {class_of(one)};
  }
  template <class T>
  void set(image::Sample& sample, const std::vector<T>& several) const {
    for (const T& one : several) sample.labels.push_back(class_of(one));
    std::ranges::sort(sample.labels);
    if (const auto twice = std::ranges::adjacent_find(sample.labels); twice != sample.labels.end())
      fail(ErrorKind::input, "the label \"{}\" is given twice", made_.classes[static_cast<size_t>(*twice)]);
    sample.label = -1;
  }
  void set(image::Sample& sample, const std::vector<float>& targets) const {
    constexpr double kRounding = 1e-3;
    if (targets.size() != made_.classes.size())
      fail(ErrorKind::input, "{} soft targets for {} classes", targets.size(), made_.classes.size());
    for (const float target : targets)
      if (!(target >= 0 && target <= 1)) fail(ErrorKind::input, "a soft target of {}, 0 to 1 expected", target);
    const double sum = std::accumulate(targets.begin(), targets.end(), 0.0);
    if (!made_.independent && std::abs(sum - 1) > kRounding) fail(ErrorKind::input, "soft targets that add up to {}, 1 expected", sum);
    sample.targets = targets;
    sample.label = made_.independent ? -1 : static_cast<int32_t>(std::ranges::max_element(targets) - targets.begin());
    for (size_t i = 0; made_.independent && i < targets.size(); ++i)
      if (targets[i] >= 0.5f) sample.labels.push_back(static_cast<int32_t>(i));
  }

  const Implementation& made_;
  std::map<std::string, int32_t> of_name_;
};

std::shared_ptr<const Implementation> made_by(std::shared_ptr<const DatasetSource> source, const DatasetOptions& options) {
  if (!source) fail(ErrorKind::usage, "a dataset of no source");
  auto made = std::make_shared<Implementation>();
  const int64_t count = source->size();
  if (count < 1) fail(ErrorKind::input, "a dataset without a picture");
  std::vector<Labels> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(source->labels(i));
  const Kinds kinds = kinds_of(labels);
  settle_classes(*made, kinds, options);
  made->independent = kinds.several || options.independent;
  const Labelling labelling(*made);
  std::unordered_set<std::string> names;
  for (int64_t i = 0; i < count; ++i) {
    image::Sample sample;
    sample.path = sample.name = source->name(i);
    if (sample.path.empty()) fail(ErrorKind::input, "picture {} has no name", i);
    if (!names.insert(sample.path).second) fail(ErrorKind::input, "{}: two pictures have this name", sample.path);
    in_context(sample.path, [&] { labelling.label(sample, labels[static_cast<size_t>(i)]); });
    sample.group = source->group(i);
    sample.source = source;
    sample.index = i;
    made->samples.push_back(std::move(sample));
  }
  made->parts.assign(made->samples.size(), Part::train);
  made->where = count == 1 ? "1 picture" : fmt::format("{} pictures", count);
  return made;
}

std::shared_ptr<const Implementation> made_of(image::Splits found, std::string where) {
  auto made = std::make_shared<Implementation>();
  made->classes = found.train.classes;
  made->independent = found.train.multi_label;
  for (auto [dataset, part] : {std::pair(&found.train, Part::train), {&found.validation, Part::validation}, {&found.test, Part::test}}) {
    std::ranges::move(dataset->samples, std::back_inserter(made->samples));
    made->parts.resize(made->samples.size(), part);
  }
  made->unused = std::move(found.unused);
  made->news = std::move(found.news);
  made->where = std::move(where);
  return made;
}

// The same sample by other classes: `to` has the new index of each old one, below 0 where there is none.
void relabel(image::Sample& sample, std::span<const int32_t> to, size_t classes, const std::vector<std::string>& old) {
  const auto moved = [&](int32_t label) {
    const int32_t now = to[static_cast<size_t>(label)];
    if (now < 0)
      fail(ErrorKind::input, "{}: \"{}\" is none of the {} known classes", sample.path, old[static_cast<size_t>(label)], classes);
    return now;
  };
  if (sample.label >= 0) sample.label = moved(sample.label);
  for (int32_t& label : sample.labels) label = moved(label);
  std::ranges::sort(sample.labels);
  if (sample.targets.empty()) return;
  std::vector<float> targets(classes);
  for (size_t i = 0; i < sample.targets.size(); ++i)
    if (sample.targets[i] > 0) targets[static_cast<size_t>(moved(static_cast<int32_t>(i)))] = sample.targets[i];
  sample.targets = std::move(targets);
}

// The new index of each class; without names they are counted.
std::vector<int32_t> places_of(const Implementation& one, const std::vector<std::string>& classes) {
  std::vector<int32_t> to;
  for (size_t i = 0; i < one.classes.size(); ++i) {
    const auto found = std::ranges::find(classes, one.classes[i]);
    const bool known = one.named ? found != classes.end() : i < classes.size();
    to.push_back(!known ? -1 : one.named ? static_cast<int32_t>(found - classes.begin()) : static_cast<int32_t>(i));
  }
  return to;
}

void take_classes(Implementation& one, const std::vector<std::string>& classes) {
  if (one.classes != classes) {
    const std::vector<int32_t> to = places_of(one, classes);
    for (image::Sample& sample : one.samples) relabel(sample, to, classes.size(), one.classes);
  }
  one.classes = classes;
  one.named = true;
}

std::vector<std::string> classes_of_both(const Implementation& a, const Implementation& b) {
  if (a.classes == b.classes) return a.classes;
  if (a.named != b.named) return a.named ? a.classes : b.classes;
  if (!a.named) return std::max(a.classes, b.classes, [](const auto& x, const auto& y) { return x.size() < y.size(); });
  std::set<std::string> all(a.classes.begin(), a.classes.end());
  all.insert(b.classes.begin(), b.classes.end());
  return {all.begin(), all.end()};
}

std::shared_ptr<Implementation> chosen(const Implementation& from, const std::vector<size_t>& places) {
  auto made = std::make_shared<Implementation>(from);
  made->samples.clear();
  made->parts.clear();
  for (const size_t place : places) {
    made->samples.push_back(from.samples[place]);
    made->parts.push_back(from.parts[place]);
  }
  return made;
}

template <class Keep>
std::shared_ptr<Implementation> those_where(const Implementation& from, Keep&& keep) {
  std::vector<size_t> places;
  for (size_t i = 0; i < from.samples.size(); ++i)
    if (keep(i)) places.push_back(i);
  return chosen(from, places);
}

size_t place_in(const Implementation& data, int64_t index) {
  if (index < 0 || index >= static_cast<int64_t>(data.samples.size()))
    fail(ErrorKind::usage, "picture {} of a dataset of {}", index, data.samples.size());
  return static_cast<size_t>(index);
}

}  // namespace

DatasetSource::~DatasetSource() = default;
std::string DatasetSource::name(int64_t index) const { return fmt::format("picture {}", index); }
std::string DatasetSource::group(int64_t) const { return {}; }

Dataset::Dataset(std::shared_ptr<const Implementation> implementation) : implementation_(std::move(implementation)) {}

const Dataset::Implementation& Dataset::implementation() const {
  if (!implementation_) fail(ErrorKind::usage, "a dataset is used that was moved from");
  return *implementation_;
}

Dataset Dataset::load(const std::string& path) { return Dataset(made_of(training::find_pictures(path), path)); }

Dataset Dataset::from_files(const std::vector<std::string>& files) {
  return Dataset(made_of(training::find_pictures(files), fmt::format("a list of {} files", files.size())));
}

Dataset Dataset::from_memory(std::vector<Example> examples, const DatasetOptions& options) {
  for (const Example& one : examples)
    if (const Image& image = one.image;
        image.pixels.empty() || static_cast<int64_t>(image.pixels.size()) != image.channels * image.width * image.height)
      fail(ErrorKind::input, "{}: {} bytes for {} x {} pixels of {}", one.name, image.pixels.size(), image.width, image.height,
           image.channels);
  return from_source(std::make_shared<MemorySource>(std::move(examples)), options);
}

Dataset Dataset::from_source(std::shared_ptr<const DatasetSource> source, const DatasetOptions& options) {
  return Dataset(made_by(std::move(source), options));
}

int64_t Dataset::size() const { return static_cast<int64_t>(implementation().samples.size()); }
std::vector<std::string> Dataset::classes() const { return implementation().classes; }
bool Dataset::independent() const { return implementation().independent; }

std::string Dataset::name(int64_t index) const { return implementation().samples[place_in(implementation(), index)].path; }

Labels Dataset::labels(int64_t index) const {
  const image::Sample& sample = implementation().samples[place_in(implementation(), index)];
  if (!sample.targets.empty()) return sample.targets;
  if (!independent()) return int64_t{sample.label};
  return std::vector<int64_t>(sample.labels.begin(), sample.labels.end());
}

Part Dataset::part(int64_t index) const { return implementation().parts[place_in(implementation(), index)]; }
std::string Dataset::group(int64_t index) const { return implementation().samples[place_in(implementation(), index)].group; }
Image Dataset::picture(int64_t index) const { return image::read_picture(implementation().samples[place_in(implementation(), index)], {}); }

Dataset Dataset::subset(std::span<const int64_t> indices) const {
  std::vector<size_t> places;
  std::vector<bool> taken(implementation().samples.size());
  for (const int64_t index : indices) {
    const size_t place = place_in(implementation(), index);
    if (taken[place]) fail(ErrorKind::usage, "picture {} is given twice", index);
    taken[place] = true;
    places.push_back(place);
  }
  return Dataset(chosen(implementation(), places));
}

Dataset Dataset::filter(const std::function<bool(int64_t index)>& keep) const {
  return Dataset(those_where(implementation(), [&](size_t i) { return keep(static_cast<int64_t>(i)); }));
}

Dataset Dataset::join(const Dataset& other) const {
  auto made = std::make_shared<Implementation>(implementation());
  Implementation more = other.implementation();
  if (made->independent != more.independent)
    fail(ErrorKind::input, "pictures of {} have one label each, those of {} several", made->independent ? more.where : made->where,
         made->independent ? made->where : more.where);
  const bool named = made->named || more.named;
  const std::vector<std::string> classes = classes_of_both(*made, more);
  take_classes(*made, classes);
  take_classes(more, classes);
  made->named = named;
  std::unordered_set<std::string> names;
  for (const image::Sample& sample : made->samples) names.insert(sample.path);
  for (const image::Sample& sample : more.samples)
    if (names.contains(sample.path)) fail(ErrorKind::input, "{}: is in both datasets", sample.path);
  std::ranges::move(more.samples, std::back_inserter(made->samples));
  std::ranges::move(more.parts, std::back_inserter(made->parts));
  std::ranges::move(more.unused, std::back_inserter(made->unused));
  std::ranges::move(more.news, std::back_inserter(made->news));
  made->where = fmt::format("{} and {}", made->where, more.where);
  return Dataset(std::move(made));
}

Dataset Dataset::as(Part part) const {
  auto made = std::make_shared<Implementation>(implementation());
  std::ranges::fill(made->parts, part);
  return Dataset(std::move(made));
}

Dataset Dataset::only(Part part) const {
  return Dataset(those_where(implementation(), [&](size_t i) { return implementation().parts[i] == part; }));
}

Dataset Dataset::grouped(const std::function<std::string(int64_t index)>& group_of) const {
  auto made = std::make_shared<Implementation>(implementation());
  for (size_t i = 0; i < made->samples.size(); ++i) made->samples[i].group = group_of(static_cast<int64_t>(i));
  return Dataset(std::move(made));
}

Dataset Dataset::split(const SplitOptions& options) const {
  const image::Splits all = splits_of(*this);
  const std::vector<int64_t> groups = training::groups_of({}, all.train);
  const image::Splits divided = image::split(all.train, options, groups);
  std::unordered_map<std::string, Part> parts;
  for (const image::Sample& sample : divided.validation.samples) parts.emplace(sample.path, Part::validation);
  for (const image::Sample& sample : divided.test.samples) parts.emplace(sample.path, Part::test);
  auto made = std::make_shared<Implementation>(implementation());
  for (size_t i = 0; i < made->samples.size(); ++i)
    if (const auto found = parts.find(made->samples[i].path); found != parts.end()) made->parts[i] = found->second;
  return Dataset(std::move(made));
}

image::Splits splits_of(const Dataset& dataset, const std::vector<std::string>& known) {
  const Implementation& data = dataset.implementation();
  image::Splits splits;
  image::Dataset* const parts[] = {&splits.train, &splits.validation, &splits.test};
  for (image::Dataset* part : parts) {
    part->classes = !data.named && known.size() == data.classes.size() ? known : data.classes;
    part->multi_label = data.independent;
  }
  for (size_t i = 0; i < data.samples.size(); ++i) parts[static_cast<size_t>(data.parts[i])]->samples.push_back(data.samples[i]);
  for (image::Dataset* part : parts) image::sort_samples(part->samples);
  splits.unused = data.unused;
  splits.news = data.news;
  return splits;
}

image::Dataset pictures_of(const Dataset& dataset, const std::vector<std::string>& known, bool independent) {
  Implementation data = dataset.implementation();
  take_classes(data, known);
  image::Dataset result;
  result.classes = known;
  result.multi_label = independent;
  for (image::Sample& sample : data.samples) {
    if (independent && sample.label >= 0) sample.labels = {std::exchange(sample.label, -1)};
    if (!independent && sample.label < 0) {
      if (sample.labels.size() != 1)
        fail(ErrorKind::input, "{}: has {} labels, and the model tells one for each picture", sample.path, sample.labels.size());
      sample.label = sample.labels.front();
      sample.labels.clear();
      sample.targets.clear();
    }
    result.samples.push_back(std::move(sample));
  }
  image::sort_samples(result.samples);
  result.unused = std::move(data.unused);
  return result;
}

}  // namespace fovea
