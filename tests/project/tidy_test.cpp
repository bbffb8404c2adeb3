#include "project/tidy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fovea::tidy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::filesystem::path kRoot = FOVEA_SOURCE_DIR;

const std::vector<File>& tree() {
  static const std::vector<File> files = read_tree(kRoot);
  return files;
}

bool read_project_file(const std::string& path, std::string& text) {
  if (!std::filesystem::exists(kRoot / path)) return false;
  std::ifstream stream(kRoot / path, std::ios::binary);
  text.assign(std::istreambuf_iterator<char>(stream), {});
  return true;
}

template <class Check>
void expect_tidy(Check&& check) {
  for (const File& file : tree()) {
    for (const std::string& finding : check(file)) ADD_FAILURE() << finding;
  }
}

TEST(Tree, HoldsEveryPart) {
  std::vector<std::string> paths;
  for (const File& file : tree()) paths.push_back(file.path);
  for (const char* path : {"CMakeLists.txt", "include/fovea/error.h", "src/base/error.h", "tests/project/tidy.h", "scripts/common.sh"}) {
    EXPECT_THAT(paths, testing::Contains(path));
  }
}

TEST(Tree, KeepsItsLayers) { expect_tidy(check_includes); }
TEST(Tree, KeepsItsFilesShort) { expect_tidy(check_length); }
TEST(Tree, HasNoStrayCharacters) { expect_tidy(check_characters); }
TEST(Tree, HasNoNotesToSelf) { expect_tidy(check_words); }
TEST(Tree, KeepsModelsPlain) { expect_tidy(check_model); }
TEST(Tree, NamesFilesAlike) { expect_tidy(check_name); }
TEST(Tree, HasOneTitleADocument) { expect_tidy(check_title); }
TEST(Tree, HasNoBrokenLinks) {
  expect_tidy([](const File& file) { return check_links(file, read_project_file); });
}

// Each check finds what it is for.
TEST(Includes, OfAnUpperLayerAreFound) {
  EXPECT_THAT(check_includes({"src/ops/conv2d.cpp", "#include \"ops/conv2d.h\"\n#include \"engine/session.h\"\n"}),
              ElementsAre("src/ops/conv2d.cpp:2: ops includes engine (\"engine/session.h\"): ops may include base, ir, ops"));
  EXPECT_THAT(check_includes({"src/base/file.cpp", "#include \"ir/graph.h\"\n"}), ElementsAre(HasSubstr("base includes ir")));
  EXPECT_THAT(check_includes({"src/weights/zip.cpp", "#include \"ir/graph.h\"\n"}), ElementsAre(HasSubstr("weights includes ir")));
  EXPECT_THAT(check_includes({"src/engine/session.cpp", "#include \"image/decode.h\"\n"}), ElementsAre(HasSubstr("engine includes image")));
}

TEST(Includes, BetweenBackendsAreFound) {
  EXPECT_THAT(check_includes({"src/backends/cpu/conv2d.cpp", "# include \"backends/reference/conv2d.h\"\n"}),
              ElementsAre(HasSubstr("backends/cpu includes backends/reference")));
  EXPECT_THAT(check_includes({"src/engine/compile.cpp", "#include \"backends/cpu/device.h\"\n"}),
              ElementsAre(HasSubstr("engine includes backends/cpu")));
}

TEST(Includes, OfInsidesByTheCommandLineExamplesAndPublicHeadersAreFound) {
  EXPECT_THAT(check_includes({"src/cli/train.cpp", "#include \"base/error.h\"\n"}), ElementsAre(HasSubstr("cli includes base")));
  EXPECT_THAT(check_includes({"examples/outside_tree/main.cpp", "#include \"ir/graph.h\"\n"}),
              ElementsAre(HasSubstr("examples includes ir")));
  EXPECT_THAT(check_includes({"include/fovea/model.h", "#include \"ir/graph.h\"\n#include <fmt/format.h>\n"}),
              ElementsAre(HasSubstr("public includes ir"), HasSubstr("public includes <fmt/format.h>")));
  EXPECT_THAT(check_includes({"include/fovea/opencv.h", "#include <opencv2/core.hpp>\n#include <dlpack/dlpack.h>\n"}),
              ElementsAre(HasSubstr("public includes <dlpack/dlpack.h>")));
}

TEST(Includes, OfOneDnnOutsideItsBackendUnknownLayersAndParentFoldersAreFound) {
  EXPECT_THAT(check_includes({"src/engine/compile.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n"}), ElementsAre(HasSubstr("only backends/cpu")));
  EXPECT_THAT(check_includes({"src/train/trainer.cpp", "#include <nlohmann/json.hpp>\n"}),
              ElementsAre(HasSubstr("\"base/json_value.h\" has it")));
  EXPECT_THAT(check_includes({"src/misc/things.cpp", ""}), ElementsAre(HasSubstr("misc is no layer")));
  EXPECT_THAT(check_includes({"src/ops/add.cpp", "#include \"../ops/add.h\"\n"}), testing::Contains(HasSubstr("written from src/")));
}

