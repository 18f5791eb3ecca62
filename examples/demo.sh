#!/usr/bin/env bash
# Shows a laptop that keeps its home address while it moves: installs, builds, boots the lab (a kernel of its own; this
# machine's network is left alone), moves, measures.
# usage: examples/demo.sh [--json FILE] [--k agree|refuse] [--moves N] [--kernel KERNEL] [--keep DIR]
#   --json FILE       the figures
#   --k agree|refuse  what the home agent answers to the K flag (default agree)
#   --moves N         how many moves (default 12: all four kinds)
#   --kernel KERNEL   uml (default): user-mode Linux; stock12, stock13: Debian's kernels in qemu, slower; native: this
#                     machine's own, in namespaces
#   --keep DIR        logs and captures
# Exit status 0 only if everything held.
set -euo pipefail
root=$(realpath "$(dirname "$(realpath "$0")")/..")
# shellcheck source=tests/packages.sh
. "$root/tests/packages.sh"

json='' k=agree moves=12 kernel=uml keep=''
original=("$@")
usage() { echo "demo.sh: $1; try --help" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --json | --k | --moves | --kernel | --keep) [ $# -ge 2 ] || usage "$1 needs a value" ;;
    *) usage "unknown argument $1" ;;
  esac
  case $1 in
    --json) [ -d "$(dirname "$2")" ] || usage "there is no folder for $2"; json=$(realpath "$2") ;;
    --k) k=$2; [[ $k = agree || $k = refuse ]] || usage "--k is agree or refuse" ;;
    --moves) moves=$2; [[ $moves =~ ^[1-9][0-9]{0,2}$ ]] || usage "--moves is a number from 1 to 999" ;;
    --kernel) kernel=$2; [[ $kernel =~ ^(uml|stock1[23]|native)$ ]] || usage "--kernel is uml, stock12, stock13 or native" ;;
    --keep) keep=$(realpath -m "$2") ;;
  esac
  shift 2
done
become_root "$(realpath "$0")" "${original[@]}"
cd "$root"

install_packages "${packages_build[@]}" "${packages_lab[@]}"
[[ $kernel != stock* ]] || tests/lab/fetch-kernel "$kernel"
build_preset release mnd mip6ctl mip6-ha
cat <<'EOT'

   laptop (mn)          access routers                        home network
  +----------+   w1    +-----+                           +-----+   home link 2001:db8:1::/64
  | 2001:db8 |---------| ar1 |------.              .-----| ha  |----.------.
  |  :1::42  |   w2    +-----+      |   +------+   |     +-----+    |      |
  |   mnd    |---------| ar2 |------+---| core |---'  mip6-ha       hh     wh: the laptop's own
  |  charon  |         +-----+      |   +------+      charon               place on it
  +----------+   desk (mn2) - ar1   '-- cn: pings the laptop every 10 ms, transfers both ways

EOT
echo "booting; $moves moves, the home agent $([ "$k" = agree ] && echo "agrees to" || echo "refuses") the K flag"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0 seconds=120
[[ $kernel != stock* ]] || seconds=600
LAB_BIN_DIR=$root/build/release LAB_MOVES=$moves LAB_DEMO=1 LAB_SECONDS=$((seconds + 4 * moves)) \
  tests/lab/run --kernel "$kernel" --progress --keep "${keep:-$work}" --json "$work/result.json" "moves-$k" || status=1
if [ -f "$work/result.json" ]; then
  [ -z "$json" ] || cp "$work/result.json" "$json"
  /usr/bin/python3 -B tests/lab/summary.py "$work/result.json" || status=1
else
  echo "no figures: the run did not come to its end" >&2
  status=1
fi
[ "$status" = 0 ] && echo "everything held" || echo "NOT everything held" >&2
exit "$status"
