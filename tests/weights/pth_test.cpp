#include "weights/pth.h"

#include <map>

#include "weights/read_weights.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

StateDict read(const std::string& name) { return read_pth(data(name)); }

std::vector<std::string> names_of(const StateDict& dict) {
  std::vector<std::string> names;
  for (const NamedTensor& named : dict) names.push_back(named.name);
  return names;
}

class BothContainers : public testing::TestWithParam<const char*> {
 protected:
  StateDict read_both(const std::string& name) const { return read(name + GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Pth, BothContainers, testing::Values(".zip.pth", ".stream.pth"));

TEST_P(BothContainers, EveryElementTypeInTheFilesOrder) {
  const StateDict dict = read_both("mixed");
  EXPECT_EQ(names_of(dict), (std::vector<std::string>{"f32", "f64", "f16", "bf16", "i64", "i32", "u8", "bool", "none"}));
  const std::map<std::string, DType> types = {{"f32", DType::f32},   {"f64", DType::f64}, {"f16", DType::f16},
                                              {"bf16", DType::bf16}, {"i64", DType::i64}, {"i32", DType::i32},
                                              {"u8", DType::u8},     {"bool", DType::u8}, {"none", DType::f32}};
  for (const auto& [name, tensor] : dict) {
    EXPECT_EQ(tensor.dtype(), types.at(name)) << name;
    expect_values(name, tensor);
  }
  EXPECT_EQ(dict.at("f32").shape(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(dict.at("i64").shape(), std::vector<int64_t>{});
  EXPECT_EQ(dict.at("none").shape(), (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(dict.at("none").size(), 0);
}

TEST_P(BothContainers, StridedTensorsComeOutDense) {
  const StateDict dict = read_both("strided");
  EXPECT_EQ(dict.at("permuted").shape(), (std::vector<int64_t>{4, 3, 2, 2}));
  EXPECT_EQ(dict.at("every_second").shape(), (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(dict.size(), 5u);
  for (const auto& [name, tensor] : dict) expect_values(name, tensor);
}

TEST_P(BothContainers, ViewsOfOneStorage) {
  const StateDict dict = read_both("shared");
  const auto whole = dict.at("whole").values<float>(), rows = dict.at("rows.part").values<float>(),
             columns = dict.at("columns.part").values<float>();
  expect_values("whole", dict.at("whole"));
  ASSERT_EQ(dict.at("rows.part").shape(), (std::vector<int64_t>{2, 6}));
  ASSERT_EQ(dict.at("columns.part").shape(), (std::vector<int64_t>{4, 2}));
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(rows[i], whole[6 + i]);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(columns[i], whole[i / 2 * 6 + 4 + i % 2]);
  EXPECT_EQ(dict.at("again.part").raw(), dict.at("whole").raw()) << "a shared storage is not copied twice";
}

TEST_P(BothContainers, NestedWithPrefix) {
  const StateDict dict = read_both("nested");
  EXPECT_EQ(names_of(dict), (std::vector<std::string>{"conv.weight", "fc.bias"}));
  for (const auto& [name, tensor] : dict) expect_values(name, tensor);
}

TEST_P(BothContainers, ModulesStateDictWithItsMetadata) {
  const StateDict dict = read_both("module");
  EXPECT_EQ(names_of(dict), (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
                                                      "1.num_batches_tracked"}));
  EXPECT_EQ(dict.at("1.num_batches_tracked").dtype(), DType::i64);
  for (const auto& [name, tensor] : dict) expect_values(name, tensor);
}

TEST(Pth, OtherShapesOfCheckpoints) {
  for (const char* file :
       {"averaged.pth", "twice_nested.pth", "parameters.pth", "protocol4.pth", "extra_entries.pth", "distilled.pth", "deepspeed.pth"}) {
    const StateDict dict = read(file);
    EXPECT_EQ(names_of(dict), (std::vector<std::string>{"conv.weight", "fc.bias"})) << file;
    for (const auto& [name, tensor] : dict) expect_values(name, tensor);
  }
  for (const auto& [name, tensor] : read("compressed.pth")) expect_values(name, tensor);
  const Tensor expanded = read("expanded_small.pth").at("w");
  EXPECT_EQ(expanded.shape(), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(expanded.values<float>()[4], 2.0f);
  EXPECT_EQ(expanded.values<float>()[5], 3.0f);
}

TEST(Pth, AlignedTensorsLookIntoTheFile) {
  const auto bytes = bytes_of(data("mixed.zip.pth"));
  const auto* begin = bytes.data();
  for (const auto& [name, tensor] : read_pth(bytes, nullptr)) {
    if (tensor.size() == 0) continue;
    const auto* raw = static_cast<const std::byte*>(tensor.raw());
    const bool aligned_in_file = reinterpret_cast<uintptr_t>(begin) % 8 == 0;
    EXPECT_EQ(raw >= begin && raw < begin + bytes.size(), aligned_in_file) << name;
  }
}

TEST(Pth, RefusesWithASentence) {
  const std::map<std::string, std::string> cases = {
      {"evil_root.zip.pth", "calls posix.system, which a weights file may not"},
      {"evil_root.stream.pth", "calls posix.system, which a weights file may not"},
      {"evil_nested.zip.pth", "calls posix.system, which a weights file may not"},
      {"evil_nested.stream.pth", "calls posix.system, which a weights file may not"},
      {"evil_eval.zip.pth", "eval, which a weights file may not"},
      {"evil_eval.stream.pth", "eval, which a weights file may not"},
      {"evil_object.pth", "calls argparse.Namespace, which a weights file may not"},
      {"outside_offset.pth", "w: points outside its storage: shape [4] with strides [1] from element 1 on, the storage '0' has 4"},
      {"outside_stride.pth", "w: points outside its storage: shape [2,2] with strides [3,1] from element 0 on, the storage '0' has 4"},
      {"outside_huge.pth", "w: points outside its storage"},
      {"overflow_shape.pth", "w: shape [4294967296,4294967296] overflows"},
      {"overflow_stride.pth", "overflows"},
      {"negative.pth", "a tensor's strides is -1 and not a count"},
      {"negative_shape.pth", "a tensor's shape is -4 and not a count"},
      {"expanded_huge.pth", "w: its tensors would take more than"},
      {"many_copies.pth", "its tensors would take more than"},
      {"storage_huge.pth", "storage '0' of 2305843009213693952 elements overflows"},
      {"storage_overflow.pth", "overflows"},
      {"storage_lies.pth", "storage '0' has 4 elements in its pickle and 3 in the stream"},
      {"storage_missing.pth", "w: its storage '0' is not in the file"},
      {"storage_unknown.pth", "lists a storage 'other' that nothing refers to"},
      {"storage_twice.pth", "truncated"},
      {"storage_two_types.pth", "storage '0' has 2 elements of float64 here and 4 of float32 elsewhere"},
      {"big_endian.pth", "big-endian"},
      {"big_endian.zip.pth", "big-endian"},
      {"int16.pth", "w: has elements of type int16"},
      {"not_a_dict.pth", "holds a list, not a state dict"},
      {"no_tensors.pth", "holds no state dict; its entries are 'epoch', 'lr'"},
      {"duplicate.pth", "holds two tensors named 'w'"},
      {"deep.pth", "holds a list, not a state dict"},
      {"memo_bomb.pth", "holds a tuple, not a state dict"},
      {"dict_bomb.pth", "which no checkpoint's do"},
      {"no_pickle.pth", "without a data.pkl"},
      {"script.pth", "TorchScript"},
      {"entry_size.pth", "w: its storage '0' has 16 bytes, the archive's entry 8"},
      {"entry_missing.pth", "w: has no entry 'a/data/0'"},
      {"zip_bomb.pth", "at most"},
  };
  for (const auto& [file, part] : cases) {
    const std::string message = message_of([&, file = file] { read_weights(data(file)); });
    EXPECT_CONTAINS(message, part) << " for " << file;
    EXPECT_CONTAINS(message, file);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_FALSE(std::filesystem::exists("executed"));
}

TEST(ReadWeights, SaysWhatAFileLooksLikeInstead) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> cases = {
      {"", "is empty"},
      {"<!DOCTYPE html><html>", "web page"},
      {"\x89HDF\r\n\x1a\n and more", "HDF5"},
      {"\x08\x07\x12\x07pytorch and a long graph that makes it more than sixty-four bytes long, onnx too", "ONNX"},
      {"version https://git-lfs.github.com/spec/v1", "Git LFS"},
      {"\x80\x04\x95 pickle", "pickle that torch.save did not write"},
      {"hello", "is not a .pth or .safetensors file: starts with 'hello'"},
  };
  for (const auto& [content, part] : cases) {
    write_file(folder / "w.pth", content);
    EXPECT_CONTAINS(message_of([&] { read_weights(folder / "w.pth"); }), part);
  }
  ErrorKind kind{};
  EXPECT_CONTAINS(message_of([&] { read_weights(folder / "absent.pth"); }, &kind), "absent.pth");
  EXPECT_EQ(kind, ErrorKind::io);
  EXPECT_CONTAINS(message_of([&] { read_weights(folder.path()); }), "not a regular file");
  EXPECT_EQ(read_weights(data("mixed.safetensors")).size(), 9u);
  EXPECT_EQ(read_weights(data("mixed.zip.pth")).size(), 9u);
}

}  // namespace
}  // namespace fovea::weights
