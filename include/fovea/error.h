// The one exception type that fovea throws.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include <fovea/api.h>

namespace fovea {

enum class ErrorKind {
  usage,        // a call or an option that makes no sense
  input,        // a picture, folder or list that cannot be used
  io,           // the system refused to read, write or fetch
  format,       // a file's bytes are not what its format demands
  mismatch,     // two things that must agree do not; both values are in the message
  unsupported,  // well-formed, but not something fovea can do
  internal,     // a mistake of fovea's own
};

// The message reads outermost first: "loading resnet50 from w.pth: fc.weight: shape [10,512] in the file, [10,2048] in the model".
class FOVEA_API Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  ErrorKind kind() const noexcept { return kind_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Puts "context: " before the message, on the way up, where it is not there already.
  void add_context(std::string_view context) {
    const std::string before = std::string(context) + ": ";
    if (message_.compare(0, before.size(), before) != 0) message_.insert(0, before);
  }

 private:
  ErrorKind kind_;
  std::string message_;
};

}  // namespace fovea
