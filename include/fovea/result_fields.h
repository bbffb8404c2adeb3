// The numbers of results, by the names that they have wherever they are written: in metrics.json and in what commands print.
#pragma once

#include <fovea/train.h>

#include <vector>

namespace fovea {

// field(name, value) is called for each, in their order.
template <class Field>
inline void fields(const LabelScores& scores, Field&& field) {
  field("mean_average_precision", scores.mean_average_precision);
  field("f1_macro", scores.f1_macro);
  field("f1_micro", scores.f1_micro);
}

template <class Field>
inline void fields(const Score& score, Field&& field) {
  field("accuracy", score.accuracy);
  field("pictures", score.pictures);
  if (score.labels) fields(*score.labels, field);
}

template <class Field>
inline void fields(const Spread& spread, Field&& field) {
  field(spread.of + "_mean", spread.mean);
  field(spread.of + "_std", spread.deviation);
  field(spread.of, spread.values);
  field(spread.of + "_interval", std::vector{spread.low, spread.high});
}

}  // namespace fovea
