// Where a pasted picture lies, read from maps of growing stride: Long et al. 2014, arXiv:1411.4038, figure 4, saw segmentations get finer
// with the stride.
#include "support/claim.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace {

using namespace claims;

constexpr const char* kNetwork = "tf_efficientnet_lite0";
constexpr int64_t kSize = 224, kStamp = 48, kTrain = 320, kTest = 100, kBatch = 24;
constexpr int64_t kMargin = 32;        // around what the network sees, so that its window can move
constexpr double kPenalty = 1e-3;      // of the ridge regression, of each feature's own square
constexpr double kNear = 8;            // pixels: a hit
constexpr uint8_t kAlmostWhite = 250;  // behind a cut-out photograph

struct Composition {
  fovea::Image canvas;  // kMargin more on the right and below than kSize
  double x = 0, y = 0;  // the middle of what is pasted, in the window at kMargin / 2
};

// Uniform below `count`, the same everywhere.
int64_t below(std::mt19937_64& random, int64_t count) { return static_cast<int64_t>(random() % static_cast<uint64_t>(count)); }

class Composer {
 public:
  Composer(const std::vector<std::string>& files, uint64_t seed) : random_(seed) {
    for (const std::string& file : files) stamps_.push_back(fovea::read_image(file));
  }

  // A picture over another one that is blurred until its parts are about as large as what is pasted.
  Composition next() {
    constexpr int64_t side = kSize + kMargin, coarse = 12;
    Composition result;
    const fovea::Image& under = any();
    result.canvas =
        fovea::resize(fovea::resize(under, coarse, coarse, fovea::Interpolation::bilinear), side, side, fovea::Interpolation::bicubic);
    const fovea::Image& stamp = any();
    const double scale = static_cast<double>(kStamp) / static_cast<double>(std::max(stamp.width, stamp.height));
    const auto scaled = [&](int64_t pixels) { return std::max<int64_t>(8, std::llround(scale * static_cast<double>(pixels))); };
    const fovea::Image small = fovea::resize(stamp, scaled(stamp.width), scaled(stamp.height), fovea::Interpolation::bicubic);
    const int64_t left = kMargin / 2 + below(random_, kSize - small.width), top = kMargin / 2 + below(random_, kSize - small.height);
    paste(small, left, top, result.canvas);
    result.x = static_cast<double>(left - kMargin / 2) + 0.5 * static_cast<double>(small.width);
    result.y = static_cast<double>(top - kMargin / 2) + 0.5 * static_cast<double>(small.height);
    return result;
  }

 private:
  const fovea::Image& any() { return stamps_[static_cast<size_t>(below(random_, std::ssize(stamps_)))]; }

