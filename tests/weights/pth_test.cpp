#include "weights/pth.h"

#include <cmath>
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
      {"evil_root.zip.pth", "holds an object (system), not a state dict"},
      {"evil_root.stream.pth", "holds an object (system), not a state dict"},
      {"evil_eval.zip.pth", "holds no state dict; its entries are 'state_dict'"},
      {"evil_eval.stream.pth", "holds no state dict; its entries are 'state_dict'"},
      {"evil_object.pth", "holds no state dict; its entries are 'lr'"},
      {"module_in_itself.pth", "its modules lie more than 64 deep"},
      {"module_bomb.pth", "its dictionaries and modules hold one another too often"},
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
}

// The commands in these files would leave a file or a process behind where they ran.
TEST(Pth, NothingThatAFileAsksForIsDone) {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  size_t files = 0, read = 0;
  for (const auto& file : data_files({".pth"})) {
    if (!file.filename().string().starts_with("evil_")) continue;
    ++files;
    read += message_of([&] { EXPECT_GE(read_pth(file).size(), 1u); }).empty();
  }
  std::filesystem::current_path(before);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_EQ(files, 14u);
  EXPECT_EQ(read, 9u) << "in these the tensors lie beside what is not done";
}

TEST(Pth, WhatPublicTrainingScriptsSave) {
  for (const char* file : {"timm_train.pth", "torchvision_reference.pth", "numpy_beside.pth", "under_model_state.pth",
                           "under_ema_state_dict.pth", "under_params_ema.pth", "under_network.pth", "under_weights.pth",
                           "under_another_name.pth", "averaged_model.pth", "float8_beside.pth", "dict_like.pth"}) {
    const StateDict dict = read(file);
    EXPECT_EQ(names_of(dict), (std::vector<std::string>{"conv.weight", "fc.bias"})) << file;
    for (const auto& [name, tensor] : dict) expect_values(name, tensor);
  }
  const StateDict lightning = read("lightning.pth");
  EXPECT_EQ(names_of(lightning), (std::vector<std::string>{"conv.weight", "fc.bias", "loss.weight"}));
  EXPECT_EQ(lightning.outside, std::set<std::string>{"loss.weight"});
}

TEST(Pth, WholeModules) {
  for (const char* file : {"whole_module.pth", "whole_module_inside.pth"}) {
    const StateDict dict = read(file);
    EXPECT_EQ(names_of(dict), (std::vector<std::string>{"conv.weight", "fc.bias"})) << file;
    for (const auto& [name, tensor] : dict) expect_values(name, tensor);
  }
  const StateDict dict = read("whole_module.stream.pth");
  EXPECT_EQ(names_of(dict), (std::vector<std::string>{"scale", "part0.scale"}));
  for (const auto& [name, tensor] : dict) expect_values(name, tensor);
}

TEST(Pth, OneOfSeveralNetworks) {
  const StateDict teacher = read("two.pth");
  EXPECT_EQ(names_of(teacher), (std::vector<std::string>{"conv.weight", "fc.bias"}));
  EXPECT_EQ(teacher.at("fc.bias").values<float>()[0], value_at("fc.bias", 0) + 1);
  ASSERT_EQ(teacher.notes.size(), 2u);
  EXPECT_EQ(teacher.notes[0], "holds 'student' beside 'teacher': the weights under 'teacher' are taken (FILE#NAME takes others)");
  EXPECT_EQ(teacher.notes[1], "the names of 2 of 2 tensors begin with 'module.backbone.', which was taken off");
  const StateDict student = read_weights(data("two.pth"), "student");
  EXPECT_TRUE(student.notes.empty());
  for (const auto& [name, tensor] : student) expect_values(name, tensor);
  EXPECT_EQ(names_of(read_weights(data("two.pth"), "teacher")), names_of(teacher));
  EXPECT_EQ(names_of(read_weights(data("lightning.pth"), "loss")), std::vector<std::string>{"weight"});
  ErrorKind kind{};
  EXPECT_CONTAINS(message_of([] { (void)read_weights(data("two.pth"), "nobody"); }, &kind),
                  "has no part 'nobody'; its names begin with 'conv', 'fc'");
  EXPECT_EQ(kind, ErrorKind::usage);
  EXPECT_EQ(weights_file("a/b.pth#teacher").path, "a/b.pth");
  EXPECT_EQ(weights_file("a/b.pth#teacher").part, "teacher");
  const TemporaryFolder folder;
  const std::string marked = (folder / "run#1.pth").string();
  write_file(marked, "x");
  EXPECT_EQ(weights_file(marked).path, marked);
  EXPECT_EQ(weights_file(marked).part, "");
}

TEST(Pth, TensorsThatCannotBeUsedAreLeftOutAndNamed) {
  const StateDict dict = read("odd_tensors.pth");
  EXPECT_EQ(names_of(dict), (std::vector<std::string>{"conv.weight", "fc.bias"}));
  for (const auto& [name, tensor] : dict) expect_values(name, tensor);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"complex", "has elements of type complex64, which fovea does not know"},
      {"quantized", "is a quantized tensor, which fovea does not know"},
      {"sparse", "is a sparse tensor, which fovea does not know"},
      {"short", "has elements of type int16, which fovea does not know"}};
  EXPECT_EQ(dict.unusable, expected);
}

void expect_same_floats(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.shape(), expected.shape());
  ASSERT_EQ(got.dtype(), DType::f32);
  for (size_t i = 0; i < static_cast<size_t>(got.size()); ++i) {
    const float a = got.values<float>()[i], b = expected.values<float>()[i];
    EXPECT_TRUE(a == b || (std::isnan(a) && std::isnan(b))) << "bits " << i << ": " << a << ", " << b << " expected";
  }
}

TEST(Pth, Float8AsTorchConvertsIt) {
  const StateDict pth = read("float8.pth");
  for (const char* kind : {"e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz"}) {
    SCOPED_TRACE(kind);
    expect_same_floats(pth.at(kind), pth.at(std::string(kind) + ".f32"));
  }
  const StateDict safetensors = read_weights(data("float8.safetensors"));
  for (const char* kind : {"e4m3fn", "e5m2"}) expect_same_floats(safetensors.at(kind), pth.at(kind));
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
