#include "weights/model_file.h"

#include <set>

#include "weights/imagenet_classes.h"
#include "weights/safetensors.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

ModelFile example() {
  ModelFile model;
  model.architecture = "tf_efficientnet_lite0";
  model.classes = {"birds", "vögel, \"große\"", "fish"};
  model.preprocessing.interpolation = Interpolation::bicubic;
  model.preprocessing.fit = Fit::squash;
  model.preprocessing.mean = model.preprocessing.std = {0.5f, 0.5f, 0.5f};
  model.head = {.kind = HeadKind::mlp, .hidden = 96, .dropout = 0.25};
  model.channels = 4;
  model.native_height = 384;
  model.native_width = 224;
  model.extra["recipe"] = "probe";
  model.tensors.add("conv_stem.weight", Tensor(DType::f32, {4, 3, 3, 3}));
  model.tensors.add("bn1.num_batches_tracked", Tensor(DType::i64, {}));
  return model;
}

TEST(ModelFile, ComesBackAsItWas) {
  const TemporaryFolder folder;
  const ModelFile model = example();
  write_model_file(folder / "m.safetensors", model);
  EXPECT_TRUE(is_model_file(folder / "m.safetensors"));
  const ModelFile again = read_model_file(folder / "m.safetensors");
  EXPECT_EQ(again.architecture, model.architecture);
  EXPECT_EQ(again.classes, model.classes);
  EXPECT_EQ(again.preprocessing, model.preprocessing);
  EXPECT_EQ(again.head, model.head);
  EXPECT_EQ(again.channels, 4);
  EXPECT_EQ(again.native_height, 384);
  EXPECT_EQ(again.native_width, 224);
  EXPECT_EQ(again.format_version, 1);
  EXPECT_EQ(again.extra, model.extra);
  ASSERT_EQ(again.tensors.size(), 2u);
  EXPECT_EQ(again.tensors[1].name, "bn1.num_batches_tracked");
  EXPECT_EQ(again.tensors[1].tensor.dtype(), DType::i64);
  EXPECT_TRUE(again.tensors.metadata.empty());
}

TEST(ModelFile, KeepsFingerprints) {
  const TemporaryFolder folder;
  ModelFile model = example();
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) {
    SeenPictures seen{{}, count == 2};
    for (size_t i = 0; i < count; ++i) seen.prints.push_back({i, ~uint64_t{0} - i, uint64_t{1} << (i % 64)});
    model.seen = std::make_shared<const SeenPictures>(seen);
    write_model_file(folder / "m.safetensors", model);
    const ModelFile again = read_model_file(folder / "m.safetensors");
    ASSERT_TRUE(again.seen);
    EXPECT_EQ(*again.seen, seen);
    EXPECT_EQ(again.extra, model.extra);
  }
}

TEST(ModelFile, FingerprintsThatAreNoneAreNamed) {
  const TemporaryFolder folder;
  const auto with = [&](const std::string& prints, const std::string& all) {
    write_model_file(folder / "m.safetensors", example());
    StateDict file = read_safetensors(folder / "m.safetensors");
    file.metadata["fovea.seen_pictures"] = prints;
    file.metadata["fovea.seen_pictures.all"] = all;
    write_safetensors(folder / "n.safetensors", file);
    return message_of([&] { (void)read_model_file(folder / "n.safetensors"); });
  };
  const std::string whole(32, 'A');
  EXPECT_EQ(with(whole, "no"), "");
  for (const std::string& bad :
       {whole + "A", whole + "AAAA", std::string(31, 'A') + "=", std::string(31, 'A') + "!", "=" + std::string(31, 'A')})
    EXPECT_CONTAINS(with(bad, "no"), "fovea.seen_pictures holds " + std::to_string(bad.size()) + " characters that are no fingerprints");
  EXPECT_CONTAINS(with(whole, "perhaps"), "fovea.seen_pictures.all is 'perhaps', yes or no expected");
}

