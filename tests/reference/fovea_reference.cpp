// Compares fovea with what other libraries compute (tests/data/reference/README.md): rebuilds each file's network from the formula and
// prints, for every quantity, the distance found and the distance allowed.
#include <fovea/error.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/error.h"
#include "reference/compare.h"
#include "reference/nodes.h"

namespace fovea::answers {
namespace {

struct Options {
  std::string backend = "cpu", dtype;
  bool nodes = false;
  std::vector<std::string> files;
};

Target target_of(const Options& options) {
  const bool cpu = options.backend == "cpu";
  const backend::Backend& backend = cpu ? cpu::cpu_backend() : reference::reference_backend();
  const std::string dtype = options.dtype.empty() ? (cpu ? "f32" : "f64") : options.dtype;
  const Target target{backend, dtype == "f64" ? DType::f64 : DType::f32};
  if (!backend.supports(target.dtype)) fail(ErrorKind::usage, "the {} backend does not compute in {}", backend.name(), dtype);
  return target;
}

int run(const Options& options) {
  const Target target = target_of(options);
  int failed = 0;
  for (const std::string& file : options.files) {
    try {
      const Answer answer = read_answer(file);
      const Report report = in_context(file, [&] { return options.nodes ? compare_nodes(answer) : compare(answer, target); });
      fmt::print("{}", report.text());
      failed += report.over() > 0;
    } catch (const Error& error) {
      fmt::print("FAILED: {}\n", error.what());
      ++failed;
    }
    std::fflush(stdout);
  }
  fmt::print("{} files, {} failed\n", options.files.size(), failed);
  return failed > 0 ? 1 : 0;
}

int main(int argc, char** argv) {
  CLI::App app("Compares fovea with the answers of other libraries.", "fovea_reference");
  Options options;
  app.add_option("--backend", options.backend, "cpu (default) or reference")->check(CLI::IsMember({"cpu", "reference"}));
  app.add_option("--dtype", options.dtype, "f32 (default on cpu) or f64 (default on reference)")->check(CLI::IsMember({"f32", "f64"}));
  app.add_flag("--nodes", options.nodes, "every node of the training step by itself, cpu in f32 against reference in f64");
  app.add_option("FILE", options.files, "reference answers")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(options);
  } catch (const Error& error) {
    fmt::print(stderr, "fovea_reference: {}\n", error.what());
    return 2;
  }
}

}  // namespace
}  // namespace fovea::answers

int main(int argc, char** argv) { return fovea::answers::main(argc, argv); }
