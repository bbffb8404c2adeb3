// The loader: what its batches hold, in which order, whatever the threads do; and what becomes of bad pictures.
#include "image/loader.h"

#include <map>
#include <numeric>
#include <set>

#include "image/fit.h"
#include "support.h"

namespace fovea::image {
namespace {

// A BMP of one picture; simple enough to write here.
std::string bmp(const Image& image) {
  const int64_t row_bytes = (3 * image.width + 3) / 4 * 4;
  std::string file = "BM";
  const auto put = [&](int64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file += static_cast<char>(value >> (8 * i));
  };
  put(54 + row_bytes * image.height, 4);
  put(0, 4);
  put(54, 4);
  put(40, 4);
  put(image.width, 4);
  put(-image.height, 4);
  put(1, 2);
  put(24, 2);
  for (int i = 0; i < 6; ++i) put(0, 4);
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const uint8_t* rgb = image.pixels.data() + 3 * (y * image.width + x);
      for (int c : {2, 1, 0}) file += static_cast<char>(rgb[c]);
    }
    file.append(static_cast<size_t>(row_bytes - 3 * image.width), '\0');
  }
  return file;
}

class LoaderTest : public testing::Test {
 protected:
  std::vector<Sample> pictures(int64_t count) {
    std::vector<Sample> samples;
    for (int64_t i = 0; i < count; ++i) {
      const std::filesystem::path path = folder_ / fmt::format("{:03}.bmp", i);
      write_bytes(path, bmp(pattern(20 + i % 7, 30 - i % 5, static_cast<uint32_t>(i))));
      samples.push_back({path.string(), static_cast<int32_t>(i % 3)});
    }
    return samples;
  }

  static LoaderOptions options(int64_t batch) {
    LoaderOptions result;
    result.preprocessing.width = 16;
    result.preprocessing.height = 12;
    result.preprocessing.resize = 18;
    result.batch = batch;
    result.seed = 9;
    return result;
  }

  TemporaryFolder folder_;
};

struct Copy {
  int64_t epoch, number;
  std::vector<float> images;
  std::vector<int32_t> labels;
  std::vector<int64_t> indices;
  bool operator==(const Copy&) const = default;
};

Copy copy(const Batch& batch) {
  return {batch.epoch, batch.number, {batch.images.begin(), batch.images.end()}, batch.labels, batch.indices};
}

std::vector<Copy> epoch_of(Loader& loader) {
  std::vector<Copy> batches;
  while (const Batch* batch = loader.next()) batches.push_back(copy(*batch));
  return batches;
}

TEST_F(LoaderTest, GivesEveryPictureInOrder) {
  const auto samples = pictures(11);
  const LoaderOptions o = options(4);
  Loader loader(samples, o);
  EXPECT_EQ(loader.batches().count(), 3);
  EXPECT_EQ(loader.batches().largest(), 4);
  const std::vector<Copy> batches = epoch_of(loader);
  ASSERT_EQ(batches.size(), 3u);
  int64_t index = 0;
  for (const Copy& batch : batches) {
    for (size_t i = 0; i < batch.indices.size(); ++i, ++index) {
      ASSERT_EQ(batch.indices[i], index);
      EXPECT_EQ(batch.labels[i], samples[static_cast<size_t>(index)].label);
      std::vector<float> expected(3 * 16 * 12);
      normalize_into(read_image(samples[static_cast<size_t>(index)].path), o.preprocessing, expected.data());
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), batch.images.begin() + static_cast<std::ptrdiff_t>(i * expected.size())));
    }
  }
  EXPECT_EQ(index, 11);
  EXPECT_EQ(loader.next(), nullptr);  // and again: not endless
  loader.start(0);
  EXPECT_EQ(epoch_of(loader), batches);
}

TEST_F(LoaderTest, ThreadsChangeNothing) {
  const auto samples = pictures(23);
  LoaderOptions o = options(5);
  o.shuffle = o.endless = true;
  o.augmentation = Augmentation{.random_resized_crop = true,
                                .vertical_flip = 0.5,
                                .policy = {.policy = Policy::randaugment},
                                .brightness = 0.3,
                                .saturation = 0.3,
                                .hue = 0.1,
                                .erasing = {.probability = 0.5}};
  std::vector<Copy> first;
  for (int workers : {1, 2, 5}) {
    for (int ahead : {1, 3}) {
      o.workers = workers;
      o.ahead = ahead;
      Loader loader(samples, o);
      std::vector<Copy> batches;
      for (int epoch = 0; epoch < 3; ++epoch) {
        for (Copy& batch : epoch_of(loader)) {
          EXPECT_EQ(batch.epoch, epoch);
          batches.push_back(std::move(batch));
        }
      }
      ASSERT_EQ(batches.size(), 15u);
      if (first.empty()) first = batches;
      EXPECT_TRUE(batches == first) << workers << " workers, " << ahead << " ahead";
    }
  }
  EXPECT_NE(first[0].indices, first[5].indices);
}

