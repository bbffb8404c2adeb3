// What stands in requests and answers: JSON, forms, base64, pictures, tensors.
#pragma once

#include <fovea/image.h>
#include <fovea/model.h>

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http.h"

namespace fovea::serve {

// A request that cannot be answered as it is.
struct Refused {
  int status;
  std::string reason;
};

// Throws Refused(400) for what is no JSON, for one of more than 64 levels, and for bytes that are no UTF-8.
nlohmann::json read_json(const std::string& text);
std::string json_line(const nlohmann::json& value);
Response json_answer(const nlohmann::json& value, int status = 200);
// {"error": REASON}
Response error_answer(int status, const std::string& reason);

// A whole number of at least 1 from the query. Throws Refused(400).
int64_t count_of(const Request& request, const std::string& name, int64_t otherwise);
// The seconds that the query's "timeout" gives, above 0; 0 where there is none. Throws Refused(400).
double timeout_of(const Request& request);

// RFC 4648, with line breaks left out. Throws Refused(400).
std::vector<std::byte> from_base64(std::string_view text);
std::string to_base64(std::span<const std::byte> bytes);

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

// [{"name", "index", "probability"}]
nlohmann::json classes_json(const std::vector<ClassProbability>& classes);
nlohmann::json vector_json(std::span<const float> values);

}  // namespace fovea::serve
