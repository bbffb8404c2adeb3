// The public audit, of pictures that were found.
#pragma once

#include <fovea/audit.h>

#include "image/folder.h"

namespace fovea::auditing {

Audit audit(const image::Splits& splits, const AuditOptions& options);

}  // namespace fovea::auditing
