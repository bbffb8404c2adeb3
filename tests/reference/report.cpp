#include "reference/report.h"

#include <fmt/format.h>

namespace fovea::answers {

int Report::over() const {
  int count = 0;
  for (const Quantity& quantity : quantities) count += quantity.over();
  return count;
}

std::string Report::text() const {
  std::string lines = title + "\n";
  size_t width = 0;
  for (const Quantity& quantity : quantities) width = std::max(width, quantity.name.size());
  size_t judged = 0;
  for (const Quantity& quantity : quantities) {
    judged += quantity.allowed.has_value();
    std::string allowed = quantity.allowed ? fmt::format("allowed {:.3g}", *quantity.allowed) : "not judged";
    if (!quantity.note.empty()) allowed += " " + quantity.note;
    lines += fmt::format("  {:<{}}  {:<9.3g} {}{}\n", quantity.name, width, quantity.found, allowed, quantity.over() ? "  OVER" : "");
  }
  return lines + fmt::format("  {}: {} quantities, {} judged, {} over\n", title, quantities.size(), judged, over());
}

}  // namespace fovea::answers
