// The parts of a page, top to bottom. Each gives its HTML, empty where the metrics have nothing for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_value.h"
#include "report/report.h"

namespace fovea::report {

using nlohmann::json;

// What of the metrics the details are shown of: the test where there was one, else what cross validation saw, else the validation.
struct Shown {
  std::string key;    // in the metrics; empty: nothing was evaluated
  std::string title;  // "test"
  const json* evaluation = nullptr;
  std::vector<std::string> classes;
  std::string data;     // the folder of the pictures
  bool of_run = false;  // of a training, which kept these pictures apart

  // The file's path from the folder of the data on.
  std::string short_name(const std::string& file) const;
};
Shown shown_of(const json& metrics);
// Names of classes, and whether an evaluation has any pictures.
bool has_pictures(const json& metrics, const char* key);

std::string summary_section(const json& metrics, const Shown& shown);
std::string curves_section(const json& metrics);
std::string spread_section(const json& metrics);
std::string classes_section(const Shown& shown);
std::string confusion_section(const Shown& shown);
std::string calibration_section(const Shown& shown);
std::string mistakes_section(const Shown& shown, const Eyes& eyes);
std::string data_section(const json& metrics);
std::string settings_section(const json& metrics);

// A whole page around its body, which is HTML.
std::string document(const std::string& title, const std::string& body);
// <section id="ID"><h2>TITLE</h2>...
std::string section(const char* id, const std::string& title, const std::string& content);
// A number that a test finds: <span data-of="PATH">TEXT</span>.
std::string shown_value(const std::string& path, const std::string& text);
// A figure with a drawing and a line below it.
std::string figure(const std::string& drawing, const std::string& caption);
std::string joined(const std::vector<std::string>& words);  // "a, b and c"

// The style sheet: light and dark, screen and paper.
std::string_view style_sheet();

}  // namespace fovea::report
