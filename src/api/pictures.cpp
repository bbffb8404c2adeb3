#include <fovea/pictures.h>

#include "api/implementation.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "image/fit.h"
#include "image/folder.h"
#include "image/loader.h"

namespace fovea {
namespace {

// What is wrong, without the file's name in front: it stands beside.
std::string reason_of(const std::string& file, const std::string& message) {
  const std::string prefix = file + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

// Calls take(index, picture, second) for each picture that can be read, in order, with it prepared in the model's one or two shapes
// [height, width, 3], which it may change. One picture at a time goes through the network, so that its numbers depend on nothing beside it.
template <class Take>
std::vector<BadPicture> run_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options, Take&& take) {
  std::vector<BadPicture> left_out;
  const int64_t total = static_cast<int64_t>(files.size());
  if (total == 1) {  // no threads to start
    try {
      Inference::Prepared prepared;
      model.implementation().inference().prepare(read_image(files[0], model.preprocessing()), true, prepared);
      take(size_t{0}, std::span<float>(prepared.image), std::span<float>(prepared.second));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      left_out.push_back({files[0], reason_of(files[0], error.what())});
    }
    if (options.progress) options.progress(1, 1);
    return left_out;
  }

  std::vector<image::Sample> samples;
  for (const std::string& file : files) samples.push_back({file, 0});
  image::LoaderOptions loading;
  loading.preprocessing = model.preprocessing();
  loading.batch = 8;  // pictures handed over at a time
  loading.skip_bad = true;
  loading.second_fit = true;
  image::Loader loader(std::move(samples), loading);
  const size_t floats = static_cast<size_t>(3 * loading.preprocessing.height * loading.preprocessing.width);
  int64_t done = 0;
  while (const image::Batch* batch = loader.next()) {
    auto bad = batch->bad.begin();
    for (int64_t i = 0; i < batch->size(); ++i) {
      const size_t index = static_cast<size_t>(batch->indices[static_cast<size_t>(i)]);
      if (bad != batch->bad.end() && bad->position == i) {
        left_out.push_back({files[index], reason_of(files[index], bad->picture.message)});
        ++bad;
      } else {
        const size_t at = static_cast<size_t>(i) * floats;
        take(index, batch->images.subspan(at, floats), batch->second.empty() ? batch->second : batch->second.subspan(at, floats));
      }
      if (options.progress && !options.progress(++done, total)) return left_out;
    }
  }
  return left_out;
}

// The type as NumPy writes it, little-endian.
const char* numpy_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::i64:
      return "<i8";
    case DType::i32:
      return "<i4";
    case DType::u8:
      return "|u1";
    default:
      fail(ErrorKind::unsupported, "{} has no form in .npy files; f32, f64, i64, i32 and u8 have", to_string(dtype));
  }
}

}  // namespace

std::vector<std::string> list_pictures(const std::vector<std::string>& paths) {
  return image::list_pictures(std::span<const std::string>(paths));
}

Predictions predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  if (options.top < 1) fail(ErrorKind::usage, "the {} most probable classes, at least 1 expected", options.top);
  Predictions result;
  const Inference& inference = model.implementation().inference();
  result.left_out = run_files(model, files, options, [&](size_t index, std::span<float> picture, std::span<float> second) {
    result.pictures.push_back({files[index], inference.best(inference.answer(picture, second), options.top)});
  });
  return result;
}

Embeddings embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  Embeddings result;
  std::vector<float> rows;
  std::vector<int64_t> shape{0};
  result.left_out = run_files(model, files, options, [&](size_t index, std::span<float> picture, std::span<float>) {
    const Inference& inference = model.implementation().inference();
    const Tensor output =
        options.mirrored ? inference.output_with_mirror_image(picture, options.output) : inference.output(picture, options.output);
    if (shape.size() == 1) shape = output.shape();
    result.files.push_back(files[index]);
    const auto values = output.values<float>();
    rows.insert(rows.end(), values.begin(), values.end());
  });
  shape[0] = static_cast<int64_t>(result.files.size());
  result.features = Tensor(DType::f32, shape);
  std::copy(rows.begin(), rows.end(), result.features.mutable_values<float>().begin());
  return result;
}

void save_npy(const Tensor& tensor, const std::string& path) {
  std::string shape;
  for (int64_t dim : tensor.shape()) shape += fmt::format("{},", dim);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", numpy_type(tensor.dtype()), shape);
  constexpr size_t kPreamble = 10, kAlignment = 64;  // of the data, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
  header.append(kAlignment - 1 - (kPreamble + header.size()) % kAlignment, ' ');
  header += '\n';
  std::string preamble("\x93NUMPY\x01\x00", 8);
  preamble += static_cast<char>(header.size() & 0xFF);
  preamble += static_cast<char>(header.size() >> 8);
  AtomicFile file(path);
  file.write(preamble);
  file.write(header);
  file.write(tensor.raw(), tensor.bytes());
  file.commit();
}

void check_output(const std::string& path) { require_writable(path); }

void save_text(const std::string& text, const std::string& path) { write_text(path, text); }

}  // namespace fovea
