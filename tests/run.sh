#!/usr/bin/env bash
# Installs what is missing, builds, runs the tests.
# usage: tests/run.sh [--long] [--list] [LABEL...]
#   LABEL   unit, lab, simulation, fuzz, keying, home-agent, movement or system; none: all tests
#   --long  also the tests that take too long for every day
#   --list  only the names of the tests and of the lab's scenarios; installs and builds nothing
# Unit, simulation and fuzz tests run under ASan and UBSan (preset dev), the lab's programs with UBSan (preset lab); those of
# label system install the Debian packages.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh

labels=(unit lab simulation fuzz keying home-agent movement system)
wanted=() long='' list=''
for argument in "$@"; do
  case $argument in
    --long) long=yes ;;
    --list) list=yes ;;
    --help | -h) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    -*) echo "tests/run.sh: unknown option $argument; try --help" >&2; exit 2 ;;
    *) [[ " ${labels[*]} " == *" $argument "* ]] ||
         { echo "tests/run.sh: unknown label '$argument'; there are: ${labels[*]}" >&2; exit 2; }
       wanted+=("$argument") ;;
  esac
done
if [ -z "$list" ]; then
  become_root "$(realpath tests/run.sh)" "$@"
  install_packages "${packages_build[@]}" "${packages_clang[@]}" "${packages_test[@]}" "${packages_lab[@]}"
fi
[ -f build/dev/build.ninja ] || cmake --preset dev >/dev/null ||
  { echo "tests/run.sh: cannot tell tests without the packages of a build; without --list they are installed" >&2; exit 1; }
[ ! -w build/dev ] || cmake -S . -B build/dev >/dev/null # new tests and scenarios are found

select_label() { # options of ctest for a regular expression of labels
  selection=(--test-dir build/dev)
  [ -z "$1" ] || selection+=(-L "^($1)\$")
  [ -n "$long" ] || selection+=(-LE '^long$')
}
count() { # how many tests have this label
  select_label "$1"
  ctest "${selection[@]}" -N | sed -n 's/^Total Tests: //p'
}

if [ -n "$list" ]; then
  select_label "$(IFS='|'; echo "${wanted[*]}")"
  ctest "${selection[@]}" -N | sed -n 's/^ *Test *#[0-9]*: */test      /p'
  tests/lab/run --list | sed 's/^/scenario  /'
  exit 0
fi
for label in "${wanted[@]}"; do
  [ "$(count "$label")" -gt 0 ] || { echo "tests/run.sh: there is no test with label '$label'" >&2; exit 1; }
done
[ "$(count '')" -gt 0 ] || { echo "tests/run.sh: there is no test" >&2; exit 1; }

select_label "$(IFS='|'; echo "${wanted[*]}")"
selected=$(ctest "${selection[@]}" -N | sed -n 's/^ *Test *#[0-9]*: //p')
# Programs of dev are what all run, but those of the lab, of the packages and of the house.
if grep -qvE '^(lab|system|house)-|^bench$' <<<"$selected" || grep -q '^lab-asan-' <<<"$selected"; then
  build_preset dev
fi
if grep -q '^bench$' <<<"$selected"; then
  build_preset dev mnd-bench
fi
if grep -q '^lab-' <<<"$selected"; then
  build_preset lab
fi
if grep -q '^lab-planted-defects$' <<<"$selected"; then
  build_preset lab-planted
fi
# What tests would install themselves, one of them while another needs apt.
if grep -q '^system-' <<<"$selected"; then
  install_packages "${packages_packaging[@]}" "${packages_system[@]}"
fi
mapfile -t kernels < <(sed -n 's/^lab-.*-\(stock[0-9]*\)$/\1/p' <<<"$selected" | sort -u)
if [ ${#kernels[@]} -gt 0 ]; then
  tests/lab/fetch-kernel "${kernels[@]}"
fi
exec ctest "${selection[@]}" -j2 --output-on-failure --no-tests=error
