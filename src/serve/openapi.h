// What the server can be asked, as OpenAPI 3.0 describes it: https://spec.openapis.org/oas/v3.0.3.
#pragma once

#include "base/json_value.h"

namespace fovea::serve {

nlohmann::json openapi_document();

}  // namespace fovea::serve
