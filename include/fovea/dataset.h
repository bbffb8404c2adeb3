// Labelled pictures, wherever they come from: folders, CSV files, memory, a source of the caller's own.
//
//   std::vector<fovea::Example> examples;
//   for (const Frame& frame : frames)
//     examples.push_back({frame.id, fovea::image_from_memory(frame.data, 640, 480), frame.label, frame.camera});
//   fovea::Dataset data = fovea::Dataset::from_memory(std::move(examples), {.classes = {"good", "scratched"}});
//   fovea::train(model, data.split({.validation = 0.2, .test = 0.1}));
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <fovea/api.h>
#include <fovea/image.h>

namespace fovea {

// What a picture shows: one class, by its index or its name; several classes or none, each a question of its own, by indices or names; or
// soft targets, a number from 0 to 1 for each class, which add up to 1 (but see DatasetOptions::independent).
using Labels = std::variant<int64_t, std::string, std::vector<int64_t>, std::vector<std::string>, std::vector<float>>;

// A picture in memory.
struct Example {
  std::string name;  // in errors, reports and predictions, as a file's path is; there is no other picture of this name in the dataset
  Image image;
  Labels labels;
  std::string group = {};  // pictures of one group stay on one side of every split: of one patient, part or video; empty: by itself
};

// Pictures that are made when they are asked for: from an archive, a database, a camera's recording.
class FOVEA_API DatasetSource {
 public:
  virtual ~DatasetSource();
  virtual int64_t size() const = 0;
  // Called from several threads at once, and again in each epoch unless the picture cache holds it; the same index gives the same pixels.
  // An Error(input) that it throws is taken as that of a file that cannot be read: the picture is left out and listed. What else it throws
  // ends the work and arrives at the caller.
  virtual Image picture(int64_t index) const = 0;
  // These are called once for each picture, when the dataset is made.
  virtual Labels labels(int64_t index) const = 0;
  virtual std::string name(int64_t index) const;   // as Example::name; "picture 0", "picture 1", ... unless it says otherwise
  virtual std::string group(int64_t index) const;  // as Example::group; empty unless it says otherwise
};

enum class Part { train, validation, test };

struct DatasetOptions {
  // In the order of the indices. Empty: the names among the labels, sorted bytewise, or of indices alone "0", "1", ... up to the largest.
  std::vector<std::string> classes = {};
  // Soft targets answer each class on its own, as several labels do, and need not add up to 1.
  bool independent = false;
};

struct SplitOptions {
  double validation = 0, test = 0;  // shares of each class
  uint64_t seed = 0;
};

// A list of pictures with what each shows, which part of a training it belongs to, and its group. Pictures are not looked at before they
// are needed. Copying copies no picture; every function leaves the dataset as it is. The same pictures under the same names give a training
// the same bits, wherever they come from: they are sorted by class, then by name, as those of a folder are.
class FOVEA_API Dataset {
 public:
  // A folder with one folder a class, or with train/, val/ and test/ of these, or a CSV file of files and labels, as `train` takes them; a
  // list of files, whose folders' names are their classes. Throw Error(input) naming what is wrong.
  static Dataset load(const std::string& path);
  static Dataset from_files(const std::vector<std::string>& files);
  // Throw Error(input), naming the picture, for a name that is empty or there twice, pixels that are not channels * width * height bytes, a
  // label that is none of the classes, soft targets of another number or sum; and for no picture at all, or a single class.
  static Dataset from_memory(std::vector<Example> examples, const DatasetOptions& options = {});
  static Dataset from_source(std::shared_ptr<const DatasetSource> source, const DatasetOptions& options = {});

  int64_t size() const;
  std::vector<std::string> classes() const;
  // Pictures may have several labels or none, and each class is a question of its own.
  bool independent() const;

  // Of a picture. Throw Error(usage) for an index that is not in 0 .. size() - 1.
  std::string name(int64_t index) const;  // of a file its path
  Labels labels(int64_t index) const;     // indices, one or several, or soft targets
  Part part(int64_t index) const;
  std::string group(int64_t index) const;
  Image picture(int64_t index) const;  // decoded anew in each call; throws as read_image does

  // These pictures, in this order. Throws Error(usage) for an index that is not there, or there twice.
  Dataset subset(std::span<const int64_t> indices) const;
  Dataset filter(const std::function<bool(int64_t index)>& keep) const;
  // The pictures of both. Classes are those of both, sorted bytewise unless both have the same. Throws Error(input) for a picture that is
  // in both, and where one has independent classes and the other has not.
  Dataset join(const Dataset& other) const;
  // All pictures as this part; the pictures of this part alone.
  Dataset as(Part part) const;
  Dataset only(Part part) const;
  // The same pictures with the group that is told of each.
  Dataset grouped(const std::function<std::string(int64_t index)>& group_of) const;
  // Divides those of Part::train, class by class, groups on one side, by (seed, class, name) alone: of n pictures a share takes that of n,
  // at least one where the class has three or more; training keeps at least one. `train` does the same with its own shares, and then also
  // keeps copies of a picture together.
  Dataset split(const SplitOptions& options) const;

  class Implementation;
  const Implementation& implementation() const;  // for fovea's own use; throws Error(usage) for a dataset that was moved from

 private:
  explicit Dataset(std::shared_ptr<const Implementation> implementation);
  std::shared_ptr<const Implementation> implementation_;
};

}  // namespace fovea
