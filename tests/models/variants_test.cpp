// Every registered network against what its library holds (tests/data/models/variants.csv) and against the reference answers' parameter
// lists.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_value.h"
#include "models/registry.h"
#include "ops/activation.h"
#include "ops/batch_norm.h"
#include "ops/constant.h"
#include "ops/cross_attention.h"
#include "ops/dropout.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace fovea {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

std::vector<Row> read_table(const char* path) {
  std::stringstream text(read_text(path));
  std::string line;
  std::getline(text, line);
  const std::vector<std::string> names = split(line);
  std::vector<Row> list;
  while (std::getline(text, line)) {
    const std::vector<std::string> cells = split(line);
    Row& row = list.emplace_back();
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = cells.at(i);
  }
  return list;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table = read_table(FOVEA_TEST_DATA "/models/variants.csv");
  return table;
}

int64_t parameters(const Graph& graph) {
  int64_t count = 0;
  for (const State& state : graph.states())
    if (state.role == StateRole::parameter) count += graph.type(state.value).elements();
  return count;
}

// Scores of a query that is 1 are the keys themselves.
int64_t scores_that_are_keys(const Graph& graph, const NodeInfo& node) {
  if (!node.op.as<CrossAttention>()) return 0;
  const NodeId query = graph.value(node.inputs[0]).producer;
  return query.valid() && graph.node(query).op.as<Constant>() ? graph.type(node.inputs[1]).elements() : 0;
}

int64_t multiply_adds(const Graph& graph) {
  int64_t count = 0;
  for (const NodeInfo& node : graph.nodes()) count -= scores_that_are_keys(graph, node);
  for (const NodeInfo& node : graph.nodes()) count += node.op.cost(graph.types(node.inputs), graph.types(node.outputs)).multiply_adds;
  return count;
}

// As torchvision prints them.
std::string gmacs(const Graph& graph) { return fmt::format("{:.3f}", static_cast<double>(multiply_adds(graph)) / 1e9); }

// In the order of the library's state dictionary.
std::string state_list(const Graph& graph) {
  std::string text;
  for (const State& state : graph.states()) text += state.name + shape_string(state.stored_shape) + "\n";
  return text;
}

// DenseNet at torchvision ends with a batch norm, whose ReLU is no module.
bool is_activation_of(const Graph& graph, ValueId value, ValueId input) {
  const NodeInfo& node = graph.node(graph.value(value).producer);
  return node.op.as<Activation>() && node.inputs[0] == input;
}

class EveryVariant : public testing::TestWithParam<Row> {};

TEST_P(EveryVariant, IsItsLibrarysNetwork) {
  const Row& row = GetParam();
  const models::Variant& variant = models::get(row.at("model"));
  EXPECT_EQ(variant.input_size, std::stoll(row.at("size")));
  EXPECT_EQ(variant.head, row.at("head"));
  EXPECT_EQ(variant.feature_width, std::stoll(row.at("feature_width")));
  EXPECT_EQ(variant.head_dropout, std::stod(row.at("dropout")));

  const ModelGraph model = models::build(variant, {.height = variant.input_size, .width = variant.input_size, .classes = variant.classes});
  verify(model.graph);
  EXPECT_EQ(parameters(model.graph), std::stoll(row.at("parameters")));
  EXPECT_EQ(model.graph.states().size(), std::stoull(row.at("states")));
  EXPECT_EQ(fmt::format("{:016x}", fnv1a64(state_list(model.graph))), row.at("states_fnv1a64")) << state_list(model.graph);
  EXPECT_EQ(multiply_adds(model.graph), std::stoll(row.at("multiply_adds")));
  if (const std::string& published = row.at("published_gmacs"); !published.empty()) {
    EXPECT_EQ(gmacs(model.graph), published);
  }

  double stochastic_depth = 0;
  for (const NodeInfo& node : model.graph.nodes()) {
    if (const auto* norm = node.op.as<BatchNorm>()) {
      EXPECT_EQ(norm->eps, std::stod(row.at("eps"))) << node.name;
      EXPECT_EQ(norm->momentum, std::stod(row.at("momentum"))) << node.name;
    }
    if (const auto* norm = node.op.as<LayerNorm>(); norm && !node.name.ends_with("mlp_scale.norm")) {
      EXPECT_EQ(norm->eps, std::stod(row.at("eps"))) << node.name;
    }
    if (const auto* norm = node.op.as<RmsNorm>(); norm && !node.name.ends_with("sub_norm")) {
      EXPECT_EQ(norm->eps, std::stod(row.at("eps"))) << node.name;
    }
    if (const auto* norm = node.op.as<GroupNorm>()) {
      EXPECT_EQ(norm->eps, std::stod(row.at("eps"))) << node.name;
    }
    if (const auto* dropout = node.op.as<Dropout>(); dropout && dropout->per_sample) stochastic_depth += dropout->probability;
  }
  EXPECT_NEAR(stochastic_depth, std::stod(row.at("stochastic_depth")), 1e-12);
}

