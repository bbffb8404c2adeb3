// Folders of the transformers library beside what that library answers (tests/data/models/generate_transformers.py).
#include <fovea/model.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/json_value.h"
#include "models/registry.h"
#include "reference/answer.h"
#include "reference/formula.h"
#include "weights/safetensors.h"

namespace fovea::answers {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "fovea-hub-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path = pattern;
  }
  ~Folder() { fs::remove_all(path); }
};

void write_folder(const fs::path& folder, const Json& one) {
  std::ofstream(folder / "config.json") << one.at("config").dump();
  std::vector<weights::LazyTensor> tensors;
  for (const auto& [name, shape] : one.at("tensors").items()) {
    const auto dims = shape.get<std::vector<int64_t>>();
    const DType dtype = name.ends_with("num_batches_tracked") ? DType::i64 : DType::f32;
    tensors.push_back({name, dtype, dims, [name = name, dims] { return parameter(name, dims, 0); }});
  }
  weights::write_safetensors(folder / "model.safetensors", tensors, {});
}

void expect_answers(bool small) {
  const Json answers = Json::parse(read_text(FOVEA_TEST_DATA "/models/transformers.json"));
  for (const Json& one : answers.at("cases")) {
    const auto kind = one.at("kind").get<std::string>();
    if (small != (kind.starts_with("ViT") || kind.starts_with("EfficientNet") || kind.starts_with("ConvNextV2"))) continue;
    SCOPED_TRACE(kind);
    const Folder folder;
    write_folder(folder.path, one);
    const Model model = Model::load(folder.path.string());
    const auto input = one.at("input").get<std::vector<int64_t>>();
    if (kind.starts_with("ViT") || kind.starts_with("Dino")) {
      EXPECT_EQ(model.preprocessing().height, input[2]) << "the positions' size";
    }
    const Json& answer = one.at("answer");
    const bool logits = one.at("output") == "logits";
    if (logits) {
      EXPECT_EQ(static_cast<int64_t>(model.classes().size()), answer.at("shape").at(1).get<int64_t>());
    }
    const Tensor found = logits ? model.logits(images(input, 0)) : model.embed(images(input, 0));
    const Description expected{
        logits ? "logits" : "features", answer.at("l2").get<double>(), answer.at("projections").get<std::vector<double>>(), {}};
    // The library's own answer in float32 is 1.4e-5 away from its float64 for BiT, whose last maps have few pixels to normalize over.
    EXPECT_LE(distance(expected, found.to(DType::f64)), kind.starts_with("Bit") ? 4e-5 : 2e-5);
  }
}

TEST(TransformersFolders, AnswerAsTheLibraryDoes) { expect_answers(true); }

// A folder of timm's whose positions are of no square, and of as many places in another shape where the pictures' sides change places.
TEST(TimmFolders, PositionsOfAnOblongGrid) {
  const Json answers = Json::parse(read_text(FOVEA_TEST_DATA "/models/positions.json"));
  const Folder folder;
  Json one{{"config", {{"architecture", "deit_tiny_patch16_224"}, {"model_args", {{"img_size", {96, 160}}}}}}, {"tensors", Json::object()}};
  const ModelGraph graph = models::build(models::get("deit_tiny_patch16_224"), {.native_height = 96, .native_width = 160});
  for (const State& state : graph.graph.states()) one["tensors"][state.name] = state.stored_shape;
  write_folder(folder.path, one);
  const Model model = Model::load(folder.path.string());
  int checked = 0;
  for (const Json& pictures : answers.at("cases")) {
    if (pictures.at("native") != Json{96, 160}) continue;
    const Json& answer = pictures.at("logits");
    const Description expected{"logits", answer.at("l2").get<double>(), answer.at("projections").get<std::vector<double>>(), {}};
    const auto input = pictures.at("input").get<std::vector<int64_t>>();
    EXPECT_LE(distance(expected, model.logits(images(input, 0)).to(DType::f64)), 2e-5) << pictures.at("input");
    ++checked;
  }
  EXPECT_EQ(checked, 3);
}
TEST(TransformersFoldersSlow, AnswerAsTheLibraryDoes) { expect_answers(false); }

}  // namespace
}  // namespace fovea::answers
