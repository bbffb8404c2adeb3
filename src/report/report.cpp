#include "report/report.h"

#include <filesystem>

#include "base/error.h"
#include "report/html.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

std::vector<std::string> class_names(const json& evaluation) {
  std::vector<std::string> names;
  if (evaluation.contains("classes"))
    for (const json& one : evaluation["classes"]) names.push_back(one.at("name"));
  return names;
}

// What names of files begin with: of a CSV file of them the folder that it lies in.
std::string folder_of(const std::string& data) {
  const std::filesystem::path path(data);
  return path.extension() == ".csv" ? path.parent_path().string() : data;
}

std::string body_of(const json& metrics, const Eyes& eyes) {
  const Shown shown = shown_of(metrics);
  return summary_section(metrics, shown) + spread_section(metrics) + curves_section(metrics) + classes_section(shown) +
         confusion_section(shown) + calibration_section(shown) + mistakes_section(shown, eyes) + data_section(metrics) +
         settings_section(metrics);
}

// Nothing from elsewhere, no script: whatever a file or a class is called, a browser will not do it.
constexpr const char* kPolicy =
    R"(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">)";

}  // namespace

bool has_pictures(const json& metrics, const char* key) {
  return metrics.contains(key) && metrics[key].is_object() && metrics[key].value("pictures", int64_t{0}) > 0;
}

Shown shown_of(const json& metrics) {
  for (const auto& [key, title] : {std::pair("test", "test"), std::pair("out_of_fold", "all folds"), std::pair("validation", "validation")})
    if (has_pictures(metrics, key) && metrics[key].contains("classes"))
      return {key,
              title,
              &metrics[key],
              class_names(metrics[key]),
              folder_of(metrics.value("data", "")),
              metrics.contains("training_pictures")};
  return {};
}

std::string Shown::short_name(const std::string& file) const {
  const std::string folder = data.ends_with('/') ? data : data + "/";
  return data.empty() || !file.starts_with(folder) ? file : file.substr(folder.size());
}

std::string section(const char* id, const std::string& title, const std::string& content) {
  return fmt::format("<section id=\"{}\"><h2>{}</h2>{}</section>\n", id, escaped(title), content);
}

std::string shown_value(const std::string& path, const std::string& text) {
  return fmt::format("<span data-of=\"{}\">{}</span>", escaped(path), text);
}

std::string figure(const std::string& drawing, const std::string& caption) {
  return "<figure class=\"chart\">" + drawing + (caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>") + "</figure>";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) text += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return text;
}

std::string document(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">{}<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>{} · fovea</title>\n<style>{}</style></head>\n"
      "<body><main>\n{}</main></body></html>\n",
      kPolicy, escaped(title), style_sheet(), body);
}

std::string page(const json& metrics, const Eyes& eyes) {
  std::string body;
  try {
    body = body_of(metrics, eyes);
  } catch (const json::exception& error) {
    fail(ErrorKind::format, "the metrics cannot be shown: {}", error.what());
  }
  return document(metrics.value("model", "report"), body);
}

}  // namespace fovea::report