  static void paste(const fovea::Image& small, int64_t left, int64_t top, fovea::Image& canvas) {
    for (int64_t row = 0; row < small.height; ++row) {
      for (int64_t column = 0; column < small.width; ++column) {
        const uint8_t* from = &small.pixels[static_cast<size_t>(3 * (row * small.width + column))];
        if (std::min({from[0], from[1], from[2]}) >= kAlmostWhite) continue;
        std::copy_n(from, 3, &canvas.pixels[static_cast<size_t>(3 * ((top + row) * canvas.width + left + column))]);
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<fovea::Image> stamps_;
};

// What the network sees of these, its window moved by so many pixels.
fovea::Tensor images_of(const fovea::Model& model, std::span<const Composition> some, int64_t right, int64_t down) {
  fovea::Tensor images(fovea::DType::f32, {std::ssize(some), 3, kSize, kSize});
  auto next = images.mutable_values<float>().begin();
  for (const Composition& each : some) {
    const fovea::Image window = fovea::crop(each.canvas, kMargin / 2 + right, kMargin / 2 + down, kSize, kSize);
    const fovea::Tensor prepared = fovea::preprocess(window, model.preprocessing());
    next = std::ranges::copy(prepared.values<float>(), next).out;
  }
  return images;
}

// Means over `factor` x `factor` positions.
fovea::Tensor pooled(const fovea::Tensor& map, int64_t factor) {
  const auto& shape = map.shape();
  const int64_t planes = shape[0] * shape[1], height = shape[2] / factor, width = shape[3] / factor;
  fovea::Tensor result(fovea::DType::f32, {shape[0], shape[1], height, width});
  const auto from = map.values<float>();
  const auto to = result.mutable_values<float>();
  for (int64_t plane = 0; plane < planes; ++plane)
    for (int64_t row = 0; row < height * factor; ++row)
      for (int64_t column = 0; column < width * factor; ++column)
        to[static_cast<size_t>((plane * height + row / factor) * width + column / factor)] +=
            from[static_cast<size_t>((plane * shape[2] + row) * shape[3] + column)] / static_cast<float>(factor * factor);
  return result;
}

// A linear read-out of a position's features, fitted by ridge regression to "the middle lies in this cell".
class ReadOut {
 public:
  explicit ReadOut(int64_t channels) : width_(static_cast<size_t>(channels) + 1), squares_(width_ * width_), products_(width_) {}

  void add(std::span<const float> features, bool here) {  // of one position
    for (size_t i = 0; i < width_; ++i) {
      const double value = at(features, i);
      for (size_t j = 0; j <= i; ++j) squares_[i * width_ + j] += value * at(features, j);
      if (here) products_[i] += value;
    }
  }

  // Cholesky.
  void solve() {
    std::vector<double> l = squares_;
    weights_ = products_;
    for (size_t i = 0; i < width_; ++i) {
      l[i * width_ + i] = l[i * width_ + i] * (1 + kPenalty) + 1e-9;
      for (size_t j = 0; j <= i; ++j) {
        double sum = l[i * width_ + j];
        for (size_t k = 0; k < j; ++k) sum -= l[i * width_ + k] * l[j * width_ + k];
        l[i * width_ + j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / l[j * width_ + j];
      }
      for (size_t k = 0; k < i; ++k) weights_[i] -= l[i * width_ + k] * weights_[k];
      weights_[i] /= l[i * width_ + i];
    }
    for (size_t i = width_; i-- > 0;) {
      for (size_t k = i + 1; k < width_; ++k) weights_[i] -= l[k * width_ + i] * weights_[k];
      weights_[i] /= l[i * width_ + i];
    }
  }

  double score(std::span<const float> features) const {
    double sum = 0;
    for (size_t i = 0; i < width_; ++i) sum += weights_[i] * at(features, i);
    return sum;
  }

 private:
  double at(std::span<const float> features, size_t i) const { return i + 1 < width_ ? features[i] : 1.0; }

  size_t width_;
  std::vector<double> squares_, products_, weights_;
};

// A map's positions one after another, each with its features side by side.
struct Positions {
  int64_t channels, height, width;
  std::vector<float> values;
  std::span<const float> at(int64_t picture, int64_t row, int64_t column) const {
    return std::span(values).subspan(static_cast<size_t>(((picture * height + row) * width + column) * channels),
                                     static_cast<size_t>(channels));
  }
};
Positions positions_of(const fovea::Tensor& map) {
  const auto& shape = map.shape();
  Positions result{shape[1], shape[2], shape[3], std::vector<float>(static_cast<size_t>(map.size()))};
  const auto from = map.values<float>();
  const int64_t plane = shape[2] * shape[3];
  for (int64_t picture = 0; picture < shape[0]; ++picture)
    for (int64_t channel = 0; channel < shape[1]; ++channel)
      for (int64_t place = 0; place < plane; ++place)
        result.values[static_cast<size_t>((picture * plane + place) * shape[1] + channel)] =
            from[static_cast<size_t>((picture * shape[1] + channel) * plane + place)];
  return result;
}

// The best position so far, in pixels.
struct Best {
  double score = -1e300, x = 0, y = 0;
};

// A tap's features on a grid: its own, a coarser one (the map pooled), or a finer one (the window moved by parts of the stride, the maps
// interleaved: Long et al., section 3.2, "shift-and-stitch").
struct Reading {
  const char *series, *tap;
  int64_t stride, grid;
};
constexpr Reading kReadings[] = {
    {"stride 4", "blocks.1", 4, 4},    {"stride 4", "blocks.1", 4, 8},    {"stride 4", "blocks.1", 4, 16},
    {"stride 4", "blocks.1", 4, 32},   {"stride 8", "blocks.2", 8, 8},    {"stride 8", "blocks.2", 8, 16},
    {"stride 8", "blocks.2", 8, 32},   {"stride 16", "blocks.4", 16, 4},  {"stride 16", "blocks.4", 16, 8},
    {"stride 16", "blocks.4", 16, 16}, {"stride 16", "blocks.4", 16, 32}, {"stride 32", "blocks.6", 32, 8},
    {"stride 32", "blocks.6", 32, 16}, {"stride 32", "blocks.6", 32, 32},
};

fovea::Tensor map_of(const std::map<std::string, fovea::Tensor>& maps, const Reading& reading) {
  const fovea::Tensor& map = maps.at(reading.tap);
  return reading.grid > reading.stride ? pooled(map, reading.grid / reading.stride) : map;
}

class Trial {
 public:
  Trial(const Claim& claim, const fovea::Model& model) : claim_(claim), model_(model) {
    for (const Reading& reading : kReadings) {
      if (std::ranges::find(taps_, reading.tap) == taps_.end()) taps_.push_back(reading.tap);
      for (const fovea::TapInfo& tap : model.taps())
        if (tap.name == reading.tap) read_outs_.emplace_back(tap.channels);
    }
  }

  void learn(std::span<const Composition> all) {
    for (size_t begin = 0; begin < all.size(); begin += kBatch) {
      const auto some = all.subspan(begin, std::min<size_t>(kBatch, all.size() - begin));
      const auto maps = model_.features(images_of(model_, some, 0, 0), taps_);
      for (size_t i = 0; i < std::size(kReadings); ++i) {
        const auto step = static_cast<double>(std::max(kReadings[i].grid, kReadings[i].stride));
        const Positions positions = positions_of(map_of(maps, kReadings[i]));
        for (int64_t picture = 0; picture < std::ssize(some); ++picture)
          for (int64_t row = 0; row < positions.height; ++row)
            for (int64_t column = 0; column < positions.width; ++column) {
              const Composition& each = some[static_cast<size_t>(picture)];
              read_outs_[i].add(positions.at(picture, row, column),
                                static_cast<int64_t>(each.x / step) == column && static_cast<int64_t>(each.y / step) == row);
            }
      }
    }
    for (ReadOut& read_out : read_outs_) read_out.solve();
  }

  void test(std::span<const Composition> all) {
    for (size_t i = 0; i < std::size(kReadings); ++i) {
      const Reading& reading = kReadings[i];
      // Around the unmoved window.
      const bool moves = reading.grid < reading.stride;
      const int64_t first = moves ? -reading.stride / 2 : 0, end = moves ? reading.stride / 2 : 1;
      std::vector<Best> best(all.size());
      for (int64_t down = first; down < end; down += reading.grid)
        for (int64_t right = first; right < end; right += reading.grid) look(i, all, right, down, best);
      report(reading, all, best);
    }
  }

 private:
  void look(size_t i, std::span<const Composition> all, int64_t right, int64_t down, std::vector<Best>& best) {
    const Reading& reading = kReadings[i];
    const auto step = static_cast<double>(std::max(reading.grid, reading.stride));
    for (size_t begin = 0; begin < all.size(); begin += kBatch) {
      const auto some = all.subspan(begin, std::min<size_t>(kBatch, all.size() - begin));
      const auto maps = model_.features(images_of(model_, some, right, down), {reading.tap});
      const Positions positions = positions_of(map_of(maps, reading));
      for (int64_t picture = 0; picture < std::ssize(some); ++picture)
        for (int64_t row = 0; row < positions.height; ++row)
          for (int64_t column = 0; column < positions.width; ++column) {
            Best& known = best[begin + static_cast<size_t>(picture)];
            const double score = read_outs_[i].score(positions.at(picture, row, column));
            if (score > known.score)
              known = {score, (static_cast<double>(column) + 0.5) * step + static_cast<double>(right),
                       (static_cast<double>(row) + 0.5) * step + static_cast<double>(down)};
          }
    }
  }

  void report(const Reading& reading, std::span<const Composition> all, const std::vector<Best>& best) const {
    std::vector<double> errors, bounds;
    for (size_t i = 0; i < all.size(); ++i) {
      errors.push_back(std::hypot(best[i].x - all[i].x, best[i].y - all[i].y));
      const auto middle = [&](double place) {
        return (std::floor(place / static_cast<double>(reading.grid)) + 0.5) * static_cast<double>(reading.grid);
      };
      bounds.push_back(std::hypot(middle(all[i].x) - all[i].x, middle(all[i].y) - all[i].y));
    }
    add(reading.series, reading.grid, errors);
    if (reading.grid == reading.stride) add("grid alone", reading.grid, bounds);
  }

  void add(const char* series, int64_t grid, std::vector<double> errors) const {
    std::ranges::sort(errors);
    const auto x = static_cast<double>(grid),
               hits = static_cast<double>(std::ranges::count_if(errors, [](double e) { return e <= kNear; }));
    claim_.add(series, x, "median_error", 0.5 * (errors[(errors.size() - 1) / 2] + errors[errors.size() / 2]));
    claim_.add(series, x, "hit_rate", hits / static_cast<double>(errors.size()));
  }

  const Claim& claim_;
  const fovea::Model& model_;
  std::vector<std::string> taps_;
  std::vector<ReadOut> read_outs_;
};

void body(const Claim& claim) {
  const Pictures pictures = stamps(claim);
  const fovea::Model model = make_model(kNetwork, pictures, kSize, claim.seed, "default");
  Trial trial(claim, model);
  for (const bool learning : {true, false}) {
    Composer composer(learning ? pictures.train : pictures.test, 2 * claim.seed + (learning ? 0 : 1));
    std::vector<Composition> compositions;
    for (int64_t i = 0; i < (learning ? kTrain : kTest); ++i) compositions.push_back(composer.next());
    if (learning)
      trial.learn(compositions);
    else
      trial.test(compositions);
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
