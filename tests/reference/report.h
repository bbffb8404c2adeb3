// What was found beside what is allowed.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fovea::answers {

struct Quantity {
  std::string name;  // "stage layer1"
  double found = 0;
  std::optional<double> allowed;  // none: shown, not judged
  std::string note;
  bool over() const { return allowed && !(found <= *allowed); }
};

struct Report {
  std::string title;
  std::vector<Quantity> quantities;

  void add(std::string name, double found, std::optional<double> allowed, std::string note = {}) {
    quantities.push_back({std::move(name), found, allowed, std::move(note)});
  }
  int over() const;
  // One line a quantity, and one for all.
  std::string text() const;
};

}  // namespace fovea::answers
