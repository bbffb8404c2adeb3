// Networks written in the public interface.
#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

namespace fovea {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Model fresh(const std::string& name, uint64_t seed = 3) {
  LoadOptions options;
  options.weights = "none";
  options.seed = seed;
  return Model::load(name, options);
}

Tensor pictures(int64_t count, int64_t side) {
  Tensor images(DType::f32, {count, 3, side, side});
  const auto values = images.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i) + 1));
  return images;
}

double norm(const Tensor& tensor) {
  double sum = 0;
  for (const float value : tensor.values<float>()) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

// ResNet-18 as torchvision writes it.
Map basic_block(Layers s, Map x, int64_t out, int64_t stride) {
  Map y = relu(s["bn1"].batch_norm(s["conv1"].conv2d(x, {.out = out, .kernel = 3, .stride = stride, .padding = 1})));
  y = s["bn2"].batch_norm(s["conv2"].conv2d(y, {.out = out, .kernel = 3, .padding = 1}));
  if (stride != 1) x = s["downsample"][1].batch_norm(s["downsample"][0].conv2d(x, {.out = out, .stride = stride}));
  return relu(y + x);
}

Map resnet18(Layers s, Map x) {
  x = relu(s["bn1"].batch_norm(s["conv1"].conv2d(x, {.out = 64, .kernel = 7, .stride = 2, .padding = 3})));
  x = s["maxpool"].max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1});
  for (int l = 1; l <= 4; ++l) {
    const Layers layer = s["layer" + std::to_string(l)];
    for (int b = 0; b < 2; ++b) x = basic_block(layer[b], x, int64_t{32} << l, l > 1 && b == 0 ? 2 : 1);
    x = layer.tap(x);
  }
  return x;
}

// A transformer over patches of 4 x 4.
Map transformer(Layers s, Map x) {
  x = s["patches"].conv2d(x, {.out = 24, .kernel = 4, .stride = 4, .bias = true});
  x = s["positions"].position_embedding(x);
  const int64_t height = x.height(), width = x.width();
  Map tokens = s["tokens"].to_tokens(x);
  for (int b = 0; b < 2; ++b) {
    const Layers block = s["blocks"][b];
    Map y = block["qkv"].linear(block["norm1"].layer_norm(tokens), 72);
    tokens = tokens + block["proj"].linear(block["attention"].attention(y, 3), 24);
    y = gelu(block["fc1"].linear(block["norm2"].layer_norm(tokens), 96));
    tokens = tokens + block["fc2"].linear(y, 24);
  }
  return s["grid"].to_map(s["norm"].layer_norm(tokens), height, width);
}

// Every layer that the two above do not have.
Map collection(Layers s, Map x) {
  x = s["stem"].group_norm(s["stem_conv"].conv2d(x, {.out = 16, .kernel = 3, .stride = 2, .padding = 1}), 4);
  Map y = s["depthwise"].conv2d(hard_swish(x), {.out = 16, .kernel = 5, .padding = 2, .groups = 16});
  y = s["scale"].channel_scale(s["gate"].squeeze_excite(silu(y), 4), 0.1);
  x = x + s["drop_path"].stochastic_depth(y, 0.1);
  x = concat(s["pool"].average_pool2d(x), s["peak"].max_pool2d(relu6(x)));
  return s["dropout"].dropout(x * sigmoid(global_average_pool(x)), 0.1);
}

TEST(Architecture, GivesWhatTheSameRegisteredNetworkGives) {
  register_architecture({.name = "own/resnet18", .classes = 7, .input_size = 64, .body = resnet18});
  Model own = fresh("own/resnet18"), registered = fresh("resnet18");
  registered.replace_head(7);
  auto state = registered.state_dict();
  for (const char* leaf : {"weight", "bias"}) {
    state["head." + std::string(leaf)] = state.at("fc." + std::string(leaf));
    state.erase("fc." + std::string(leaf));
  }
  own.load_state_dict(state);
  const Tensor images = pictures(3, 64);
  const Tensor a = own.logits(images), b = registered.logits(images);
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_TRUE(std::ranges::equal(a.values<float>(), b.values<float>()));
  EXPECT_EQ(own.parameter_count(), registered.parameter_count());
  EXPECT_EQ(own.feature_width(), 512);
  EXPECT_EQ(own.taps().back().name, "layer4");
  EXPECT_EQ(own.taps().back().stride, 32);
  const Summary summary = fovea::summary("own/resnet18");
  EXPECT_EQ(summary.parameters, own.parameter_count());
  EXPECT_THAT(model_names(), testing::Contains("own/resnet18"));
  EXPECT_GT(bench("own/resnet18", {.seconds = 0}).least_milliseconds, 0);
}

