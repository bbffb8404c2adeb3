#include "weights/pth_writer.h"

#include "weights/pth.h"
#include "weights/read_weights.h"
#include "weights/safetensors.h"
#include "weights/support.h"
#include "weights/zip_archive.h"

namespace fovea::weights {
namespace {

void expect_same(const StateDict& got, const StateDict& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE(expected[i].name);
    EXPECT_EQ(got[i].name, expected[i].name);
    EXPECT_EQ(got[i].tensor.dtype(), expected[i].tensor.dtype());
    EXPECT_EQ(got[i].tensor.shape(), expected[i].tensor.shape());
    ASSERT_EQ(got[i].tensor.bytes(), expected[i].tensor.bytes());
    EXPECT_EQ(std::memcmp(got[i].tensor.raw(), expected[i].tensor.raw(), got[i].tensor.bytes()), 0);
  }
}

TEST(PthWriter, RoundTripsOfEveryElementTypeBothWays) {
  const TemporaryFolder folder;
  for (const char* file : {"mixed.safetensors", "mixed.zip.pth", "strided.stream.pth", "shared.zip.pth", "module.zip.pth"}) {
    SCOPED_TRACE(file);
    const StateDict original = read_weights(data(file));
    write_pth(folder / "a.pth", original);
    expect_same(read_pth(folder / "a.pth"), original);
    write_safetensors(folder / "b.safetensors", read_weights(folder / "a.pth"));
    expect_same(read_weights(folder / "b.safetensors"), original);
    write_pth(folder / "c.pth", read_weights(folder / "b.safetensors"));
    EXPECT_EQ(bytes_of(folder / "c.pth"), bytes_of(folder / "a.pth"));
  }
}

TEST(PthWriter, TheArchiveIsPyTorchs) {
  const TemporaryFolder folder;
  StateDict tensors;
  tensors.add("a.weight", Tensor(DType::f32, {2, 3}));
  tensors.add("größe", Tensor(DType::i64, {}));
  tensors.add("none", Tensor(DType::f32, {0, 4}));
  write_pth(folder / "w.pth", tensors);
  const auto bytes = bytes_of(folder / "w.pth");
  const ZipArchive archive(bytes);
  EXPECT_EQ(archive.names(), (std::vector<std::string>{"archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/data/1",
                                                       "archive/data/2", "archive/version"}));
  for (const std::string& name : archive.names()) {
    const auto contents = archive.read(name, 1 << 20);
    EXPECT_EQ(contents.owned, nullptr) << name << " is not stored as it is";
    EXPECT_EQ((contents.bytes.data() - bytes.data()) % 64, 0) << name;
  }
  EXPECT_EQ(archive.size_of("archive/data/0"), 24u);
  EXPECT_EQ(archive.size_of("archive/data/2"), 0u);
  expect_same(read_pth(folder / "w.pth"), tensors);
}

TEST(PthWriter, LeavesNothingWhereItCannotWrite) {
  ErrorKind kind{};
  EXPECT_CONTAINS(message_of([] { write_pth("/nonexistent/w.pth", {}); }, &kind), "/nonexistent/w.pth");
  EXPECT_EQ(kind, ErrorKind::io);
}

TEST(ReadWeights, TakesAWrappersPrefixOffASafetensorsFile) {
  const TemporaryFolder folder;
  StateDict tensors;
  tensors.add("module.backbone.a", Tensor(DType::f32, {1}));
  tensors.add("module.backbone.b", Tensor(DType::f32, {1}));
  tensors.metadata["note"] = "kept";
  write_safetensors(folder / "w.safetensors", tensors);
  const StateDict read = read_weights(folder / "w.safetensors");
  EXPECT_EQ(read[0].name, "a");
  EXPECT_EQ(read[1].name, "b");
  EXPECT_EQ(read.metadata.at("note"), "kept");
}

}  // namespace
}  // namespace fovea::weights
