#include "audit/audit.h"

#include "api/dataset.h"
#include "base/json.h"
#include "base/json_value.h"
#include "train/data.h"

namespace fovea {
namespace {

Audit audit_of(image::Splits found, const AuditOptions& options) {
  const auditing::Looks looks = auditing::look(found, options.preprocessing, options.progress);
  Audit result = auditing::audit(found, looks);
  for (const image::Unused& one : found.unused) result.unused.push_back({one.path, one.reason});
  result.news = found.news;
  return result;
}

}  // namespace

Audit audit(const std::string& data, const AuditOptions& options) { return audit_of(training::find_pictures(data), options); }

Audit audit(const std::vector<std::string>& files, const AuditOptions& options) {
  return audit_of(training::find_pictures(files), options);
}

Audit audit(const Dataset& data, const AuditOptions& options) { return audit_of(splits_of(data), options); }

std::string to_json(const Audit& audit) {
  nlohmann::json json = auditing::audit_json(audit);
  json["unused"] = nlohmann::json::array();
  for (const AuditNote& note : audit.unused) json["unused"].push_back({{"file", note.file}, {"what", note.what}});
  json["news"] = audit.news;
  json["classes"] = nlohmann::json::array();
  for (const AuditClass& one : audit.classes)
    json["classes"].push_back({{"name", one.name}, {"training", one.training}, {"validation", one.validation}, {"test", one.test}});
  return strict_json_text(json);
}

}  // namespace fovea
