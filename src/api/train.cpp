#include <fmt/format.h>
#include <fovea/train.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "api/implementation.h"
#include "api/report.h"
#include "api/training.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "image/labels_csv.h"
#include "train/cross_validation.h"
#include "train/data.h"
#include "train/freeze.h"
#include "train/preset.h"
#include "train/run_folder.h"
#include "train/trainer.h"
#include "weights/text.h"

namespace fovea {

namespace fs = std::filesystem;

Preprocessing preprocessing_for(const engine::Network& network, bool new_head, const TrainOptions& options) {
  Preprocessing preprocessing = network.preprocessing();
  if (new_head && preprocessing.fit == Fit::crop) preprocessing.fit = Fit::squash;
  if (new_head) preprocessing.alpha = Alpha::white;
  if (options.fit) {
    preprocessing.fit = *options.fit;
    preprocessing.second_fit = options.second_fit;
  }
  if (options.alpha) preprocessing.alpha = *options.alpha;
  if (options.decode) preprocessing.decode = *options.decode;
  if (options.range) preprocessing.range = options.range;
  if (options.page) preprocessing.page = *options.page;
  if (options.mirrored != Choice::automatic) preprocessing.mirrored = options.mirrored == Choice::on;
  return preprocessing;
}

training::Facts facts_of(const image::Splits& splits, bool pretrained, const HeadOptions& head, double median_area) {
  return {static_cast<int64_t>(splits.train.samples.size()),
          static_cast<int64_t>(splits.validation.samples.size()),
          pretrained,
          splits.train.multi_label,
          head.kind == HeadKind::linear,
          static_cast<int64_t>(splits.train.classes.size()),
          median_area};
}

void prepare_size(Preprocessing& preprocessing, const engine::Network& network, const TrainOptions& options, training::Data& data) {
  const training::Prepared prepared = training::prepare(preprocessing, network, options, training::median_area(data));
  if (!prepared.reason.empty() && options.note) options.note(prepared.reason);
  if (prepared.preprocessing == preprocessing) return;
  preprocessing = prepared.preprocessing;
  if (data.cache->fitted()) data.cache = std::make_shared<image::ImageCache>(options.picture_cache_bytes, preprocessing, true);
}

// Pictures are wanted in more than one form.
bool crops_at_random(const training::Plan& plan) {
  for (const training::Phase& phase : plan.phases)
    if (phase.choose_fit || phase.second_fit || (!phase.on_features && phase.augmentation && phase.augmentation->crops())) return true;
  return false;
}

image::Progress check_progress(const TrainOptions& options) {
  if (!options.progress) return {};
  // Looking at the pictures changes nothing that could be saved, so it is not interrupted.
  return [&options](int64_t done, int64_t all) { options.progress({"check", 0, 1, done, all, 0}); };
}

namespace {

// A network as it is before a run, any number of times.
class Beginning {
 public:
  // `classes`: null where the head stays.
  Beginning(const engine::Network& network, const Preprocessing& preprocessing, const std::vector<std::string>* classes,
            const HeadOptions& head)
      : network_(network), weights_(network.state_dict()), preprocessing_(preprocessing), classes_(classes), head_(head) {}

  std::shared_ptr<engine::Network> network(uint64_t seed) const {
    auto copy = std::make_shared<engine::Network>(network_.variant(), network_.form(), preprocessing_, std::nullopt);
    copy->load(weights_);
    copy->set_precision(network_.precision());
    if (classes_) copy->replace_head(*classes_, head_, seed);
    return copy;
  }