TEST(Architecture, ATransformerTakesPicturesOfAnotherSize) {
  register_architecture({.name = "own/transformer", .input_size = 32, .size_multiple = 4, .body = transformer});
  const Model model = fresh("own/transformer");
  EXPECT_EQ(model.state_dict().at("positions.weight").shape(), (std::vector<int64_t>{1, 64, 24}));
  EXPECT_EQ(model.logits(pictures(2, 32)).shape(), (std::vector<int64_t>{2, 10}));
  EXPECT_EQ(model.logits(pictures(1, 48)).shape(), (std::vector<int64_t>{1, 10}));
}

TEST(Architecture, TrainsSavesAndLoads) {
  register_architecture({.name = "own/collection", .input_size = 32, .body = collection});
  const fs::path folder = fs::path(testing::TempDir()) / ("fovea_architecture_" + std::to_string(getpid()));
  for (int i = 0; i < 16; ++i) {
    const bool red = i % 2 == 0;
    const fs::path kind = folder / "pictures" / (red ? "red" : "blue");
    fs::create_directories(kind);
    Image image{32, 32, std::vector<uint8_t>(3 * 32 * 32)};
    for (size_t p = 0; p < image.pixels.size(); ++p)
      image.pixels[p] = static_cast<uint8_t>((p % 3 == (red ? 0 : 2) ? 150 : 40) + (p * 7919 + static_cast<size_t>(i) * 31) % 90);
    write_png((kind / (std::to_string(i) + ".png")).string(), image);
  }
  Model model = fresh("own/collection");
  TrainOptions options;
  options.recipe = Recipe::full;
  options.optimizer.epochs = 4;
  options.optimizer.lr = 0.01;
  options.optimizer.batch_size = 4;
  const TrainResult result = train(model, (folder / "pictures").string(), options);
  ASSERT_EQ(result.history.size(), 4u);
  EXPECT_LT(result.history.back().train_loss, result.history.front().train_loss);
  EXPECT_EQ(result.history.back().epoch, 4);
  EXPECT_EQ(result.history.back().phase, "all");
  model.save((folder / "model.safetensors").string());
  const Model again = Model::load((folder / "model.safetensors").string());
  const Tensor images = pictures(2, 32);
  const Tensor logits = model.logits(images), same = again.logits(images);
  EXPECT_TRUE(std::ranges::equal(logits.values<float>(), same.values<float>()));
  fs::remove_all(folder);
}

