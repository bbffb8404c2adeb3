// For libraries that print what they think of a file and offer no way to be told not to.
#pragma once

#include <initializer_list>

namespace fovea::image {

// What these libraries, by the beginnings of their files' names, print on stderr from now on goes nowhere. Nobody else's stderr changes: it
// is a library's own reference to it that is turned. Does nothing to libraries that are not loaded or have no such reference. For once in a
// process: to be called from the initialization of a static variable.
bool keep_quiet(std::initializer_list<const char*> libraries);

}  // namespace fovea::image
