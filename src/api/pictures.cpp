#include <fovea/pictures.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "api/implementation.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "image/fit.h"
#include "image/folder.h"

namespace fovea {
namespace {

// What is wrong, without the file's name in front: it stands beside.
std::string reason_of(const std::string& file, const std::string& message) {
  const std::string prefix = file + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

std::string name_at(const PictureSource& source, int64_t index) { return source.name ? source.name(index) : std::to_string(index); }

// The files, read as the model has it.
PictureSource as_source(const Model& model, const std::vector<std::string>& files) {
  const auto file = [&files](int64_t index) { return files[static_cast<size_t>(index)]; };
  const auto picture = [&files, preprocessing = model.preprocessing()](int64_t index) {
    return read_image(files[static_cast<size_t>(index)], preprocessing);
  };
  return {static_cast<int64_t>(files.size()), picture, file};
}

// How many pictures of a list are looked at before what came of them is handed over: a few at first, then as many as take about this long.
class Stretch {
 public:
  int64_t pictures() const { return pictures_; }
  void took(std::chrono::steady_clock::duration time) {
    constexpr auto kShort = std::chrono::milliseconds(200);
    constexpr int64_t kMost = 64;  // for each core
    if (time < kShort && pictures_ < kMost * threads()) pictures_ *= 2;
  }

 private:
  int64_t pictures_ = 2 * threads();
};

// What look(inference, picture, second) gives of each picture that can be read, prepared in the model's one or two shapes [height, width,
// 3], which it may change: take(index, result) is called in order. Each picture goes through the network alone, so that its numbers depend
// on nothing beside it; `outputs` are those that `look` asks for.
template <class Result, class Look, class Take>
std::vector<BadPicture> run_pictures(const Model& model, const PictureSource& source, const std::vector<std::string>& outputs,
                                     const PictureOptions& options, Look&& look, Take&& take) {
  struct Seen {
    std::optional<Result> result;
    std::string reason;  // why there is none
  };
  const int64_t total = source.count;
  const auto see = [&](const Inference& inference, int64_t index) {
    Seen seen;
    try {
      Inference::Prepared prepared;
      inference.prepare(source.picture(index), true, prepared);
      seen.result = look(inference, std::span<float>(prepared.image), std::span<float>(prepared.second));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      seen.reason = reason_of(name_at(source, index), error.what());
    }
    return seen;
  };
  std::vector<BadPicture> left_out;
  const auto give = [&](int64_t index, Seen seen) {
    if (seen.result)
      take(index, std::move(*seen.result));
    else
      left_out.push_back({name_at(source, index), seen.reason});
    return !options.progress || options.progress(index + 1, total);
  };
  if (total == 1) {
    give(0, see(model.implementation().inference(), 0));
    return left_out;
  }
  const std::shared_ptr<const Inference> lists = model.implementation().for_lists();
  Stretch stretch;
  for (int64_t begin = 0; begin < total;) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<Seen> seen(static_cast<size_t>(std::min(stretch.pictures(), total - begin)));
    const auto count = static_cast<int64_t>(seen.size());
    lists->for_each(count, outputs, [&](int64_t i, const Inference& one) { seen[static_cast<size_t>(i)] = see(one, begin + i); });
    stretch.took(std::chrono::steady_clock::now() - start);
    for (int64_t i = 0; i < count; ++i)
      if (!give(begin + i, std::move(seen[static_cast<size_t>(i)]))) return left_out;
    begin += count;
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

std::vector<std::string> list_pictures(const std::vector<std::string>& paths, std::vector<BadPicture>* unused) {
  std::vector<image::Unused> others;
  std::vector<std::string> pictures = image::list_pictures(std::span<const std::string>(paths), others);
  for (image::Unused& one : others)
    if (unused) unused->push_back({std::move(one.path), std::move(one.reason)});
  return pictures;
}

std::vector<std::string> unused_lines(const std::vector<BadPicture>& unused, size_t most) {
  std::vector<image::Unused> all;
  for (const BadPicture& one : unused) all.push_back({one.file, one.reason});
  return image::lines_of(all, most);
}

Predictions predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  return predict_pictures(model, as_source(model, files), options);
}

Embeddings embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  return embed_pictures(model, as_source(model, files), options);
}

Predictions predict_pictures(const Model& model, const PictureSource& source, const PictureOptions& options) {
  if (options.top < 1) fail(ErrorKind::usage, "the {} most probable classes, at least 1 expected", options.top);
  Predictions result;
  using Classes = std::vector<ClassProbability>;
  result.left_out = run_pictures<Classes>(
      model, source, {"logits"}, options,
      [&](const Inference& one, std::span<float> picture, std::span<float> second) {
        return one.best(one.answer(picture, second), options.top);
      },
      [&](int64_t index, Classes classes) {
        result.pictures.push_back({name_at(source, index), std::move(classes)});
      });
  return result;
}

Embeddings embed_pictures(const Model& model, const PictureSource& source, const PictureOptions& options) {
  Embeddings result;
  std::vector<float> rows;
  std::vector<int64_t> shape{0};
  result.left_out = run_pictures<Tensor>(
      model, source, {options.output}, options,
      [&](const Inference& one, std::span<float> picture, std::span<float>) {
        return options.mirrored ? one.output_with_mirror_image(picture, options.output) : one.output(picture, options.output);
      },
      [&](int64_t index, const Tensor& output) {
        if (shape.size() == 1) shape = output.shape();
        result.files.push_back(name_at(source, index));
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
