#include <fovea/pictures.h>

#include <algorithm>
#include <optional>

#include "api/implementation.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "image/fit.h"
#include "image/folder.h"
#include "look/stretch.h"

namespace fovea {
namespace {

// The message without the file's name in front, which is told apart.
std::string reason_of(const std::string& file, const std::string& message) {
  const std::string prefix = file + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

std::string name_at(const PictureSource& source, int64_t index) { return source.name ? source.name(index) : std::to_string(index); }

// A source that reads the files by the model's preprocessing.
PictureSource as_source(const Model& model, const std::vector<std::string>& files) {
  const auto file = [&files](int64_t index) { return files[static_cast<size_t>(index)]; };
  const auto picture = [&files, preprocessing = model.preprocessing()](int64_t index) {
    return read_image(files[static_cast<size_t>(index)], preprocessing);
  };
  return {static_cast<int64_t>(files.size()), picture, file};
}

// What is asked for of a picture: these outputs of the network, with or without the picture's second shape, where the model has one.
struct Asked {
  std::vector<std::string> outputs;
  bool second = false;
};

// What look(inference, prepared) gives of each picture that can be read, prepared in the model's one or two shapes [height, width, 3],
// which it may change: take(index, result) is called in order. Each picture goes through the network alone, so that its numbers depend on
// nothing beside it.
template <class Result, class Look, class Take>
std::vector<BadPicture> run_pictures(const Model& model, const PictureSource& source, const Asked& asked, const PictureOptions& options,
                                     Look&& look, Take&& take) {
  struct Seen {
    std::optional<Result> result;
    std::string reason;  // why there is none
  };
  const int64_t total = source.count;
  const auto see = [&](const Inference& inference, int64_t index) {
    Seen seen;
    try {
      Inference::Prepared prepared;
      inference.prepare(source.picture(index), asked.second, prepared);
      seen.result = look(inference, prepared);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      seen.reason = reason_of(name_at(source, index), error.what());
    }
    return seen;
  };
  std::vector<BadPicture> left_out;
  const auto give = [&](int64_t index, Seen& seen) {
    if (seen.result)
      take(index, std::move(*seen.result));
    else
      left_out.push_back({name_at(source, index), seen.reason});
    return !options.progress || options.progress(index + 1, total);
  };
  if (total == 1) {
    Seen one = see(model.implementation().inference(), 0);
    give(0, one);
    return left_out;
  }
  const std::shared_ptr<const Inference> lists = model.implementation().for_lists();
  constexpr int64_t kMost = 64;  // for each core
  std::vector<Seen> stretch;
  int64_t first = 0;
  const auto see_all = [&](int64_t begin, int64_t count) {
    first = begin;
    stretch.assign(static_cast<size_t>(count), {});
    lists->for_each(count, asked.outputs, [&](int64_t i, const Inference& one) { stretch[static_cast<size_t>(i)] = see(one, begin + i); });
  };
  look::in_stretches(total, look::Stretch(2 * threads(), kMost * threads()), see_all,
                     [&](int64_t index) { return give(index, stretch[static_cast<size_t>(index - first)]); });
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

std::vector<BadPicture> predict_pictures(const Model& model, const PictureSource& source, const PictureOptions& options,
                                         const TakePrediction& take) {
  if (options.top < 1) fail(ErrorKind::usage, "the {} most probable classes, at least 1 expected", options.top);
  using Classes = std::vector<ClassProbability>;
  return run_pictures<Classes>(
      model, source, {{"logits"}, true}, options,
      [&](const Inference& one, Inference::Prepared& picture) { return one.best(one.answer(picture.image, picture.second), options.top); },
      [&](int64_t index, Classes classes) {
        take({name_at(source, index), std::move(classes)});
      });
}

std::vector<BadPicture> embed_pictures(const Model& model, const PictureSource& source, const PictureOptions& options,
                                       const TakeEmbedding& take) {
  return run_pictures<Tensor>(
      model, source, {{options.output}, false}, options,
      [&](const Inference& one, Inference::Prepared& picture) {
        return options.mirrored ? one.output_with_mirror_image(picture.image, options.output) : one.output(picture.image, options.output);
      },
      [&](int64_t index, const Tensor& output) { take(name_at(source, index), output); });
}

Predictions predict_pictures(const Model& model, const PictureSource& source, const PictureOptions& options) {
  Predictions result;
  const auto take = [&](Prediction prediction) { result.pictures.push_back(std::move(prediction)); };
  result.left_out = predict_pictures(model, source, options, take);
  return result;
}

Embeddings embed_pictures(const Model& model, const PictureSource& source, const PictureOptions& options) {
  Embeddings result;
  std::vector<float> rows;
  std::vector<int64_t> shape{0};
  result.left_out = embed_pictures(model, source, options, [&](const std::string& file, const Tensor& embedding) {
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

std::vector<BadPicture> predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options,
                                      const TakePrediction& take) {
  return predict_pictures(model, as_source(model, files), options, take);
}

std::vector<BadPicture> embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options,
                                    const TakeEmbedding& take) {
  return embed_pictures(model, as_source(model, files), options, take);
}

Predictions predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  return predict_pictures(model, as_source(model, files), options);
}

Embeddings embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options) {
  return embed_pictures(model, as_source(model, files), options);
}

void check_output(const std::string& path) { require_writable(path); }

void save_text(const std::string& text, const std::string& path) { write_text(path, text); }

}  // namespace fovea
