// Pictures on disk: which there are, and a model over many of them.
#pragma once

#include <fovea/api.h>
#include <fovea/model.h>
#include <fovea/tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fovea {

// One that could not be read.
struct BadPicture {
  std::string file, reason;
};

// The pictures to look at for each path: a file itself, or every file at any depth in a folder, sorted bytewise; links to folders are
// followed, each folder once. What is not among them (hidden files, links to folders that are looked at already) goes to `unused`, where
// that is given. Throws Error(input) where there is no such path or nothing in it.
FOVEA_API std::vector<std::string> list_pictures(const std::vector<std::string>& paths, std::vector<BadPicture>* unused = nullptr);
// "not used: a, b and 3 more (hidden)": a line for each reason, which names at most `most`.
FOVEA_API std::vector<std::string> unused_lines(const std::vector<BadPicture>& unused, size_t most = 5);

struct PictureOptions {
  int64_t top = 5;                                                 // predict_files: classes a picture
  std::string output = "pre_logits";                               // embed_files: any name that Model::features knows
  bool mirrored = false;                                           // embed_files: the mean of the picture's and its mirror image's
  std::function<bool(int64_t done, int64_t total)> progress = {};  // after each picture; false: stop there
};

struct Prediction {
  std::string file;
  std::vector<ClassProbability> classes;  // best first
};
struct Predictions {
  std::vector<Prediction> pictures;  // in the order of the files
  std::vector<BadPicture> left_out;
};

struct Embeddings {
  std::vector<std::string> files;  // one a row
  Tensor features;  // f32 [files, feature_width], or the output's [files, channels, height, width] or [files, tokens, channels]
  std::vector<BadPicture> left_out;
};

// The same numbers as Model::predict and Model::features give for each file alone. Each core decodes and looks at one picture at a
// time. Those that cannot be read are left out and listed, never an error. Mirror images are for vectors: Error(usage) for maps and tokens.
FOVEA_API Predictions predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options = {});
FOVEA_API Embeddings embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options = {});

// The same for any number of files: what comes of each is handed to `take`, in the order of the files, and nothing of it is kept. An
// embedding is f32 [1, ...]. `take` is called by the calling thread; what it throws is thrown. Returns the pictures that were left out.
using TakePrediction = std::function<void(Prediction prediction)>;
using TakeEmbedding = std::function<void(const std::string& file, const Tensor& embedding)>;
FOVEA_API std::vector<BadPicture> predict_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options,
                                                const TakePrediction& take);
FOVEA_API std::vector<BadPicture> embed_files(const Model& model, const std::vector<std::string>& files, const PictureOptions& options,
                                              const TakeEmbedding& take);

// Pictures that are no files, or not only: `picture(i)` gives the i-th of `count`. It is called once for each, on any core, on several at
// the same time; what it throws as Error(input) leaves the picture out, under `name(i)`, and anything else ends the call.
struct PictureSource {
  int64_t count = 0;
  std::function<Image(int64_t index)> picture = {};
  std::function<std::string(int64_t index)> name = {};  // empty: the index
};
FOVEA_API Predictions predict_pictures(const Model& model, const PictureSource& source, const PictureOptions& options = {});
FOVEA_API Embeddings embed_pictures(const Model& model, const PictureSource& source, const PictureOptions& options = {});
FOVEA_API std::vector<BadPicture> predict_pictures(const Model& model, const PictureSource& source, const PictureOptions& options,
                                                   const TakePrediction& take);
FOVEA_API std::vector<BadPicture> embed_pictures(const Model& model, const PictureSource& source, const PictureOptions& options,
                                                 const TakeEmbedding& take);

// NumPy's format 1.0, for f32, f64, i64, i32 and u8. Written beside and renamed. Throws Error(io), or Error(unsupported) for another type.
FOVEA_API void save_npy(const Tensor& tensor, const std::string& path);
// Throws Error(io), before any work, where writing the file would fail at once: its folder is missing or not to be written to, or it is a
// folder itself.
FOVEA_API void check_output(const std::string& path);
// Any text, written beside and renamed: after a crash or on a full disk the file is the old one or the new one. Throws Error(io).
FOVEA_API void save_text(const std::string& text, const std::string& path);

}  // namespace fovea
