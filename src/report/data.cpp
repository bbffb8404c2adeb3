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

std::string copies_list(const json& metrics) {
  if (!metrics.contains("audit") || !metrics["audit"].contains("copies") || metrics["audit"]["copies"].empty()) return "";
  constexpr size_t kMost = 50;
  const std::string folder = metrics.value("data", "");
  const Shown names{{}, {}, nullptr, {}, folder};
  std::vector<std::pair<int, std::string>> rows;  // the gravest first
  int64_t leaks = 0;
  for (const json& copies : metrics["audit"]["copies"]) {
    const bool splits = copies.at("across_splits"), classes = copies.at("across_classes");
    leaks += splits;
    std::vector<std::string> files;
    for (const json& file : copies.at("files")) files.push_back("<span class=\"file\">" + escaped(names.short_name(file)) + "</span>");
    rows.emplace_back(-2 * splits - classes,
                      joined(files) + (splits ? ": both trained on and held out" : "") + (classes ? ": with different labels" : ""));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const size_t all = rows.size();
  std::string text;
  for (size_t i = 0; i < std::min(kMost, all); ++i) text += "<li>" + rows[i].second + "</li>";
  if (all > kMost) text += fmt::format("<li>and {} more</li>", with_commas(static_cast<int64_t>(all - kMost)));
  return fmt::format(
      "<h3>Copies: {}</h3>{}<ul class=\"files\">{}</ul>",
      counted(static_cast<int64_t>(all), "picture is there more than once", "pictures are there more than once"),
      leaks > 0 ? "<p class=\"note\">Pictures that were both trained on and held out make the accuracy look better than it is.</p>" : "",
      text);
}

}  // namespace

std::string data_section(const json& metrics) {
  const std::string text = counts_table(metrics) + copies_list(metrics) + left_out_list(metrics);
  return text.empty() ? "" : section("data", "Data", text);
}

}  // namespace fovea::report
