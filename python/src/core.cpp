// fovea._core: the public C++ interface as the package's Python files build on it.
#include <fovea/fovea.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.h"

namespace fovea::python {
namespace {

const char* class_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "UsageError";
    case ErrorKind::input:
      return "InputError";
    case ErrorKind::io:
      return "FileError";
    case ErrorKind::format:
      return "FormatError";
    case ErrorKind::mismatch:
      return "MismatchError";
    case ErrorKind::unsupported:
      return "UnsupportedError";
    case ErrorKind::internal:
      break;
  }
  return "InternalError";
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    const nb::object type = nb::module_::import_("fovea.errors").attr(class_of(error.kind()));
    PyErr_SetString(type.ptr(), error.what());
  }
}

}  // namespace
}  // namespace fovea::python

NB_MODULE(_core, m) {
  using namespace fovea::python;
  nb::set_leak_warnings(false);  // modules may outlive the interpreter's last look
  nb::register_exception_translator(translate);
  m.attr("__version__") = fovea::version();
  m.def("set_threads", &fovea::set_threads, nb::arg("count"));
  m.def("threads", &fovea::threads);
  // For tests: an array as fovea sees it, given back.
  m.def("_same", [](nb::handle array) { return array_of(tensor_of(array, "an array")); });
  bind_pictures(m);
  bind_model(m);
  bind_training(m);
  bind_trainer(m);
  bind_shards(m);
  bind_inspection(m);
}
