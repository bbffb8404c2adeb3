// What commands print for programs. The library that writes it is included by json.cpp alone: it takes longer to compile than a command.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::cli {

// A value in JSON. An object is written as Json{{"file", name}, {"size", {{"width", 3}, {"height", 4}}}}; its keys are printed in the order
// in which they were put.
class Json {
 public:
  struct Member;

  Json();  // null
  Json(bool value);
  Json(int value);
  Json(int64_t value);
  Json(double value);
  Json(const char* text);
  Json(const std::string& text);
  Json(std::initializer_list<Member> members);
  template <class T>
  Json(const std::vector<T>& values) : Json(array()) {
    for (const T& value : values) push_back(value);
  }
  template <class T>
  Json(const std::optional<T>& value) : Json(value ? Json(*value) : Json()) {}
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

  static Json array();
  static Json object();
  static Json parse(const std::string& text);

  void push_back(const Json& value);                  // of an array
  void set(std::string_view key, const Json& value);  // of an object
  std::string line() const;                           // as text, without line breaks
  std::string text() const;  // indented; bytes that are no UTF-8, as in the names of files, become the replacement character

 private:
  struct Value;
  explicit Json(Value value);
  std::unique_ptr<Value> value_;
};

struct Json::Member {
  std::string_view key;
  Json value;
};

}  // namespace fovea::cli