TEST_F(LoaderTest, ErasesNormalizedPictures) {
  const auto samples = pictures(20);
  LoaderOptions o = options(20);
  o.augmentation = Augmentation{.flip = 0};
  Loader plain(samples, o);
  const Copy before = copy(*plain.next());
  o.augmentation->erasing.probability = 1;
  for (const bool kept : {false, true}) {
    o.cache = kept ? std::make_shared<ImageCache>(size_t{1} << 20, o.preprocessing, true) : nullptr;
    Loader loader(samples, o);
    const Copy after = copy(*loader.next());
    for (size_t i = 0; i < 20; ++i) {
      int64_t erased = 0;
      for (size_t k = i * 576; k < (i + 1) * 576; ++k) {
        if (after.images[k] == before.images[k]) continue;
        EXPECT_EQ(after.images[k], 0.0f);
        ++erased;
      }
      EXPECT_GE(erased, 576 / 50) << i;
      EXPECT_LE(erased, 576 * 2 / 5) << i;
    }
  }
}

TEST_F(LoaderTest, ResumesAtAnyBatch) {
  const auto samples = pictures(14);
  LoaderOptions o = options(3);
  o.shuffle = o.endless = true;
  o.augmentation = Augmentation{};
  Loader whole(samples, o);
  std::vector<Copy> batches = epoch_of(whole);
  for (Copy& batch : epoch_of(whole)) batches.push_back(std::move(batch));
  Loader loader(samples, o);
  loader.next();
  for (const int64_t from : {7, 0, 3, 9}) {
    loader.start(from / 5, from % 5);
    for (int64_t i = from; i < 10; ++i) {
      const Batch* batch = loader.next();
      if (!batch) batch = loader.next();
      ASSERT_TRUE(batch);
      EXPECT_TRUE(copy(*batch) == batches[static_cast<size_t>(i)]) << "batch " << i << " from " << from;
    }
  }
  loader.start(0, 5);  // the end of an epoch
  EXPECT_EQ(loader.next(), nullptr);
  EXPECT_TRUE(copy(*loader.next()) == batches[5]);
  EXPECT_EQ(message_of(ErrorKind::usage, [&] { loader.start(0, 6); }), "starting at batch 6 of epoch 0; an epoch has 5 batches");
}

