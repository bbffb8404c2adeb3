// One function a command: it declares the command's options and what runs when it is chosen.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fovea::cli {

// Set by the command that was chosen; gives the exit status.
using Run = std::function<int()>;

// As it was typed, program and all, but for what only this once was meant for (--resume).
const std::vector<std::string>& command_line();

void add_train(CLI::App& app, Run& run);
void add_augment(CLI::App& app, Run& run);
void add_audit(CLI::App& app, Run& run);
void add_evaluate(CLI::App& app, Run& run);
void add_report(CLI::App& app, Run& run);
void add_predict(CLI::App& app, Run& run);
void add_embed(CLI::App& app, Run& run);
void add_explain(CLI::App& app, Run& run);
void add_export(CLI::App& app, Run& run);
void add_neighbors(CLI::App& app, Run& run);
void add_summary(CLI::App& app, Run& run);
void add_compare(CLI::App& app, Run& run);
void add_models(CLI::App& app, Run& run);
void add_weights(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);

}  // namespace fovea::cli
