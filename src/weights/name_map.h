// From the names in a checkpoint to the names of a model. The maps are data, in name_maps.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::weights {

// A map is a text, one rule a line. Of the rules that fit a name the first one counts whose result the model has:
//
//   features.{1,3}.*.block.{0,2}.** <-> stages.{0,1}.blocks.*.{conv_dw,norm}.**
//   _fc.** -> classifier.$1
//   drop mask_token
//   blocks blocks.*.*                                   the model's blocks, numbered from 0 in the model's order
//   _blocks.*._bn1.** -> blocks.#1.bn2.$2 if blocks.#1.conv_pwl.weight
//
// `*` stands for any run of characters without a dot, `**` for any run; $1..$9 are what they stood for. A list in braces makes one rule of
// each entry, the first list of one side going with the first of the other; {2..5} lists the numbers. `<->` is a rule for both directions,
// the wildcards of one side standing for those of the other in turn. `drop` leaves a tensor out. #1 is the number $1 as a place in the list
// that `blocks` declares: for `blocks.*.*`, place 3 may be "2.0". `if NAME` asks that the model has NAME.
class NameMap {
 public:
  enum class Direction { forward, backward };

  // `backward` keeps the rules for both directions alone, turned round. Throws Error(internal) where the rules cannot be read.
  NameMap(std::string name, std::string_view rules, Direction direction = Direction::forward);
  const std::string& name() const { return name_; }

  // Each file name's name in the model: the first rule's result where the model has none of them, itself where no rule fits, and nothing
  // for what is dropped.
  std::vector<std::string> apply(std::span<const std::string> file, std::span<const std::string> model) const;

 private:
  struct Rule {
    std::string pattern, replacement, condition;
    bool drop = false;
  };
  void read_rule(const std::string& line, Direction direction);

  std::string name_, blocks_;
  std::vector<Rule> rules_;
};

// The maps there are, the one that changes nothing ("none") first.
const std::vector<NameMap>& name_maps();
// Throws Error(usage) that lists them.
const NameMap& find_name_map(std::string_view name);
// The map under which most of the file's names are names of the model, or dropped; the first of several as good.
const NameMap& choose_name_map(std::span<const std::string> file, std::span<const std::string> model);

}  // namespace fovea::weights