TEST_F(LoaderTest, MergesALastSingle) {
  const auto samples = pictures(9);
  LoaderOptions o = options(4);
  const auto sizes = [&](const LoaderOptions& with, size_t count) {
    Loader loader({samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count)}, with);
    std::vector<int64_t> result;
    while (const Batch* batch = loader.next()) {
      EXPECT_LE(batch->size(), loader.batches().largest());
      EXPECT_EQ(batch->images.size(), static_cast<size_t>(batch->size() * 3 * 16 * 12));
      result.push_back(batch->size());
    }
    EXPECT_EQ(static_cast<int64_t>(result.size()), loader.batches().count());
    EXPECT_EQ(*std::max_element(result.begin(), result.end()), loader.batches().largest());
    return result;
  };
  EXPECT_EQ(sizes(o, 9), (std::vector<int64_t>{4, 4, 1}));
  o.merge_last_single = true;
  EXPECT_EQ(sizes(o, 9), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(sizes(o, 8), (std::vector<int64_t>{4, 4}));
  EXPECT_EQ(sizes(o, 6), (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(sizes(o, 1), (std::vector<int64_t>{1}));
}

TEST_F(LoaderTest, CarriesTheFirstErrorOfABatch) {
  const auto samples = pictures(8);
  Loader loader(samples, options(4));
  ASSERT_TRUE(loader.next());
  loader.start(0);
  std::filesystem::remove(samples[6].path);
  write_bytes(samples[5].path, "GIF89a");
  loader.start(0);
  ASSERT_TRUE(loader.next());
  for (int again = 0; again < 2; ++again) {
    const std::string message = message_of(ErrorKind::input, [&] { loader.next(); });
    EXPECT_EQ(message.find(samples[5].path + ": truncated GIF: "), 0u) << message;
  }
}

TEST_F(LoaderTest, SkipsBadPicturesWhereAsked) {
  const auto samples = pictures(6);
  std::filesystem::remove(samples[4].path);
  write_bytes(samples[1].path, "no picture");
  LoaderOptions o = options(6);
  o.skip_bad = true;
  Loader loader(samples, o);
  const Batch* batch = loader.next();
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->bad.size(), 2u);
  EXPECT_EQ(batch->bad[0].position, 1);
  EXPECT_EQ(batch->bad[0].picture.path, samples[1].path);
  EXPECT_EQ(batch->bad[0].picture.message, samples[1].path + ": not a picture (starts with \"no picture\")");
  EXPECT_EQ(batch->bad[1].position, 4);
  const auto pixels = batch->images.subspan(3 * 16 * 12, 3 * 16 * 12);
  EXPECT_TRUE(std::all_of(pixels.begin(), pixels.end(), [](float v) { return v == 0; }));
}

TEST_F(LoaderTest, TheCacheChangesNothingAndIsUsed) {
  const auto samples = pictures(7);
  for (const bool random_crops : {false, true}) {
    for (const bool fitted : {false, true}) {
      LoaderOptions o = options(3);
      o.augmentation = Augmentation{.random_resized_crop = random_crops, .contrast = 0.3};
      Loader plain(samples, o);
      const std::vector<Copy> expected = epoch_of(plain);
      o.cache = std::make_shared<ImageCache>(size_t{1} << 20, o.preprocessing, fitted);
      Loader cached(samples, o);
      EXPECT_TRUE(epoch_of(cached) == expected);
      const bool serves = !(random_crops && fitted);  // fitted pictures are of no use to random crops
      EXPECT_EQ(o.cache->bytes() > 0, serves);
      if (!serves) continue;
      for (const Sample& sample : samples) std::filesystem::rename(sample.path, sample.path + ".away");
      cached.start(0);
      EXPECT_TRUE(epoch_of(cached) == expected);
      for (const Sample& sample : samples) std::filesystem::rename(sample.path + ".away", sample.path);
    }
  }
}

TEST_F(LoaderTest, GivesPicturesInTheSecondShapeToo) {
  const auto samples = pictures(5);
  const auto shape = [&](Fit fit) {
    LoaderOptions o = options(2);
    o.preprocessing.fit = fit;
    Loader loader(samples, o);
    return epoch_of(loader);
  };
  const std::vector<Copy> squashed = shape(Fit::squash), padded = shape(Fit::pad);
  ASSERT_FALSE(squashed == padded);
  LoaderOptions o = options(2);
  o.preprocessing.fit = Fit::squash;
  o.preprocessing.second_fit = Fit::pad;
  o.second_fit = true;
  for (const int cache : {0, 1, 2}) {
    if (cache > 0) o.cache = std::make_shared<ImageCache>(size_t{1} << 20, o.preprocessing, cache == 2);
    Loader loader(samples, o);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      loader.start(epoch);
      size_t i = 0;
      while (const Batch* batch = loader.next()) {
        EXPECT_EQ(std::vector<float>(batch->images.begin(), batch->images.end()), squashed[i].images) << cache;
        EXPECT_EQ(std::vector<float>(batch->second.begin(), batch->second.end()), padded[i].images) << cache;
        ++i;
      }
      EXPECT_EQ(i, squashed.size());
    }
    if (cache > 0) {
      EXPECT_GT(o.cache->bytes(), 0u);
    }
  }
  o.second_fit = false;
  Loader one(samples, o);
  EXPECT_TRUE(one.next()->second.empty());
}

// One cache for a run's phases: pictures that each of them decodes at a size of its own.
TEST_F(LoaderTest, TheCacheKeepsWhatIsDecodedFastForEachUse) {
  std::vector<Sample> samples;
  for (int64_t i = 0; i < 4; ++i) {
    samples.push_back({(folder_ / fmt::format("{}.jpg", i)).string(), 0});
    write_bytes(samples.back().path, encode_jpeg(pattern(200 + 4 * i, 160, static_cast<uint32_t>(i + 1))));
  }
  LoaderOptions o = options(4);
  o.preprocessing.decode = Decode::fast;
  const auto cache = std::make_shared<ImageCache>(size_t{1} << 20, o.preprocessing, false);
  for (const int pass : {0, 1}) {
    for (const bool random_crops : {false, true}) {
      o.augmentation = Augmentation{.random_resized_crop = random_crops, .scale_min = 0.35};
      o.cache = nullptr;
      Loader plain(samples, o);
      o.cache = cache;
      Loader cached(samples, o);
      EXPECT_TRUE(epoch_of(cached) == epoch_of(plain)) << random_crops << pass;
    }
  }
  // A quarter for all of it, a half for its crops.
  size_t expected = 0;
  for (size_t width : {200, 204, 208, 212}) expected += 3 * (width / 4 * 40 + width / 2 * 80);
  EXPECT_EQ(cache->bytes(), expected);
}

