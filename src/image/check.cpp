#include "image/check.h"

#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "base/parallel.h"
#include "image/picture.h"

namespace fovea::image {
namespace {

// The message of the Error that `read` throws for each index, empty where it throws none. What else it throws, and whatever `progress`
// does, ends the reading and is thrown. Pictures differ in size, so that threads take one at a time.
template <class Read>
std::vector<std::string> messages(size_t count, const Progress& progress, Read&& read) {
  std::vector<std::string> result(count);
  std::atomic<size_t> next{0};
  std::mutex mutex;  // of what follows
  int64_t done = 0;
  bool over = false;
  const auto check_one = [&](size_t i) {
    try {
      read(i);
    } catch (const Error& error) {
      result[i] = error.what();
    }
    const std::lock_guard lock(mutex);
    if (over) return;
    ++done;
    over = true;  // for a `progress` that throws
    if (progress) progress(done, static_cast<int64_t>(count));
    over = false;
  };
  parallel_for(threads(), 1, [&](int64_t, int64_t) {
    try {
      for (size_t i; (i = next++) < count;) check_one(i);
    } catch (...) {
      next = count;  // nobody begins another picture
      throw;
    }
  });
  return result;
}

}  // namespace

std::vector<BadPicture> check_pictures(Dataset& dataset, ImageCache* cache, const Progress& progress, std::vector<Look>* looks) {
  return check_pictures(dataset, cache, cache ? cache->preprocessing() : Preprocessing{}, progress, looks);
}

std::vector<BadPicture> check_pictures(Dataset& dataset, ImageCache* cache, const Preprocessing& preprocessing, const Progress& progress,
                                       std::vector<Look>* looks) {
  const Use use{preprocessing};
  std::vector<Look> seen(looks ? dataset.samples.size() : 0);
  const std::vector<std::string> wrong = messages(dataset.samples.size(), progress, [&](size_t i) {
    const Sample& sample = dataset.samples[i];
    if (looks) {
      Inspection picture = inspect_picture(sample, use);
      seen[i] = look_of(picture);
      if (cache) cache->keep(sample, use, std::move(picture.image));
    } else if (cache) {
      cache->get(sample, use);
    } else {
      read_picture(sample, {});
    }
  });
  std::vector<BadPicture> bad;
  std::vector<Sample> good;
  for (size_t i = 0; i < wrong.size(); ++i) {
    if (!wrong[i].empty()) {
      bad.push_back({dataset.samples[i].path, wrong[i]});
      continue;
    }
    good.push_back(std::move(dataset.samples[i]));
    if (looks) looks->push_back(std::move(seen[i]));
  }
  dataset.samples = std::move(good);
  return bad;
}

std::vector<BadPicture> check_pictures(std::vector<std::string>& paths, const Progress& progress) {
  const std::vector<std::string> wrong = messages(paths.size(), progress, [&](size_t i) { read_image(paths[i]); });
  std::vector<BadPicture> bad;
  std::vector<std::string> good;
  for (size_t i = 0; i < wrong.size(); ++i) {
    if (wrong[i].empty())
      good.push_back(std::move(paths[i]));
    else
      bad.push_back({paths[i], wrong[i]});
  }
  paths = std::move(good);
  return bad;
}

void require_pictures(const Dataset& dataset, const std::vector<BadPicture>& bad) {
  std::vector<int64_t> counts(dataset.classes.size());
  for (const Sample& sample : dataset.samples)
    for (int32_t label : labels_of(sample)) ++counts[static_cast<size_t>(label)];
  for (size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] > 0) continue;
    for (const BadPicture& picture : bad) {
      for (const auto& part : std::filesystem::path(picture.path)) {
        if (part.string() == dataset.classes[label]) {
          fail(ErrorKind::input, "class \"{}\" has no picture that can be read ({})", dataset.classes[label], picture.message);
        }
      }
    }
    fail(ErrorKind::input, "class \"{}\" has no picture", dataset.classes[label]);
  }
}

}  // namespace fovea::image
