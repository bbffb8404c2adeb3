// One function a command: it declares the command's options and what runs when it is chosen.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"

namespace fovea::cli {

// The command as it was typed, with the program's name, but without what was meant for this time alone (--resume).
const std::vector<std::string>& command_line();

// For "train --resume DIR": gives the words of the command that began the run in DIR, whose options come first, and turns those typed into
// "train --resume --out DIR". Empty where nothing such was typed, or DIR holds no run that a command began. Where the command was typed
// elsewhere, its folder becomes the current one.
std::vector<std::string> command_to_resume(std::vector<std::string>& typed);

void add_train(Command& program);
void add_augment(Command& program);
void add_audit(Command& program);
void add_evaluate(Command& program);
void add_report(Command& program);
void add_predict(Command& program);
void add_embed(Command& program);
void add_explain(Command& program);
void add_export(Command& program);
void add_neighbors(Command& program);
void add_summary(Command& program);
void add_compare(Command& program);
void add_models(Command& program);
void add_weights(Command& program);
void add_bench(Command& program);
void add_serve(Command& program);

}  // namespace fovea::cli