TEST(Includes, ThatAreAllowedPass) {
  EXPECT_THAT(
      check_includes({"src/train/trainer.cpp",
                      "#include <fovea/error.h>\n#include <fmt/format.h>\n#include \"base/error.h\"\n#include \"ir/graph.h\"\n#include "
                      "\"engine/session.h\"\n#include \"models/registry.h\"\n"}),
      IsEmpty());
  EXPECT_THAT(check_includes({"src/api/devices.cpp", "#include \"backends/cpu/device.h\"\n#include \"models/registry.h\"\n"}), IsEmpty());
  EXPECT_THAT(check_includes({"src/engine/network.h", "#include \"models/registry.h\"\n"}), IsEmpty());
  EXPECT_THAT(check_includes({"src/cli/train.cpp", "#include <fovea/error.h>\n#include <CLI/CLI.hpp>\n#include \"cli/progress.h\"\n"}),
              IsEmpty());
  EXPECT_THAT(check_includes({"tests/ops/conv2d.cpp", "#include \"backends/cpu/device.h\"\n"}), IsEmpty());
}

TEST(Length, OverTheLimitIsFound) {
  std::string text;
  for (int i = 0; i < kMostLines; ++i) text += "int x;\n";
  EXPECT_THAT(check_length({"src/ir/graph.cpp", text}), IsEmpty());
  EXPECT_THAT(check_length({"src/ir/graph.cpp", text + "\n"}), ElementsAre("src/ir/graph.cpp:801: 801 lines, 800 are allowed"));
}

TEST(Characters, ThatNobodySeesAreFound) {
  EXPECT_THAT(check_characters({"a.h", "int x; \nint\ty;\nint z;\r\n"}),
              ElementsAre("a.h:1: trailing space", "a.h:2: control character 0x09", "a.h:3: control character 0x0d"));
  EXPECT_THAT(check_characters({"a.h", "int x;"}), ElementsAre("a.h:1: no newline at the end"));
  EXPECT_THAT(check_characters({"a.h", "int x;\n\n"}), ElementsAre("a.h:2: an empty line at the end"));
  EXPECT_THAT(check_characters({"a.h", "// caf\xc3\xa9\n\nint x;\n"}), IsEmpty());
}

TEST(Words, LeftBehindAreFound) {
  EXPECT_THAT(check_words({"a.h", std::string("int x;\n// TO") + "DO: name it\n"}), ElementsAre(HasSubstr("a.h:2: TO")));
  EXPECT_THAT(check_words({"a.h", "int hacksaw;\n"}), IsEmpty());
}

TEST(Model, ThatKnowsMemoryOrDevicesIsFound) {
  EXPECT_THAT(check_model({"src/models/resnet.cpp", "Value y = permute(x);\n"}), ElementsAre(HasSubstr("src/models/resnet.cpp:1")));
  EXPECT_THAT(check_model({"src/models/resnet.cpp", "// no permute here\n"}), IsEmpty());
  EXPECT_THAT(check_model({"src/models/registry.cpp", "DType dtype;\n"}), IsEmpty());
  EXPECT_THAT(check_model({"src/nn/layers.cpp", "DType dtype;\n"}), IsEmpty());
}

TEST(Name, InAnotherStyleIsFound) {
  EXPECT_THAT(check_name({"src/ops/conv2d.cpp", ""}), IsEmpty());
  EXPECT_THAT(check_name({"src/ops/MaxPool.cpp", ""}), ElementsAre("src/ops/MaxPool.cpp:1: file names are snake_case"));
  EXPECT_THAT(check_name({"scripts/get-onednn.sh", ""}), ElementsAre("scripts/get-onednn.sh:1: file names are snake_case"));
}

TEST(Title, MissingOrSecondIsFound) {
  EXPECT_THAT(check_title({"docs/a.md", "# A\n\n```\n# a comment\n```\n## Part\n"}), IsEmpty());
  EXPECT_THAT(check_title({"docs/a.md", "Text\n"}), ElementsAre(HasSubstr("docs/a.md:1: no title")));
  EXPECT_THAT(check_title({"docs/a.md", "# A\n\n# B\n"}), ElementsAre("docs/a.md:3: a second title, \"# B\""));
}

TEST(Links, ThatLeadNowhereAreFound) {
  const Reader read = [](const std::string& path, std::string& text) {
    text = "# Title\n\n## The `one` part\n";
    return path == "docs/there.md" || path == "README.md";
  };
  EXPECT_THAT(check_links({"docs/a.md", "[x](there.md) [y](../README.md#the-one-part) [z](https://example.org) `[v](w)`\n"}, read),
              IsEmpty());
  EXPECT_THAT(check_links({"docs/a.md", "text\n[x](gone.md)\n"}, read),
              ElementsAre("docs/a.md:2: the link to gone.md leads nowhere (docs/gone.md)"));
  EXPECT_THAT(check_links({"docs/a.md", "[x](there.md#other)\n"}, read), ElementsAre(HasSubstr("docs/there.md has no heading")));
  EXPECT_THAT(check_links({"docs/a.md", "[x]: gone.md\n"}, read), ElementsAre(HasSubstr("leads nowhere")));
}

}  // namespace
}  // namespace fovea::tidy
