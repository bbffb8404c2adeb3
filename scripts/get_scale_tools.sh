#!/usr/bin/env bash
# get_scale_tools.sh [--without-spark] [DIRECTORY]: Ray, Dask and Spark from PyPI into DIRECTORY (build/scale-tools), for the tests of docs/scale.md, and for Spark
# Java as the distribution has it. Does nothing where they are there already. Spark's package is 380 MB of source, which takes minutes to install.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
spark=(pyspark==4.3.0 py4j==0.10.9.9) import_spark=', pyspark.sql'
wanted=("${spark[@]}")
if [ "${1-}" = --without-spark ]; then
  wanted=() import_spark=
  shift
fi
target=${1:-$root/build/scale-tools}
packages=(
  ray==2.60.0 click==8.5.1 filelock==4.3.1 jsonschema==4.26.0 jsonschema_specifications==2025.9.1 referencing==0.37.0 rpds_py==2026.9.1 attrs==26.1.0
  msgpack==1.2.4 packaging==26.4 protobuf==7.36.2 pyyaml==6.0.4 requests==2.34.2 urllib3==2.8.0 idna==3.20 certifi==2026.10.19.post1 charset_normalizer==3.5.3
  fsspec==2026.9.0 pyarrow==26.0.1
  dask==2026.8.0 distributed==2026.8.0 cloudpickle==3.1.3 toolz==1.2.0 partd==1.4.2 locket==1.0.0 importlib_metadata==10.2.0 lazy_importer==0.1.0 zipp==4.1.2
  jinja2==3.1.6 markupsafe==3.0.4 psutil==7.2.2 sortedcontainers==2.4.0 tblib==3.2.2 tornado==6.6.1 zict==3.0.0
  numpy==2.4.6 pandas==3.1.1 python-dateutil==2.9.0.post0 six==1.17.0 typing_extensions==4.16.0 pillow==13.0.0
  pytest==9.2.0 iniconfig==2.3.1 pluggy==1.7.0 pygments==2.21.0
)
if [ ${#wanted[@]} = 0 ] && [ "$(cat "$target/requirements.txt" 2>/dev/null)" = "${packages[*]} ${spark[*]}" ]; then
  say "What the tests of clusters stand on is in $target, Spark too."
  exit 0
fi
if [ ${#wanted[@]} -gt 0 ] && ! command -v java >/dev/null; then
  say "Installing: default-jre-headless"
  as_root apt-get update -q=2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends default-jre-headless >/dev/null
fi
# Spark comes as a source archive alone, in which nothing is compiled.
PIP_NO_BINARY=${wanted:+pyspark} get_python_packages "$target" "What the tests of clusters stand on" \
  "import ray.data, dask.dataframe, distributed, psutil, PIL, pytest$import_spark" "${packages[@]}" "${wanted[@]}"
