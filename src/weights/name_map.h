// From the names in a checkpoint to the names of a model. The maps are data, in name_map.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::weights {

// A map is a text, one rule a line, the first one that fits decides:
//
//   blocks blocks.*.*                                   the model's blocks, numbered from 0 in the model's order
//   _fc.** -> classifier.$1
//   _blocks.*._bn1.** -> blocks.#1.bn2.$2 if blocks.#1.conv_pwl.weight
//
// `*` stands for any run of characters without a dot, `**` for any run; $1..$9 are what they stood for. #1 is the number $1 as a place
// in the list that `blocks` declares: for `blocks.*.*`, place 3 may be "2.0". `if NAME` asks that the model has NAME.
class NameMap {
 public:
  NameMap(std::string name, std::string_view rules);  // throws Error(internal) where the rules cannot be read
  const std::string& name() const { return name_; }

  // Each file name's name in the model, or itself where no rule fits.
  std::vector<std::string> apply(std::span<const std::string> file, std::span<const std::string> model) const;

 private:
  struct Rule {
    std::string pattern, replacement, condition;
  };
  std::string name_, blocks_;
  std::vector<Rule> rules_;
};

// The maps there are, the one that changes nothing ("none") first.
const std::vector<NameMap>& name_maps();
// Throws Error(usage) that lists them.
const NameMap& find_name_map(std::string_view name);
// The map under which most of the file's names are names of the model; the first of several as good.
const NameMap& choose_name_map(std::span<const std::string> file, std::span<const std::string> model);

}  // namespace fovea::weights
