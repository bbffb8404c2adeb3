#include "weights/safetensors.h"

#include <map>

#include "weights/support.h"

namespace fovea::weights {
namespace {

std::vector<std::byte> file_of(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::vector<std::byte> bytes(8 + header.size() + data_bytes);
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string refusal(const std::string& header, size_t data_bytes) {
  const auto bytes = file_of(header, data_bytes);
  return message_of([&] { read_safetensors(bytes, nullptr); });
}

TEST(Safetensors, ReadsWhatTheReferenceWrites) {
  const StateDict dict = read_safetensors(data("mixed.safetensors"));
  EXPECT_EQ(dict.size(), 9u);
  for (const auto& [name, tensor] : dict) expect_values(name, tensor);
  EXPECT_EQ(dict.at("f16").dtype(), DType::f16);
  EXPECT_EQ(dict.at("bf16").shape(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(dict.metadata.at("format"), "pt");
  EXPECT_EQ(dict.metadata.at("note"), "größe \"quoted\"");
}

TEST(Safetensors, WritesWhatItReads) {
  const TemporaryFolder folder;
  StateDict dict = read_safetensors(data("mixed.safetensors"));
  dict.metadata["more"] = "line\nbreak\t\"quoted\" \\";
  write_safetensors(folder / "a.safetensors", dict);
  const StateDict again = read_safetensors(folder / "a.safetensors");
  ASSERT_EQ(again.size(), dict.size());
  EXPECT_EQ(again.metadata, dict.metadata);
  for (size_t i = 0; i < dict.size(); ++i) {
    EXPECT_EQ(again[i].name, dict[i].name) << "the order is kept";
    EXPECT_EQ(again[i].tensor.dtype(), dict[i].tensor.dtype());
    EXPECT_EQ(again[i].tensor.shape(), dict[i].tensor.shape());
    expect_values(again[i].name, again[i].tensor);
  }
  const auto bytes = bytes_of(folder / "a.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(static_cast<char>(bytes[8]), '{');
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) EXPECT_EQ(entry.path().filename(), "a.safetensors");
}

TEST(Safetensors, EmptyFileOfNoTensors) {
  const TemporaryFolder folder;
  write_safetensors(folder / "e.safetensors", StateDict());
  EXPECT_TRUE(read_safetensors(folder / "e.safetensors").empty());
}

TEST(Safetensors, AcceptsUnalignedDataByCopying) {
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} )";
  const auto bytes = file_of(header, 8);
  EXPECT_EQ(read_safetensors(bytes, nullptr).at("w").values<float>()[1], 0.0f);
}

TEST(Safetensors, RefusesWithASentence) {
  EXPECT_CONTAINS(
      refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
      "names 'w' twice");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "w: names 'dtype' twice");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
                  "w: shape [3] of F32 takes 12 bytes, the file gives it 8");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12),
                  "w: begins at byte 4 of the data where 0 is next");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9), "has 9 bytes of data, its tensors take 8");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7), "w: lies at bytes 0 to 8, the file has 7");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "w: lies at bytes 8 to 0");
  EXPECT_CONTAINS(
      refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6),
      "b: begins at byte 2");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0), "overflows");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8), "the number -1");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})", 8), "the number 1.5");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8),
                  "a dimension of 18446744073709551615");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F8_E8M0","shape":[8],"data_offsets":[0,8]}})", 8), "w: has elements of type 'F8_E8M0'");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2]}})", 8), "w: lacks its dtype, shape or data_offsets");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}})", 8), "more than two offsets");
  EXPECT_CONTAINS(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":{}}})", 8), "unknown entry 'x'");
  EXPECT_CONTAINS(refusal(R"({"__metadata__":{"a":1}})", 0), "the number 1 under 'a'");
  EXPECT_CONTAINS(refusal(R"({"__metadata__":{"a":"1","a":"2"}})", 0), "the metadata names 'a' twice");
  EXPECT_CONTAINS(refusal(R"({"w":[1]})", 0), "a list under 'w'");
  EXPECT_CONTAINS(refusal("{\"w\":", 0), "not JSON at its byte");
  EXPECT_CONTAINS(refusal("{\"\xff\":{}}", 0), "not JSON at its byte");
  EXPECT_CONTAINS(refusal("{} x", 0), "not JSON at its byte");
  EXPECT_CONTAINS(refusal("[]", 0), "does not begin with '{'");
  EXPECT_CONTAINS(refusal("{" + std::string(100000, '['), 0), "not JSON");
  std::vector<std::byte> giant(16, std::byte{0});
  giant[7] = std::byte{1};
  EXPECT_CONTAINS(message_of([&] { read_safetensors(giant, nullptr); }), "claims a header of 72057594037927936 bytes");
  EXPECT_CONTAINS(message_of([&] { read_safetensors(std::span(giant).first(5), nullptr); }), "is truncated: 5 bytes");
}

TEST(Safetensors, RefusesToWriteWhatTheFormatCannotHold) {
  const TemporaryFolder folder;
  StateDict dict;
  dict.add("__metadata__", Tensor(DType::f32, {1}));
  EXPECT_CONTAINS(message_of([&] { write_safetensors(folder / "x", dict); }), "__metadata__");
  StateDict latin;
  latin.add("gr\xf6\xdf", Tensor(DType::f32, {1}));
  EXPECT_CONTAINS(message_of([&] { write_safetensors(folder / "x", latin); }), "'gr\\xf6\\xdf' is not UTF-8");
  EXPECT_CONTAINS(message_of([&] { write_safetensors(folder / "absent/x", StateDict()); }), "absent/x");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(StateDict, RefusesASecondTensorOfTheSameName) {
  StateDict dict;
  dict.add("a", Tensor(DType::f32, {1}));
  EXPECT_CONTAINS(message_of([&] { dict.add("a", Tensor(DType::f32, {1})); }), "two tensors named 'a'");
  EXPECT_CONTAINS(message_of([&] { (void)dict.at("b"); }), "no tensor 'b' among 1");
}

}  // namespace
}  // namespace fovea::weights
