// Eigenvectors of a symmetric matrix, by Eigen's solver, which takes long to compile and is compiled here alone.
#pragma once

#define EIGEN_DONT_PARALLELIZE  // threads are parallel_for's
#include <eigen3/Eigen/Core>

namespace fovea {

using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Eigenvectors {
  bool converged = false;
  Eigen::VectorXd values;   // the smallest first
  Eigen::MatrixXd vectors;  // a column each, of length 1
};

// Reads the lower triangle.
Eigenvectors eigenvectors(const RowMajorMatrix& symmetric);

}  // namespace fovea
