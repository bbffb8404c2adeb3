#include "look/look.h"

#include <algorithm>
#include <exception>

#include "base/error.h"
#include "base/parallel.h"
#include "image/channels.h"
#include "look/stretch.h"
#include "look/views.h"

namespace fovea::look {
namespace {

// What came of one picture.
struct Seen {
  std::exception_ptr failure;  // why there is nothing
  std::string reason;          // of a picture that cannot be read
};

// A stretch of the pictures, from `begin` on.
struct Looked {
  int64_t begin = 0, count = 0, width = 0;  // width: of a row
  std::vector<float> rows;                  // [count, views, width]
  std::vector<Seen> seen;
};

class Looker {
 public:
  Looker(const Pictures& pictures, const Program& program, int64_t channels, bool mirrored)
      : pictures_(pictures),
        program_(program),
        preparer_(with_channels(pictures.prepare, channels)),
        channels_(channels),
        mirrored_(mirrored) {}

  int64_t views() const { return static_cast<int64_t>(preparer_.shapes()) * (mirrored_ ? 2 : 1); }

  void look(engine::BatchExecutable& program, Looked& looked) const {
    looked.width = 0;
    for (const std::string& output : program_.outputs) looked.width += program.picture_numbers(output);
    looked.rows.resize(static_cast<size_t>(looked.count * views() * looked.width));
    looked.seen.assign(static_cast<size_t>(looked.count), {});
    const int64_t size = program.grouping().pictures;
    program.for_groups((looked.count + size - 1) / size, [&](int64_t group, engine::BatchExecutable::Group& run) {
      look_at(looked, group * size, std::min(size, looked.count - group * size), run);
    });
  }

 private:
  static image::PrepareOptions with_channels(image::PrepareOptions prepare, int64_t channels) {
    prepare.channels = channels;
    return prepare;
  }

  // Looks at `count` pictures of the stretch, from its `first` on.
  void look_at(Looked& looked, int64_t first, int64_t count, engine::BatchExecutable::Group& run) const {
    const auto numbers = static_cast<size_t>(preparer_.numbers());
    std::vector<float> pixels(numbers * static_cast<size_t>(count) * preparer_.shapes());
    const auto shape_of = [&](size_t shape) { return std::span(pixels).subspan(shape * numbers * static_cast<size_t>(count)); };
    parallel_each(count, [&](int64_t i) {
      std::vector<std::span<float>> out;
      for (size_t shape = 0; shape < preparer_.shapes(); ++shape)
        out.push_back(shape_of(shape).subspan(static_cast<size_t>(i) * numbers, numbers));
      prepare(looked.begin + first + i, out, looked.seen[static_cast<size_t>(first + i)]);
    });
    const Preprocessing& p = pictures_.prepare.preprocessing;
    int64_t view = 0;
    for (size_t shape = 0; shape < preparer_.shapes(); ++shape) {
      const auto images = shape_of(shape).first(numbers * static_cast<size_t>(count));
      run_once(looked, first, count, view++, images, run);
      if (!mirrored_) continue;
      mirror(images, count, p.height, p.width);
      run_once(looked, first, count, view++, images, run);
    }
  }

  // A picture that cannot be read is zeros.
  void prepare(int64_t index, std::span<const std::span<float>> out, Seen& seen) const {
    try {
      preparer_.prepare(pictures_.samples[static_cast<size_t>(index)], {pictures_.seed, pictures_.epoch, pictures_.first + index}, out);
      return;
    } catch (const Error& error) {
      seen.failure = std::current_exception();
      if (error.kind() == ErrorKind::input) seen.reason = error.what();
    } catch (...) {
      seen.failure = std::current_exception();
    }
    for (const auto& shape : out) std::ranges::fill(shape, 0.0f);
  }

  void run_once(Looked& looked, int64_t first, int64_t count, int64_t view, std::span<const float> images,
                engine::BatchExecutable::Group& run) const {
    std::vector<float> room;
    const auto input = run.image();
    const auto prepared = image::with_channels(images, pictures_.prepare.preprocessing, channels_, room);
    std::fill(std::ranges::copy(prepared, input.begin()).out, input.end(), 0.0f);
    run.run();
    int64_t offset = 0;
    for (const std::string& name : program_.outputs) {
      const auto output = run.output(name);
      const int64_t width = static_cast<int64_t>(output.size()) / run.pictures();
      for (int64_t i = 0; i < count; ++i)
        std::copy_n(output.begin() + i * width, width, looked.rows.begin() + ((first + i) * views() + view) * looked.width + offset);
      offset += width;
    }
  }

  const Pictures& pictures_;
  const Program& program_;
  const image::Preparer preparer_;
  const int64_t channels_;
  const bool mirrored_;
};

// Stretches begin with what the program takes at once, and grow to at most so many pictures that their rows stay small.
Stretch stretch_of(const Program& program, int64_t views) {
  constexpr int64_t kMost = 64;                       // for each core
  constexpr int64_t kMostNumbers = int64_t{1} << 20;  // of all rows together
  int64_t at_once = 0, numbers = 0;
  program.lend([&](engine::BatchExecutable& executable) {
    at_once = executable.pictures_at_once();
    for (const std::string& output : program.outputs) numbers += views * executable.picture_numbers(output);
  });
  return {at_once, std::min(kMost * threads(), kMostNumbers / std::max<int64_t>(1, numbers))};
}

}  // namespace

Program program_of(engine::Session& session, const Preprocessing& size, const std::string& output) {
  return {{output}, [&session, height = size.height, width = size.width, output](const auto& body) {
            session.lend(kBatch, height, width, {output}, body);
          }};
}

int64_t views_of(const image::PrepareOptions& prepare, bool mirrored) {
  return (prepare.second_fit && prepare.preprocessing.second_fit ? 2 : 1) * (mirrored ? 2 : 1);
}

bool look(const Pictures& pictures, const Program& program, int64_t channels, bool mirrored, const Take& take, const OnBatch& on_batch,
          const OnBad& on_bad) {
  const Looker looker(pictures, program, channels, mirrored);
  const auto total = static_cast<int64_t>(pictures.samples.size()), batches = (total + kBatch - 1) / kBatch;
  if (total == 0) return true;
  Looked looked;
  const auto see = [&](int64_t begin, int64_t count) {
    looked.begin = begin;
    looked.count = count;
    program.lend([&](engine::BatchExecutable& executable) { looker.look(executable, looked); });
  };
  const auto give = [&](int64_t index) {
    const auto row = static_cast<size_t>(looker.views() * looked.width), i = static_cast<size_t>(index - looked.begin);
    const Seen& seen = looked.seen[i];
    if (!seen.failure)
      take(index, std::span(looked.rows).subspan(i * row, row));
    else if (on_bad && !seen.reason.empty())
      on_bad(index, seen.reason);
    else
      std::rethrow_exception(seen.failure);
    const bool whole = (index + 1) % kBatch == 0 || index + 1 == total;
    return !whole || !on_batch || on_batch(index / kBatch + 1, batches);
  };
  return in_stretches(total, stretch_of(program, looker.views()), see, give);
}

}  // namespace fovea::look
