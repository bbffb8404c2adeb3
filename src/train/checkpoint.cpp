#include "train/checkpoint.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "train/evaluation_json.h"
#include "train/probe_json.h"
#include "weights/safetensors.h"

namespace fovea::training {
namespace {

using nlohmann::json;
constexpr const char* kKey = "fovea.run";
constexpr int kCheckpointVersion = 1;
constexpr const char* kPrecision = "validation_mean_average_precision";

json number(const std::optional<double>& value) { return value ? json(*value) : json(); }
std::optional<double> number(const json& value) { return value.is_null() ? std::nullopt : std::optional(value.get<double>()); }

json to_json(const EpochRow& row) {
  json text{{"epoch", row.epoch},
            {"phase", row.phase},
            {"train_loss", row.train_loss},
            {"train_accuracy", row.train_accuracy},
            {"validation_loss", number(row.validation_loss)},
            {"validation_accuracy", number(row.validation_accuracy)},
            {"rate", row.rate},
            {"waited_seconds", row.waited_seconds},
            {"seconds", row.seconds}};
  if (row.validation_precision) text[kPrecision] = *row.validation_precision;
  if (!row.metrics.empty()) text["metrics"] = row.metrics;
  return text;
}

EpochRow row_of(const json& text) {
  EpochRow row;
  row.epoch = text.at("epoch");
  row.phase = text.at("phase");
  row.train_loss = text.at("train_loss");
  row.train_accuracy = text.at("train_accuracy");
  row.validation_loss = number(text.at("validation_loss"));
  row.validation_accuracy = number(text.at("validation_accuracy"));
  if (text.contains(kPrecision)) row.validation_precision = number(text[kPrecision]);
  if (text.contains("metrics"))  // JSON has no way to write NaN, and null stands in its place
    for (const auto& [name, value] : text["metrics"].items())
      row.metrics.emplace(name, number(value).value_or(std::numeric_limits<double>::quiet_NaN()));
  row.rate = text.at("rate");
  row.waited_seconds = text.value("waited_seconds", 0.0);  // runs of before do not say
  row.seconds = text.at("seconds");
  return row;
}

json to_json(const Best& best) { return {{"epoch", best.epoch}, {"accuracy", best.accuracy}, {"loss", best.loss}}; }
Best best_of(const json& text) { return {text.at("epoch"), text.at("accuracy"), text.at("loss")}; }
json to_json(const Comparison& comparison) {
  return {{"before", comparison.before}, {"after", comparison.after}, {"error", comparison.error}, {"pictures", comparison.pictures}};
}

Comparison comparison_of(const json& text) { return {text.at("before"), text.at("after"), text.at("error"), text.at("pictures")}; }

json to_json(const RunState& state) {
  json text{
      {"version", kCheckpointVersion}, {"phase", state.phase},       {"epoch", state.epoch},    {"step", state.step},
      {"loss_sum", state.loss_sum},    {"correct", state.correct},   {"seen", state.seen},      {"waited_seconds", state.waited_seconds},
      {"seconds", state.seconds},      {"finished", state.finished}, {"record", json::array()}, {"history", history_json(state.history)}};
  text["plateau"] = {{"best", state.plateau.best}, {"bad_epochs", state.plateau.bad_epochs}, {"factor", state.plateau.factor}};
  text["bad_epochs"] = state.bad_epochs;
  if (state.phase_best) text["phase_best"] = to_json(*state.phase_best);
  text["all_steps"] = state.all_steps;
  text["events"] = {{"bytes", state.events.bytes}, {"epochs", state.events.epochs}};
  for (const auto& [name, value] : state.record) text["record"].push_back({name, value});
  if (state.best) text["best"] = to_json(*state.best);
  if (state.validation) text["validation"] = evaluation_json(*state.validation);
  if (state.probe) text["probe"] = probe_json(*state.probe);
  text["told"] = state.probe_correct;
  text["trial_kept"] = state.trial_kept;
  if (state.trial) text["trial"] = to_json(*state.trial);
  return text;
}

RunState state_of(const json& text) {
  RunState state;
  if (const int version = text.at("version"); version != kCheckpointVersion)
    fail(ErrorKind::unsupported, "checkpoint version {}, this fovea reads {}", version, kCheckpointVersion);
  for (const json& entry : text.at("record")) state.record.emplace_back(entry.at(0), entry.at(1));
  for (const json& row : text.at("history")) state.history.push_back(row_of(row));
  state.phase = text.at("phase");
  state.epoch = text.at("epoch");
  state.step = text.at("step");
  state.loss_sum = text.at("loss_sum");
  state.correct = text.at("correct");
  state.seen = text.at("seen");
  state.waited_seconds = text.value("waited_seconds", 0.0);
  state.seconds = text.at("seconds");
  state.finished = text.at("finished");
  const json& plateau = text.at("plateau");
  state.plateau = {plateau.at("best"), plateau.at("bad_epochs"), plateau.at("factor")};
  state.bad_epochs = text.at("bad_epochs");
  if (text.contains("phase_best")) state.phase_best = best_of(text["phase_best"]);
  if (text.contains("best")) state.best = best_of(text["best"]);
  state.all_steps = text.at("all_steps");
  state.events = {text.at("events").at("bytes"), text.at("events").at("epochs")};
  if (text.contains("validation")) state.validation = evaluation_of(text["validation"]);
  if (text.contains("probe")) state.probe = probe_of(text["probe"]);
  state.probe_correct = text.at("told").get<std::vector<int>>();
  state.trial_kept = text.at("trial_kept");
  if (text.contains("trial")) state.trial = comparison_of(text["trial"]);
  return state;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const RunState& state, const engine::StateStore& store) {
  std::vector<weights::LazyTensor> states;
  for (const auto& [name, entry] : store.entries())
    states.push_back({name, entry.type.dtype, entry.stored_shape, [&store, &name = name] { return store.get(name); }});
  weights::write_safetensors(path, states, {{kKey, json_text(to_json(state))}});
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  return in_context(path.string(), [&] {
    const auto file = MappedFile::open(path);
    return read_checkpoint(file->bytes(), file);
  });
}

Checkpoint read_checkpoint(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  Checkpoint checkpoint;
  checkpoint.states = weights::read_safetensors(bytes, std::move(owner));
  const auto found = checkpoint.states.metadata.find(kKey);
  if (found == checkpoint.states.metadata.end()) fail(ErrorKind::format, "is no checkpoint of a run: the metadata has no {}", kKey);
  try {
    checkpoint.state = state_of(parse_json(found->second));
  } catch (const json::exception& error) {
    fail(ErrorKind::format, "{} cannot be read: {}", kKey, error.what());
  }
  return checkpoint;
}

void require_same_record(const RunState& then, const RunState& now) {
  const auto size = std::max(then.record.size(), now.record.size());
  for (size_t i = 0; i < size; ++i) {
    const std::pair<std::string, std::string> none{"", "nothing"};
    const auto& a = i < then.record.size() ? then.record[i] : none;
    const auto& b = i < now.record.size() ? now.record[i] : none;
    if (a != b) fail(ErrorKind::mismatch, "{}: {} in the run, {} now", b.first.empty() ? a.first : b.first, a.second, b.second);
  }
}

json history_json(const std::vector<EpochRow>& history) {
  json rows = json::array();
  for (const EpochRow& row : history) rows.push_back(to_json(row));
  return rows;
}

std::string history_csv(const std::vector<EpochRow>& history) {
  const auto text = [](const std::optional<double>& value) { return value ? fmt::format("{:.6f}", *value) : std::string(); };
  const bool labels = std::ranges::any_of(history, [](const EpochRow& row) { return row.validation_precision.has_value(); });
  std::set<std::string> own;
  for (const EpochRow& row : history)
    for (const auto& [name, value] : row.metrics) own.insert(name);
  std::string csv = fmt::format("epoch,phase,train_loss,train_accuracy,validation_loss,validation_accuracy,{}",
                                labels ? std::string(kPrecision) + "," : "");
  for (const std::string& name : own) csv += csv_field(name) + ",";
  csv += "rate,waited_seconds,seconds\n";
  for (const EpochRow& row : history) {
    csv += fmt::format("{},{},{:.6f},{:.6f},{},{},{}", row.epoch, row.phase, row.train_loss, row.train_accuracy, text(row.validation_loss),
                       text(row.validation_accuracy), labels ? text(row.validation_precision) + "," : "");
    for (const std::string& name : own)
      csv += (row.metrics.contains(name) ? fmt::format("{:.6g}", row.metrics.at(name)) : std::string()) + ",";
    csv += fmt::format("{:.6g},{:.3f},{:.3f}\n", row.rate, row.waited_seconds, row.seconds);
  }
  return csv;
}

}  // namespace fovea::training
