// Training by hand.
#include <fovea/trainer.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>

#include "bindings.h"
#include "options.h"

namespace fovea::python {
namespace {

Dataset dataset_of(const Data& data) {
  struct Make {
    Dataset operator()(const std::string& path) const { return Dataset::load(path); }
    Dataset operator()(const std::vector<std::string>& files) const { return Dataset::from_files(files); }
    Dataset operator()(const Dataset& data) const { return data; }
  };
  return with(data, Make{});
}

// A trainer with its model, which nobody else changes while it is there.
class HeldTrainer {
 public:
  HeldTrainer(nb::object model, const Data& data, const std::map<std::string, std::string>& settings, const Shaping& shaping,
              const Callbacks& callbacks)
      : model_(std::move(model)), held_(nb::cast<Held&>(model_)) {
    TrainOptions options = train_options(settings);
    shape(options, shaping);
    set_callbacks(options, callbacks);
    held_.change([&](Model& m) {
      resize(m, shaping);
      trainer_.emplace(m, dataset_of(data), options);
    });
    held_.lend();
  }
  ~HeldTrainer() {
    {
      const nb::gil_scoped_release release;  // its threads may wait for the lock
      trainer_.reset();
    }
    held_.take_back();
  }
  HeldTrainer(const HeldTrainer&) = delete;
  HeldTrainer& operator=(const HeldTrainer&) = delete;

  template <class Body>
  auto call(Body&& body) {
    return held_.change_lent([&](Model&) { return body(*trainer_); });
  }
  const Trainer& look() const { return *trainer_; }

 private:
  const nb::object model_;
  Held& held_;
  std::optional<Trainer> trainer_;
};

}  // namespace

void bind_trainer(nb::module_& m) {
  nb::class_<TrainBatch>(m, "TrainBatch", "Prepared pictures and what they show.")
      .def("__init__",
           [](TrainBatch* batch, nb::handle images, std::vector<int64_t> labels) {
             new (batch) TrainBatch{floats_of(images, "prepared pictures as float32 [N,channels,height,width]"), std::move(labels)};
           })
      .def_prop_rw(
          "images", [](const TrainBatch& batch) { return array_of(batch.images); },
          [](TrainBatch& batch, nb::handle images) {
            batch.images = floats_of(images, "prepared pictures as float32 [N,channels,height,width]");
          })
      .def_rw("labels", &TrainBatch::labels)
      .def_prop_rw(
          "targets",
          [](const TrainBatch& batch) { return batch.targets.shape().empty() ? nb::object(nb::none()) : array_of(batch.targets); },
          [](TrainBatch& batch, nb::handle targets) {
            batch.targets = targets.is_none() ? Tensor() : floats_of(targets, "targets as float32 [N,classes]");
          },
          nb::arg().none());
  nb::class_<TrainedStep>(m, "TrainedStep")
      .def_ro("loss", &TrainedStep::loss)
      .def_ro("correct", &TrainedStep::correct)
      .def_ro("rate", &TrainedStep::rate);
  nb::class_<HeldTrainer>(m, "Trainer")
      .def(nb::init<nb::object, const Data&, const std::map<std::string, std::string>&, const Shaping&, const Callbacks&>())
      .def_prop_ro("epochs", [](const HeldTrainer& t) { return t.look().epochs(); })
      .def_prop_ro("steps", [](const HeldTrainer& t) { return t.look().steps(); })
      .def_prop_ro("taken", [](const HeldTrainer& t) { return t.look().step(); })
      .def_prop_ro("rate", [](const HeldTrainer& t) { return t.look().rate(); })
      .def("next", [](HeldTrainer& t) { return t.call([](Trainer& trainer) { return trainer.next(); }); })
      .def("step", [](HeldTrainer& t, const TrainBatch& batch) { return t.call([&](Trainer& trainer) { return trainer.step(batch); }); })
      .def("validate", [](HeldTrainer& t) { return t.call([](Trainer& trainer) { return trainer.validate(); }); })
      .def("test", [](HeldTrainer& t) { return t.call([](Trainer& trainer) { return trainer.test(); }); })
      .def("evaluate",
           [](HeldTrainer& t, const Data& data) { return t.call([&](Trainer& trainer) { return trainer.evaluate(dataset_of(data)); }); })
      .def("state_dict",
           [](HeldTrainer& t) {
             nb::dict result;
             for (const auto& [name, tensor] : t.call([](Trainer& trainer) { return trainer.state_dict(); }))
               result[name.c_str()] = array_of(tensor);
             return result;
           })
      .def("save", [](HeldTrainer& t, const std::string& path) { t.call([&](Trainer& trainer) { trainer.save(path); }); })
      .def("load", [](HeldTrainer& t, const std::string& path) { t.call([&](Trainer& trainer) { trainer.load(path); }); });
}

}  // namespace fovea::python
