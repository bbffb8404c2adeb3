#include <fovea/dlpack.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "support/errors.h"

namespace fovea {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The layout that DLPack's header gives on 64-bit machines; other libraries read these bytes.
static_assert(sizeof(DLDataType) == 4 && sizeof(DLDevice) == 8 && sizeof(DLTensor) == 48 && sizeof(DLManagedTensor) == 64);
static_assert(offsetof(DLTensor, ndim) == 16 && offsetof(DLTensor, shape) == 24 && offsetof(DLTensor, byte_offset) == 40);

struct GiveBack {
  void operator()(DLManagedTensor* one) const { one->deleter(one); }
};
using Lent = std::unique_ptr<DLManagedTensor, GiveBack>;

// Another library's tensor, which counts how often it was given back.
struct Foreign {
  std::vector<float> values = std::vector<float>(24);
  std::vector<int64_t> shape, strides;
  int given_back = 0;
  DLManagedTensor managed{};

  Foreign(std::vector<int64_t> sizes, std::vector<int64_t> steps) : shape(std::move(sizes)), strides(std::move(steps)) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    managed.dl_tensor = {values.data(),
                         {kDLCPU, 0},
                         static_cast<int32_t>(shape.size()),
                         {kDLFloat, 32, 1},
                         shape.data(),
                         strides.empty() ? nullptr : strides.data(),
                         0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* self) { ++static_cast<Foreign*>(self->manager_ctx)->given_back; };
  }
};

TEST(DLPack, ATensorIsLentWithoutACopyAndOutlivesItsName) {
  Lent lent;
  const void* memory = nullptr;
  {
    Tensor tensor(DType::f32, {2, 3, 4});
    tensor.mutable_values<float>()[23] = 7;
    memory = tensor.raw();
    lent.reset(to_dlpack(tensor));
  }
  const DLTensor& array = lent->dl_tensor;
  EXPECT_EQ(array.data, memory);
  EXPECT_EQ(array.device.device_type, kDLCPU);
  EXPECT_THAT(std::vector(array.shape, array.shape + array.ndim), ElementsAre(2, 3, 4));
  EXPECT_THAT(std::vector(array.strides, array.strides + array.ndim), ElementsAre(12, 4, 1));
  EXPECT_EQ(array.dtype.code, kDLFloat);
  EXPECT_EQ(array.dtype.bits, 32);
  EXPECT_EQ(static_cast<const float*>(array.data)[23], 7);
}

TEST(DLPack, EveryElementTypeGoesThereAndBack) {
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i64, DType::i32, DType::u8}) {
    Tensor tensor(dtype, {3, 2});
    static_cast<uint8_t*>(tensor.mutable_raw())[0] = 1;
    const Tensor back = from_dlpack(to_dlpack(tensor));
    EXPECT_EQ(back.dtype(), dtype);
    EXPECT_EQ(back.raw(), tensor.raw());
    EXPECT_EQ(back.shape(), tensor.shape());
  }
}

TEST(DLPack, MemoryThatIsOnlyToBeReadIsCopied) {
  const std::vector<float> values{1, 2, 3};
  const Tensor mapped = Tensor::wrap(DType::f32, {3}, nullptr, values.data());
  const Lent lent(to_dlpack(mapped));
  EXPECT_NE(lent->dl_tensor.data, values.data());
  EXPECT_EQ(static_cast<const float*>(lent->dl_tensor.data)[2], 3);
}

TEST(DLPack, ForeignMemoryIsReadInPlaceAndGivenBackOnce) {
  for (const std::vector<int64_t>& strides : {std::vector<int64_t>{}, {12, 4, 1}}) {
    Foreign foreign({2, 3, 4}, strides);
    {
      const Tensor tensor = from_dlpack(&foreign.managed);
      const Tensor copy = tensor;
      EXPECT_EQ(tensor.raw(), foreign.values.data());
      EXPECT_EQ(foreign.given_back, 0);
    }
    EXPECT_EQ(foreign.given_back, 1);
  }
  Foreign part({2, 3}, {});
  part.managed.dl_tensor.byte_offset = 4 * sizeof(float);
  EXPECT_EQ(from_dlpack(&part.managed).to(DType::f64).size(), 6);
  const Tensor from_four = from_dlpack(&part.managed);
  EXPECT_EQ(from_four.values<float>()[0], 4);
}

