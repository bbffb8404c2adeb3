#include "weights/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/log.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16; }

std::vector<int64_t> without_ones(const std::vector<int64_t>& shape) {
  std::vector<int64_t> result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result), [](int64_t dim) { return dim != 1; });
  return result;
}

bool skipped(std::string_view name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) { return name.starts_with(prefix); });
}

struct Pairing {
  LoadReport report;
  std::vector<const Tensor*> tensors;  // one for each of the model's, null where there is none
  size_t wanted = 0, wanted_missing = 0;
  std::string first_missing;
};

Pairing pair_names(const StateDict& file, std::span<const ExpectedTensor> model, const LoadOptions& options) {
  Pairing pairing;
  const Naming naming = name_tensors(file, model, options.name_map, options.head);
  pairing.report.name_map = naming.map;
  pairing.report.notes = naming.notes;
  const std::vector<std::string>& mapped = naming.names;
  std::unordered_set<std::string_view> wanted;
  for (const ExpectedTensor& expected : model) wanted.insert(expected.name);
  std::unordered_map<std::string_view, size_t> place;  // in the file, by the model's name
  for (size_t i = 0; i < mapped.size(); ++i) {
    if (mapped[i].empty() || (file.outside.contains(file[i].name) && !wanted.contains(mapped[i]))) {
      pairing.report.left_out.push_back(file[i].name);
      continue;
    }
    const auto [there, is_new] = place.emplace(mapped[i], i);
    if (!is_new) {
      fail(ErrorKind::mismatch, "both {} and {} would be {}", in_quotes(file[there->second].name), in_quotes(file[i].name),
           in_quotes(mapped[i]));
    }
  }
  for (const ExpectedTensor& expected : model) {
    const auto found = place.find(expected.name);
    const bool skip = skipped(expected.name, options.skip);
    pairing.tensors.push_back(found == place.end() || skip ? nullptr : &file[found->second].tensor);
    if (found != place.end()) place.erase(found);
    if (skip) {
      pairing.report.skipped.push_back(expected.name);
      continue;
    }
    pairing.wanted += !expected.optional;
    if (pairing.tensors.back()) continue;
    pairing.report.missing.push_back(expected.name);
    if (expected.optional) continue;
    if (pairing.wanted_missing++ == 0) pairing.first_missing = expected.name;
  }
  for (size_t i = 0; i < mapped.size(); ++i) {  // in the file's order
    if (place.count(mapped[i]) && !skipped(mapped[i], options.skip)) pairing.report.unexpected.push_back(file[i].name);
  }
  return pairing;
}

void check_names(const StateDict& file, const Pairing& pairing, const LoadOptions& options) {
  const LoadReport& report = pairing.report;
  const bool most = 2 * pairing.wanted_missing > pairing.wanted;
  if (pairing.wanted_missing > 0 && (most || !options.allow_missing)) {
    // A name that is there, of what cannot be used, says more than that it is missing.
    for (const auto& [name, what] : file.unusable)
      if (name == pairing.first_missing) fail(ErrorKind::mismatch, "{} {}", name, what);
    const std::string like = file.empty() ? "" : " like " + in_quotes(file[0].name);
    fail(ErrorKind::mismatch, "holds {} tensors{}, {} of the {} of {} are missing, first {}", file.size(), like, pairing.wanted_missing,
         pairing.wanted, options.model, in_quotes(pairing.first_missing));
  }
  std::vector<std::string> counted;  // a batch counter that the model does not keep is no sign of another architecture
  std::copy_if(report.unexpected.begin(), report.unexpected.end(), std::back_inserter(counted),
               [](const std::string& name) { return !name.ends_with("num_batches_tracked"); });
  if (!counted.empty() && !options.allow_unexpected) {
    fail(ErrorKind::mismatch, "holds {} tensors, {} of them are not in {}, first {}", file.size(), counted.size(), options.model,
         in_quotes(counted[0]));
  }
}

// Whether a dense layer's weight [O,X] and a convolution's [O,I,kh,kw] over the whole picture hold the same elements.
bool flattened(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  return a.size() == 2 && b.size() == 4 && a[0] == b[0] && a[1] == b[1] * b[2] * b[3];
}

