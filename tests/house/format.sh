#!/bin/bash
# Every C++ file is formatted as .clang-format says, and no line of Python is longer than 128 characters.
# usage: format.sh SOURCE-FOLDER
set -euo pipefail
cd "$1"
mapfile -t files < <(find libmip6 ike-glue mnd examples tests -name '*.cpp' -o -name '*.hpp' | sort)
[ ${#files[@]} -gt 100 ] || { echo "format.sh: only ${#files[@]} files found: looked in the wrong place" >&2; exit 1; }
clang-format --dry-run -Werror "${files[@]}"
mapfile -t scripts < <(find tests -name '*.py' | sort)
[ ${#scripts[@]} -gt 50 ] || { echo "format.sh: only ${#scripts[@]} Python files found: looked in the wrong place" >&2; exit 1; }
if LC_ALL=C.UTF-8 grep -nHE '.{129,}' "${scripts[@]}"; then
  echo "format.sh: longer than 128 characters" >&2
  exit 1
fi
echo "${#files[@]} files of C++ are formatted, ${#scripts[@]} of Python have no line too long"
