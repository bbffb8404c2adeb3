// The public audit, of pictures that were found, in two halves: reading each once, and what follows from where each belongs.
#pragma once

#include <fovea/audit.h>

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "image/cache.h"
#include "image/check.h"
#include "image/folder.h"

namespace fovea::auditing {

struct Group {
  std::vector<std::string> files;
  bool same_pixels = false;
};

// What was seen of pictures, wherever they belong.
struct Looks {
  std::map<std::string, image::Look> pictures;  // by path
  std::vector<image::BadPicture> unreadable;    // not among them
  std::vector<Group> copies;                    // in the order of the pictures
};

// Beyond so many pictures copies are those with the same pixels: every pair is compared for the others.
constexpr size_t kMostCompared = 100'000;

// Decodes every picture found once and takes the bad ones out. With a cache, what was decoded is kept there, as its preprocessing has it.
Looks look(image::Splits& found, image::ImageCache* cache, const image::Progress& progress = {});
Looks look(image::Splits& found, const Preprocessing& preprocessing, const image::Progress& progress = {});

// `splits` hold pictures that were looked at.
Audit audit(const image::Splits& splits, const Looks& looks);

// A line each: of copies on both sides of a split, and where; of copies under different classes. The first few, then how many more.
std::vector<std::string> leak_warnings(const Audit& audit);
std::vector<std::string> conflict_warnings(const Audit& audit);

nlohmann::json audit_json(const Audit& audit);

}  // namespace fovea::auditing
