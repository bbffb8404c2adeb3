#include <fovea/preprocess.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/named.h"

namespace fovea {
namespace {

constexpr Named<Interpolation> interpolations[] = {
    {"nearest", Interpolation::nearest}, {"bilinear", Interpolation::bilinear}, {"bicubic", Interpolation::bicubic}};
constexpr Named<Fit> fits[] = {{"crop", Fit::crop}, {"pad", Fit::pad}, {"squash", Fit::squash}, {"squash_crop", Fit::squash_crop}};
constexpr Named<Alpha> alphas[] = {{"white", Alpha::white}, {"drop", Alpha::drop}};
constexpr Named<Decode> decodes[] = {{"exact", Decode::exact}, {"fast", Decode::fast}};
constexpr Named<Resizer> resizers[] = {{"pillow", Resizer::pillow}, {"torchvision", Resizer::torchvision}};

template <class T, size_t n>
T parse(const Named<T> (&table)[n], const std::string& name, const char* what) {
  if (const auto value = value_of(table, name)) return *value;
  fail(ErrorKind::usage, "{} \"{}\" is none of {}", what, name, names_of(table));
}

constexpr int64_t most_side = 65536;

template <class T>
T number(const std::string& step, const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorKind::format, "preprocessing step \"{}\": \"{}\" is not a number", step, text);
  return value;
}

int64_t side(const std::string& step, const std::string& text) {
  const auto value = number<int64_t>(step, text);
  if (value < 1 || value > most_side)
    fail(ErrorKind::format, "preprocessing step \"{}\": {} is not between 1 and {}", step, value, most_side);
  return value;
}

std::vector<std::string> parts(const std::string& text, char separator) {
  std::vector<std::string> result;
  size_t begin = 0;
  for (size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
    result.push_back(text.substr(begin, end - begin));
  result.push_back(text.substr(begin));
  return result;
}

// One a channel.
std::vector<float> numbers(const std::string& step, const std::string& text) {
  const std::vector<std::string> texts = parts(text, ',');
  constexpr size_t kMost = 4096;
  if (texts.size() > kMost)
    fail(ErrorKind::format, "preprocessing step \"{}...\": {} numbers, at most {} expected", step.substr(0, 16), texts.size(), kMost);
  std::vector<float> values;
  for (const std::string& one : texts) {
    values.push_back(number<float>(step, one));
    if (!std::isfinite(values.back())) fail(ErrorKind::format, "preprocessing step \"{}\": {} is not finite", step, one);
  }
  return values;
}

// The steps in their order; each of the first is required once.
constexpr const char* step_names[] = {"fit", "resize", "size", "interpolation", "alpha", "mean", "std"};
constexpr const char* optional_step_names[] = {"mirrored", "decode", "range", "page", "resizer"};

bool is_known(const std::string& step) {
  return std::ranges::find(step_names, step) != std::end(step_names) ||
         std::ranges::find(optional_step_names, step) != std::end(optional_step_names);
}

void set_step(Preprocessing& p, const std::string& name, const std::string& step, const std::string& value) {
  if (name == "fit")
    set_fits(p, parse_fits(value));
  else if (name == "resize")
    p.resize = side(step, value);
  else if (name == "interpolation")
    p.interpolation = parse_interpolation(value);
  else if (name == "alpha")
    p.alpha = parse_alpha(value);
  else if (name == "decode")
    p.decode = parse_decode(value);
  else if (name == "range")
    p.range = parse_range(value);
  else if (name == "page")
    p.page = side(step, value);
  else if (name == "resizer")
    p.resizer = parse_resizer(value);
  else if (name == "mirrored") {
    if (value != "yes" && value != "no") fail(ErrorKind::format, "preprocessing step \"{}\": yes or no expected", step);
    p.mirrored = value == "yes";
  } else if (name == "mean")
    p.mean = numbers(step, value);
  else if (name == "std") {
    p.std = numbers(step, value);
    for (float s : p.std) {
      if (s == 0.0f) fail(ErrorKind::format, "preprocessing step \"{}\": division by 0", step);
    }
  } else {
    const std::vector<std::string> sides = parts(value, 'x');
    if (sides.size() != 2) fail(ErrorKind::format, "preprocessing step \"{}\": not HEIGHTxWIDTH", step);
    p.height = side(step, sides[0]);
    p.width = side(step, sides[1]);
  }
}

}  // namespace

std::string to_string(Interpolation value) { return name_of(interpolations, value); }
std::string to_string(Fit value) { return name_of(fits, value); }
std::string to_string(std::span<const Fit> values) {
  std::string text;
  for (const Fit value : values) text += (text.empty() ? "" : "+") + to_string(value);
  return text;
}
std::string to_string(Alpha value) { return name_of(alphas, value); }
std::string to_string(Decode value) { return name_of(decodes, value); }
std::string to_string(Resizer value) { return name_of(resizers, value); }

Interpolation parse_interpolation(const std::string& name) { return parse(interpolations, name, "interpolation"); }
Fit parse_fit(const std::string& name) { return parse(fits, name, "fit"); }
std::vector<Fit> parse_fits(const std::string& names) {
  std::vector<Fit> result;
  for (const std::string& name : parts(names, '+')) {
    try {
      result.push_back(parse_fit(name));
    } catch (const Error& error) {
      fail(error.kind(), "{}, or the mean of two, as squash+pad", error.what());
    }
  }
  if (result.size() > 2) fail(ErrorKind::usage, "fit \"{}\" names {} ways, at most 2 are averaged", names, result.size());
  if (result.size() == 2 && result[0] == result[1]) fail(ErrorKind::usage, "fit \"{}\" names the same twice", names);
  return result;
}
Alpha parse_alpha(const std::string& name) { return parse(alphas, name, "alpha"); }
Decode parse_decode(const std::string& name) { return parse(decodes, name, "decode"); }
Resizer parse_resizer(const std::string& name) { return parse(resizers, name, "resizer"); }

std::string to_string(const ValueRange& range) { return range.automatic ? "auto" : fmt::format("{},{}", range.min, range.max); }

ValueRange parse_range(const std::string& text) {
  if (text == "auto") return {.automatic = true};
  ValueRange range;
  const std::vector<std::string> ends = parts(text, ',');
  const auto read = [](const std::string& end, double& value) {
    const auto [stop, error] = std::from_chars(end.data(), end.data() + end.size(), value);
    return error == std::errc() && stop == end.data() + end.size() && std::isfinite(value);
  };
  if (ends.size() != 2 || !read(ends[0], range.min) || !read(ends[1], range.max))
    fail(ErrorKind::usage, "range \"{}\": auto or two numbers MIN,MAX expected", text);
  if (range.min >= range.max)
    fail(ErrorKind::usage, "range \"{}\": black at {} and white at {}, a range from a smaller number to a larger one expected", text,
         range.min, range.max);
  return range;
}

std::string to_string(const Preprocessing& p) {
  // {} prints the shortest decimal that reads back as the same float.
  return fmt::format("fit={}|resize={}|size={}x{}|interpolation={}|alpha={}|mean={}|std={}{}{}{}{}{}", to_string(fits_of(p)), p.resize,
                     p.height, p.width, to_string(p.interpolation), to_string(p.alpha), fmt::join(p.mean, ","), fmt::join(p.std, ","),
                     p.mirrored ? "|mirrored=yes" : "", p.decode == Decode::fast ? "|decode=fast" : "",
                     p.range ? "|range=" + to_string(*p.range) : "", p.page > 0 ? fmt::format("|page={}", p.page) : "",
                     p.resizer == Resizer::torchvision ? "|resizer=torchvision" : "");
}

std::vector<Fit> fits_of(const Preprocessing& p) {
  std::vector<Fit> fits{p.fit};
  if (p.second_fit) fits.push_back(*p.second_fit);
  return fits;
}

void set_fits(Preprocessing& p, std::span<const Fit> fits) {
  if (fits.empty() || fits.size() > 2) fail(ErrorKind::usage, "{} ways of fitting a picture, 1 or 2 expected", fits.size());
  p.fit = fits[0];
  p.second_fit = fits.size() > 1 ? std::optional(fits[1]) : std::nullopt;
}

Preprocessing parse_preprocessing(const std::string& text) {
  Preprocessing result;
  std::vector<std::string> seen;
  for (const std::string& step : parts(text, '|')) {
    const size_t equals = step.find('=');
    const std::string name = step.substr(0, equals);
    if (!is_known(name) || equals == std::string::npos) fail(ErrorKind::format, "preprocessing step \"{}\" is not known", step);
    for (const std::string& earlier : seen) {
      if (earlier == name) fail(ErrorKind::format, "preprocessing step \"{}\" comes twice", name);
    }
    seen.push_back(name);
    try {
      set_step(result, name, step, step.substr(equals + 1));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::format) throw;
      fail(ErrorKind::format, "preprocessing step \"{}\": {}", step, error.what());
    }
  }
  for (const char* name : step_names) {
    bool found = false;
    for (const std::string& earlier : seen) found = found || earlier == name;
    if (!found) fail(ErrorKind::format, "preprocessing \"{}\" does not say \"{}\"", text, name);
  }
  return result;
}

}  // namespace fovea
