#include "train/job.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "image/channels.h"
#include "train/freeze.h"
#include "train/preset.h"
#include "train/trainer.h"
#include "weights/text.h"

namespace fovea::training {
namespace {

// What the pictures of a model with these classes go through.
Preprocessing preprocessing_for(const engine::Network& network, bool new_head, const TrainOptions& options) {
  Preprocessing preprocessing = network.preprocessing();
  if (new_head && (preprocessing.fit == Fit::crop || preprocessing.fit == Fit::squash_crop)) preprocessing.fit = Fit::squash;
  if (new_head) preprocessing.alpha = Alpha::white;
  if (options.views.fit) {
    preprocessing.fit = *options.views.fit;
    preprocessing.second_fit = options.views.second_fit;
  }
  if (options.views.alpha) preprocessing.alpha = *options.views.alpha;
  if (options.views.decode) preprocessing.decode = *options.views.decode;
  if (options.views.range) preprocessing.range = options.views.range;
  if (options.views.page) preprocessing.page = *options.views.page;
  if (options.views.mirrored != Choice::automatic) preprocessing.mirrored = options.views.mirrored == Choice::on;
  return preprocessing;
}

// Pictures are wanted in more than one form.
bool crops_at_random(const Plan& plan) {
  return std::ranges::any_of(plan.phases, [](const Phase& phase) {
    return phase.choose_fit || phase.second_fit || (!phase.on_features && phase.augmentation && phase.augmentation->crops());
  });
}

// Called with (done, all); empty where nobody wants to know.
image::Progress check_progress(const TrainOptions& options) {
  if (!options.run.progress && !options.run.cancel.stop_possible()) return {};
  // Looking at the pictures changes nothing that could be saved.
  return [&options](int64_t done, int64_t all) {
    if (options.run.progress) options.run.progress({"check", 0, 1, done, all, 0});
    if (options.run.cancel.stop_requested()) throw Cancelled();
  };
}

// Names are written into files of formats that hold text.
void require_utf8(const std::vector<std::string>& classes) {
  for (const std::string& name : classes)
    if (!is_utf8(name))
      fail(ErrorKind::input, "class \"{}\": the name is not UTF-8, and cannot be kept in a model: give its folder or label another one",
           weights::printable(name));
}

void warn_of_copies(const Data& data, const TrainOptions& options) {
  if (!options.run.note) return;
  Data divided = data;
  divide(divided, options);
  const Audit audit = auditing::audit(divided.splits, *data.looks);
  for (const std::string& line : auditing::leak_warnings(audit)) options.run.note(line);
  for (const std::string& line : auditing::conflict_warnings(audit)) options.run.note(line);
  const auto together = std::ranges::count_if(audit.copies, [](const AuditCopies& copies) { return !copies.across_splits; });
  if (together > 0)
    options.run.note(fmt::format("{} more than once; the copies stay on one side of every split (fovea audit names them)",
                                 together == 1 ? "1 picture is there" : fmt::format("{} pictures are there", together)));
}

}  // namespace

Plan plan_of_steps(const TrainOptions& options, const Facts& facts) {
  if (options.recipe == Recipe::probe) fail(ErrorKind::usage, "the recipe probe takes no steps on pictures: finetune or full do");
  Plan plan = make_plan(options, facts);
  if (!plan.phases.back().on_features) return plan;
  TrainOptions own = options;
  own.recipe = Recipe::finetune;
  return make_plan(own, facts);
}

void check_freeze(const engine::Network& network, const std::string& freeze) {
  if (freeze != "auto") network.frozen_by(freeze);
}

Job::Job(const engine::Network& network, TrainOptions options, bool pretrained, MakePlan make)
    : network_(network),
      options_(std::move(options)),
      pretrained_(pretrained),
      freeze_by_pictures_(options_.freeze == "auto"),
      make_plan_(make) {}

void Job::take(image::Splits found) {
  classes_ = found.train.classes;
  require_utf8(classes_);
  const Augment policy = options_.augmentation.policy.value_or(Augment::off);
  const bool changes_colours = policy != Augment::off && policy != Augment::light && policy != Augment::standard;
  if (changes_colours && image::picture_channels(network_.channels()) != 3)
    fail(ErrorKind::usage, "{} changes colours, and pictures of {} channels have none: light and standard are crops and flips for them",
         to_string(policy), network_.channels());
  head_ = options_.head.value_or(network_.form().head);
  head_.independent = found.train.multi_label;
  new_head_ = classes_ != network_.classes() || !(head_ == network_.form().head);
  preprocessing_ = preprocessing_for(network_, new_head_, options_);
  random_crops_ = crops_at_random(plan(found, options_));
  data_.splits = std::move(found);
}

void Job::look() {
  data_ = read_pictures(std::move(data_.splits), options_, preprocessing_, random_crops_, check_progress(options_));
  area_ = median_area(data_);
  settle_size();
}

void Job::settle_size() {
  const Prepared prepared = prepare(preprocessing_, network_, options_, area_);
  if (!prepared.reason.empty() && options_.run.note) options_.run.note(prepared.reason);
  if (prepared.preprocessing == preprocessing_) return;
  preprocessing_ = prepared.preprocessing;
  if (data_.cache->fitted()) data_.cache = std::make_shared<image::ImageCache>(options_.data.picture_cache_bytes, preprocessing_, true);
}

void Job::tell() const {
  for (const BadPicture& bad : data_.left_out)
    if (options_.run.note) options_.run.note("left out: " + bad.reason);
  warn_of_copies(data_, options_);
}

void Job::settle_freeze(const image::Splits& splits, TrainOptions& options) {
  if (!freeze_by_pictures_) return;
  const auto choice = choose_freeze(network_, static_cast<int64_t>(splits.train.samples.size()), static_cast<int64_t>(classes_.size()));
  options.freeze = choice.freeze;
  freeze_reason_ = choice.reason;
}

Plan Job::plan(const image::Splits& splits, TrainOptions& options) {
  settle_freeze(splits, options);
  return make_plan_(options, {static_cast<int64_t>(splits.train.samples.size()), static_cast<int64_t>(splits.validation.samples.size()),
                              pretrained_, splits.train.multi_label, head_.kind == HeadKind::linear,
                              static_cast<int64_t>(splits.train.classes.size()), area_, has_soft_targets(splits)});
}

std::shared_ptr<engine::Network> Job::beginning(uint64_t seed) const {
  auto copy = std::make_shared<engine::Network>(network_.variant(), network_.form(), preprocessing_, std::nullopt);
  copy->load(network_.state_dict());
  copy->set_precision(network_.precision());
  copy->set_seen(network_.seen());
  if (new_head_) copy->replace_head(classes_, head_, seed);
  return copy;
}

CrossValidation Job::cross_validate(const backend::Backend& backend, const Origin& origin, const std::shared_ptr<FeatureStore>& features,
                                    const std::shared_ptr<engine::MemoryAccount>& memory) {
  return training::cross_validate(options_, data_, [&](PartialRun& one) -> std::optional<PartialResult> {
    Plan own = plan(one.data.splits, one.options);
    Trainer trainer({beginning(one.options.run.seed), backend, one.options, one.data, std::move(own), nullptr, origin, features, memory,
                     network_.store()->bytes()});
    const TrainResult result = trainer.run();
    if (result.interrupted) return std::nullopt;
    return PartialResult{result.test, trainer.tested(), result.seconds};
  });
}

}  // namespace fovea::training
