#include "audit/audit.h"

#include "train/data.h"

namespace fovea {
namespace {

Audit audit_of(image::Splits found, const AuditOptions& options) {
  const auditing::Looks looks = auditing::look(found, nullptr, options.progress);
  return auditing::audit(found, looks);
}

}  // namespace

Audit audit(const std::string& data, const AuditOptions& options) { return audit_of(training::find_pictures(data), options); }

Audit audit(const std::vector<std::string>& files, const AuditOptions& options) {
  return audit_of(training::find_pictures(files), options);
}

}  // namespace fovea
