// For libraries that print what they think of a file and offer no way to be told not to.
#pragma once

namespace fovea::image {

// What the loaded library whose file's name begins so prints on stderr from now on goes nowhere. Nobody else's stderr changes: it is the
// library's own reference to it that is turned, once. Does nothing where the library is not loaded or has no such reference.
void keep_quiet(const char* library);

}  // namespace fovea::image
