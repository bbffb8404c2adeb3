#include "serve/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace fovea::serve {
namespace {

constexpr int kDeepest = 64;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Counted before anything is built.
int depth_of(const std::string& text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The value of a parameter behind a header's value: of `form-data; name="a"; filename="b"`, "b" of "filename".
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  size_t at = header.find(';');
  while (at != std::string_view::npos) {
    std::string_view rest = trimmed(header.substr(at + 1));
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = trimmed(rest.substr(0, equals));
    rest = trimmed(rest.substr(equals + 1));
    std::string value;
    size_t i = 0;
    if (!rest.empty() && rest.front() == '"') {
      for (i = 1; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
        value += rest[i];
      }
      if (i == rest.size()) return std::nullopt;
    } else {
      for (; i < rest.size() && rest[i] != ';'; ++i) value += rest[i];
      value = std::string(trimmed(value));
    }
    if (same_letters(key, name)) return value;
    header = rest.substr(i);
    at = header.find(';');
  }
  return std::nullopt;
}

std::vector<Part> form_parts(std::string_view body, const std::string& boundary) {
  const std::string mark = "--" + boundary;
  std::vector<Part> parts;
  size_t at = body.starts_with(mark) ? 0 : body.find("\r\n" + mark);
  if (at == std::string_view::npos) throw Refused{400, "the form does not hold its boundary"};
  if (at > 0) at += 2;
  for (;;) {
    at += mark.size();
    if (body.substr(at).starts_with("--")) return parts;
    const size_t line = body.find("\r\n", at);
    if (line == std::string_view::npos) throw Refused{400, "the form is cut off"};
    const size_t end = body.find("\r\n" + mark, line);
    if (end == std::string_view::npos) throw Refused{400, "the form is cut off"};
    const size_t blank = body.find("\r\n\r\n", line);
    if (blank == std::string_view::npos || blank > end) throw Refused{400, "a part of the form has no end of its headers"};
    Part part;
    bool file = false;
    for (size_t from = line + 2; from < blank + 2;) {
      const size_t to = body.find("\r\n", from);
      const std::string_view header = body.substr(from, to - from);
      const size_t colon = header.find(':');
      if (colon != std::string_view::npos && same_letters(header.substr(0, colon), "content-disposition")) {
        if (const auto name = parameter(header, "filename")) {
          file = true;
          part.file = *name;
        }
      }
      from = to + 2;
    }
    const size_t start = std::min(blank + 4, end);
    part.bytes = body.substr(start, end - start);
    if (file) parts.push_back(std::move(part));
    at = end + 2;
  }
}

}  // namespace

nlohmann::json read_json(const std::string& text) {
  if (depth_of(text) > kDeepest) throw Refused{400, fmt::format("the JSON has more than {} levels", kDeepest)};
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    const std::string_view what = error.what();
    const size_t end = what.find("] ");
    throw Refused{400, "the body is no JSON that can be read: " + std::string(what.substr(end == std::string_view::npos ? 0 : end + 2))};
  }
}

std::string json_line(const nlohmann::json& value) { return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

Response json_answer(const nlohmann::json& value, int status) { return {status, "application/json", json_line(value) + "\n"}; }

Response error_answer(int status, const std::string& reason) { return json_answer({{"error", reason}}, status); }

int64_t count_of(const Request& request, const std::string& name, int64_t otherwise) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return otherwise;
  const std::string& text = found->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    throw Refused{400, fmt::format("{}: '{}': a whole number from 1 on expected", name, text)};
  return value;
}

double timeout_of(const Request& request) {
  const auto found = request.query.find("timeout");
  if (found == request.query.end()) return 0;
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value <= 0)
    throw Refused{400, fmt::format("timeout: '{}': seconds above 0 expected", text)};
  return value;
}

std::vector<std::byte> from_base64(std::string_view text) {
  static const auto values = [] {
    std::array<int8_t, 256> table;
    table.fill(-1);
    for (size_t i = 0; i < kAlphabet.size(); ++i) table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
    return table;
  }();
  std::vector<std::byte> result;
  result.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int count = 0, padding = 0;
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0 || padding > 0) throw Refused{400, "this is no base64"};
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++count == 4) {
      for (int shift : {16, 8, 0}) result.push_back(static_cast<std::byte>(bits >> shift));
      bits = 0;
      count = 0;
    }
  }
  if (count == 1 || padding > 2 || (padding > 0 && count + padding != 4)) throw Refused{400, "this base64 is cut off"};
  if (count >= 2) result.push_back(static_cast<std::byte>(bits << (count == 2 ? 12 : 6) >> 16));
  if (count == 3) result.push_back(static_cast<std::byte>(bits << 6 >> 8));
  return result;
}

std::string to_base64(std::span<const std::byte> bytes) {
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < count ? static_cast<uint32_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) result += j <= count ? kAlphabet[bits >> (18 - 6 * j) & 63] : '=';
  }
  return result;
}

bool is_form(const Request& request) { return same_letters(request.header("content-type").substr(0, 19), "multipart/form-data"); }

std::vector<Part> pictures_of(const Request& request) {
  if (request.body.empty()) throw Refused{400, "the request has no picture"};
  if (!is_form(request)) return {{"", request.body}};
  const auto boundary = parameter(request.header("content-type"), "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) throw Refused{400, "the form has no boundary"};
  std::vector<Part> parts = form_parts(request.body, *boundary);
  if (parts.empty()) throw Refused{400, "the form has no file"};
  return parts;
}

std::vector<std::byte> picture_of_text(std::string_view text) {
  if (text.starts_with("data:")) {
    const size_t comma = text.find(',');
    if (comma == std::string_view::npos || !text.substr(0, comma).ends_with(";base64"))
      throw Refused{400, "a data address with base64 expected"};
    return from_base64(text.substr(comma + 1));
  }
  if (text.find("://") != std::string_view::npos)
    throw Refused{400, "pictures are not fetched from addresses: send them as base64 or as a data address"};
  return from_base64(text);
}

nlohmann::json classes_json(const std::vector<ClassProbability>& classes) {
  nlohmann::json result = nlohmann::json::array();
  for (const ClassProbability& one : classes)
    result.push_back({{"name", one.name}, {"index", one.index}, {"probability", one.probability}});
  return result;
}

// With the fewest digits that give the float back: those of the nearest double would be seventeen.
nlohmann::json vector_json(std::span<const float> values) {
  nlohmann::json result = nlohmann::json::array();
  for (const float value : values) {
    std::array<char, 32> text;
    const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    double shortest = value;
    std::from_chars(text.data(), end, shortest);
    result.push_back(shortest);
  }
  return result;
}

}  // namespace fovea::serve
