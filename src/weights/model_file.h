// The model file: one .safetensors with everything that using a trained classifier takes. Its format: docs/weights.md.
#pragma once

#include <fovea/head.h>
#include <fovea/preprocess.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/named.h"
#include "base/seen_pictures.h"
#include "weights/state_dict.h"

namespace fovea::weights {

constexpr int kModelFileVersion = 1;
// Kinds of heads, by the names that they have in the file and for users.
constexpr Named<HeadKind> kHeadKinds[] = {{"concat_pool", HeadKind::concat_pool}, {"linear", HeadKind::linear}, {"mlp", HeadKind::mlp}};

struct ModelFile {
  std::string architecture;          // a registered name
  std::vector<std::string> classes;  // in the order of the outputs; UTF-8; empty for a file of features only
  Preprocessing preprocessing;
  HeadOptions head;
  std::vector<double> thresholds = {};          // of independent classes, one each; empty: 0.5
  int64_t channels = 3;                         // of the pictures
  int64_t native_height = 0, native_width = 0;  // the size that position embeddings belong to; 0: the architecture's own
  int format_version = kModelFileVersion;
  std::shared_ptr<const SeenPictures> seen = {};  // null: nobody knows which
  std::map<std::string, std::string> extra;       // further metadata, kept as it is; keys do not begin with "fovea."
  StateDict tensors;                              // under the library's names, num_batches_tracked included
};

// Written beside and renamed. Throws Error(io), or Error(usage) for text that is not UTF-8 or an extra key that begins with "fovea.".
void write_model_file(const std::filesystem::path& path, const ModelFile& model);

// Tensors look into the mapped file. Throws Error(format) that names the file and the entry; a newer format version is
// Error(unsupported) naming both versions.
ModelFile read_model_file(const std::filesystem::path& path);
// The same from memory, which `owner` keeps alive for the tensors.
ModelFile read_model_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

// Whether the file is a .safetensors that says it is a model file; false for any other file, and for a header that cannot be read.
// Throws Error(io) where the file cannot be opened.
bool is_model_file(const std::filesystem::path& path);

}  // namespace fovea::weights
