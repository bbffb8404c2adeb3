#include <fovea/shards.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "api/feature_files.h"
#include "base/atomic_file.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

struct ShardFiles {
  fs::path features, names, record, errors;
};

ShardFiles files_of(const fs::path& folder, int64_t shard) {
  const auto file = [&](const char* ending) { return folder / fmt::format("shard-{:06}{}", shard, ending); };
  return {file(".npy"), file(".csv"), file(".json"), file(".errors.csv")};
}

// One picture's features are looked at for their shape where no picture of a shard can be read.
std::vector<int64_t> shape_of_none(const Model& model, const std::string& output) {
  const Image grey{8, 8, std::vector<uint8_t>(3 * 8 * 8, 128)};
  std::vector<int64_t> shape = model.features(grey, {output}).at(output).shape();
  shape[0] = 0;
  return shape;
}

void check_record(const fs::path& path, const FeatureRecord& there, const FeatureRecord& wanted) {
  const auto same = [&](const char* what, const std::string& before, const std::string& now) {
    if (before != now)
      fail(ErrorKind::mismatch, "{}: the shard that is there was made with {} {}, now it is {}; name another folder", path.string(), what,
           before, now);
  };
  same("the network", there.architecture, wanted.architecture);
  same("weights of the digest", there.digest.substr(0, 16), wanted.digest.substr(0, 16));
  same("the output", there.output, wanted.output);
  same("the preprocessing", to_string(there.preprocessing), to_string(wanted.preprocessing));
  same("mirrored", there.mirrored ? "yes" : "no", wanted.mirrored ? "yes" : "no");
  same("normalized", there.normalized ? "yes" : "no", wanted.normalized ? "yes" : "no");
}

// Every file of the list has its row or its error, in the order of the list. Gives the number of rows.
int64_t check_names(const ShardFiles& shard, std::span<const std::string> files, int64_t& left_out) {
  const std::vector<std::string> rows = first_fields(read_text(shard.names));
  const std::vector<std::string> errors = fs::exists(shard.errors) ? first_fields(read_text(shard.errors)) : std::vector<std::string>{};
  size_t row = 0, error = 0;
  for (const std::string& file : files) {
    if (row < rows.size() && rows[row] == file)
      ++row;
    else if (error < errors.size() && errors[error] == file)
      ++error;
    else
      fail(ErrorKind::mismatch, "{}: the shard that is there is not of this list: it has {}, the list {}; name another folder",
           shard.names.string(), row < rows.size() ? rows[row] : "nothing more", file);
  }
  if (row + error < rows.size() + errors.size())
    fail(ErrorKind::mismatch, "{}: the shard that is there has {} pictures, the list now has {}; name another folder", shard.names.string(),
         rows.size() + errors.size(), files.size());
  left_out = static_cast<int64_t>(errors.size());
  return static_cast<int64_t>(rows.size());
}

// False where a callback stopped it: nothing is written then.
bool make(const Model& model, const FeatureRecord& record, const std::vector<std::string>& files, const ShardFiles& shard,
          const ShardOptions& options, std::vector<BadPicture>& left_out, int64_t& rows) {
  PictureOptions pictures;
  pictures.output = record.output;
  pictures.mirrored = record.mirrored;
  bool stopped = false;
  pictures.progress = [&](int64_t done, int64_t total) {
    stopped = options.progress && !options.progress(done, total);
    return !stopped;
  };
  FeatureFiles out(shard.features.string());
  left_out = embed_files(model, files, pictures,
                         [&](const std::string& file, const Tensor& row) { out.add(file, record.normalized ? normalized(row) : row); });
  if (stopped) return false;
  rows = out.shape()[0];
  std::string errors = "file,reason\n";
  for (const BadPicture& one : left_out) errors += csv_field(one.file) + "," + csv_field(one.reason) + "\n";
  if (left_out.empty())
    fs::remove(shard.errors);
  else
    write_text(shard.errors, errors);
  if (rows > 0) {
    out.finish(record);
  } else {
    FeatureSet none;
    none.record = record;
    none.features = Tensor(DType::f32, shape_of_none(model, record.output));
    save_features(none, shard.features.string());
  }
  return true;
}

void check(const Model& model, const FeatureRecord& record, const ShardOptions& options) {
  if (options.size < 1) fail(ErrorKind::usage, "shards of {} pictures, at least 1 expected", options.size);
  if (options.parts < 1 || options.part < 0 || options.part >= options.parts)
    fail(ErrorKind::usage, "part {} of {}, 1 to {} expected", options.part + 1, options.parts, std::max<int64_t>(options.parts, 1));
  if (record.pca > 0)
    fail(ErrorKind::usage, "{} principal components: they are of all pictures, and shards are made one by one", record.pca);
  require_same_model(record, model);
}

}  // namespace

Shards embed_shards(const Model& model, const FeatureRecord& record, const std::function<bool(std::string& file)>& next,
                    const std::string& folder, const ShardOptions& options) {
  check(model, record, options);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(ErrorKind::io, "{}: {}", folder, error.message());
  Shards result;
  std::vector<std::string> files;
  bool more = true;
  for (int64_t number = 0; more; ++number) {
    files.clear();
    for (std::string file; static_cast<int64_t>(files.size()) < options.size && (more = next(file));) files.push_back(std::move(file));
    if (files.empty()) break;
    if (number % options.parts != options.part) continue;
    const ShardFiles shard = files_of(folder, number);
    const bool there = fs::exists(shard.record) && fs::exists(shard.names) && fs::exists(shard.features);
    std::vector<BadPicture> left_out;
    int64_t rows = 0, gone = 0;
    if (there) {
      std::vector<int64_t> shape;
      check_record(shard.record, read_record(shard.record, shape), record);
      rows = check_names(shard, files, gone);
    } else if (!make(model, record, files, shard, options, left_out, rows)) {
      result.complete = false;
      return result;
    }
    ++(there ? result.there : result.made);
    result.pictures += rows;
    result.left_out += there ? gone : static_cast<int64_t>(left_out.size());
    if (options.on_shard && !options.on_shard(number, !there, left_out)) {
      result.complete = false;
      return result;
    }
  }
  return result;
}

}  // namespace fovea
