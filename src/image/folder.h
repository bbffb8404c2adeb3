// Datasets on disk: one folder a class, train/, validation/ and test/ of such folders, or a list of files. CSV files: labels_csv.h.
#pragma once

#include <fovea/dataset.h>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/walk.h"

namespace fovea::image {

struct Sample {
  std::string path;       // of a file; where the picture has none, its name, which no other picture has
  int32_t label = 0;      // into Dataset::classes; -1 with Dataset::multi_label
  std::string name = {};  // "class/file": the path from the class folder on, the same wherever that lies; in a CSV file as written there
  std::vector<int32_t> labels = {};  // with Dataset::multi_label: all of them, ascending
  std::vector<float> targets = {};   // soft ones, a number a class, of which `label` is the largest and `labels` are the halves and more
  std::string group = {};            // of pictures that are never divided; empty: none
  std::shared_ptr<const DatasetSource> source = {};  // null: the picture is the file
  int64_t index = 0;                                 // in the source
};

// Its one label, or all of several.
std::vector<int32_t> labels_of(const Sample& sample);
// Sorts them by class, then by name.
void sort_samples(std::vector<Sample>& samples);

// Classes and samples are sorted bytewise, samples by class, then by path: the same on every machine.
struct Dataset {
  std::vector<std::string> classes;
  std::vector<Sample> samples;
  bool multi_label = false;            // pictures have several labels or none
  std::vector<Unused> unused = {};     // what else was found
  std::vector<std::string> news = {};  // a line each: what was found another way than it seems
};

struct Splits {
  Dataset train, validation, test;  // with the same classes; the last two may hold no samples
  std::vector<Unused> unused = {};  // of all three, and of what lies beside them
  std::vector<std::string> news = {};
};

// One folder a class; every file at any depth in it is a candidate picture (walk.h). Throws Error(input) naming what is wrong: no such
// folder, no class folders, a class without files, a single class, two classes that differ only in case.
Dataset scan_folder(const std::string& folder);
// Labels by a list of classes that is already known (a model's): a class without a folder has no samples, a folder of no known class is an
// error.
Dataset scan_folder(const std::string& folder, std::span<const std::string> classes);

// The same from a list of files: the name of the folder that a file lies in is its class ("1.jpg" lies in the working folder). The files
// are not looked at, and their order does not matter: of pictures that lie directly in their class folders a list gives the dataset that
// the folder gives. Throws as scan_folder, and for a file that is given twice, however it is spelled, naming it.
Dataset scan_files(std::span<const std::string> files);
Dataset scan_files(std::span<const std::string> files, std::span<const std::string> classes);

// The three datasets where `folder` is laid out as train/ (or training/) and, as they please, validation/ (or valid/, val/, dev/, eval/)
// and test/ (or testing/), in any letter case; nothing where it is not: where it has other folders too, or pictures and no class folders in
// train/. Throws as scan_folder, where a class is not in train/, and where there are validation and test of the same classes without
// train/.
std::optional<Splits> scan_splits(const std::string& folder);

// The part of such a folder that a network of these classes is evaluated on: the one for testing, else the one for validation. Nothing
// where the folder has other folders too, or one of a class's name.
struct EvaluatedSplit {
  std::string folder;
  std::vector<Unused> others;
};
std::optional<EvaluatedSplit> evaluated_split(const std::string& folder, std::span<const std::string> classes);

// Splits class by class. Of n pictures a fraction f > 0 takes f * n, halves rounded up, but at least one where the class has three or more;
// training keeps at least one (validation gives up first). Which ones is decided by (seed, class name, place in the sorted list) alone, and
// the test pictures do not depend on the fraction for validation. Samples with the same number in `groups` (empty: none) stay together,
// unless they are all of a class and have no Sample::group; counts are then as near as groups allow. Of several labels: as stratify does
// it.
Splits split(const Dataset& dataset, const SplitOptions& options, std::span<const int64_t> groups = {});

// The pictures to look at for a path: a file itself, or every file at any depth in a folder (walk.h), sorted bytewise. Throws Error(input)
// where there is no such path or nothing in it.
std::vector<std::string> list_pictures(const std::string& path, std::vector<Unused>& unused);
std::vector<std::string> list_pictures(std::span<const std::string> paths, std::vector<Unused>& unused);
// One path a line, empty lines passed over; the files are not looked at.
std::vector<std::string> read_list(std::istream& lines);

}  // namespace fovea::image