TEST_F(LoaderTest, TellsHowLongItWaited) {
  const Sample large{(folder_ / "large.bmp").string(), 0};
  write_bytes(large.path, bmp(pattern(2000, 2000)));
  double waited = 0;
  // A machine may be so busy that the picture is there before it is asked for, but not every time.
  for (int tries = 0; waited == 0 && tries < 20; ++tries) {
    Loader loader({large}, options(1));
    EXPECT_EQ(loader.waited_seconds(), 0);
    ASSERT_TRUE(loader.next());
    waited = loader.waited_seconds();
    EXPECT_FALSE(loader.next());  // the epoch's end: nothing to wait for
    EXPECT_EQ(loader.waited_seconds(), waited);
  }
  EXPECT_GT(waited, 0);
}

TEST_F(LoaderTest, TheCacheKeepsToItsBudget) {
  const auto samples = pictures(5);
  LoaderOptions o = options(5);
  o.cache = std::make_shared<ImageCache>(3 * 16 * 12 * 2 + 100, o.preprocessing, true);
  Loader loader(samples, o);
  epoch_of(loader);
  EXPECT_EQ(o.cache->bytes(), 3u * 16 * 12 * 2);
}

TEST_F(LoaderTest, EndsAtOnceWithWorkInHand) {
  const auto samples = pictures(40);
  for (int i = 0; i < 20; ++i) {
    LoaderOptions o = options(7);
    o.workers = 4;
    o.endless = true;
    Loader loader(samples, o);
    if (i % 2) loader.next();
    if (i % 3 == 0) loader.start(2, 1);
  }
  Loader empty({}, options(3));
  EXPECT_EQ(empty.next(), nullptr);
  EXPECT_EQ(empty.batches().count(), 0);
  EXPECT_THROW(Loader(samples, options(0)), Error);
}

TEST(EpochOrder, IsAPermutationByItsSeedAndEpoch) {
  const std::vector<int64_t> order = epoch_order(100, 1, 0);
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> all(100);
  std::iota(all.begin(), all.end(), int64_t{0});
  EXPECT_EQ(sorted, all);
  EXPECT_NE(order, all);
  EXPECT_EQ(order, epoch_order(100, 1, 0));
  EXPECT_NE(order, epoch_order(100, 1, 1));
  EXPECT_NE(order, epoch_order(100, 2, 0));
  EXPECT_EQ(epoch_order(8, 42, 3), (std::vector<int64_t>{2, 3, 0, 1, 5, 6, 4, 7}));  // on every machine
  // Each place is as likely as the next.
  std::map<int64_t, int> first;
  for (int64_t epoch = 0; epoch < 3000; ++epoch) ++first[epoch_order(6, 5, epoch)[0]];
  for (int64_t i = 0; i < 6; ++i) EXPECT_NEAR(first[i], 500, 90);
}

TEST_F(LoaderTest, CheckFindsTheBadOnes) {
  Dataset dataset{{"a", "b", "c"}, pictures(9)};
  const auto samples = dataset.samples;
  write_bytes(samples[7].path, "");
  write_bytes(samples[2].path, "text");
  ImageCache cache(size_t{1} << 20, options(1).preprocessing, true);
  int64_t calls = 0, last = 0;
  const std::vector<BadPicture> bad = check_pictures(dataset, &cache, [&](int64_t done, int64_t total) {
    ++calls;
    last = done;
    EXPECT_EQ(total, 9);
  });
  ASSERT_EQ(bad.size(), 2u);
  EXPECT_EQ(bad[0].message, samples[2].path + ": not a picture (starts with \"text\")");
  EXPECT_EQ(bad[1].message, samples[7].path + ": empty file");
  ASSERT_EQ(dataset.samples.size(), 7u);
  EXPECT_EQ(dataset.samples[2].path, samples[3].path);
  EXPECT_EQ(calls, 9);
  EXPECT_EQ(last, 9);
  EXPECT_EQ(cache.bytes(), 7u * 3 * 16 * 12);
  require_pictures(dataset, bad);

  std::vector<std::string> paths{samples[0].path, samples[7].path};
  EXPECT_EQ(check_pictures(paths).size(), 1u);
  EXPECT_EQ(paths, std::vector<std::string>{samples[0].path});
}

