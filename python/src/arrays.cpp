#include "arrays.h"

#include <fovea/error.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

namespace fovea::python {
namespace {

using Array = nb::ndarray<nb::ro>;

std::string class_name(nb::handle object) { return nb::cast<std::string>(nb::str(nb::getattr(object.type(), "__name__"))); }

std::string dtype_name(nb::dlpack::dtype dtype) {
  using Code = nb::dlpack::dtype_code;
  const std::string bits = std::to_string(dtype.bits);
  switch (static_cast<Code>(dtype.code)) {
    case Code::Int:
      return "int" + bits;
    case Code::UInt:
      return "uint" + bits;
    case Code::Float:
      return "float" + bits;
    case Code::Bfloat:
      return "bfloat" + bits;
    case Code::Complex:
      return "complex" + bits;
    case Code::Bool:
      return "bool";
    default:
      return "elements of " + bits + " bits";
  }
}

std::optional<DType> dtype_of(nb::dlpack::dtype dtype) {
  using Code = nb::dlpack::dtype_code;
  struct Known {
    Code code;
    uint8_t bits;
    DType dtype;
  };
  constexpr Known kKnown[] = {{Code::Float, 32, DType::f32},   {Code::Float, 64, DType::f64}, {Code::Float, 16, DType::f16},
                              {Code::Bfloat, 16, DType::bf16}, {Code::Int, 64, DType::i64},   {Code::Int, 32, DType::i32},
                              {Code::UInt, 8, DType::u8}};
  for (const Known& known : kKnown)
    if (static_cast<uint8_t>(known.code) == dtype.code && known.bits == dtype.bits && dtype.lanes == 1) return known.dtype;
  return std::nullopt;
}

std::vector<int64_t> shape_of(const Array& array) { return {array.shape_ptr(), array.shape_ptr() + array.ndim()}; }

std::string words(const Array& array) { return dtype_name(array.dtype()) + " " + shape_string(shape_of(array)); }

[[noreturn]] void refuse(const std::string& given, const char* wanted) {
  throw nb::type_error((given + " was given, " + wanted + " wanted").c_str());
}

// Whatever gives its memory away; empty where that is nothing.
std::optional<Array> import(nb::handle object) {
  Array array;
  if (nb::try_cast(object, array, false)) return array;
  if (nb::hasattr(object, "requires_grad") && nb::hasattr(object, "detach")) {  // torch's tensors with a gradient do not
    PyErr_Clear();
    if (nb::try_cast(nb::object(object.attr("detach")()), array, false)) return array;
  }
  return std::nullopt;
}

bool is_dense(const Array& array) {
  int64_t step = 1;
  for (size_t i = array.ndim(); i-- > 0;) {
    if (array.shape(i) != 1 && array.stride(i) != step) return false;
    step *= static_cast<int64_t>(array.shape(i));
  }
  return true;
}

// From an axis on; `out` moves on.
void copy_rows(const Array& array, size_t axis, const char* from, char*& out) {
  const size_t item = array.itemsize();
  const auto count = static_cast<int64_t>(array.shape(axis));
  const int64_t stride = array.stride(axis) * static_cast<int64_t>(item);
  for (int64_t i = 0; i < count; ++i, from += stride) {
    if (axis + 1 < array.ndim()) {
      copy_rows(array, axis + 1, from, out);
    } else {
      std::memcpy(out, from, item);
      out += item;
    }
  }
}

Tensor tensor_of(const Array& array, const char* wanted) {
  const std::optional<DType> dtype = dtype_of(array.dtype());
  if (array.device_type() != nb::device::cpu::value) refuse(words(array) + " on another device", wanted);
  if (!dtype) refuse(words(array), wanted);
  std::vector<int64_t> shape = shape_of(array);
  if (array.size() > 0 && is_dense(array)) {
    // The last one to look lets go of it, on any thread.
    const std::shared_ptr<const void> owner(new Array(array), [](const void* one) {
      const nb::gil_scoped_acquire acquire;
      delete static_cast<const Array*>(one);
    });
    return Tensor::wrap(*dtype, std::move(shape), owner, array.data());
  }
  Tensor copy(*dtype, std::move(shape));
  if (array.size() > 0) {
    auto* out = static_cast<char*>(copy.mutable_raw());
    if (array.ndim() == 0)
      std::memcpy(out, array.data(), array.itemsize());
    else
      copy_rows(array, 0, static_cast<const char*>(array.data()), out);
  }
  return copy;
}

constexpr const char* kPicture =
    "a path, the bytes of a file, a PIL picture, or pixels as uint8 [height,width,3], [height,width,1] or [height,width]";

bool are_pixels(const Tensor& tensor) {
  const std::vector<int64_t>& shape = tensor.shape();
  const bool picture = shape.size() == 2 || (shape.size() == 3 && (shape[2] == 1 || shape[2] == 3));
  return picture && tensor.dtype() == DType::u8 && tensor.size() > 0;
}

Image image_of_pixels(const Pixels& pixels) {
  const std::vector<int64_t>& shape = pixels.tensor.shape();
  const int64_t height = shape[0], width = shape[1];
  const auto values = pixels.tensor.values<uint8_t>();
  if (shape.size() == 3 && shape[2] == 3)
    return image_from_memory(values.data(), width, height, 0, pixels.bgr ? PixelOrder::bgr : PixelOrder::rgb);
  Image image{width, height, std::vector<uint8_t>(3 * values.size())};
  for (size_t i = 0; i < values.size(); ++i) std::memset(&image.pixels[3 * i], values[i], 3);
  return image;
}

// PIL's pictures that are not plain RGB go through a PNG or TIFF without loss, so that what is done about transparency, palettes and wide
// greys is what is done to files.
nb::object file_of_pil(nb::handle picture) {
  const nb::object file = nb::module_::import_("io").attr("BytesIO")();
  const std::string mode = nb::cast<std::string>(nb::str(picture.attr("mode")));
  nb::object writable = nb::borrow(picture);
  if (mode == "F" || mode == "CMYK")
    writable.attr("save")(file, nb::arg("format") = "TIFF");
  else {
    if (mode == "YCbCr" || mode == "LAB" || mode == "HSV" || mode == "RGBX" || mode == "La" || mode == "RGBa")
      writable = writable.attr("convert")(mode == "La" ? "LA" : mode == "RGBa" ? "RGBA" : "RGB");
    writable.attr("save")(file, nb::arg("format") = "PNG", nb::arg("compress_level") = 0, nb::arg("exif") = nb::bytes("", 0));
  }
  return file.attr("getvalue")();
}

bool is_pil(nb::handle object) { return nb::hasattr(object, "getexif") && nb::hasattr(object, "tobytes") && nb::hasattr(object, "mode"); }

std::string_view view_of(nb::handle bytes, std::vector<nb::object>& keep) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  keep.push_back(nb::borrow(bytes));
  if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw nb::python_error();
  return {data, static_cast<size_t>(size)};
}

}  // namespace

