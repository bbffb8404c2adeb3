// What is wrong with pictures before a network learns it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <fovea/api.h>
#include <fovea/dataset.h>
#include <fovea/pictures.h>

namespace fovea {

// Copies of one picture.
struct AuditCopies {
  std::vector<std::string> files, splits;  // splits: where each is, "training", "validation" or "test"
  bool same_pixels = false;                // else rescaled, stored with losses, or mirrored
  bool across_splits = false;              // a leak: what is tested or validated was trained on
  bool across_classes = false;             // a label conflict: the same picture under two classes
};

struct AuditClass {
  std::string name;
  int64_t training = 0, validation = 0, test = 0;
  int64_t pictures() const { return training + validation + test; }
};

struct AuditNote {
  std::string file, what;
};

struct FOVEA_API Audit {
  int64_t pictures = 0;                // found
  std::vector<AuditClass> classes;     // with the pictures that can be read
  std::vector<BadPicture> unreadable;  // truncated ones among them
  int64_t truncated = 0;
  std::vector<AuditCopies> copies;
  std::vector<std::string> tiny_classes;          // of fewer than 10 pictures
  double imbalance = 0;                           // the largest class, in units of the smallest
  std::vector<AuditNote> wrong_extensions;        // the content is not what the name says
  std::vector<AuditNote> odd_sizes;               // aspect or area far from the other pictures'
  std::vector<AuditNote> unused;                  // what else lies there, and what a CSV file has beside files and labels, and why
  std::vector<std::string> news;                  // which folders were taken for splits
  int64_t turned = 0, grey = 0, transparent = 0;  // by EXIF; without colour; with pixels that are

  // What should be looked at before training: unreadable pictures, copies, tiny classes, wrong extensions, an imbalance of 10 or more. Odd
  // sizes and the counts are news, no problems.
  int64_t problems() const;
};

struct AuditOptions {
  std::function<void(int64_t done, int64_t total)> progress = {};  // never from two threads at once
  Preprocessing preprocessing = {};                                // its alpha, page and range
};

// `data`: a folder with one folder a class, or train/, validation/, test/ of them, or a CSV file, as `train` takes them. Decodes every
// picture once and changes nothing. Copies are told by a perceptual hash (pHash) and small colour pictures beside each other; of
// more than 100,000 pictures only those with the same pixels. Throws
// Error(input) where there are no classes and pictures to look at.
FOVEA_API Audit audit(const std::string& data, const AuditOptions& options = {});
FOVEA_API Audit audit(const std::vector<std::string>& files, const AuditOptions& options = {});
FOVEA_API Audit audit(const Dataset& data, const AuditOptions& options = {});

// Everything in it as a JSON object, as `fovea audit --json` prints it.
FOVEA_API std::string to_json(const Audit& audit);

}  // namespace fovea
