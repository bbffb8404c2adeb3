#include "ir/fields.h"

#include <charconv>

#include "base/error.h"
#include "ir/op.h"

namespace fovea {
namespace {

template <class Number>
Number parse_number(std::string_view text) {
  Number value{};
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || stop != text.data() + text.size()) fail(ErrorKind::format, "'{}' is no number", text);
  return value;
}

std::vector<int64_t> parse_list(std::string_view text, size_t count) {
  std::vector<int64_t> numbers;
  while (true) {
    const size_t comma = text.find(',');
    numbers.push_back(parse_number<int64_t>(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (numbers.size() != count) fail(ErrorKind::format, "{} numbers, {} expected", numbers.size(), count);
  return numbers;
}

}  // namespace

std::string print_field(int64_t value) { return fmt::format("{}", value); }
std::string print_field(double value) { return fmt::format("{}", value); }
std::string print_field(bool value) { return value ? "yes" : "no"; }
std::string print_field(const std::string& value) { return value; }
std::string print_field(const Size2& value) { return fmt::format("{},{}", value.height, value.width); }
std::string print_field(const Padding2& value) { return fmt::format("{},{},{},{}", value.top, value.bottom, value.left, value.right); }
std::string print_field(const Shape& value) { return to_string(value); }
std::string print_field(DType value) { return to_string(value); }

void parse_field(std::string_view text, int64_t& value) { value = parse_number<int64_t>(text); }
void parse_field(std::string_view text, double& value) { value = parse_number<double>(text); }
void parse_field(std::string_view text, bool& value) {
  if (text != "yes" && text != "no") fail(ErrorKind::format, "'{}' is neither yes nor no", text);
  value = text == "yes";
}
void parse_field(std::string_view text, std::string& value) { value = text; }
void parse_field(std::string_view text, Size2& value) {
  const auto list = parse_list(text, 2);
  value = {list[0], list[1]};
}
void parse_field(std::string_view text, Padding2& value) {
  const auto list = parse_list(text, 4);
  value = {list[0], list[1], list[2], list[3]};
}
void parse_field(std::string_view text, Shape& value) { value = parse_type("f32" + std::string(text)).shape; }
void parse_field(std::string_view text, DType& value) { value = parse_dtype(text); }

void fail_enum(std::string_view text, std::span<const char* const> names) {
  fail(ErrorKind::format, "'{}' is none of {}", text, fmt::join(names, ", "));
}

void fail_unknown_field(std::string_view op, std::string_view field) { fail(ErrorKind::format, "{} has no attribute '{}'", op, field); }

Cost bytes_only(std::span<const Type> inputs, std::span<const Type> outputs) {
  Cost cost;
  for (const Type& type : inputs) cost.bytes += static_cast<int64_t>(type.bytes());
  for (const Type& type : outputs) cost.bytes += static_cast<int64_t>(type.bytes());
  return cost;
}

}  // namespace fovea
