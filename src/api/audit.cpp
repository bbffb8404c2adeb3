#include "audit/audit.h"

#include "train/data.h"

namespace fovea {

Audit audit(const std::string& data, const AuditOptions& options) { return auditing::audit(training::find_pictures(data), options); }

Audit audit(const std::vector<std::string>& files, const AuditOptions& options) {
  return auditing::audit(training::find_pictures(files), options);
}

}  // namespace fovea
