// The pictures of a run: how many of each class are where, which were left out, what the audit found.
#include <algorithm>

#include "report/html.h"
#include "report/sections.h"

namespace fovea::report {
namespace {

std::string counts_table(const json& metrics) {
  if (!metrics.contains("class_pictures") || !metrics.contains("classes")) return "";
  const std::pair<const char*, const char*> parts[] = {{"train", "training"}, {"validation", "validation"}, {"test", "test"}};
  const json& counts = metrics["class_pictures"];
  std::string head, rows;
  std::vector<int64_t> sums(std::size(parts));
  int64_t most = 1;
  for (size_t i = 0; i < metrics["classes"].size(); ++i) most = std::max(most, counts.at("train").at(i).get<int64_t>());
  for (const auto& [key, name] : parts) head += fmt::format("<th class=\"number\">{}</th>", name);
  for (size_t i = 0; i < metrics["classes"].size(); ++i) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(metrics["classes"][i].get<std::string>()));
    for (size_t p = 0; p < std::size(parts); ++p) {
      const int64_t count = counts.at(parts[p].first).at(i);
      sums[p] += count;
      rows += fmt::format("<td class=\"number\" data-of=\"class_pictures.{}.{}\">{}</td>", parts[p].first, i, with_commas(count));
    }
    const double share = 100 * counts.at("train").at(i).get<double>() / static_cast<double>(most);
    rows += fmt::format("<td class=\"share\"><span style=\"width:{:.1f}%\"></span></td></tr>", share);
  }
  rows += "<tr class=\"sum\"><th scope=\"row\">all</th>";
  for (int64_t sum : sums) rows += fmt::format("<td class=\"number\">{}</td>", with_commas(sum));
  return "<div class=\"scroll\"><table class=\"plain counts\"><thead><tr><th>class</th>" + head + "<th></th></tr></thead><tbody>" + rows +
         "<td></td></tr></tbody></table></div>";
}

std::string left_out_list(const json& metrics) {
  if (!metrics.contains("left_out") || metrics["left_out"].empty()) return "";
  constexpr size_t kMost = 50;
  const json& left_out = metrics["left_out"];
  std::string rows;
  for (size_t i = 0; i < std::min(kMost, left_out.size()); ++i) {
    const std::string file = left_out[i].at("file"), reason = left_out[i].at("reason");
    // Reasons begin with the file's name.
    const std::string rest = reason.starts_with(file + ": ") ? reason.substr(file.size() + 2) : reason;
    rows += fmt::format("<li><span class=\"file\">{}</span>: {}</li>", escaped(file), escaped(rest));
  }
  if (left_out.size() > kMost) rows += fmt::format("<li>and {} more</li>", with_commas(static_cast<int64_t>(left_out.size() - kMost)));
  return fmt::format("<h3>Left out: {}</h3><ul class=\"files\">{}</ul>",
                     counted(static_cast<int64_t>(left_out.size()), "picture that cannot be read", "pictures that cannot be read"), rows);
}

constexpr size_t kMostFiles = 50;

// The first of them, and how many more there are.
std::string list_of(const std::vector<std::string>& items) {
  std::string text;
  for (size_t i = 0; i < std::min(kMostFiles, items.size()); ++i) text += "<li>" + items[i] + "</li>";
  if (items.size() > kMostFiles) text += fmt::format("<li>and {} more</li>", with_commas(static_cast<int64_t>(items.size() - kMostFiles)));
  return "<ul class=\"files\">" + text + "</ul>";
}

