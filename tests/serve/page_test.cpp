// The page, as Chromium shows it to a user (page.py).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "serve/support.h"

namespace fovea::test {
namespace {

TEST(Page, AnswersPicturesInABrowser) {
  if (std::system("command -v chromium >/dev/null 2>&1") != 0) {
    const char* required = std::getenv("FOVEA_REQUIRE_BROWSER");
    ASSERT_FALSE(required && *required) << "there is no chromium; scripts/get_chromium.sh installs it";
    GTEST_SKIP() << "there is no chromium; scripts/get_chromium.sh installs it";
  }
  serve::ServiceOptions options;
  options.models.models = {{"small", model_file("shown.safetensors", {"cup", "cat", "rocket"})}};
  const Server server(std::move(options));
  const std::string command = fmt::format("timeout 240 python3 -B '{}/tests/serve/page.py' {} '{}/api/chelsea.webp'", FOVEA_SOURCE_DIR,
                                          server.port(), FOVEA_TEST_DATA);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace
}  // namespace fovea::test
