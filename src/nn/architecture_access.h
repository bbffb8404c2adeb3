// Between the handles of the public interface and the values of a graph.
#pragma once

#include <fovea/architecture.h>

#include "base/error.h"
#include "ir/value.h"
#include "nn/scope.h"

namespace fovea {

struct ArchitectureAccess {
  static Value value(Map map) {
    if (!map.graph_) fail(ErrorKind::usage, "a Map that no layer has made (Map{{}}) is asked for its values");
    return {*map.graph_, ValueId{map.id_}};
  }
  static Map map(Value value) {
    Map map;
    map.graph_ = &value.graph();
    map.id_ = value.id().index;
    return map;
  }
  static const Scope& scope(const Layers& layers);
  static Layers layers(const Scope& scope, Size2 picture, Size2 native);
};

}  // namespace fovea
