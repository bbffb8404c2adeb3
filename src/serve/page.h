// The page at "/": pictures in, classes, heat maps and similar pictures out.
#pragma once

#include <string>

#include "serve/http.h"

namespace fovea::serve {

Response page_answer();
// "style.css", "script.js", "icon.svg"; 404 for anything else.
Response page_part_answer(const std::string& name);

}  // namespace fovea::serve
