// fovea audit: what is wrong with pictures before a network learns it.
#include <fmt/format.h>
#include <fovea/audit.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kAuditFooter =
    R"(DATA is what fovea train takes: a folder with one folder a class, or with train/, validation/ and test/ of such folders; a CSV file of files
and labels; pictures, or - for a list of them. Found are pictures that cannot be read, copies of each other (also rescaled, stored with
losses or mirrored; across splits they are a leak, across classes a label conflict), classes of fewer than 10 pictures, an imbalance of 10
or more, names that do not fit the content, and, for news, odd sizes, turned, grey and transparent pictures. Nothing is changed.

The exit status is 0, with --strict 1 where there is a problem.

Examples:
  fovea audit pictures
  fovea audit pictures --json --strict)";

struct AuditArguments {
  std::vector<std::string> data;
  PreprocessingOptions preprocessing;
  bool json = false, strict = false;
};

std::string kind_of(const AuditCopies& copies) {
  std::string text = copies.same_pixels ? "the same picture" : "alike";
  if (copies.across_splits) text += ", across splits";
  if (copies.across_classes) text += ", under different classes";
  return text;
}

void print_text(const Audit& audit) {
  Table classes("<>>>");
  classes.add({"class", "training", "validation", "test"});
  for (const AuditClass& one : audit.classes)
    classes.add({one.name, std::to_string(one.training), std::to_string(one.validation), std::to_string(one.test)});
  print("{}", classes.text());
  print("\n{}; largest class {:.1f} times the smallest; {} turned by EXIF, {} grey, {} transparent\n",
        counted(audit.pictures, "picture", "pictures"), audit.imbalance, audit.turned, audit.grey, audit.transparent);
  for (const BadPicture& bad : audit.unreadable) print("unreadable: {}: {}\n", bad.file, bad.reason);
  for (const AuditCopies& copies : audit.copies) {
    std::vector<std::string> files = copies.files;
    for (size_t i = 0; i < files.size() && copies.across_splits; ++i) files[i] += fmt::format(" ({})", copies.splits[i]);
    cli::print("copies ({}): {}\n", kind_of(copies), fmt::join(files, ", "));
  }
  for (const std::string& name : audit.tiny_classes) print("tiny class: {}\n", name);
  for (const AuditNote& note : audit.wrong_extensions) print("wrong extension: {} {}\n", note.file, note.what);
  for (const AuditNote& note : audit.odd_sizes) print("odd size: {}: {}\n", note.file, note.what);
  for (const AuditNote& note : audit.unused) print("not used: {} ({})\n", note.file, note.what);
  for (const std::string& line : audit.news) print("{}\n", line);
  print("{}\n", audit.problems() == 0 ? "no problems" : counted(audit.problems(), "problem", "problems"));
}

int run_audit(const AuditArguments& options) {
  const LabelledData data = labelled_data(options.data);
  Progress bar;
  AuditOptions auditing;
  auditing.preprocessing = changed(auditing.preprocessing, options.preprocessing);
  auditing.progress = [&](int64_t done, int64_t total) {
    bar.show("reading pictures", static_cast<double>(done), static_cast<double>(total), fmt::format("{} of {}", done, total));
  };
  const Audit result = data.folder.empty() ? audit(data.files, auditing) : audit(data.folder, auditing);
  bar.clear();
  if (options.json)
    print_json(Json::parse(to_json(result)));
  else
    print_text(result);
  return options.strict && result.problems() > 0 ? 1 : 0;
}

}  // namespace

void add_audit(Command& program) {
  Command command = program.command("audit", "What is wrong with pictures: unreadable, copies, leaks, tiny classes, odd sizes");
  const auto options = std::make_shared<AuditArguments>();
  add_labelled_data(command, options->data);
  add_page_and_range(command, options->preprocessing);
  command.flag("--strict", options->strict, "Exit with 1 where there is a problem");
  add_json(
      command, options->json,
      R"({"pictures", "classes", "unreadable", "copies": [{"files", "splits", "same_pixels", "across_splits", "across_classes"}], ...})");
  command.footer(kAuditFooter);
  command.runs([options] { return run_audit(*options); });
}

}  // namespace fovea::cli
