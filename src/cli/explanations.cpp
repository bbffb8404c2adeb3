#include "cli/explanations.h"

#include <cmath>

#include "cli/terminal.h"

namespace fovea::cli {
namespace {

std::string in_words(double value, Unit unit) {
  if (std::isnan(value)) return "-";
  switch (unit) {
    case Unit::multiply_adds:
      return as_millions(static_cast<int64_t>(value));
    case Unit::bytes:
      return as_megabytes(static_cast<int64_t>(value));
    case Unit::share:
      return as_percent(value);
    case Unit::ratio:
      return fmt::format("{:.3f}", value);
    case Unit::pixels:
      return fmt::format("{:.0f} px", value);
    case Unit::count:
      break;
  }
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? with_commas(whole) : fmt::format("{:.1f}", value);
}

void print_rows(const Explanation& explanation) {
  Table table("<" + std::string(explanation.columns.size(), '>'));
  std::vector<std::string> head{"  " + explanation.rows_are};
  for (const ExplanationColumn& column : explanation.columns) head.push_back(column.title);
  table.add(head);
  const std::vector<ExplanationRow>& rows = explanation.rows;
  for (size_t i = 0; i < rows.size();) {
    size_t end = i + 1;
    while (end < rows.size() && rows[end].values == rows[i].values) ++end;
    std::vector<std::string> cells{"  " + rows[i].name + (end - i > 1 ? fmt::format(" ({} alike)", end - i) : "")};
    for (size_t c = 0; c < explanation.columns.size(); ++c) cells.push_back(in_words(rows[i].values[c], explanation.columns[c].unit));
    table.add(cells);
    i = end;
  }
  print("\n{}", table.text());
}

}  // namespace

void print_explanation(const Explanation& explanation) {
  print("\n{}: {}\n{}", explanation.title, explanation.formula, wrapped(explanation.text, 2));
  if (!explanation.rows.empty()) print_rows(explanation);
  if (explanation.facts.empty()) return;
  Table facts("<>");
  for (const Fact& fact : explanation.facts) facts.add({"  " + fact.title, in_words(fact.value, fact.unit)});
  print("\n{}", facts.text());
}

Json to_json(const Explanation& explanation) {
  Json facts = Json::object(), rows = Json::array();
  for (const Fact& fact : explanation.facts) facts.set(fact.key, fact.value);
  for (const ExplanationRow& row : explanation.rows) {
    Json one{{"name", row.name}};
    for (size_t c = 0; c < explanation.columns.size(); ++c) one.set(explanation.columns[c].key, row.values[c]);
    rows.push_back(one);
  }
  return {{"topic", explanation.topic},
          {"title", explanation.title},
          {"formula", explanation.formula},
          {"text", explanation.text},
          {"facts", facts},
          {"rows", rows}};
}

}  // namespace fovea::cli
