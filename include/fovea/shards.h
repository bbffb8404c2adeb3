// Features of any number of pictures in files of so many each: what is there is not made again, and no more than one is begun.
#pragma once

#include <fovea/api.h>
#include <fovea/features.h>
#include <fovea/model.h>
#include <fovea/pictures.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fovea {

struct ShardOptions {
  int64_t size = 10000;  // pictures of a shard; the last one has fewer
  // Of `parts` processes that share the work, on as many machines as there are, this one makes the shards part, part + parts, ...
  int64_t part = 0, parts = 1;
  // Called when a shard is there: its number, whether it was made now, and the pictures of it that could not be read. False: stop there.
  std::function<bool(int64_t shard, bool made, const std::vector<BadPicture>& left_out)> on_shard = {};
  std::function<bool(int64_t done, int64_t total)> progress = {};  // pictures of the shard in work; false: stop and leave it out
};

struct Shards {
  int64_t made = 0, there = 0;         // shards of this process; there: from before
  int64_t pictures = 0, left_out = 0;  // of both: rows, and pictures that could not be read
  bool complete = true;                // false: a callback stopped it
};

// Calls next(file) for one path after the other until it gives false, and writes features of each `options.size` of them to FOLDER (made
// where it is not there): shard-000000.npy and so on, with the .csv of their files and the .json of how they were made as FeatureFiles
// writes them, and shard-000000.errors.csv ("file,reason") where pictures could not be read. The .json comes last: a shard that has it is
// whole, and one that has none is made. The rows are those of embed_files, bit for bit, whatever the sizes, processes and interruptions.
// `record` says what is computed (output, mirrored, normalized; no pca) and is what is written. Throws Error: usage, mismatch where a
// shard that is there was made otherwise or is of other files, naming both, io.
FOVEA_API Shards embed_shards(const Model& model, const FeatureRecord& record, const std::function<bool(std::string& file)>& next,
                              const std::string& folder, const ShardOptions& options = {});

}  // namespace fovea