 private:
  const engine::Network& network_;
  const weights::StateDict weights_;
  const Preprocessing preprocessing_;
  const std::vector<std::string>* classes_;
  const HeadOptions head_;
};

void warn_of_copies(const training::Data& data, const TrainOptions& options) {
  if (!options.note) return;
  training::Data divided = data;
  training::divide(divided, options);
  const Audit audit = auditing::audit(divided.splits, *data.looks);
  for (const std::string& line : auditing::leak_warnings(audit)) options.note(line);
  for (const std::string& line : auditing::conflict_warnings(audit)) options.note(line);
  const auto together = std::ranges::count_if(audit.copies, [](const AuditCopies& copies) { return !copies.across_splits; });
  if (together > 0)
    options.note(fmt::format("{} more than once; the copies stay on one side of every split (fovea audit names them)",
                             together == 1 ? "1 picture is there" : fmt::format("{} pictures are there", together)));
}

void tell_of(const image::Splits& found, const TrainOptions& options) {
  if (!options.note) return;
  for (const std::string& line : found.news) options.note(line);
  constexpr size_t most_named = 5;
  for (const std::string& line : image::lines_of(found.unused, most_named)) options.note(line);
}

// Names are written into files of formats that hold text.
void require_utf8(const std::vector<std::string>& classes) {
  for (const std::string& name : classes)
    if (!is_utf8(name))
      fail(ErrorKind::input, "class \"{}\": the name is not UTF-8, and cannot be kept in a model: give its folder or label another one",
           weights::printable(name));
}

// `find` gives the pictures once the model is known to be as the options want it; `where` says in words which.
template <class Find>
TrainResult train_on(Model& model, const TrainOptions& given, const std::string& where, Find&& find) {
  Model::Implementation& implementation = model.implementation();
  engine::Network& network = implementation.changing();
  TrainOptions options = given;
  const size_t states = network.store()->bytes();
  const auto memory = std::make_shared<engine::MemoryAccount>(options.memory_bytes, states);
  if (options.freeze.empty() && implementation.freeze_given) options.freeze = implementation.freeze;
  const bool freeze_by_pictures = options.freeze == "auto";
  if (!freeze_by_pictures) network.frozen_by(options.freeze);  // a tap that is not there is told before anything is read
  if (options.threads != 0) set_threads(options.threads);

  const bool writes = !options.out.empty();
  if (writes) training::check_run_folder(options);
  image::Splits found = find();
  tell_of(found, options);
  const std::vector<std::string> classes = found.train.classes;
  require_utf8(classes);
  HeadOptions head = options.head.value_or(network.form().head);
  head.independent = found.train.multi_label;
  std::string freeze_reason = "asked for";
  const bool new_head = classes != network.classes() || !(head == network.form().head), pretrained = implementation.loaded.source != "none";
  Preprocessing preprocessing = preprocessing_for(network, new_head, options);
  const auto settle_freeze = [&](const image::Splits& splits, TrainOptions& options) {
    if (!freeze_by_pictures) return;
    const auto choice =
        training::choose_freeze(network, static_cast<int64_t>(splits.train.samples.size()), static_cast<int64_t>(classes.size()));
    options.freeze = choice.freeze;
    freeze_reason = choice.reason;
  };
  settle_freeze(found, options);
  // The model, and a checkpoint beside the one before it, each at least as large as the network.
  std::optional<training::RunFolder> folder;
  if (writes) {
    folder.emplace(options, 3 * states);
    options.out = folder->path().string();
  }
  const bool random_crops = crops_at_random(training::make_plan(options, facts_of(found, pretrained, head)));
  training::Data data = training::read_pictures(std::move(found), options, preprocessing, random_crops, check_progress(options));
  const double area = training::median_area(data);
  prepare_size(preprocessing, network, options, data);
  for (const BadPicture& bad : data.left_out)
    if (options.note) options.note("left out: " + bad.reason);
  warn_of_copies(data, options);
  if (writes && (!options.resume || !fs::exists(folder->path() / training::kRunFile)))
    training::write_run_command(folder->path() / training::kRunFile, options.command);

  const Beginning beginning(network, preprocessing, new_head ? &classes : nullptr, head);
  const auto features = std::make_shared<training::FeatureStore>();
  const auto run_one = [&](training::PartialRun& one) -> std::optional<training::PartialResult> {
    const auto own = beginning.network(one.options.seed);
    settle_freeze(one.data.splits, one.options);
    training::Trainer trainer({own, cpu::cpu_backend(), one.options, one.data,
                               training::make_plan(one.options, facts_of(one.data.splits, pretrained, head, area)), nullptr,
                               origin_of(model, where), features, memory, states});
    const TrainResult result = trainer.run();
    if (result.interrupted) return std::nullopt;
    return training::PartialResult{result.test, trainer.tested(), result.seconds};
  };
  const training::CrossValidation cross_validation = training::cross_validate(options, data, run_one);
  if (cross_validation.interrupted) {
    TrainResult result;
    result.interrupted = true;
    return result;
  }

  training::divide(data, options);
  if (new_head) implementation.replace_head(classes, head, options.seed);
  network.set_preprocessing(preprocessing);
  settle_freeze(data.splits, options);
  training::Plan plan = training::make_plan(options, facts_of(data.splits, pretrained, head, area));
  training::Origin origin = origin_of(model, where);
  if (!given.freeze.empty()) {
    const std::set<std::string> frozen = network.frozen_by(options.freeze);
    if (!frozen.empty()) origin.freeze_savings = to_string(training::freeze_savings(network, frozen, plan.phases.back().batch));
    if (options.note) options.note(fmt::format("freeze {}: {}", options.freeze, freeze_reason));
    if (options.note && !frozen.empty()) options.note(origin.freeze_savings);
  }
  training::Trainer trainer({implementation.shared_network(), cpu::cpu_backend(), options, data, std::move(plan), &cross_validation,
                             std::move(origin), features, memory});
  const auto write_page = [&] {
    if (options.report && writes && needs_page(options.out)) write_run_page(options.out, implementation);
  };
  TrainResult result;
  try {
    result = trainer.run();
  } catch (const Error&) {
    if (trainer.stopped()) write_page();
    throw;
  }
  if (result.interrupted) return result;
  write_page();
  if (writes) folder->finish();
  return result;
}

}  // namespace

TrainResult train(Model& model, const std::string& folder, const TrainOptions& options) {
  std::error_code none;
  if (!options.out.empty() && std::filesystem::equivalent(folder, options.out, none))
    fail(ErrorKind::usage, "{} holds the pictures; the run needs a folder of its own", options.out);
  return train_on(model, options, folder, [&] { return training::find_pictures(folder); });
}

TrainResult train(Model& model, const std::vector<std::string>& files, const TrainOptions& options) {
  return train_on(model, options, fmt::format("a list of {} files", files.size()), [&] { return training::find_pictures(files); });
}

std::vector<std::string> find_classes(const std::string& folder) { return training::find_pictures(folder).train.classes; }

std::vector<std::string> find_classes(const std::vector<std::string>& files) { return training::find_pictures(files).train.classes; }

}  // namespace fovea
