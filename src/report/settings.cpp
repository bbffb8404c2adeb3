// What a run was told and what it ran on.
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "base/json.h"
#include "report/html.h"
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

// What of an augmentation does anything: "crops of 0.35 to 1 of the area, flip 0.5, brightness 0.2" of image::to_string's text; a text that
// is none of these as it is.
std::string augmentation_text(const std::string& text) {
  std::istringstream pieces(text);
  std::vector<std::string> kept;
  for (std::string piece; std::getline(pieces, piece, ',');) {
    std::istringstream words(piece);
    std::vector<std::string> word{std::istream_iterator<std::string>(words), {}};
    if (word.empty()) continue;
    piece = fmt::format("{}", fmt::join(word, " "));
    if (word[0] == "crop" && word.size() > 5) {
      if (word[1] == "true") kept.push_back(fmt::format("crops of {} to {} of the area", word[3], word[5]));
    } else if (word[0] == "policy" && word.size() > 7) {
      if (word[1] != "none") kept.push_back(fmt::format("{} ({} operations, magnitude {})", word[1], word[3], word[5]));
    } else if (word[0] == "erasing" && word.size() > 5) {
      if (word[1] != "0") kept.push_back(fmt::format("erasing {} ({} to {} of the area)", word[1], word[3], word[5]));
    } else if (word.back() != "0") {
      kept.push_back(piece);
    }
  }
  return kept.empty() ? "none" : fmt::format("{}", fmt::join(kept, ", "));
}

// A setting of a phase as it stands in the table; empty: it means nothing there.
std::string phase_text(const json& phase, const std::string& key) {
  static const std::set<std::string> of_steps = {
      "accumulate",       "batch",  "class_weights", "clip_norm", "cutmix",   "ema",       "epochs",   "focal_gamma", "layer_decay",
      "label_smoothing",  "loss",   "lowest_rate",   "mixup",     "momentum", "optimizer", "patience", "rate",        "schedule",
      "stochastic_depth", "warmup", "weight_decay"};
  if (!phase.contains(key) || (phase.value("solved", false) && of_steps.contains(key))) return "";
  const json& value = phase[key];
  if (key == "augmentation" && value.is_string()) return augmentation_text(value);
  if (key == "focal_gamma" && phase.value("loss", "") != "focal") return "";
  if (value.is_number() && value.get<double>() < 0) return "";   // the network's own
  if (value.is_number() && value.get<double>() == 0) return "";  // none
  if (value.is_boolean() && !value.get<bool>()) return "";       // no
  if (key == "accumulate" && value == 1) return "";
  return value_text(value);
}

// Phases side by side, a row for each of their settings that means anything in one of them.
std::string phases_table(const json& metrics) {
  if (!metrics.contains("phases") || metrics["phases"].empty()) return "";
  const json& phases = metrics["phases"];
  std::vector<std::string> keys;
  for (const json& phase : phases)
    for (const auto& [key, value] : phase.items())
      if (key != "name" && key != "augmented" && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  std::string head, rows;
  for (const json& phase : phases) head += "<th>" + escaped(phase.value("name", "")) + "</th>";
  for (const std::string& key : keys) {
    std::string cells;
    bool any = false;
    for (size_t i = 0; i < phases.size(); ++i) {
      const std::string text = phase_text(phases[i], key);
      any = any || !text.empty();
      cells += text.empty() ? "<td>–</td>" : fmt::format("<td data-of=\"phases.{}.{}\">{}</td>", i, escaped(key), escaped(text));
    }
    if (any) rows += "<tr><th scope=\"row\">" + escaped(words_of(key)) + "</th>" + cells + "</tr>";
  }
  return "<h3>Phases</h3><div class=\"scroll\"><table class=\"plain\"><thead><tr><th></th>" + head + "</tr></thead><tbody>" + rows +
         "</tbody></table></div>";
}

std::string freezing(const json& metrics) {
  if (!metrics.contains("freeze_saves")) return "";
  return "<h3>What freezing saves</h3><p>" + shown_value("freeze_saves", escaped(metrics["freeze_saves"].get<std::string>())) + "</p>";
}

// "0 hidden 512 dropout -1", as a checkpoint has it, in words.
std::string head_words(const std::string& text) {
  std::istringstream words(text);
  int kind = 0;
  std::string hidden, dropout, word, more;
  if (!(words >> kind >> word >> hidden >> word >> dropout) || kind < 0 || kind > 2) return text;
  constexpr const char* kKinds[] = {"linear", "mlp", "concat_pool"};
  while (words >> word) more += ", " + word;
  return kKinds[kind] + (kind == 0 ? "" : fmt::format(", {} hidden", hidden)) + (dropout.starts_with('-') ? "" : ", dropout " + dropout) +
         more;
}

// What must be the same for a run to be gone on with, and stands nowhere else.
std::string record_list(const json& metrics) {
  if (!metrics.contains("record")) return "";
  static const std::set<std::string> elsewhere = {"model", "recipe", "seed", "threads", "preprocessing"};
  std::vector<std::pair<std::string, std::string>> rows;
  for (const json& entry : metrics["record"]) {
    // The phases have a table.
    if (entry.at(0) == "phase") break;
    const std::string name = entry.at(0);
    if (elsewhere.contains(name)) continue;
    rows.emplace_back(name, escaped(name == "head" ? head_words(entry.at(1)) : value_text(entry.at(1))));
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
