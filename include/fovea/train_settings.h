// The settings of a training under the names that the command has for them, as texts: for programs that are told them by people.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <fovea/api.h>
#include <fovea/train.h>

namespace fovea {

struct TrainSetting {
  std::string name = {};                  // "label-smoothing"; with -- in front it is the command's option
  std::string type = {};                  // what a value is called in help: "N", "RATE"; empty: there is none, the setting is on or off
  std::string help = {};                  // one sentence or two
  std::string usual = {};                 // the value where none is given; empty: what the help says
  std::vector<std::string> choices = {};  // of which a value is one; empty: anything that the type says
  bool ranged = false;                    // a number that option_range knows by this name
  bool size = false;                      // a whole number of bytes
  std::string group = {};                 // the part of TrainOptions it belongs to: "data", "optimizer", ...; "recipe": none of them
  bool changes_pictures = false;          // about how pictures are changed before the network sees them
};
FOVEA_API const std::vector<TrainSetting>& train_settings();

// The usual options with these values, by name; settings without values are on by "yes". Throws Error(usage) naming the setting for one
// that there is not (with the nearest), for a value that it cannot have, and for settings that contradict each other.
FOVEA_API TrainOptions train_options(const std::map<std::string, std::string>& values);

}  // namespace fovea