std::string copies_list(const json& audit, const Shown& names) {
  if (!audit.contains("copies") || audit["copies"].empty()) return "";
  std::vector<std::pair<int, std::string>> rows;  // the gravest first
  int64_t leaks = 0;
  for (const json& copies : audit["copies"]) {
    const bool splits = copies.at("across_splits"), classes = copies.at("across_classes");
    leaks += splits;
    std::vector<std::string> files;
    for (size_t i = 0; i < copies.at("files").size(); ++i) {
      files.push_back("<span class=\"file\">" + escaped(names.short_name(copies["files"][i])) + "</span>");
      if (copies.contains("splits")) files.back() += " (" + escaped(copies["splits"].at(i).get<std::string>()) + ")";
    }
    rows.emplace_back(-2 * splits - classes, joined(files) + (copies.value("same_pixels", true) ? "" : ": nearly the same") +
                                                 (splits ? ": both trained on and held out" : "") +
                                                 (classes ? ": with different labels" : ""));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> items;
  for (auto& [grave, row] : rows) items.push_back(std::move(row));
  return fmt::format(
      "<h3>Copies: {}</h3>{}{}",
      counted(static_cast<int64_t>(items.size()), "picture is there more than once", "pictures are there more than once"),
      leaks > 0 ? "<p class=\"note\">Pictures that were both trained on and held out make the accuracy look better than it is.</p>" : "",
      list_of(items));
}

// Files with what is said of each.
std::string notes_list(const json& audit, const char* key, const char* one, const char* many, const Shown& names) {
  if (!audit.contains(key) || audit[key].empty()) return "";
  std::vector<std::string> items;
  for (const json& note : audit[key])
    items.push_back(fmt::format("<span class=\"file\">{}</span>: {}", escaped(names.short_name(note.at("file"))),
                                escaped(note.at("what").get<std::string>())));
  return fmt::format("<h3>{}</h3>{}", counted(static_cast<int64_t>(items.size()), one, many), list_of(items));
}

// How the classes' sizes differ, and which are too small to say much of.
std::string balance(const json& audit) {
  std::vector<std::string> words;
  if (audit.value("imbalance", 0.0) > 0)
    words.push_back(fmt::format("The largest class has {} times the pictures of the smallest.",
                                shown_value("audit.imbalance", fmt::format("{:.1f}", audit["imbalance"].get<double>()))));
  if (audit.contains("tiny_classes") && !audit["tiny_classes"].empty()) {
    std::vector<std::string> names;
    constexpr size_t kNamed = 12;
    const size_t count = audit["tiny_classes"].size();
    for (const json& name : audit["tiny_classes"])
      if (names.size() < kNamed || count == kNamed + 1) names.push_back(escaped(name.get<std::string>()));
    if (names.size() < count) names.push_back(fmt::format("{} more", count - names.size()));
    words.push_back(
        fmt::format("{} of fewer than 10 pictures: {}.", counted(static_cast<int64_t>(count), "class", "classes"), joined(names)));
  }
  std::vector<std::string> counts;
  for (const auto& [key, what] :
       {std::pair("turned", "turned by EXIF"), std::pair("grey", "grey"), std::pair("transparent", "transparent")})
    if (audit.value(key, int64_t{0}) > 0)
      counts.push_back(shown_value(std::string("audit.") + key, with_commas(audit[key].get<int64_t>())) + " " + what);
  if (!counts.empty())
    words.push_back(fmt::format("Of {} pictures: {}.", shown_value("audit.pictures", with_commas(audit.value("pictures", int64_t{0}))),
                                joined(counts)));
  if (words.empty()) return "";
  return fmt::format("<p class=\"note\">{}</p>", fmt::join(words, " "));
}

std::string audit_text(const json& metrics) {
  if (!metrics.contains("audit")) return "";
  const json& audit = metrics["audit"];
  const Shown names{{}, {}, nullptr, {}, metrics.value("data", "")};
  return balance(audit) + copies_list(audit, names) +
         notes_list(audit, "wrong_extensions", "picture with another format than its name says",
                    "pictures with another format than their names say", names) +
         notes_list(audit, "odd_sizes", "picture of an odd size", "pictures of odd sizes", names);
}

}  // namespace

std::string data_section(const json& metrics) {
  const std::string text = counts_table(metrics) + audit_text(metrics) + left_out_list(metrics);
  return text.empty() ? "" : section("data", "Data", text);
}

}  // namespace fovea::report
