// Features of many pictures: reduced, kept on disk with how they were made, and searched for the pictures most like another one.
#pragma once

#include <fovea/api.h>
#include <fovea/model.h>
#include <fovea/preprocess.h>
#include <fovea/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fovea {

// Each picture's numbers (all but the first dimension) divided by their L2 norm; zeros stay. f32 in the shape given.
FOVEA_API Tensor normalized(const Tensor& features);

// Principal components: Jolliffe 2002, chapter 2. Signs are scikit-learn's (from 1.5 on): the largest loading is positive.
struct Pca {
  Tensor mean;                 // f32 [width]
  Tensor components;           // f32 [count, width], each of length 1, the one with the most variance first
  std::vector<double> shares;  // of the variance, by component
};
// Of pictures' features, which are taken as vectors. The same features give the same bits. Throws Error(usage) where `count` is not between
// 1 and what the pictures can tell: the width, or one less than the pictures.
FOVEA_API Pca fit_pca(const Tensor& features, int64_t count);
// f32 [pictures, count]. Throws Error(mismatch) naming both widths.
FOVEA_API Tensor project(const Pca& pca, const Tensor& features);

// SHA-256 of every parameter and buffer, with names and shapes.
FOVEA_API std::string weights_digest(const Model& model);

// How features were made: what a picture to be compared with them must go through.
struct FeatureRecord {
  std::string model;         // a name or a model file's absolute path, as Model::load takes it
  std::string weights;       // LoadOptions::weights likewise
  int64_t channels = 3;      // of the pictures
  std::string architecture;  // Model::name
  std::string digest;        // weights_digest
  std::string output = "pre_logits";
  Preprocessing preprocessing;
  bool mirrored = false;  // the mean of the picture's and its mirror image's
  int64_t pca = 0;        // components; 0: none
  bool normalized = false;
  std::string folder;  // that relative file names start from; absolute
};
// Of features that the model gives now. `model` and `weights`: what it was loaded by.
FOVEA_API FeatureRecord record_of(const Model& model, const std::string& loaded_by, const std::string& weights, const std::string& output);

struct FeatureSet {
  FeatureRecord record;
  std::optional<Pca> pca;
  std::vector<std::string> files;  // one a row
  Tensor features;                 // f32 [files, ...]
};

// PATH.npy: the features, and beside it PATH.csv, the files ("file" and a line each), PATH.json, the record, and with a PCA PATH.pca.npy
// [1 + count, width], the mean and the components. PATH.csv: files and features in one ("file,f0,f1,..."), and PATH.json. Each is written
// beside and renamed. The names of what was written. Throws Error: usage for another extension, io.
FOVEA_API std::vector<std::string> save_features(const FeatureSet& features, const std::string& path);

// The same files, written row by row, so that no row is held. They get their names in `finish`; without it nothing is left of them.
class FOVEA_API FeatureFiles {
 public:
  // Throws Error: usage for an ending other than .npy and .csv, io where the files cannot be written.
  explicit FeatureFiles(const std::string& path);
  ~FeatureFiles();
  FeatureFiles(FeatureFiles&&) noexcept;
  FeatureFiles& operator=(FeatureFiles&&) noexcept;

  // A picture's features, f32 [1, ...]. Throws Error: mismatch, naming both shapes, where those before had another one, io.
  void add(const std::string& file, const Tensor& features);
  std::vector<int64_t> shape() const;  // [pictures, ...] so far; [0] before the first
  // The names of what was written. Throws Error(io).
  std::vector<std::string> finish(const FeatureRecord& record, const std::optional<Pca>& pca = std::nullopt);

 private:
  friend FOVEA_API std::vector<std::string> save_features(const FeatureSet& features, const std::string& path);
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// Of PATH.npy. Throws Error: io, format for what cannot be read, mismatch where the files do not belong together, naming both values.
FOVEA_API FeatureSet load_features(const std::string& path);

// A file in NumPy's format as it is: f32, f64, i64, i32 or u8 in C order. Throws Error(format) naming what else it is.
FOVEA_API Tensor load_npy(const std::string& path);

// The model that the features were made with, its preprocessing set to theirs. Throws Error(mismatch) naming both digests where the weights
// are others now. The second form checks a model that is there already, and changes nothing.
FOVEA_API Model load_model(const FeatureRecord& record);
FOVEA_API void require_same_model(const FeatureRecord& record, const Model& model);

// What the features would hold of this picture: [width].
FOVEA_API Tensor query_features(const Model& model, const FeatureSet& features, const Image& picture);

struct Neighbor {
  int64_t row = 0;
  std::string file;
  double similarity = 0;  // cosine; 0 where one of the two is all zeros
};
// The most alike first, at most `count`. Throws Error: mismatch naming both widths, usage for features of no picture or a count below 1.
FOVEA_API std::vector<Neighbor> nearest_pictures(const FeatureSet& features, const Tensor& query, int64_t count);

// One picture and what is most like it.
struct Neighborhood {
  std::string file;
  std::vector<Neighbor> neighbors;
};
// An HTML page of them: one file that opens offline, the pictures in it. Those that are gone by now are named in their place.
FOVEA_API std::string neighbors_page(const FeatureSet& features, const std::vector<Neighborhood>& found);

}  // namespace fovea
