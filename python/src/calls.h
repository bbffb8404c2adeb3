// Calls from Python into the library: without the interpreter's lock, never in a forked process, and with callbacks on the thread that
// called.
#pragma once

#include <fovea/error.h>
#include <nanobind/nanobind.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>

namespace fovea::python {

namespace nb = nanobind;

// Throws Error(usage) in a child of a process that had computed before it was forked: its threads are gone. Elsewhere notes that this
// process computes.
void begin_computing();

// What takes longer than a moment runs without the interpreter's lock.
template <class Body>
auto outside(Body&& body) {
  begin_computing();
  const nb::gil_scoped_release release;
  return body();
}

// What one call tells Python on its way. Whatever a callback throws, and what a signal's handler throws (KeyboardInterrupt), ends the call
// and comes out of it.
class Listener {
 public:
  // What tell() gives, called with the interpreter's lock; on another thread than the one that called it is not, and this gives true. False
  // from when it threw.
  template <class Tell>
  bool operator()(Tell&& tell) {
    if (threw()) return false;
    if (std::this_thread::get_id() != thread_) return true;
    const nb::gil_scoped_acquire acquire;
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      return tell();
    } catch (nb::python_error& error) {
      error_.emplace(std::move(error));
    }
    threw_ = true;
    return false;
  }
  bool threw() const { return threw_.load(); }
  // The same where the library has no other way to end than an error, in whose place `run` throws what was thrown.
  template <class Tell>
  void or_throw(Tell&& tell) {
    (*this)(std::forward<Tell>(tell));
    if (threw()) throw Error(ErrorKind::usage, "a callback threw");
  }

  // The body of the call; then whatever a callback threw.
  template <class Body>
  auto run(Body&& body) {
    try {
      auto result = outside(std::forward<Body>(body));
      if (error_) throw nb::python_error(std::move(*error_));
      return result;
    } catch (const Error&) {
      if (error_) throw nb::python_error(std::move(*error_));
      throw;
    }
  }

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
  std::atomic<bool> threw_ = false;
  std::optional<nb::python_error> error_;
};

}  // namespace fovea::python
