// Functions and objects of Python's that the library calls.
#pragma once

#include <fovea/train.h>
#include <nanobind/nanobind.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace fovea::python {

namespace nb = nanobind;

// What C++ keeps of Python's, and copies and lets go of on any thread.
class Kept {
 public:
  explicit Kept(nb::handle object)
      : object_(new nb::object(nb::borrow(object)), [](nb::object* one) {
          const nb::gil_scoped_acquire acquire;
          delete one;
        }) {}

  // With the interpreter's lock.
  const nb::object& operator*() const { return *object_; }

 private:
  std::shared_ptr<nb::object> object_;
};

// What a training calls beside its progress, under the names of TrainOptions; none is not called. What they throw ends the training and
// comes out of it.
struct Callbacks {
  using Function = std::optional<nb::callable>;
  Function on_epoch, on_step, rate_of_step, augment_picture, loss_callback, loss_of_maps;
  std::map<std::string, nb::callable> metrics;
};
void set_callbacks(TrainOptions& options, const Callbacks& callbacks);

nb::dict dict_of(const TrainProgress& step);
nb::dict dict_of(const EpochRow& row);

}  // namespace fovea::python
