// Against what timm makes of the same weights (tests/data/weights/generate.py).
#include "weights/adapt.h"

#include "weights/load.h"
#include "weights/safetensors.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

StateDict from_timm() { return read_safetensors(data("adapt/timm.safetensors")); }

void expect_near(const Tensor& got, const Tensor& expected, double tolerance) {
  ASSERT_EQ(got.shape(), expected.shape());
  for (size_t i = 0; i < static_cast<size_t>(got.size()); ++i)
    ASSERT_NEAR(got.values<float>()[i], expected.values<float>()[i], tolerance) << "element " << i;
}

TEST(Adapt, InputChannelsAsTimm) {
  const StateDict timm = from_timm();
  const Tensor& three = timm.at("conv.3");
  for (int64_t channels : {1, 2, 4, 5, 6, 7}) {
    SCOPED_TRACE(channels);
    expect_near(adapt_input_channels(three, channels), timm.at("conv." + std::to_string(channels)), 1e-7);
  }
  const Tensor same = adapt_input_channels(three, 3);
  EXPECT_EQ(same.raw(), three.raw());
  EXPECT_EQ(adapt_input_channels(three.to(DType::f16), 1).dtype(), DType::f32);
  EXPECT_EQ(message_of([&] {
              (void)adapt_input_channels(three.reshaped({2, 18}), 1);
            }),
            "a convolution's weight of shape [2,18], [O,I,kh,kw] expected");
  EXPECT_EQ(message_of([&] { (void)adapt_input_channels(three, 0); }), "pictures of 0 channels, at least 1 expected");
}

TEST(Adapt, PositionTablesAsTimm) {
  struct Case {
    std::string name;
    int64_t prefix;
    Grid from;
    std::vector<Grid> to;
  };
  const Case cases[] = {{"table.4x4", 1, {4, 4}, {{7, 5}, {2, 3}, {1, 1}, {4, 9}, {8, 8}}},
                        {"table.3x5", 2, {3, 5}, {{5, 3}, {6, 2}}},
                        {"table.7x7", 0, {7, 7}, {{12, 12}, {3, 4}}}};
  const StateDict timm = from_timm();
  for (const auto& [name, prefix, from, sizes] : cases) {
    for (const Grid& to : sizes) {
      const std::string result = name + "." + std::to_string(to.height) + "x" + std::to_string(to.width);
      SCOPED_TRACE(result);
      expect_near(resize_position_table(timm.at(name), prefix, from, to), timm.at(result), 2e-6);
    }
  }
  const Tensor& table = timm.at("table.4x4");
  const Tensor same = resize_position_table(table, 1, {4, 4}, {4, 4});
  EXPECT_EQ(same.raw(), table.raw());
  EXPECT_EQ(message_of([&] {
              (void)resize_position_table(table, 1, {4, 5}, {4, 4});
            }),
            "a position table of shape [1,17,3], [1,21,C] expected for 1 and 4x5 positions");
  EXPECT_EQ(message_of([&] { (void)resize_position_table(table, 1, {4, 4}, {0, 4}); }), "a grid of 0x4 positions");
}

TEST(Adapt, SquareGrids) {
  EXPECT_EQ(square_grid(196), (Grid{14, 14}));
  EXPECT_EQ(square_grid(1), (Grid{1, 1}));
  EXPECT_EQ(message_of([] { (void)square_grid(197); }),
            "197 positions are not those of a square; the img_size of a config.json beside the file can say what they are of");
  EXPECT_CONTAINS(message_of([] { (void)square_grid(0); }), "0 positions are not those of a square");
}

TEST(Adapt, WhileLoadingAndInTheReport) {
  const StateDict timm = from_timm();
  StateDict file;
  file.add("conv.weight", timm.at("conv.3"));
  file.add("fc.weight", Tensor(DType::f32, {2, 12}));
  const std::vector<ExpectedTensor> model = {{"conv.weight", {2, 1, 2, 3}}, {"fc.weight", {2, 3, 2, 2}}};
  LoadOptions options;
  options.adapt = [](const ExpectedTensor& expected, const Tensor& found) -> std::optional<Tensor> {
    if (expected.name != "conv.weight") return std::nullopt;
    return adapt_input_channels(found, expected.shape[1]);
  };
  std::vector<Tensor> taken(2);
  const LoadReport report = match(file, model, options, [&](size_t i, const Tensor& tensor) { taken[i] = tensor; });
  expect_near(taken[0], timm.at("conv.1"), 1e-7);
  EXPECT_EQ(taken[1].raw(), file.at("fc.weight").raw());
  ASSERT_EQ(report.reshaped.size(), 2u);
  EXPECT_EQ(report.reshaped[0].from, (std::vector<int64_t>{2, 3, 2, 3}));
  EXPECT_EQ(report.reshaped[0].to, (std::vector<int64_t>{2, 1, 2, 3}));

  options.adapt = [](const ExpectedTensor&, const Tensor& found) -> std::optional<Tensor> {
    return resize_position_table(found, 0, {1, 1}, {2, 2});
  };
  EXPECT_CONTAINS(message_of([&] { match(file, model, options, [](size_t, const Tensor&) {}); }),
                  "conv.weight: a position table of shape [2,3,2,3]");
}

TEST(Adapt, ADenseLayerIsAConvolutionOverTheWholeMapButNothingElse) {
  StateDict file;
  file.add("fc.weight", Tensor(DType::f32, {4, 6, 2, 1}));
  const auto load = [&](std::vector<int64_t> shape) {
    return message_of([&] { match(file, std::vector<ExpectedTensor>{{"fc.weight", shape}}, {}, [](size_t, const Tensor&) {}); });
  };
  EXPECT_EQ(load({4, 12}), "");
  EXPECT_EQ(load({12, 4}), "fc.weight: shape [4,6,2,1] in the file, [12,4] in the model");
  EXPECT_EQ(load({4, 3, 4}), "fc.weight: shape [4,6,2,1] in the file, [4,3,4] in the model");
}

}  // namespace
}  // namespace fovea::weights
