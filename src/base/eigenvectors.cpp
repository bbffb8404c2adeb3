#include "base/eigenvectors.h"

#include <eigen3/Eigen/Eigenvalues>

namespace fovea {

Eigenvectors eigenvectors(const RowMajorMatrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  return {solver.info() == Eigen::Success, solver.eigenvalues(), solver.eigenvectors()};
}

}  // namespace fovea
