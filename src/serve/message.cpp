#include "serve/message.h"

#include <fmt/format.h>
#include <fovea/error.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/base64.h"
#include "base/text.h"

namespace fovea::serve {
namespace {

constexpr int kDeepest = 64;
constexpr size_t kMostValues = 100'000;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
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
    if (lower_case(key) == name) return value;
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
      if (colon != std::string_view::npos && lower_case(header.substr(0, colon)) == "content-disposition") {
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

nlohmann::json read_json(std::string_view text, Numbers* numbers) {
  using nlohmann::json;
  size_t values = 0;
  bool data = false;  // within the list of a "data"
  const auto look = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > kDeepest) throw Refused{400, fmt::format("the JSON has more than {} levels", kDeepest)};
    using Event = json::parse_event_t;
    if (numbers != nullptr && event == Event::key && depth <= 3) data = depth == 3 && value == "data";
    const bool inside = data && depth > 3;
    if (inside && event == Event::value && value.is_number()) {
      if (numbers->values.size() == numbers->most) throw Refused{413, fmt::format("\"data\" has more than {} numbers", numbers->most)};
      numbers->values.push_back(value.get<float>());
      return false;
    }
    if (inside && event == Event::array_end) return false;
    if (++values > kMostValues) throw Refused{400, fmt::format("the JSON has more than {} values", kMostValues)};
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), look);
  } catch (const json::exception& error) {
    const std::string_view what = error.what();
    const size_t end = what.find("] ");
    throw Refused{400, "the body is no JSON that can be read: " + std::string(what.substr(end == std::string_view::npos ? 0 : end + 2))};
  }
}

std::string json_line(const nlohmann::json& value) { return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

Response json_answer(const nlohmann::json& value, int status) { return {status, "application/json", json_line(value) + "\n"}; }

Response error_answer(int status, const std::string& reason) { return json_answer({{"error", reason}}, status); }

Response error_answer(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Refused& refused) {
    return error_answer(refused.status, refused.reason);
  } catch (const Error& failed) {
    const bool internal = failed.kind() == ErrorKind::internal || failed.kind() == ErrorKind::io;
    return error_answer(internal ? 500 : 400, failed.what());
  } catch (const std::bad_alloc&) {
    return error_answer(503, "there is not enough memory");
  } catch (const std::exception& failed) {
    return error_answer(500, failed.what());
  }
}

int64_t whole_of(const Request& request, const std::string& name, int64_t least) {
  const std::string text = text_in(request, name, "");
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    throw Refused{400, fmt::format("{}: '{}': a whole number from {} on expected", name, text, least)};
  return value;
}

int64_t count_of(const Request& request, const std::string& name, int64_t otherwise) {
  return request.query.contains(name) ? whole_of(request, name, 1) : otherwise;
}

std::string text_in(const Request& request, const std::string& name, const char* otherwise) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? otherwise : found->second;
}

std::chrono::steady_clock::time_point deadline_of(const Request& request, double seconds) {
  const std::chrono::duration<double> time(std::min(seconds, 1e6));
  return request.arrived + std::chrono::duration_cast<std::chrono::steady_clock::duration>(time);
}

std::optional<std::chrono::steady_clock::time_point> deadline_of(const Request& request) {
  if (!request.query.contains("timeout")) return std::nullopt;
  const std::string text = text_in(request, "timeout", "");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value <= 0)
    throw Refused{400, fmt::format("timeout: '{}': seconds above 0 expected", text)};
  return deadline_of(request, value);
}

bool is_form(const Request& request) { return lower_case(request.header("content-type").substr(0, 19)) == "multipart/form-data"; }

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
    text.remove_prefix(comma + 1);
  } else if (text.find("://") != std::string_view::npos) {
    throw Refused{400, "pictures are not fetched from addresses: send them as base64 or as a data address"};
  }
  auto bytes = from_base64(text);
  if (!bytes) throw Refused{400, "this is no base64"};
  return std::move(*bytes);
}

nlohmann::json classes_json(const std::vector<ClassProbability>& classes, bool several) {
  nlohmann::json result = nlohmann::json::array();
  for (const ClassProbability& one : classes) {
    nlohmann::json entry{{"name", one.name}, {"index", one.index}, {"probability", one.probability}};
    if (several) entry["told"] = one.told;
    result.push_back(std::move(entry));
  }
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