// What is looked at before a run is what the run decodes: once, and for copies and sizes nothing is lost by it.
TEST_F(LoaderTest, CheckLooksAtPicturesAsTheyAreDecoded) {
  std::vector<Sample> samples;
  for (const char* name : {"images/cup_progressive_422.jpg", "images/rocket_exif6.jpg", "images/rocket.png"})
    samples.push_back({(data_folder() / name).string(), 0});
  Dataset dataset{{"a"}, samples};
  Preprocessing fast;
  fast.height = fast.width = 48;
  fast.fit = Fit::squash;
  fast.decode = Decode::fast;
  ImageCache cache(size_t{1} << 24, fast, false);
  std::vector<Look> looks;
  ASSERT_EQ(check_pictures(dataset, &cache, {}, &looks).size(), 0u);
  ASSERT_EQ(looks.size(), samples.size());
  size_t expected = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::string& path = samples[i].path;
    const size_t before = cache.bytes();
    EXPECT_EQ(cache.get({path}, {fast})->pixels, read_image(path, fast).pixels) << path;
    EXPECT_EQ(cache.bytes(), before) << "read again: " << path;
    expected += cache.get({path}, {fast})->pixels.size();
    const Look exact = look_of(inspect_image(path));
    EXPECT_EQ(looks[i].print.width, exact.print.width) << path;
    EXPECT_EQ(looks[i].print.height, exact.print.height) << path;
    EXPECT_EQ(looks[i].orientation, exact.orientation) << path;
    EXPECT_NE(likeness(looks[i].print, exact.print), Likeness::none) << path;
  }
  EXPECT_EQ(cache.bytes(), expected);
  EXPECT_LT(read_image(samples[0].path, fast).width, looks[0].print.width);
}

TEST(RequirePictures, NamesTheClassThatLostThemAll) {
  const Dataset dataset{{"oak", "ash"}, {{"d/ash/1.jpg", 1}}};
  EXPECT_EQ(message_of(ErrorKind::input,
                       [&] {
                         require_pictures(dataset, {{"d/oak/1.jpg", "d/oak/1.jpg: empty file"}});
                       }),
            "class \"oak\" has no picture that can be read (d/oak/1.jpg: empty file)");
  EXPECT_EQ(message_of(ErrorKind::input, [&] { require_pictures(dataset); }), "class \"oak\" has no picture");
}

TEST(EpochOrder, BalancedDrawsEveryClassEquallyOften) {
  std::vector<Sample> samples;
  for (int i = 0; i < 40; ++i) samples.push_back({std::to_string(i), i < 30 ? 0 : i < 36 ? 1 : 2});
  EXPECT_EQ(epoch_order(samples, 3, 1, false), epoch_order(40, 3, 1));
  std::vector<int64_t> over_epochs(3);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    const std::vector<int64_t> draws = epoch_order(samples, 3, epoch, true);
    EXPECT_EQ(draws, epoch_order(samples, 3, epoch, true));
    EXPECT_NE(draws, epoch_order(samples, 4, epoch, true));
    ASSERT_EQ(draws.size(), 40u);
    EXPECT_EQ(std::set<int64_t>(draws.begin(), draws.end()).size(), 40u);  // no draw twice: no augmentation twice
    std::vector<int64_t> by_class(3), by_picture(40);
    for (int64_t draw : draws) {
      ++by_picture[static_cast<size_t>(draw % 40)];
      ++by_class[static_cast<size_t>(samples[static_cast<size_t>(draw % 40)].label)];
    }
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_GE(by_class[c], 13);
      EXPECT_LE(by_class[c], 14);
      over_epochs[c] += by_class[c];
    }
    for (size_t i = 0; i < 40; ++i) {
      const int64_t least = i < 30 ? 0 : i < 36 ? 2 : 3;
      EXPECT_GE(by_picture[i], least) << i;
      EXPECT_LE(by_picture[i], least + 1) << i;
    }
  }
  EXPECT_EQ(over_epochs, (std::vector<int64_t>{40, 40, 40}));
}

}  // namespace
}  // namespace fovea::image
