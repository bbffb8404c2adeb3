// The parts of the module _core.
#pragma once

#include <fovea/model.h>
#include <nanobind/nanobind.h>

#include <atomic>
#include <memory>
#include <utility>

#include "arrays.h"
#include "calls.h"

namespace fovea::python {

void bind_pictures(nb::module_& m);
void bind_model(nb::module_& m);
void bind_callbacks(nb::module_& m);
void bind_dataset(nb::module_& m);
void bind_training(nb::module_& m);
void bind_trainer(nb::module_& m);
void bind_shards(nb::module_& m);
void bind_inspection(nb::module_& m);

// A model that Python holds. fovea leaves it to its caller that nothing reads a model while it changes; here that is an error.
class Held {
 public:
  explicit Held(Model model) : model_(std::move(model)) {}

  // Calls body(const Model&); any number at once.
  template <class Body>
  auto read(Body&& body) const {
    const Use use(users_, false);
    return outside([&] { return body(model_); });
  }
  // The same with the interpreter's lock, for what takes no time.
  template <class Body>
  auto look(Body&& body) const {
    const Use use(users_, false);
    return body(model_);
  }
  // Calls body(Model&), alone.
  template <class Body>
  auto change(Body&& body) {
    require_own();
    const Use use(users_, true);
    return outside([&] { return body(model_); });
  }
  // Between `lend` and `take_back` nobody changes it but by `change_lent`.
  void lend() { lent_ = true; }
  void take_back() { lent_ = false; }
  template <class Body>
  auto change_lent(Body&& body) {
    const Use use(users_, true);
    return outside([&] { return body(model_); });
  }
  // Reading and changing by a call that listens.
  template <class Body>
  auto read(Listener& listener, Body&& body) const {
    const Use use(users_, false);
    return listener.run([&] { return body(model_); });
  }
  template <class Body>
  auto change(Listener& listener, Body&& body) {
    require_own();
    const Use use(users_, true);
    return listener.run([&] { return body(model_); });
  }

 private:
  class Use {
   public:
    Use(std::atomic<int>& users, bool alone) : users_(users), alone_(alone) {
      int now = users.load();
      do {
        if (now < 0)
          throw Error(ErrorKind::usage,
                      "the model is being changed by a call that has not returned (training, a new head, weights); model.predictor() gives "
                      "answers all the while");
        if (alone && now > 0)
          throw Error(ErrorKind::usage,
                      "the model cannot be changed while calls read it that have not returned; model.predictor() is made for them");
      } while (!users.compare_exchange_weak(now, alone ? -1 : now + 1));
    }
    ~Use() {
      if (alone_)
        users_ = 0;
      else
        --users_;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    std::atomic<int>& users_;
    const bool alone_;
  };

  void require_own() const {
    if (lent_) throw Error(ErrorKind::usage, "the model cannot be changed while there is a Trainer of it");
  }

  Model model_;
  std::atomic<bool> lent_ = false;
  mutable std::atomic<int> users_ = 0;  // -1: one that changes it
};

}  // namespace fovea::python
