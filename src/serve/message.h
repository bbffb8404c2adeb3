// What stands in requests and answers: JSON, forms, base64, pictures, tensors.
#pragma once

#include <fovea/image.h>
#include <fovea/model.h>

#include <chrono>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_value.h"
#include "serve/http.h"

namespace fovea::serve {

// A request that cannot be answered as it is.
struct Refused {
  int status;
  std::string reason;
};

struct Numbers {
  size_t most = 0;  // more are refused
  std::vector<float> values = {};
};
// Throws Refused(400) for what is no JSON, for more than 64 levels or 100,000 values, and for bytes that are no UTF-8. Where `numbers` is
// given, the numbers in the "data" of a member's list ({"inputs": [{"data": [[1, 2], [3]]}]}) go there in order, and the lists stay without
// them; Refused(413) for more than it takes.
nlohmann::json read_json(std::string_view text, Numbers* numbers = nullptr);
std::string json_line(const nlohmann::json& value);
Response json_answer(const nlohmann::json& value, int status = 200);
// {"error": REASON}
Response error_answer(int status, const std::string& reason);
// What an exception means to the client: Refused as it is, Error(io) and (internal) 500, any other Error 400, no memory 503.
Response error_answer(const std::exception_ptr& error);

// A whole number from the query. Throws Refused(400) for anything else, and for less than `least`; whole_of also where there is none.
int64_t whole_of(const Request& request, const std::string& name, int64_t least);
int64_t count_of(const Request& request, const std::string& name, int64_t otherwise);
std::string text_in(const Request& request, const std::string& name, const char* otherwise);  // the query
// When the time of a request is over that gave itself so many seconds.
std::chrono::steady_clock::time_point deadline_of(const Request& request, double seconds);
// By the query's "timeout", seconds above 0; nothing where there is none. Throws Refused(400).
std::optional<std::chrono::steady_clock::time_point> deadline_of(const Request& request);

struct Part {
  std::string file;        // as the form has it, or ""
  std::string_view bytes;  // of the request's body
};
// The pictures of a request: its body, or the files of its multipart/form-data (RFC 7578). Throws Refused(400) where there is none.
std::vector<Part> pictures_of(const Request& request);
bool is_form(const Request& request);
// Of "data:image/png;base64,...", or base64 alone. Throws Refused(400) for any other address: none is fetched.
std::vector<std::byte> picture_of_text(std::string_view text);

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// [{"name", "index", "probability"}], with "told" where `several` classes may be told.
nlohmann::json classes_json(const std::vector<ClassProbability>& classes, bool several);
nlohmann::json vector_json(std::span<const float> values);

}  // namespace fovea::serve
