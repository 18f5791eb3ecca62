#!/bin/bash
# The version stands in CMakeLists.txt alone; beside it only CHANGELOG.md names it.
# usage: version.sh [SOURCE-FOLDER]
set -euo pipefail
cd "${1:-$(dirname "$(realpath "$0")")/../..}"
version=$(sed -n 's/^project(mnd VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
[ -n "$version" ] || { echo "CMakeLists.txt has no version" >&2; exit 1; }
found=$(grep -rlwF --exclude-dir=__pycache__ -- "$version" ./*.* mnd libmip6 ike-glue tests examples packaging | LC_ALL=C sort | xargs)
[ "$found" = "./CHANGELOG.md ./CMakeLists.txt" ] || { echo "$version, the version, is in: $found" >&2; exit 1; }