template <class Function>
std::string error_of(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST(Architecture, SaysWhatIsWrong) {
  const auto body = [](Layers s, Map x) { return s["conv"].conv2d(x, {.out = 4}); };
  EXPECT_THAT(error_of([&] { register_architecture({.name = "", .body = body}); }), HasSubstr("without a name"));
  EXPECT_THAT(error_of([&] { register_architecture({.name = "own/none"}); }), HasSubstr("own/none: an architecture without a body"));
  EXPECT_THAT(error_of([&] { register_architecture({.name = "resnet50", .body = body}); }),
              HasSubstr("there is a model 'resnet50' already, of the family resnet"));
  const auto wrong = [](Layers s, Map x) { return s["a"]["conv"].conv2d(x, {.out = 4, .groups = 2}); };
  EXPECT_THAT(error_of([&] { register_architecture({.name = "own/wrong", .body = wrong}); }), HasSubstr("own/wrong: a.conv: "));
  const auto twice = [](Layers s, Map x) { return s["conv"].conv2d(s["conv"].conv2d(x, {.out = 3}), {.out = 3}); };
  EXPECT_THAT(error_of([&] { register_architecture({.name = "own/twice", .body = twice}); }), HasSubstr("conv"));
  EXPECT_THAT(error_of([&] { Model::load("own/wrong"); }), HasSubstr("there is no model 'own/wrong'"));
}

// The gradient along itself is how much the loss falls: against a central difference of the loss, in the whole space of the parameters.
TEST(LossGradients, AreTheSlopeOfTheLoss) {
  register_architecture({.name = "own/slope", .classes = 4, .input_size = 16, .body = [](Layers s, Map x) {
                           x = gelu(s["bn"].batch_norm(s["conv"].conv2d(x, {.out = 8, .kernel = 3, .stride = 2})));
                           return s["conv2"].conv2d(x, {.out = 8, .kernel = 3, .bias = true});
                         }});
  Model model = fresh("own/slope");
  const Tensor images = pictures(6, 16);
  const std::vector<int64_t> labels{0, 1, 2, 3, 0, 1};
  const auto start = model.state_dict();
  const LossGradients at = loss_gradients(model, images, labels);
  EXPECT_EQ(at.gradients.size(), 7u);
  EXPECT_NEAR(at.loss, std::log(4.0), 1);
  for (const auto& [name, value] : start)
    EXPECT_TRUE(value.dtype() == DType::i64 || std::ranges::equal(value.values<float>(), model.state_dict().at(name).values<float>()));
  const auto loss_along = [&](double step) {
    auto moved = start;
    for (const auto& [name, gradient] : at.gradients) {
      EXPECT_EQ(gradient.shape(), start.at(name).shape());
      Tensor tensor = start.at(name).clone();
      const auto slope = gradient.values<float>();
      for (size_t i = 0; i < slope.size(); ++i) tensor.mutable_values<float>()[i] += static_cast<float>(step) * slope[i];
      moved[name] = tensor;
    }
    model.load_state_dict(moved);
    return loss_gradients(model, images, labels).loss;
  };
  double squared = 0;
  for (const auto& [name, gradient] : at.gradients) squared += norm(gradient) * norm(gradient);
  const double step = 1e-3 / std::sqrt(squared);
  EXPECT_NEAR((loss_along(step) - loss_along(-step)) / (2 * step), squared, 1e-2 * squared);
}

TEST(LossGradients, RefuseOtherLabels) {
  register_architecture(
      {.name = "own/plain", .classes = 4, .input_size = 16, .body = [](Layers s, Map x) { return s["conv"].conv2d(x, {.out = 4}); }});
  const Model model = fresh("own/plain");
  EXPECT_THAT(error_of([&] { loss_gradients(model, pictures(2, 16), {0}); }), HasSubstr("1 labels of 2 pictures"));
  EXPECT_THAT(error_of([&] { loss_gradients(model, pictures(2, 16), {0, 4}); }), HasSubstr("the label 4, one of 0 to 3 expected"));
  EXPECT_THAT(error_of([&] { loss_gradients(model, Tensor(DType::f32, {2, 16, 16}), {0, 1}); }), HasSubstr("[2,16,16]"));
}

TEST(OwnArchitectures, MistakesAreToldWhereTheyAreRegistered) {
  const auto message = [](std::function<Map(Layers, Map)> body, int64_t classes = 3) -> std::string {
    Architecture wrong;
    wrong.name = "with_a_mistake";
    wrong.classes = classes;
    wrong.input_size = 32;
    wrong.body = std::move(body);
    try {
      register_architecture(wrong);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
      return error.what();
    }
    return "registered";
  };
  using testing::AllOf;
  using testing::HasSubstr;
  EXPECT_THAT(message([](Layers, Map) { return Map{}; }),
              AllOf(HasSubstr("with_a_mistake"), HasSubstr("what the body gives"), HasSubstr("Map{}")));
  EXPECT_THAT(message([](Layers s, Map x) { return s["conv"].conv2d(x, {.out = Map{}.channels()}); }), HasSubstr("Map{}"));
  EXPECT_THAT(message([](Layers s, Map x) { return relu(Map{}) + s["conv"].conv2d(x, {.out = 4}); }), HasSubstr("Map{}"));
  EXPECT_THAT(message([](Layers s, Map x) { return s["conv"].conv2d(x, {.kernel = 3}); }),
              HasSubstr("with_a_mistake: conv: out is 0, 1 or more"));
  EXPECT_THAT(message([](Layers s, Map x) { return s["conv"].conv2d(x, {.out = 4, .stride = 0}); }), HasSubstr("conv: stride is 0"));
  EXPECT_THAT(message([](Layers s, Map x) { return s["conv"].conv2d(x, {.out = 4, .padding = -1}); }), HasSubstr("conv: padding is -1"));
  EXPECT_THAT(message([](Layers s, Map x) { return s["conv"].conv2d(x, {.out = 4, .groups = 0}); }), HasSubstr("conv: groups is 0"));
  EXPECT_THAT(message([](Layers s, Map x) { return s["fc"].linear(x, 0); }), HasSubstr("fc: out is 0"));
  EXPECT_THAT(message([](Layers s, Map x) { return s["conv"].conv2d(x, {.out = 4}); }, 0), HasSubstr("classes is 0"));
}

}  // namespace
}  // namespace fovea
