// fovea train: from pictures to a classifier.
#include <fovea/train.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>

#include "cli/command.h"
#include "cli/interrupts.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/train_options.h"

namespace fovea::cli {
namespace {

constexpr const char* kTrainFooter =
    R"(DATA is a folder with one folder a class, or with train/, validation/ (or val/, dev/) and test/ of such folders. Or it is pictures, in any
order, or - for a list of them on standard input: then the name of the folder that a picture lies in is its class. The pictures of
class folders, listed, give the same run as the folder around them, bit for bit.

Or DATA is a CSV or TSV file: in each row a file, relative to the table's folder, and its labels, in one field ("cat;dog") or in several.
A header is recognized by a column called file (or filename, path, image, picture). Columns called label, class, category, tag or the like
then hold the labels and others are not used; without such names all others do, and are a class each where they hold nothing but 0 and 1.
A column called split (train, validation, test) says where a picture belongs. Where no picture has more than one label this is training as
from folders, without the pictures that have none. Where some have several, each class is told on its own (sigmoid, binary cross entropy),
and mean average precision decides which epoch is the best. What of folders and tables is not used is told, and fovea audit lists it.

--folds 5 trains five times, each time on four fifths of the pictures, and tests on the fifth left out: on few pictures a single split is a
lottery. metrics.json then has {"folds": {"accuracy_mean", "accuracy_std", "accuracy": [...], "accuracy_interval": [low, high]}}, the
interval holding the mean with 95 % (Student's t; the runs share pictures, so it is somewhat too narrow), "out_of_fold" has the confusion
over all pictures, and out_of_fold.csv what became of each. A last run on all pictures gives the model. --seeds likewise ("seeds").

Recipes: probe trains a new head on the features of a frozen backbone; finetune trains the head first, then everything, with rates that fall
with depth; full trains everything from the first step; auto picks one by the number of pictures and says why.

--preset bit is BiT-HyperRule (Kolesnikov et al. 2020): SGD from rate 0.003 for 512 pictures a step, 500 to 20000 steps by the number of
pictures, a tenth of the rate at 30, 60 and 90 % of them, mixup from 20000 pictures on. Where the median picture has fewer than 96x96 pixels,
pictures are resized to 160x160 and random parts of 128x128 train, else to 512x512 and 480x480; a network that cannot take that, and --size,
keep their own size. The model keeps the size.

--freeze prints what it saves. What a frozen part gives is computed once and kept where its pictures do not change: without augmentation, or
with --stored-views of it. It goes into memory or, beyond --cache-limit, into DIR, and changes no bit of the run.

--memory limits what the training takes in all. Steps then compute values again rather than keep them, as many as are needed: they take
longer, and no bit of the run changes. What is planned is told before the first step.

A run is never replaced unasked: without --out it goes into run, run-2 and so on. With --overwrite the new run lies in DIR.new until it is
finished, and then takes the place of DIR as a whole. --resume DIR goes on with the run's own options, where it was begun; what is given
besides must agree with them where it changes the run.

DIR gets model.safetensors (the best weights, with classes and preprocessing), last.ckpt (for --resume), history.csv, metrics.json
({"validation": {"accuracy", "pictures"}, "test": {"accuracy", "pictures"}, "seconds", ...}) and report.html, a page that shows what came of
it and the worst mistakes; with --tensorboard also tensorboard/, which `tensorboard --logdir DIR` shows: losses, accuracies and rate by
epoch, the loss by step. The interrupt key ends the run after the step that it is in and saves it. Pictures that cannot be read are listed
and left out.

Examples:
  fovea train pictures --out run
  fovea train pictures --model resnet50 --recipe finetune --freeze layer2 --epochs 20 --test 0.2 --out run
  fovea train --resume run
  find pictures -name '*.jpg' | fovea train - --out run)";

struct TrainArguments {
  ModelOptions model;
  TrainingOptions training;
  std::vector<std::string> data;
  bool json = false, find_rate = false;
};

// How many pictures go through steps, since the epoch began or was gone on with.
class Speed {
 public:
  double pictures_a_second(const TrainProgress& step) {
    const Clock::time_point now = Clock::now();
    if (step.epoch != epoch_ || step.phase != phase_ || step.pictures < first_) {
      epoch_ = step.epoch, phase_ = step.phase, first_ = step.pictures, began_ = now;
      return last_;  // of the epoch before, until this one has gone on for a while
    }
    const double seconds = std::chrono::duration<double>(now - began_).count();
    if (seconds > 0 && step.pictures > first_) last_ = static_cast<double>(step.pictures - first_) / seconds;
    return last_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  int64_t epoch_ = -1, first_ = 0;
  std::string phase_;
  Clock::time_point began_;
  double last_ = 0;
};

void show_progress(Progress& bar, Speed& speed, const TrainProgress& step) {
  const double done = static_cast<double>(std::max<int64_t>(step.epoch - 1, 0) * step.steps + step.step);
  const double total = static_cast<double>(std::max<int64_t>(step.epochs, 1) * step.steps);
  if (step.phase == "check") return bar.show("reading pictures", done, total, fmt::format("{} of {}", step.step, step.steps));
  if (step.phase == "features") return bar.show("computing features", done, total, fmt::format("{} of {}", step.step, step.steps));
  std::string words = step.runs > 1 ? fmt::format("run {} of {}, ", step.run, step.runs) : "";
  words += fmt::format("epoch {} of {}, loss {:.3f}", step.epoch, step.epochs, step.loss);
  if (const double pace = speed.pictures_a_second(step); pace > 0) words += fmt::format(", {:.3g} pictures/s", pace);
  if (step.rate > 0) words += fmt::format(", rate {:.1e}", step.rate);
  if (step.validation_loss >= 0) words += fmt::format(", validation {:.3f}", step.validation_loss);
  if (step.best >= 0) words += ", best " + as_percent(step.best);
  bar.show(step.phase, done, total, words, step.last ? "" : " in this phase");
}

std::string score_text(const Score& score) {
  if (score.pictures == 0) return "none";
  const std::string pictures = counted(score.pictures, "picture", "pictures");
  if (!score.labels) return fmt::format("{} of {}", as_percent(score.accuracy), pictures);
  return fmt::format("mean average precision {}, F1 {} (macro) and {} (micro), all labels right {} of {}",
                     as_percent(score.labels->mean_average_precision), as_percent(score.labels->f1_macro),
                     as_percent(score.labels->f1_micro), as_percent(score.accuracy), pictures);
}

std::string spread_text(const Spread& spread) {
  return fmt::format("{}{} +- {} over {}, 95 % interval of the mean {} to {}", spread.of == "accuracy" ? "" : "mean average precision ",
                     as_percent(spread.mean), as_percent(spread.deviation),
                     counted(static_cast<int64_t>(spread.values.size()), "run", "runs"), as_percent(spread.low), as_percent(spread.high));
}

void print_result(const TrainOptions& training, const TrainResult& result) {
  Table table("<<");
  table.add({"validation", score_text(result.validation)});
  table.add({"test", score_text(result.test)});
  if (!result.thresholds.empty()) {
    const auto [least, most] = std::ranges::minmax(result.thresholds);
    table.add({"told from", fmt::format("{}{} of a class's probability, by the validation pictures", as_percent(least),
                                        least < most ? " to " + as_percent(most) : "")});
  }
  if (result.folds) table.add({"folds", spread_text(*result.folds)});
  if (result.seeds) table.add({"seeds", spread_text(*result.seeds)});
  table.add({"recipe", result.recipe});
  table.add({"epochs", fmt::format("{}, the best one {}", result.epochs, result.best_epoch)});
  table.add({"seconds", fmt::format("{:.1f}", result.seconds)});
  if (!result.left_out.empty()) table.add({"left out", counted(static_cast<int64_t>(result.left_out.size()), "picture", "pictures")});
  table.add({"model", (std::filesystem::path(training.run.out) / "model.safetensors").string()});
  if (training.run.report) table.add({"report", (std::filesystem::path(training.run.out) / "report.html").string()});
  print("{}", table.text());
}

Json result_json(const TrainOptions& training, const TrainResult& result) {
  Json json{{"validation", json_of(result.validation)},
            {"test", json_of(result.test)},
            {"seconds", result.seconds},
            {"recipe", result.recipe},
            {"reason", result.reason},
            {"epochs", result.epochs},
            {"best_epoch", result.best_epoch},
            {"left_out", left_out_json(result.left_out)},
            {"out", training.run.out}};
  if (!result.thresholds.empty()) json.set("thresholds", result.thresholds);
  if (result.folds) json.set("folds", json_of(*result.folds));
  if (result.seeds) json.set("seeds", json_of(*result.seeds));
  return json;
}

Json curve_json(const RateCurve& curve) {
  Json trials = Json::array();
  for (const RateTrial& trial : curve.trials) trials.push_back({{"rate", trial.rate}, {"loss", trial.loss}, {"smoothed", trial.smoothed}});
  return {{"suggestion", curve.suggestion}, {"diverged", curve.diverged}, {"recipe", curve.recipe},
          {"optimizer", curve.optimizer},   {"batches", curve.batches},   {"rates", trials}};
}

void print_curve(const RateCurve& curve) {
  constexpr size_t kRows = 20;
  Table table(">>>");
  table.add({"rate", "loss", "smoothed"});
  const size_t every = std::max<size_t>(1, curve.trials.size() / kRows);
  for (size_t i = 0; i < curve.trials.size(); i += every) {
    const RateTrial& trial = curve.trials[i];
    table.add({fmt::format("{:.2e}", trial.rate), fmt::format("{:.4f}", trial.loss), fmt::format("{:.4f}", trial.smoothed)});
  }
  print("{}", table.text());
  if (curve.diverged) print("beyond this the loss diverges\n");
  if (curve.suggestion > 0)
    print("the loss falls fastest at --lr {:.1e} (recipe {}, {})\n", curve.suggestion, curve.recipe, curve.optimizer);
  else
    print("the loss falls nowhere between these rates (recipe {}, {})\n", curve.recipe, curve.optimizer);
}

// Where a run goes that was given no name: run, or the first of run-2, run-3, ... that is not there, which is made at once, so that no
// other command takes it. It goes again where nothing was put into it. To go on with: the last one that is there.
class UsualFolder {
 public:
  explicit UsualFolder(const TrainOptions& training) {
    std::error_code none;
    if (training.run.overwrite || training.run.resume) {
      name_ = name(1);
      for (int number = 2; training.run.resume && !training.run.overwrite && std::filesystem::exists(name(number), none); ++number)
        if (!std::filesystem::is_empty(name(number), none)) name_ = name(number);
      return;
    }
    for (int number = 1;; ++number) {
      name_ = name(number);
      made_ = std::filesystem::create_directory(name_, none);
      if (made_ || !std::filesystem::exists(name_, none)) return;  // where none can be made, the training says why
    }
  }
  ~UsualFolder() {
    std::error_code none;
    if (made_) std::filesystem::remove(name_, none);
  }
  UsualFolder(const UsualFolder&) = delete;
  UsualFolder& operator=(const UsualFolder&) = delete;