TEST(DLPack, OtherStridesAreCopiedInRowMajorOrder) {
  Foreign transposed({3, 2}, {1, 4});
  const Tensor tensor = from_dlpack(&transposed.managed);
  EXPECT_THAT(tensor.values<float>(), ElementsAre(0, 4, 1, 5, 2, 6));
  EXPECT_EQ(transposed.given_back, 1);  // at once
  Foreign backwards({3}, {-2});
  backwards.managed.dl_tensor.data = backwards.values.data() + 4;
  const Tensor turned = from_dlpack(&backwards.managed);
  EXPECT_THAT(turned.values<float>(), ElementsAre(4, 2, 0));
  Foreign repeated({2, 3}, {0, 1});
  const Tensor twice = from_dlpack(&repeated.managed);
  EXPECT_THAT(twice.values<float>(), ElementsAre(0, 1, 2, 0, 1, 2));
}

TEST(DLPack, NothingAndASingleNumberAreTensorsToo) {
  Foreign number({}, {});
  const Tensor one = from_dlpack(&number.managed);
  EXPECT_TRUE(one.shape().empty());
  EXPECT_EQ(one.size(), 1);
  Foreign empty({0, 3}, {});
  const Tensor none = from_dlpack(&empty.managed);
  EXPECT_THAT(none.shape(), ElementsAre(0, 3));
  EXPECT_EQ(empty.given_back, 1);
}

TEST(DLPack, WhatCannotBeReadIsAnErrorAndStaysTheCallers) {
  Foreign elsewhere({2, 3}, {});
  elsewhere.managed.dl_tensor.device.device_type = kDLCUDA;
  test::expect_error(ErrorKind::unsupported, "device type 2", [&] { from_dlpack(&elsewhere.managed); });
  Foreign odd({2, 3}, {});
  odd.managed.dl_tensor.dtype = {kDLComplex, 64, 1};
  test::expect_error(ErrorKind::unsupported, "complex64", [&] { from_dlpack(&odd.managed); });
  odd.managed.dl_tensor.dtype = {kDLFloat, 32, 4};
  test::expect_error(ErrorKind::unsupported, "float32 x 4", [&] { from_dlpack(&odd.managed); });
  odd.managed.dl_tensor.dtype = {kDLBool, 8, 1};
  test::expect_error(ErrorKind::unsupported, "bool8", [&] { from_dlpack(&odd.managed); });
  EXPECT_EQ(elsewhere.given_back + odd.given_back, 0);
  test::expect_error(ErrorKind::usage, "null", [] { from_dlpack(nullptr); });
  test::expect_error(ErrorKind::usage, "without memory", [] { to_dlpack(Tensor()); });
  test::expect_error(ErrorKind::usage, "without pixels", [] { to_dlpack(Image()); });
}

TEST(DLPack, PicturesAreBytesOfRowsColumnsAndChannels) {
  const Image image{2, 1, {1, 2, 3, 4, 5, 6}};
  DLManagedTensor* const lent = to_dlpack(image);
  EXPECT_THAT(std::vector(lent->dl_tensor.shape, lent->dl_tensor.shape + 3), ElementsAre(1, 2, 3));
  EXPECT_EQ(lent->dl_tensor.dtype.code, kDLUInt);
  EXPECT_EQ(image_from_dlpack(lent).pixels, image.pixels);

  Tensor grey(DType::u8, {1, 2}), transparent(DType::u8, {1, 1, 4});
  grey.mutable_values<uint8_t>()[1] = 9;
  EXPECT_THAT(image_from_dlpack(to_dlpack(grey)).pixels, ElementsAre(0, 0, 0, 9, 9, 9));
  EXPECT_THAT(image_from_dlpack(to_dlpack(transparent)).pixels, ElementsAre(255, 255, 255));
  EXPECT_THAT(image_from_dlpack(to_dlpack(transparent), Alpha::drop).pixels, ElementsAre(0, 0, 0));
  const Lent floats(to_dlpack(Tensor(DType::f32, {1, 2, 3}))), planes(to_dlpack(Tensor(DType::u8, {3, 4, 5})));
  test::expect_error(ErrorKind::mismatch, "32 bits", [&] { image_from_dlpack(floats.get()); });
  test::expect_error(ErrorKind::mismatch, "[3,4,5]", [&] { image_from_dlpack(planes.get()); });
}

}  // namespace
}  // namespace fovea
