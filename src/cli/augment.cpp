// fovea augment: what training makes of pictures, to look at.
#include <fovea/train.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/train_options.h"

namespace fovea::cli {
namespace {

constexpr const char* kAugmentFooter =
    R"(Of one picture the sheet shows what the network gets of it in validation, then what it would get in so many epochs of training; of several,
a row for each. --mixup and --cutmix mix the pictures of a column with each other, as training does those of a batch.

Examples:
  fovea augment cat.jpg                                           crops, flips and colours, as fovea train has them by default
  fovea augment cat.jpg --augment randaugment --erasing 0.25      a policy, and rectangles erased
  fovea augment cat.jpg dog.jpg cow.jpg --cutmix 1 -o mixed.png   pictures mixed with each other)";

struct AugmentArguments {
  std::vector<std::string> data;
  std::string out = "augmented.png";
  int64_t looks = 11;
  PreprocessingOptions preprocessing;
  TrainingOptions training;
  bool json = false;
};

int augment(const AugmentArguments& options) {
  if (!options.out.ends_with(".png")) throw Error(ErrorKind::usage, options.out + ": the sheet is written as PNG; end its name with .png");
  check_output(options.out);
  std::vector<Image> pictures;
  Preprocessing preprocessing = changed(Preprocessing{}, options.preprocessing);
  if (options.preprocessing.fit.empty()) preprocessing.fit = Fit::squash;
  const std::vector<std::string> files = picture_files(options.data);
  require_other_file(options.out, files);
  for (const std::string& file : files) pictures.push_back(read_image(file, preprocessing));
  const Image sheet = augmentation_sheet(pictures, preprocessing, train_options(options.training), options.looks);
  write_png(options.out, sheet);
  if (!options.json) result_is_in_files();
  if (options.json)
    print_json({{"file", options.out}, {"width", sheet.width}, {"height", sheet.height}});
  else
    print("{}  {} x {}\n", options.out, sheet.width, sheet.height);
  return 0;
}

}  // namespace

void add_augment(Command& program) {
  Command command = program.command("augment", "A sheet of what training makes of pictures");
  const auto options = std::make_shared<AugmentArguments>();
  add_data(command, options->data);
  command.option("-o,--out", options->out, "The sheet, a PNG").type("FILE").shows_default();
  command.option("--looks", options->looks, "Times that each picture is looked at").type("N").between(1, 1000).shows_default();
  add_changes(command, options->training);
  command.option("--seed", options->training.values["seed"], "Decides what is drawn").type("N").seed().shows_default("0");
  add_preprocessing(command, options->preprocessing, "squash");
  add_json(command, options->json, R"({"file", "width", "height"})");
  command.footer(kAugmentFooter);
  command.runs([options] { return augment(*options); });
}

}  // namespace fovea::cli
