#include "report/neighbors_page.h"

#include <fovea/error.h>

#include <filesystem>

#include "report/html.h"
#include "report/sections.h"
#include "report/thumbnail.h"

namespace fovea::report {
namespace {

// Relative names are from where the features were made.
std::string found_file(const std::string& file, const FeatureRecord& record) {
  std::error_code error;
  if (std::filesystem::exists(file, error) || record.folder.empty()) return file;
  return (std::filesystem::path(record.folder) / file).string();
}

std::string card(const std::string& file, const std::string& path, const std::string& words, const Preprocessing& preprocessing) {
  std::string picture;
  try {
    picture = picture_element(thumbnail(read_image(path, preprocessing)), std::filesystem::path(file).filename().string());
  } catch (const Error& error) {
    picture = fmt::format("<p class=\"gone\">{}</p>", escaped(error.what()));
  }
  return fmt::format(
      "<figure class=\"neighbor\"><div class=\"picture\">{}</div><figcaption><strong>{}</strong><div "
      "class=\"file\">{}</div></figcaption></figure>",
      picture, words, escaped(file));
}

}  // namespace

std::string neighbors_page(const FeatureRecord& record, int64_t pictures, const std::vector<Neighborhood>& found) {
  std::string body = fmt::format(
      "<header><p class=\"kind\">fovea neighbors</p><h1>What is most like {}</h1><p class=\"facts\">among {} by the cosine of {} of "
      "{}{}{}</p></header>\n",
      found.size() == 1 ? escaped(std::filesystem::path(found[0].file).filename().string())
                        : counted(static_cast<int64_t>(found.size()), "picture", "pictures"),
      counted(pictures, "picture", "pictures"), escaped(record.output), escaped(record.architecture),
      record.pca > 0 ? fmt::format(", {}", counted(record.pca, "principal component", "principal components")) : "",
      record.normalized ? ", normalized" : "");
  for (size_t i = 0; i < found.size(); ++i) {
    std::string cards = card(found[i].file, found[i].file, "this one", record.preprocessing);
    for (const Neighbor& one : found[i].neighbors)
      cards += card(one.file, found_file(one.file, record), fmt::format("{:.3f}", one.similarity), record.preprocessing);
    body += section(fmt::format("picture{}", i + 1).c_str(), std::filesystem::path(found[i].file).filename().string(),
                    "<div class=\"neighbors\">" + cards + "</div>");
  }
  return document("neighbors", body);
}

}  // namespace fovea::report
