// Text from a file that is not trusted, made fit for one line of an error message.
#pragma once

#include <string>
#include <string_view>

namespace fovea::weights {

// Puts the text in single quotes; control characters and bytes outside ASCII as \xNN; cut after `limit` bytes with "...".
std::string in_quotes(std::string_view text, size_t limit = 80);
// The same without the quotes.
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace fovea::weights
