// Batches of pictures, read, changed and normalized ahead of whoever takes them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "image/augment.h"
#include "image/batches.h"
#include "image/cache.h"
#include "image/check.h"
#include "image/folder.h"
#include "image/prepare.h"

namespace fovea::image {

// The order of an epoch: 0..count-1 shuffled, by (seed, epoch) alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);
// The same, or, with `balanced`, as many draws in which every class comes equally often (pictures without a label count as a class): of a
// class each picture comes before one comes again. A draw is the picture, plus the number of samples for each time that it came before.
std::vector<int64_t> epoch_order(const std::vector<Sample>& samples, uint64_t seed, int64_t epoch, bool balanced);

// Which of a picture's `views` an epoch shows: each in turn, every picture at a place of its own in the row.
int64_t stored_view(int64_t epoch, int64_t index, int64_t views);

struct LoaderOptions {
  Preprocessing preprocessing;
  std::optional<Augmentation> augmentation;
  int64_t batch = 1;
  bool shuffle = false;            // else in the dataset's order
  bool balanced = false;           // with shuffle: classes are drawn equally often
  bool merge_last_single = false;  // as in Batches
  bool endless = false;            // works on into the next epoch; else waits for start()
  bool skip_bad = false;           // a bad picture is listed in its batch; else next() throws its error
  uint64_t seed = 0;
  bool second_fit = false;   // pictures also in the preprocessing's second shape, where it has one; not with augmentation
  int64_t stored_views = 0;  // more than 0: an epoch draws what the epoch of its stored_view does, so that only so many views are seen
  int workers = 0;           // 0: threads()
  int ahead = 2;             // batches kept ready
  int64_t channels = 3;      // of the network
  std::shared_ptr<ImageCache> cache;  // used where its pictures serve: decoded alike, and not fitted where crops are random
};

constexpr size_t kBatchesHeld = 3;  // in memory, unless told otherwise: those ready and the one in use

struct Batch {
  int64_t epoch = 0, number = 0;  // of the batch in its epoch
  std::span<float> images;        // [N, height, width, picture_channels]
  std::span<float> second;        // the same pictures in their second shape; empty without
  std::vector<int32_t> labels;
  std::vector<int64_t> indices;  // into the samples
  std::vector<int64_t> draws;    // in the epoch: what decides the augmentation
  struct Bad {
    int64_t position = 0;  // in the batch; its pixels are 0
    BadPicture picture;
  };
  std::vector<Bad> bad;  // sorted by position; only with skip_bad

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

// Its own threads do the work, at a lower priority than the thread that computes. What a batch holds depends on the options, the epoch and
// its number alone, not on threads or timing. One thread takes the batches.
class Loader {
 public:
  Loader(std::vector<Sample> samples, LoaderOptions options);
  ~Loader();  // waits for the pictures in work, not for the batches
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const Batches& batches() const { return batches_; }  // of an epoch
  const std::vector<Sample>& samples() const { return samples_; }

  // Goes on with this batch of this epoch, dropping what was prepared. Batches come from (0, 0) without it.
  void start(int64_t epoch, int64_t batch = 0);

  // The next batch of the epoch, the loader's own until the next call of next() or start(); null once at the end of each epoch.
  // Throws the Error of the first picture in it that could not be read.
  const Batch* next();
  // How long calls of next() have waited for pictures, in all.
  double waited_seconds() const { return waited_seconds_; }

 private:
  struct Slot {
    Batch batch;
    std::vector<float> pixels;  // of one shape after the other
    int64_t sequence = -1;      // which batch lies here
    int64_t remaining = 0;      // pictures not yet in it
    int64_t failed_position = -1;
    std::exception_ptr failure;  // of the first picture that failed; no worker holds it once the batch is taken
  };
  struct BatchPosition {
    int64_t epoch = 0, batch = 0;
  };
  struct Task {
    Slot* slot = nullptr;
    int64_t position = 0;
  };

  BatchPosition position_of(int64_t sequence) const;
  bool may_fill() const;
  Task take_task();
  void open_slot(Slot& slot, int64_t sequence);
  void work();
  void run(const Task& task);
  void stop();

  const std::vector<Sample> samples_;
  const LoaderOptions options_;
  const Batches batches_;  // of an epoch
  const Preparer preparer_;
  double waited_seconds_ = 0;  // of the thread that takes the batches alone

  // Everything below is guarded by mutex_, but for the pixels of a slot, which the workers that fill it share out by position. Batches are
  // numbered in sequence over the epochs, from start_ on; batch s lies in slot s % slots_.size() until the caller asks for the one after
  // it.
  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::vector<Slot> slots_;
  BatchPosition start_;
  int64_t epoch_ = 0;             // that next() is in
  int64_t next_ = 0;              // what next() gives next
  bool held_ = false;             // the caller has batch next_ - 1
  int64_t filling_ = 0;           // whose pictures are being handed out
  int64_t filling_position_ = 0;  // the next of them
  int64_t busy_ = 0;              // pictures in work
  bool stopping_ = false;
  std::exception_ptr failure_;  // what ended a worker outside of any picture, as memory that is not there
  int64_t ordered_epoch_ = -1;  // of order_
  std::vector<int64_t> order_;
  std::vector<std::thread> workers_;
};

}  // namespace fovea::image
