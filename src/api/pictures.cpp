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

// What is asked for of a picture: these outputs of the network, with or without the picture's second shape, where the model has one.
struct Asked {
  std::vector<std::string> outputs;
  bool second = false;
};

// What look(inference, prepared) gives of each picture that can be read, prepared in the model's one or two shapes [height, width, 3],
// which it may change: take(index, result) is called in order. Each picture goes through the network alone, so that its numbers depend on
// nothing beside it.
template <class Result, class Look, class Take>
std::vector<BadPicture> run_files(const Model& model, const std::vector<std::string>& files, const Asked& asked,
                                  const PictureOptions& options, Look&& look, Take&& take) {
  struct Seen {
    std::optional<Result> result;
    std::string reason;  // why there is none
  };
  const auto total = static_cast<int64_t>(files.size());
  const auto see = [&](const Inference& inference, const std::string& file) {
    Seen seen;
    try {
      Inference::Prepared prepared;
      inference.prepare(read_image(file, inference.network().preprocessing()), asked.second, prepared);
      seen.result = look(inference, prepared);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      seen.reason = reason_of(file, error.what());
    }
    return seen;
  };
  std::vector<BadPicture> left_out;
  const auto give = [&](int64_t index, Seen seen) {
    const std::string& file = files[static_cast<size_t>(index)];
    if (seen.result)
      take(static_cast<size_t>(index), std::move(*seen.result));
    else
      left_out.push_back({file, seen.reason});
    return !options.progress || options.progress(index + 1, total);
  };
  if (total == 1) {
    give(0, see(model.implementation().inference(), files[0]));
    return left_out;
  }
  const std::shared_ptr<const Inference> lists = model.implementation().for_lists();
  Stretch stretch;
  for (int64_t begin = 0; begin < total;) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<Seen> seen(static_cast<size_t>(std::min(stretch.pictures(), total - begin)));
    const auto count = static_cast<int64_t>(seen.size());
    lists->for_each(count, asked.outputs, [&](int64_t i, const Inference& one) {
      seen[static_cast<size_t>(i)] = see(one, files[static_cast<size_t>(begin + i)]);
    });
    stretch.took(std::chrono::steady_clock::now() - start);
    for (int64_t i = 0; i < count; ++i)
      if (!give(begin + i, std::move(seen[static_cast<size_t>(i)]))) return left_out;
    begin += count;
  }
  return left_out;
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

std::vector<BadPicture> predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options,
                                      const TakePrediction& take) {
  if (options.top < 1) fail(ErrorKind::usage, "the {} most probable classes, at least 1 expected", options.top);
  using Classes = std::vector<ClassProbability>;
  return run_files<Classes>(
      model, files, {{"logits"}, true}, options,
      [&](const Inference& one, Inference::Prepared& picture) { return one.best(one.answer(picture.image, picture.second), options.top); },
      [&](size_t index, Classes classes) {
        take({files[index], std::move(classes)});
      });
}

Predictions predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  Predictions result;
  result.left_out = predict_files(model, files, options, [&](Prediction prediction) { result.pictures.push_back(std::move(prediction)); });
  return result;
}

std::vector<BadPicture> embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options,
                                    const TakeEmbedding& take) {
  return run_files<Tensor>(
      model, files, {{options.output}, false}, options,
      [&](const Inference& one, Inference::Prepared& picture) {
        return options.mirrored ? one.output_with_mirror_image(picture.image, options.output) : one.output(picture.image, options.output);
      },
      [&](size_t index, const Tensor& output) { take(files[index], output); });
}

Embeddings embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  Embeddings result;
  std::vector<float> rows;
  std::vector<int64_t> shape{0};
  result.left_out = embed_files(model, files, options, [&](const std::string& file, const Tensor& embedding) {
    if (shape.size() == 1) shape = embedding.shape();
    result.files.push_back(file);
    const auto values = embedding.values<float>();
    rows.insert(rows.end(), values.begin(), values.end());
  });
  shape[0] = static_cast<int64_t>(result.files.size());
  result.features = Tensor(DType::f32, shape);
  std::copy(rows.begin(), rows.end(), result.features.mutable_values<float>().begin());
  return result;
}

void check_output(const std::string& path) { require_writable(path); }

void save_text(const std::string& text, const std::string& path) { write_text(path, text); }

}  // namespace fovea
