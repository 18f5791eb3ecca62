#!/bin/bash
# Every C++ file is formatted as .clang-format says. usage: format.sh SOURCE-FOLDER
set -euo pipefail
cd "$1"
mapfile -t files < <(find libmip6 ike-glue mnd examples tests -name '*.cpp' -o -name '*.hpp' | sort)
[ ${#files[@]} -gt 100 ] || { echo "format.sh: only ${#files[@]} files found: looked in the wrong place" >&2; exit 1; }
clang-format --dry-run -Werror "${files[@]}"
echo "${#files[@]} files are formatted"