TEST_P(EveryVariant, KeepsTheContractOfModels) {
  const models::Variant& variant = models::get(GetParam().at("model"));
  const int64_t height = 448, width = 224;  // multiples of every stride and every patch
  const ModelGraph model = models::build(variant, {.batch = 2, .height = height, .width = width, .channels = 1, .classes = 5});
  const Graph& graph = model.graph;
  EXPECT_EQ(to_string(graph.type(model.image)), "f32[2,1,448,224]");
  ASSERT_FALSE(model.taps.empty());
  const Tap& last = model.taps.back();
  EXPECT_TRUE(last.tokens || last.value == model.map || is_activation_of(graph, model.map, last.value));  // of tokens the map is a part
  const int64_t stride = static_cast<int64_t>(last.stride);
  EXPECT_EQ(to_string(graph.type(model.map)), fmt::format("f32[2,{},{},{}]", last.channels, height / stride, width / stride));
  EXPECT_EQ(to_string(graph.type(model.pooled)), fmt::format("f32[2,{},1,1]", last.channels));
  EXPECT_EQ(to_string(graph.type(model.pre_logits)), fmt::format("f32[2,{},1,1]", variant.feature_width));
  EXPECT_EQ(to_string(graph.type(model.logits)), "f32[2,5,1,1]");
  EXPECT_EQ(graph.states().back().stored_shape, (std::vector<int64_t>{5}));

  size_t below = 0;
  for (const Tap& tap : model.taps) {
    const Shape& shape = graph.type(tap.value).shape;
    const Size2 grid = tap.tokens ? tap.grid : Size2{shape.height(), shape.width()};
    EXPECT_EQ(tap.channels, shape.channels()) << tap.name;
    if (tap.tokens) {
      EXPECT_EQ(shape.height(), tap.prefix + grid.height * grid.width) << tap.name;
    }
    EXPECT_EQ(tap.stride * static_cast<double>(grid.height), height) << tap.name;
    EXPECT_EQ(tap.stride * static_cast<double>(grid.width), width) << tap.name;
    const std::vector<std::string> states = states_below(graph, tap.value);
    EXPECT_GE(states.size(), below) << tap.name;
    below = states.size();
  }
  // Everything but the weight and bias of each head lies below what the head reads, counters included.
  const size_t of_heads = variant.second_head.empty() ? 2 : 4;
  EXPECT_EQ(states_below(graph, model.pre_logits).size(), graph.states().size() - of_heads);

  const ModelGraph headless = models::build(variant, {.classes = 0});
  EXPECT_FALSE(headless.logits.valid());
  EXPECT_EQ(headless.graph.states().size() + of_heads, graph.states().size());
}

std::string test_name(const testing::TestParamInfo<Row>& info) {
  std::string name = info.param.at("model");
  std::ranges::replace(name, '/', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Models, EveryVariant, testing::ValuesIn(rows()), test_name);

// Some files belong to another size than the network's own.
TEST(Variants, CountWhatIsPublishedOfEveryFileOfWeights) {
  const std::vector<Row> published = read_table(FOVEA_TEST_DATA "/models/published.csv");
  EXPECT_EQ(published.size(), 61u);
  for (const Row& row : published) {
    const models::Variant& variant = models::get(row.at("model"));
    const int64_t size = std::stoll(row.at("size"));
    const ModelGraph model =
        models::build(variant, {.height = size, .width = size, .classes = variant.classes, .native_height = size, .native_width = size});
    EXPECT_EQ(parameters(model.graph), std::stoll(row.at("parameters"))) << row.at("model") << ' ' << row.at("weights");
    EXPECT_EQ(gmacs(model.graph), row.at("gmacs")) << row.at("model") << ' ' << row.at("weights");
  }
}

TEST(Variants, TheTableHoldsEveryRegisteredName) {
  std::vector<std::string> listed;
  for (const Row& row : rows()) {
    const std::string& name = row.at("model");
    listed.push_back(models::get(name).name);
    EXPECT_EQ(models::get(name).layout, name.substr(0, name.find('/')));
  }
  std::ranges::sort(listed);
  EXPECT_EQ(models::names(), listed);
}

TEST(Variants, ParametersAreTheReferenceAnswersInTheirOrder) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(FOVEA_TEST_DATA "/reference")) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    const auto answer = nlohmann::ordered_json::parse(read_text(entry.path()));
    const models::Variant& variant = models::get(answer.at("model").get<std::string>());
    const ModelGraph model = models::build(variant, {.classes = variant.classes});
    std::string expected;
    for (const auto& [name, shape] : answer.at("parameters").items())
      expected += name + shape_string(shape.get<std::vector<int64_t>>()) + "\n";
    EXPECT_EQ(state_list(model.graph), expected) << entry.path();
    EXPECT_EQ(parameters(model.graph), answer.at("parameter_count").get<int64_t>()) << entry.path();
  }
  EXPECT_EQ(files, 38u);
}

}  // namespace
}  // namespace fovea