  const std::string& name() const { return name_; }

 private:
  static std::string name(int number) { return number == 1 ? std::string("run") : fmt::format("run-{}", number); }

  std::string name_;
  bool made_ = false;
};

int run_rate_search(const TrainArguments& options, const LabelledData& data, const Model& model, TrainOptions training) {
  Progress bar;
  Speed speed;
  training.run.progress = [&](const TrainProgress& step) {
    show_progress(bar, speed, step);
    if (step.phase == "check") leave_if_interrupted();
    return !interrupted();
  };
  const RateCurve curve = data.folder.empty() ? find_rate(model, data.files, training) : find_rate(model, data.folder, training);
  bar.clear();
  if (interrupted()) return report_error("interrupted", interrupted_status());
  if (options.json)
    print_json(curve_json(curve));
  else
    print_curve(curve);
  return 0;
}

int run_training(const TrainArguments& options) {
  if (options.data.empty()) throw Error(ErrorKind::usage, "DATA is required (fovea train --help tells more)");
  TrainOptions training = train_options(options.training);
  std::optional<UsualFolder> folder;
  if (training.run.out.empty() && !options.find_rate) training.run.out = folder.emplace(training).name();
  const LabelledData data = labelled_data(options.data);
  // Data without classes is told before weights are read, or fetched.
  if (data.folder.empty())
    find_classes(data.files);
  else
    find_classes(data.folder);
  Model model = load(options.model, training.run.seed);
  if (!options.training.preprocessing.size.empty()) {
    PreprocessingOptions only_size;
    only_size.size = options.training.preprocessing.size;
    apply(model, only_size);
  }
  if (options.find_rate) {
    training.run.threads = options.model.threads;
    watch_interrupts();
    return run_rate_search(options, data, model, training);
  }
  Progress bar;
  Speed speed;
  const auto tell = [&](const std::string& line) {
    bar.clear();
    if (options.json) return say(line);
    print("{}\n", line);
    std::fflush(stdout);
  };
  tell(fmt::format("{}, weights: {}, {}x{}, seed {}, into {}", model.name(), model.loaded().source, model.preprocessing().height,
                   model.preprocessing().width, training.run.seed, training.run.out));
  training.run.threads = options.model.threads;
  training.run.command = command_line();
  training.run.note = tell;
  watch_interrupts();
  training.run.progress = [&](const TrainProgress& step) {
    show_progress(bar, speed, step);
    if (step.phase == "check") leave_if_interrupted();  // nothing is there to be saved
    return !interrupted();
  };
  const TrainResult result = data.folder.empty() ? train(model, data.files, training) : train(model, data.folder, training);
  bar.clear();
  if (result.interrupted) {
    return report_error(fmt::format("interrupted and saved; the same command with --resume goes on from there ({})", training.run.out),
                        interrupted_status());
  }
  if (options.json) {
    print_json(result_json(training, result));
    return 0;
  }
  result_is_in_files();
  print_result(training, result);
  return 0;
}

}  // namespace

std::vector<std::string> command_to_resume(std::vector<std::string>& typed) {
  namespace fs = std::filesystem;
  if (typed.empty() || typed[0] != "train") return {};
  const auto at = std::ranges::find_if(typed, [](const std::string& word) { return word == "--resume" || word.starts_with("--resume="); });
  if (at == typed.end()) return {};
  const bool joined = at->size() > std::string_view("--resume").size();
  if (!joined && at + 1 == typed.end()) return {};
  std::string folder = joined ? at->substr(at->find('=') + 1) : *(at + 1);
  std::error_code none;
  const bool run = fs::exists(fs::path(folder) / "run.json", none) || fs::exists(fs::path(folder) / "last.ckpt", none);
  const bool alone = joined || (typed.size() == 3 && !folder.starts_with('-'));
  if (!run && !alone) return {};  // a picture or a folder of them, behind the flag
  const RunCommand began = run_command(folder);
  *at = "--resume";
  if (!joined) typed.erase(at + 1);
  std::vector<std::string> words = began.words;
  if (!words.empty()) words.erase(words.begin());  // the program
  // What replaces a run lies beside it until it is finished.
  constexpr std::string_view kBeside = ".new";
  folder = fs::absolute(folder).lexically_normal().string();
  if (folder.ends_with('/')) folder.pop_back();
  if (folder.ends_with(kBeside) && std::ranges::count(words, "--overwrite") > 0) folder.resize(folder.size() - kBeside.size());
  typed.insert(typed.end(), {"--out", folder});
  if (words.empty()) return {};
  if (!began.directory.empty() && fs::is_directory(began.directory, none)) {
    for (size_t i = 1; i < typed.size(); ++i)  // what was typed here is meant from here
      if (!typed[i].starts_with('-') && fs::exists(typed[i], none)) typed[i] = fs::absolute(typed[i]).string();
    fs::current_path(began.directory, none);
  }
  return words;
}

void add_train(Command& program) {
  Command command = program.command("train", "Fine-tune a network on pictures of your own");
  const auto options = std::make_shared<TrainArguments>();
  options->model.model = "tf_efficientnet_lite0";
  add_labelled_data(command, options->data, false);
  command.option("--model", options->model.model, "A name of `fovea models`, or a model file to go on from").type("MODEL").shows_default();
  add_weights_option(command, options->model);
  add_training(command, options->training);
  command.flag("--find-rate", options->find_rate,
               "Only look for a good --lr: rates that grow step by step, their losses, a suggestion. Nothing is kept or written");
  add_compute(command, options->model);
  add_json(command, options->json, R"({"validation": {"accuracy", "pictures"}, "test": {...}, "seconds", ...})");
  command.footer(kTrainFooter);
  command.runs([options] { return run_training(*options); });
}

}  // namespace fovea::cli
