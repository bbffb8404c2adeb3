// Python's arrays and pictures as fovea's, and back.
#pragma once

#include <fovea/image.h>
#include <fovea/tensor.h>
#include <nanobind/nanobind.h>

#include <string>
#include <variant>
#include <vector>

namespace fovea::python {

namespace nb = nanobind;

// Whatever knows DLPack or the buffer protocol. Memory that lies row by row without gaps is used as it is, and kept alive by the tensor;
// other memory is copied. Throws nb::type_error naming what was given for what is no array in this machine's memory, and element types that
// fovea does not have; `wanted` ends the message.
Tensor tensor_of(nb::handle array, const char* wanted);
// The same in f32; numbers of another floating type are converted, whole ones are not taken.
Tensor floats_of(nb::handle array, const char* wanted);

// NumPy arrays on the memory of what is given.
nb::object array_of(const Tensor& tensor);
nb::object array_of(Image image);  // u8 [height, width, 3]

// A picture as Python has it: a path, the bytes of a file, or pixels u8 [H,W,3], [H,W,1] or [H,W].
struct Pixels {
  Tensor tensor;
  bool bgr = false;  // the colours are blue, green, red
};
using Picture = std::variant<std::string, std::string_view, Pixels>;
// Of str, os.PathLike, bytes, bytearray and memoryview of bytes, PIL's pictures, and arrays, which `bgr` is about. `keep`: what the result
// refers to and must outlive it. Throws nb::type_error as tensor_of does.
Picture picture_of(nb::handle picture, bool bgr, std::vector<nb::object>& keep);
// The pixels, decoded as the preprocessing says; needs no lock.
Image image_of(const Picture& picture, const Preprocessing& preprocessing);

}  // namespace fovea::python