TEST(ModelFile, OtherFilesAreNone) {
  const TemporaryFolder folder;
  EXPECT_FALSE(is_model_file(data("mixed.safetensors")));
  EXPECT_FALSE(is_model_file(data("mixed.zip.pth")));
  write_file(folder / "empty", "");
  EXPECT_FALSE(is_model_file(folder / "empty"));
  EXPECT_CONTAINS(message_of([&] { (void)read_model_file(folder / "empty"); }), "is not a model file: it is empty");
  EXPECT_CONTAINS(message_of([&] { (void)read_model_file(data("mixed.zip.pth")); }), "mixed.zip.pth: is not a model file: starts with 'PK");
  EXPECT_CONTAINS(message_of([&] { (void)read_model_file(data("mixed.safetensors")); }),
                  "is not a model file: the metadata has no fovea.format");
  EXPECT_CONTAINS(message_of([&] { (void)is_model_file(folder / "absent"); }), "absent");
}

// What reading says once one entry of the metadata is another; removed where `text` is null.
std::string message_with(const char* key, const char* text) {
  const TemporaryFolder folder;
  write_model_file(folder / "m", example());
  StateDict file = read_safetensors(folder / "m");
  file.metadata.erase(key);
  if (text) file.metadata[key] = text;
  write_safetensors(folder / "m2", file);
  return message_of([&] { (void)read_model_file(folder / "m2"); });
}

TEST(ModelFile, EveryEntryIsChecked) {
  EXPECT_CONTAINS(message_with("fovea.format", "2"), "has model file format 2, this fovea reads up to 1: a newer one is needed");
  EXPECT_CONTAINS(message_with("fovea.format", "one"), "fovea.format is 'one' and not a version");
  EXPECT_CONTAINS(message_with("fovea.format", "0"), "fovea.format is '0' and not a version");
  EXPECT_CONTAINS(message_with("fovea.architecture", nullptr), "the metadata has no fovea.architecture");
  EXPECT_CONTAINS(message_with("fovea.classes", "{}"), "fovea.classes is '{}' and not a JSON list of names");
  EXPECT_CONTAINS(message_with("fovea.classes", "[1]"), "not a JSON list of names");
  EXPECT_CONTAINS(message_with("fovea.classes", "[\"a\",[[]]]"), "not a JSON list of names");
  EXPECT_CONTAINS(message_with("fovea.classes", "[\"a\""), "not a JSON list of names");
  EXPECT_CONTAINS(message_with("fovea.preprocessing", "fit=sideways"), "fovea.preprocessing: ");
  for (const char* head :
       {"round", "mlp hidden=0", "mlp hidden=99999999999", "mlp hidden=x", "linear dropout=1.5", "linear dropout=nan", "linear wide"})
    EXPECT_CONTAINS(message_with("fovea.head", head), std::string("fovea.head is '") + head + "' and not a head");
  for (const char* channels : {"0", "-3", "3x3", "three", "99999999999999999999"})
    EXPECT_CONTAINS(message_with("fovea.channels", channels), std::string("fovea.channels is '") + channels + "', a number expected");
  for (const char* size : {"224", "224x", "224x0", "x", "224x224x224", "1e9x1"})
    EXPECT_CONTAINS(message_with("fovea.native_size", size), std::string("fovea.native_size is '") + size + "', HEIGHTxWIDTH expected");
}

TEST(ModelFile, RefusesToWriteWhatCannotBeRead) {
  const TemporaryFolder folder;
  ModelFile model = example();
  model.extra["fovea.format"] = "7";
  EXPECT_CONTAINS(message_of([&] { write_model_file(folder / "m", model); }), "'fovea.format' is reserved");
  model = example();
  model.classes[0] = "v\xf6gel";
  EXPECT_CONTAINS(message_of([&] { write_model_file(folder / "m", model); }), "the class name 'v\\xf6gel' is not UTF-8");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ImagenetClasses, AThousandDistinctNames) {
  const auto& classes = imagenet_classes();
  ASSERT_EQ(classes.size(), 1000u);
  EXPECT_EQ(classes.front(), "tench");
  EXPECT_EQ(classes[967], "espresso");
  EXPECT_EQ(classes.back(), "toilet tissue");
  EXPECT_EQ(std::set<std::string>(classes.begin(), classes.end()).size(), 1000u);
  for (const std::string& name : classes) EXPECT_FALSE(name.empty());
}

}  // namespace
}  // namespace fovea::weights