Tensor tensor_of(nb::handle array, const char* wanted) {
  const std::optional<Array> imported = import(array);
  if (!imported) {
    PyErr_Clear();
    refuse(class_name(array), wanted);
  }
  return tensor_of(*imported, wanted);
}

Tensor floats_of(nb::handle array, const char* wanted) {
  const Tensor tensor = tensor_of(array, wanted);
  switch (tensor.dtype()) {
    case DType::f32:
      return tensor;
    case DType::f64:
    case DType::f16:
    case DType::bf16:
      return tensor.to(DType::f32);
    default:
      refuse(words(*import(array)), wanted);
  }
}

nb::object array_of(const Tensor& tensor) {
  std::vector<size_t> shape(tensor.shape().begin(), tensor.shape().end());
  auto* const owned = new Tensor(tensor);
  const nb::capsule owner(owned, [](void* one) noexcept { delete static_cast<Tensor*>(one); });
  nb::dlpack::dtype dtype;
  switch (tensor.dtype()) {
    case DType::f32:
      dtype = nb::dtype<float>();
      break;
    case DType::f64:
      dtype = nb::dtype<double>();
      break;
    case DType::i64:
      dtype = nb::dtype<int64_t>();
      break;
    case DType::i32:
      dtype = nb::dtype<int32_t>();
      break;
    case DType::u8:
      dtype = nb::dtype<uint8_t>();
      break;
    default:
      return array_of(tensor.to(DType::f32));
  }
  using Numpy = nb::ndarray<nb::numpy>;
  return nb::cast(Numpy(const_cast<void*>(tensor.raw()), shape.size(), shape.data(), owner, nullptr, dtype, nb::device::cpu::value));
}

nb::object array_of(Image image) {
  auto* const owned = new Image(std::move(image));
  const nb::capsule owner(owned, [](void* one) noexcept { delete static_cast<Image*>(one); });
  const size_t shape[] = {static_cast<size_t>(owned->height), static_cast<size_t>(owned->width), 3};
  return nb::cast(nb::ndarray<nb::numpy, uint8_t>(owned->pixels.data(), 3, shape, owner));
}

Picture picture_of(nb::handle picture, bool bgr, std::vector<nb::object>& keep) {
  if (nb::isinstance<nb::str>(picture)) return nb::cast<std::string>(picture);
  if (nb::isinstance<nb::bytes>(picture)) return view_of(picture, keep);
  if (PyByteArray_Check(picture.ptr())) return view_of(nb::bytes(picture), keep);
  if (nb::hasattr(picture, "__fspath__")) return nb::cast<std::string>(nb::module_::import_("os").attr("fsdecode")(picture));
  if (is_pil(picture)) {
    if (nb::cast<std::string>(nb::str(picture.attr("mode"))) != "RGB") return view_of(file_of_pil(picture), keep);
    const std::string_view bytes = view_of(picture.attr("tobytes")(), keep);
    std::vector<int64_t> shape{nb::cast<int64_t>(picture.attr("height")), nb::cast<int64_t>(picture.attr("width")), 3};
    return Pixels{Tensor::wrap(DType::u8, std::move(shape), nullptr, bytes.data())};
  }
  const std::optional<Array> array = import(picture);
  if (!array) {
    PyErr_Clear();
    refuse(class_name(picture), kPicture);
  }
  const bool bytes = PyMemoryView_Check(picture.ptr()) && array->ndim() == 1 && array->itemsize() == 1;
  if (bytes) return view_of(nb::bytes(picture), keep);
  Tensor tensor = tensor_of(*array, kPicture);
  if (!are_pixels(tensor)) refuse(words(*array), kPicture);
  return Pixels{std::move(tensor), bgr};
}

Image image_of(const Picture& picture, const Preprocessing& preprocessing) {
  if (const auto* path = std::get_if<std::string>(&picture)) return read_image(*path, preprocessing);
  if (const auto* bytes = std::get_if<std::string_view>(&picture))
    return decode_image(std::as_bytes(std::span(bytes->data(), bytes->size())), preprocessing);
  return image_of_pixels(std::get<Pixels>(picture));
}

}  // namespace fovea::python
