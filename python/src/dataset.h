// Labelled pictures as Python tells them.
#pragma once

#include <fovea/dataset.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <variant>
#include <vector>

namespace fovea::python {

// A folder or CSV file, a list of files, or a dataset.
using Data = std::variant<std::string, std::vector<std::string>, Dataset>;

// Calls body with what it is.
template <class Body>
auto with(const Data& data, Body&& body) {
  return std::visit(body, data);
}

}  // namespace fovea::python
