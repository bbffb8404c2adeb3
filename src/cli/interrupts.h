// The interrupt key (SIGINT) and being asked to end (SIGTERM).
#pragma once

namespace fovea::cli {

// Either ends the program at once with status 130 (143). After `watch_interrupts` it only makes `interrupted` true, which is false then,
// and the second time ends the program.
void handle_interrupts();
void watch_interrupts();
bool interrupted();
int interrupted_status();  // 130, or 143 where the program was asked to end
// Thrown where nothing is there yet to be saved.
struct Interrupted {};
void leave_if_interrupted();

}  // namespace fovea::cli
