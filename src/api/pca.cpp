// Eigenvectors by Eigen, of whichever is smaller: the covariance of the numbers, or the products of the pictures.
#include <fovea/features.h>

#include "base/eigenvectors.h"
#include "base/error.h"

namespace fovea {
namespace {

using Matrix = RowMajorMatrix;

Matrix matrix_of(const Tensor& features) {
  const int64_t rows = features.shape().empty() ? 0 : features.shape()[0];
  const int64_t width = rows > 0 ? features.size() / rows : 0;
  const auto values = features.values<float>();
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values.data(), rows, width).cast<double>();
}

Tensor tensor_of(const Matrix& matrix, std::vector<int64_t> shape) {
  Tensor tensor(DType::f32, std::move(shape));
  const auto values = tensor.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(matrix.data()[i]);
  return tensor;
}

}  // namespace

Pca fit_pca(const Tensor& features, int64_t count) {
  Matrix rows = matrix_of(features);
  const int64_t pictures = rows.rows(), width = rows.cols(), most = std::min(width, pictures - 1);
  if (count < 1 || count > most)
    fail(ErrorKind::usage, "{} principal components of {} pictures of {} numbers each: between 1 and {} can be told", count, pictures,
         width, std::max<int64_t>(most, 0));
  const Matrix mean = rows.colwise().mean();
  rows.rowwise() -= mean.row(0);
  const bool by_pictures = pictures < width;
  const Eigen::MatrixXd products = (by_pictures ? Eigen::MatrixXd(rows * rows.transpose()) : Eigen::MatrixXd(rows.transpose() * rows)) /
                                   static_cast<double>(pictures - 1);
  const Eigenvectors found = eigenvectors(Matrix(products));
  if (!found.converged) fail(ErrorKind::input, "the principal components of {} pictures do not converge", pictures);
  const double total = products.trace(), nothing = total * 1e-14;
  Pca pca;
  Matrix components = Matrix::Zero(count, width);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t column = products.cols() - 1 - i;  // Eigen has the smallest first
    const double variance = found.values[column];
    pca.shares.push_back(total > 0 ? std::max(variance, 0.0) / total : 0);
    if (variance <= nothing) continue;  // no direction is left: zeros
    auto component = components.row(i);
    if (by_pictures)
      component = found.vectors.col(column).transpose() * rows;
    else
      component = found.vectors.col(column).transpose();
    component.normalize();
    Eigen::Index largest = 0;
    component.cwiseAbs().maxCoeff(&largest);
    if (component[largest] < 0) component = -component;
  }
  pca.mean = tensor_of(mean, {width});
  pca.components = tensor_of(components, {count, width});
  return pca;
}

Tensor project(const Pca& pca, const Tensor& features) {
  Matrix rows = matrix_of(features);
  const int64_t width = pca.mean.size(), count = pca.components.shape()[0];
  if (rows.cols() != width)
    fail(ErrorKind::mismatch, "features of {} numbers a picture, the principal components are of {}", rows.cols(), width);
  rows.rowwise() -= matrix_of(pca.mean.reshaped({1, width})).row(0);
  return tensor_of(rows * matrix_of(pca.components).transpose(), {rows.rows(), count});
}

}  // namespace fovea
