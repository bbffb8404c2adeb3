// What a run was told and what it ran on.
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "report/html.h"
#include "base/json.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

std::string words_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// "fit=squash|resize=256", which nothing can be broken in, as "fit=squash, resize=256".
std::string spaced(const std::string& text) {
  std::string result;
  for (char c : text) result += c == '|' ? ", " : std::string(1, c);
  return result;
}

std::string value_text(const json& value) {
  if (value.is_string()) return spaced(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  if (value.is_null()) return "–";
  if (value.is_array() && std::ranges::all_of(value, [](const json& one) { return one.is_string(); }))
    return fmt::format("{}", fmt::join(value.get<std::vector<std::string>>(), ", "));
  return json_text(value);
}

std::string list(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string text;
  for (const auto& [name, value] : rows) text += "<dt>" + escaped(name) + "</dt><dd>" + value + "</dd>";
  return text.empty() ? "" : "<dl class=\"list\">" + text + "</dl>";
}

// A word of a command as a shell takes it.
std::string quoted(const std::string& word) {
  constexpr const char* kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

std::string command_of(const json& metrics) {
  if (!metrics.contains("command") || metrics["command"].empty()) return "";
  std::string command;
  bool listed = false;
  for (const json& word : metrics["command"]) {
    command += (command.empty() ? "" : " ") + quoted(word);
    listed = listed || word == "-";
  }
  return fmt::format("<h3>To repeat it</h3><pre class=\"command\" data-of=\"command\">{}</pre>{}", escaped(command),
                     listed ? "<p class=\"note\">with the list of pictures on standard input</p>" : "");
}

// Phases side by side, a row for each of their settings.
std::string phases_table(const json& metrics) {
  if (!metrics.contains("phases") || metrics["phases"].empty()) return "";
  const json& phases = metrics["phases"];
  std::vector<std::string> keys;
  for (const json& phase : phases)
    for (const auto& [key, value] : phase.items())
      if (key != "name" && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  std::string head, rows;
  for (const json& phase : phases) head += "<th>" + escaped(phase.value("name", "")) + "</th>";
  for (const std::string& key : keys) {
    rows += "<tr><th scope=\"row\">" + escaped(words_of(key)) + "</th>";
    for (size_t i = 0; i < phases.size(); ++i)
      rows += phases[i].contains(key)
                  ? fmt::format("<td data-of=\"phases.{}.{}\">{}</td>", i, escaped(key), escaped(value_text(phases[i][key])))
                  : "<td>–</td>";
    rows += "</tr>";
  }
  return "<h3>Phases</h3><div class=\"scroll\"><table class=\"plain\"><thead><tr><th></th>" + head + "</tr></thead><tbody>" + rows +
         "</tbody></table></div>";
}

std::string freezing(const json& metrics) {
  if (!metrics.contains("freeze_saves")) return "";
  return "<h3>What freezing saves</h3><p>" + shown_value("freeze_saves", escaped(metrics["freeze_saves"].get<std::string>())) + "</p>";
}

std::string record_list(const json& metrics) {
  if (!metrics.contains("record")) return "";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const json& entry : metrics["record"]) {
    // The phases have a table.
    if (entry.at(0) == "phase") break;
    rows.emplace_back(entry.at(0), escaped(value_text(entry.at(1))));
  }
  return "<h3>Its record</h3>" + list(rows);
}

std::string versions_list(const json& metrics) {
  std::vector<std::pair<std::string, std::string>> rows;
  if (metrics.contains("versions"))
    for (const json& entry : metrics["versions"]) rows.emplace_back(entry.at(0), escaped(entry.at(1).get<std::string>()));
  if (metrics.contains("threads")) rows.emplace_back("threads", value_text(metrics["threads"]));
  return rows.empty() ? "" : "<h3>Ran on</h3>" + list(rows);
}

std::string cost_list(const json& metrics) {
  std::vector<std::pair<std::string, std::string>> rows;
  if (metrics.contains("seconds")) rows.emplace_back("time", as_seconds(metrics["seconds"]));
  if (metrics.contains("peak_bytes")) {
    const json& peak = metrics["peak_bytes"];
    rows.emplace_back("peak memory, planned",
                      shown_value("peak_bytes.planned", as_bytes(peak.at("planned"))) + " (weights, arena, caches, code)");
    rows.emplace_back("peak memory, measured", as_bytes(peak.at("measured")) + " (what the process grew by)");
  }
  return rows.empty() ? "" : "<h3>Cost</h3>" + list(rows);
}

// What the other sections do not show, so that nothing a run writes is missing.
std::string other_values(const json& metrics) {
  static const std::set<std::string> elsewhere = {
      "validation", "test",           "seconds",  "training_pictures", "epochs",     "best_epoch", "classes",    "phases",
      "history",    "record",         "versions", "left_out",          "test_files", "command",    "reason",     "peak_bytes",
      "threads",    "class_pictures", "folds",    "freeze_saves",      "seeds",      "audit",      "out_of_fold"};
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [key, value] : metrics.items()) {
    if (elsewhere.count(key)) continue;
    if (!value.is_object()) {
      rows.emplace_back(words_of(key), shown_value(key, escaped(value_text(value))));
      continue;
    }
    for (const auto& [inner, one] : value.items()) {
      if (one.is_object() || (one.is_array() && !one.empty() && one[0].is_object())) continue;  // of the probe: it has charts
      rows.emplace_back(words_of(key) + ", " + words_of(inner), shown_value(key + "." + inner, escaped(value_text(one))));
    }
  }
  return list(rows);
}

}  // namespace

std::string settings_section(const json& metrics) {
  return section("settings", "Settings",
                 command_of(metrics) + "<div class=\"columns\"><div><h3>Run</h3>" + other_values(metrics) + "</div><div>" +
                     versions_list(metrics) + cost_list(metrics) + "</div></div>" + freezing(metrics) + phases_table(metrics) +
                     record_list(metrics));
}

}  // namespace fovea::report
