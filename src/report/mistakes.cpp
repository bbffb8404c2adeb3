#include <fovea/error.h>
#include <fovea/image.h>

#include <filesystem>

#include "report/html.h"
#include "report/sections.h"
#include "report/thumbnail.h"

namespace fovea::report {
namespace {

std::string pictures_of(const std::string& file, int64_t predicted, const std::string& guess, const Eyes& eyes) {
  try {
    const Image picture = eyes.read ? eyes.read(file) : read_image(file, eyes.preprocessing), small = thumbnail(picture);
    std::string text = picture_element(small, std::filesystem::path(file).filename().string());
    if (eyes.look) text += picture_element(eyes.look(picture, small, predicted), "where the network looked for " + guess);
    return text;
  } catch (const Error& error) {
    return fmt::format("<p class=\"gone\">{}</p>", escaped(error.what()));
  }
}

std::string class_of(const Shown& shown, int64_t index) { return escaped(shown.classes.at(static_cast<size_t>(index))); }

// What it is and what it was taken for, with probabilities.
std::string one_class(const Shown& shown, const json& one, const std::string& path) {
  return fmt::format("<dt>true</dt><dd>{} <small>{}</small></dd><dt>guess</dt><dd><strong>{}</strong> <small>{}</small></dd>",
                     class_of(shown, one.at("label")), shown_value(path + "label_probability", percent(one.at("label_probability"))),
                     class_of(shown, one.at("predicted")), shown_value(path + "confidence", percent(one.at("confidence"))));
}

// All its labels, and the surest of the wrong answers.
std::string several_classes(const Shown& shown, const json& one, const std::string& path) {
  std::vector<std::string> names;
  for (const json& label : one.at("labels")) names.push_back(class_of(shown, label));
  const json& wrong = one.at("wrong_class");
  const bool has = std::find(one["labels"].begin(), one["labels"].end(), wrong) != one["labels"].end();
  return fmt::format("<dt>labels</dt><dd>{}</dd><dt>{}</dt><dd><strong>{}</strong> <small>{}</small></dd>",
                     names.empty() ? "none" : joined(names), has ? "missed" : "claimed", class_of(shown, wrong),
                     shown_value(path + "wrong_confidence", percent(one.at("wrong_confidence"))));
}

std::string card(const Shown& shown, const json& one, const std::string& path, const Eyes& eyes) {
  const bool several = one.contains("labels");
  const std::string file = one.at("file");
  const int64_t looked_for = one.at(several ? "wrong_class" : "predicted");
  return fmt::format(
      "<figure class=\"mistake\"><div class=\"pictures\">{}</div><figcaption><dl>{}</dl><div class=\"file\"><span data-of=\"{}file\" "
      "title=\"{}\">{}</span></div></figcaption></figure>",
      pictures_of(file, looked_for, shown.classes.at(static_cast<size_t>(looked_for)), eyes),
      several ? several_classes(shown, one, path) : one_class(shown, one, path), path, escaped(file), escaped(shown.short_name(file)));
}

}  // namespace

std::string mistakes_section(const Shown& shown, const Eyes& eyes) {
  if (!shown.evaluation || !shown.evaluation->contains("worst_mistakes")) return "";
  const json& mistakes = shown.evaluation->at("worst_mistakes");
  const int64_t pictures = shown.evaluation->at("pictures"), wrong = shown.evaluation->at("mistakes");
  const std::string title = fmt::format("The worst mistakes ({})", shown.title);
  if (mistakes.empty())
    return section("mistakes", title,
                   fmt::format("<p>There are none: every one of {} was recognized.</p>", counted(pictures, "picture", "pictures")));
  std::string cards;
  for (size_t i = 0; i < mistakes.size(); ++i) cards += card(shown, mistakes[i], fmt::format("{}.worst_mistakes.{}.", shown.key, i), eyes);
  const std::string words = wrong > static_cast<int64_t>(mistakes.size())
                                ? fmt::format("The {} of {} mistakes of which the network was surest", mistakes.size(), with_commas(wrong))
                                : fmt::format("All {}, those first of which the network was surest", counted(wrong, "mistake", "mistakes"));
  return section("mistakes", title,
                 fmt::format("<p class=\"note\">{}{}. A label may be what is wrong.</p><div class=\"mistakes\">{}</div>", words,
                             eyes.look ? "; beside each picture, where it looked for what it guessed (bright: much)" : "", cards));
}

}  // namespace fovea::report
