// What the numbers among the options of training may be: the one table of the library and the command.
#include <algorithm>
#include <cmath>

#include <fovea/train.h>

#include "base/error.h"

namespace fovea {
namespace {

constexpr double kMany = 1e9;  // as good as no limit of what is counted

const std::vector<OptionRange>& all_ranges() {
  constexpr bool kOut = true;
  static const std::vector<OptionRange> ranges{
      {.option = "epochs", .least = 1, .most = 1e6, .whole = true},
      {.option = "batch", .least = 2, .most = 65536, .whole = true},  // batch norm cannot train on one picture
      {.option = "accumulate", .least = 1, .most = 1e6, .whole = true},
      {.option = "lr", .least = 0, .most = 1000, .above = kOut, .below = kOut},
      {.option = "warmup", .least = 0, .most = 1},
      {.option = "momentum", .least = 0, .most = 1, .below = kOut},
      {.option = "weight-decay", .least = 0, .most = 1000, .below = kOut},
      {.option = "layer-decay", .least = 0, .most = 1, .above = kOut},
      {.option = "clip", .least = 0, .most = kMany, .above = kOut},
      {.option = "ema", .least = 0, .most = 1, .below = kOut},
      {.option = "patience", .least = 1, .most = kMany, .whole = true},
      {.option = "focal-gamma", .least = 0, .most = 1000},
      {.option = "label-smoothing", .least = 0, .most = 1, .below = kOut},
      {.option = "dropout", .least = 0, .most = 1, .below = kOut},
      {.option = "stochastic-depth", .least = 0, .most = 1, .below = kOut},
      {.option = "vertical-flip", .least = 0, .most = 1},
      {.option = "erasing", .least = 0, .most = 1},
      {.option = "mixup", .least = 0, .most = 1000, .above = kOut},
      {.option = "cutmix", .least = 0, .most = 1000, .above = kOut},
      {.option = "stored-views", .least = 1, .most = 1e6, .whole = true},
      {.option = "hidden", .least = 1, .most = 65536, .whole = true},
      {.option = "validation", .least = 0, .most = 1, .below = kOut},
      {.option = "test", .least = 0, .most = 1, .below = kOut},
      {.option = "folds", .least = 2, .most = 1000, .whole = true},
      {.option = "seeds", .least = 1, .most = 1000, .whole = true},
      {.option = "checkpoint-every", .least = 0, .most = 1e6},
  };
  return ranges;
}

}  // namespace

bool OptionRange::contains(double value) const {
  return std::isfinite(value) && (above ? value > least : value >= least) && (below ? value < most : value <= most);
}

std::string OptionRange::words() const {
  const bool open = most >= kMany;
  if (whole) return open ? fmt::format("{:.0f} or more", least) : fmt::format("{:.0f} to {:.0f}", least, most);
  if (open) return above ? fmt::format("a number above {:g}", least) : fmt::format("a number of {:g} or more", least);
  return fmt::format("a number {} {:g} {} {:g}", above ? "above" : "from", least, below ? (above ? "and below" : "to below") : "up to",
                     most);
}

const OptionRange& option_range(std::string_view option) {
  const auto found = std::ranges::find(all_ranges(), option, &OptionRange::option);
  if (found == all_ranges().end()) fail(ErrorKind::usage, "no range is known of the option {}", option);
  return *found;
}

}  // namespace fovea
