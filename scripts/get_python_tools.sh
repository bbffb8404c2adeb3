#!/usr/bin/env bash
# get_python_tools.sh [DIRECTORY]: what builds the Python package and what its tests run, from PyPI into DIRECTORY (build/python-tools). Does nothing where they are
# there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
get_python_packages "${1:-$root/build/python-tools}" "What builds and tests the Python package" \
  'import nanobind, scikit_build_core, numpy, PIL, pytest, sklearn, pandas, mypy.api' \
  nanobind==3.1.0 scikit-build-core==1.1.2 packaging==26.4 pathspec==1.1.1 \
  numpy==2.4.6 pillow==13.0.0 pytest==9.2.0 iniconfig==2.3.1 pluggy==1.7.0 pygments==2.21.0 \
  scikit-learn==1.9.1 scipy==1.17.1 joblib==1.6.0 cloudpickle==3.1.3 threadpoolctl==3.8.0 narwhals==2.29.0 pandas==3.1.1 python-dateutil==2.9.0.post0 six==1.17.0 \
  mypy==2.4.1 mypy_extensions==1.2.0 typing_extensions==4.16.0 librt==0.17.0 ast_serialize==0.13.1