// The tensor in the expected shape.
Tensor fitted(const Tensor& found, const ExpectedTensor& expected, const LoadOptions& options) {
  if (options.adapt) {
    const auto adapted = in_context(expected.name, [&] { return options.adapt(expected, found); });
    if (adapted && adapted->shape() != expected.shape)
      fail(ErrorKind::internal, "{}: adapted to {}, not {}", expected.name, shape_string(adapted->shape()), shape_string(expected.shape));
    if (adapted) return *adapted;
  }
  const auto &from = found.shape(), &to = expected.shape;
  if (from == to) return found;
  if (without_ones(from) == without_ones(to) || flattened(from, to) || flattened(to, from)) return found.reshaped(to);
  fail(ErrorKind::mismatch, "{}: shape {} in the file, {} in the model", expected.name, shape_string(from), shape_string(to));
}

// Counters, where a whole network was converted to another float: those that are no numbers any more begin anew.
Tensor counted(const Tensor& floats, const ExpectedTensor& expected) {
  constexpr double kMost = 9e18;
  Tensor counts(DType::i64, floats.shape());
  const auto from = floats.values<double>();
  const auto to = counts.mutable_values<int64_t>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = std::abs(from[i]) < kMost ? std::llround(from[i]) : 0;
  return counts.to(expected.dtype);
}

Tensor converted(const Tensor& tensor, const ExpectedTensor& expected) {
  if (tensor.dtype() == expected.dtype) return tensor;
  if (expected.optional && is_float(tensor.dtype())) return counted(tensor.to(DType::f64), expected);
  if (is_float(tensor.dtype()) != is_float(expected.dtype)) {
    fail(ErrorKind::mismatch, "{}: elements of {} in the file, {} in the model", expected.name, to_string(tensor.dtype()),
         to_string(expected.dtype));
  }
  return tensor.to(expected.dtype);
}

}  // namespace

std::string LoadReport::summary() const {
  std::vector<std::string> notes;
  if (name_map != "none" && !name_map.empty()) notes.push_back("names by " + name_map);
  if (!missing.empty()) notes.push_back(fmt::format("{} missing, first '{}'", missing.size(), missing[0]));
  if (!unexpected.empty()) notes.push_back(fmt::format("{} unexpected, first {}", unexpected.size(), in_quotes(unexpected[0])));
  if (!reshaped.empty()) notes.push_back(fmt::format("{} reshaped, first '{}'", reshaped.size(), reshaped[0].name));
  if (!left_out.empty()) notes.push_back(fmt::format("{} left out, first {}", left_out.size(), in_quotes(left_out[0])));
  if (!skipped.empty()) notes.push_back(fmt::format("{} skipped", skipped.size()));
  std::string result = fmt::format("{} of {} tensors loaded", loaded.size(), loaded.size() + missing.size());
  if (!notes.empty()) result += fmt::format(" ({})", fmt::join(notes, ", "));
  return result;
}

LoadReport match(const StateDict& file, std::span<const ExpectedTensor> model, const LoadOptions& options,
                 const std::function<void(size_t index, const Tensor& tensor)>& assign) {
  Pairing pairing = pair_names(file, model, options);
  check_names(file, pairing, options);
  std::vector<Tensor> ready(model.size());
  for (size_t i = 0; i < model.size(); ++i) {
    if (!pairing.tensors[i]) continue;
    const ExpectedTensor& expected = model[i];
    const Tensor& found = *pairing.tensors[i];
    ready[i] = fitted(found, expected, options);
    if (found.shape() != expected.shape) pairing.report.reshaped.push_back({expected.name, found.shape(), expected.shape});
    ready[i] = converted(ready[i], expected);
    pairing.report.loaded.push_back(expected.name);
  }
  for (size_t i = 0; i < model.size(); ++i) {
    if (pairing.tensors[i]) assign(i, ready[i]);
  }
  log("weights", "{}: {}", options.model, pairing.report.summary());
  return std::move(pairing.report);
}

}  // namespace fovea::weights
