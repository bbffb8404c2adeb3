#include "audit/audit.h"
#include "base/json_value.h"

namespace fovea::auditing {

// As `fovea audit --json` says it, but for the classes, of which a run has its own list.
nlohmann::json audit_json(const Audit& audit) {
  nlohmann::json json{{"pictures", audit.pictures},         {"truncated", audit.truncated}, {"imbalance", audit.imbalance},
                      {"tiny_classes", audit.tiny_classes}, {"turned", audit.turned},       {"grey", audit.grey},
                      {"transparent", audit.transparent},   {"problems", audit.problems()}};
  for (const char* list : {"unreadable", "copies", "wrong_extensions", "odd_sizes"}) json[list] = nlohmann::json::array();
  for (const BadPicture& bad : audit.unreadable) json["unreadable"].push_back({{"file", bad.file}, {"reason", bad.reason}});
  for (const AuditCopies& copies : audit.copies)
    json["copies"].push_back({{"files", copies.files},
                              {"splits", copies.splits},
                              {"same_pixels", copies.same_pixels},
                              {"across_splits", copies.across_splits},
                              {"across_classes", copies.across_classes}});
  for (const AuditNote& note : audit.wrong_extensions) json["wrong_extensions"].push_back({{"file", note.file}, {"what", note.what}});
  for (const AuditNote& note : audit.odd_sizes) json["odd_sizes"].push_back({{"file", note.file}, {"what", note.what}});
  return json;
}

}  // namespace fovea::auditing
