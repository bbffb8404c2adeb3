// What the programs of the claims share: their command line, their rows, their pictures, one training.
#pragma once

#include <fovea/fovea.h>

#include <cstdint>
#include <string>
#include <vector>

namespace claims {

struct Claim {
  uint64_t seed = 0;
  std::string pictures;  // the folder that get_pictures filled
  // One number: of this series (a network, a way), at this x, of this measure ("test_accuracy"). Printed at once:
  // "series,x,seed,measure,value".
  void add(const std::string& series, double x, const std::string& measure, double value) const;
};

// PROGRAM --seed S --pictures DIR [--threads N]: rows on the standard output, what is going on on the other.
int main(int argc, char** argv, void (*body)(const Claim&));

// Pictures divided once and for all; a file's folder is its class.
struct Pictures {
  std::vector<std::string> train, test;
  int64_t size = 0;      // of their sides; 0: they differ
  int64_t channels = 0;  // 1: grey
};
Pictures digits(const Claim& claim);  // scikit-learn's: 1797 of 8 x 8, every fifth of a class for the test
Pictures mnist(const Claim& claim);   // 5000 of MNIST, 28 x 28, likewise
// 200 cut-out photographs of twelve kinds, on white; a quarter of each class for the test, which is the seed's choice.
Pictures stamps(const Claim& claim);
// `count` of each class, the seed's choice; all, where a class has fewer.
std::vector<std::string> some_of_each(const std::vector<std::string>& files, int64_t count, uint64_t seed);
// `count` of each class to learn from, the seed's choice; all others test too.
Pictures few_to_learn_from(Pictures pictures, int64_t count, uint64_t seed);

// A network from nothing, or from its published weights ("default"), for pictures of this size.
fovea::Model make_model(const std::string& name, const Pictures& pictures, int64_t size, uint64_t seed,
                        const std::string& weights = "none");

// From scratch: every epoch's steps on all parameters, no augmentation but what `options` ask for, no validation: what is left at the end
// counts.
fovea::TrainOptions from_scratch(int64_t epochs, double rate, uint64_t seed);

struct Fit {
  double train_accuracy = 0, test_accuracy = 0;  // of the trained network, by `evaluate`
  double train_loss = 0, test_loss = 0;
  double seconds = 0;
  std::vector<fovea::EpochRow> history;
};
Fit fit(fovea::Model& model, const std::vector<std::string>& train, const std::vector<std::string>& test,
        const fovea::TrainOptions& options);

// The pictures as the network gets them, [N, channels, height, width], and their classes.
struct Batch {
  fovea::Tensor images;
  std::vector<int64_t> labels;
};
Batch batch_of(const fovea::Model& model, const std::vector<std::string>& files);

double norm(const fovea::Tensor& tensor);

}  // namespace claims
