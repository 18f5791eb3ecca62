# Debian packages of the build, the programs, the tests and the lab, in one place; sourced by what
# installs them: tests/run.sh, examples/demo.sh, packaging/install.sh and the run of simulation, fuzz and bench.
# shellcheck shell=bash
# shellcheck disable=SC2034

packages_build=(cmake ninja-build g++ pkg-config libboost-dev libboost-program-options-dev libfmt-dev
  nlohmann-json3-dev libexpected-dev libnl-3-dev libnl-route-3-dev libsqlite3-dev libssl-dev libsystemd-dev)
packages_run=(acl charon-systemd libstrongswan-standard-plugins strongswan-pki)
packages_packaging=(build-essential debhelper dpkg-dev systemd)
case $(cat /etc/debian_version 2>/dev/null) in
  1[0-2].*) ;;
  *) packages_packaging+=(systemd-dev) ;; # where units go
esac
packages_bench=(libbenchmark-dev)
packages_test=(catch2 clang-format mandoc systemd tshark prometheus "${packages_bench[@]}")
packages_report=(gnuplot-nox wireguard-tools)
packages_system=(debootstrap debian-archive-keyring lintian)
packages_clang=(clang-19 libclang-rt-19-dev lld-19 llvm-19 python3-minimal)
packages_lab=("${packages_run[@]}" user-mode-linux strongswan-swanctl radvd tcpdump iproute2 iputils-ping kmod procps
  python3-minimal python3 python3-jsonschema openssl strace e2fsprogs iptables nftables gcc libc6-dev)
# Of stock kernels in the lab (tests/lab/run --kernel), beside packages_lab; not installed if nobody asks for it.
packages_lab_stock=(qemu-system-x86 busybox-static cpio kmod xz-utils debian-archive-keyring)

# become_root SCRIPT ARGUMENTS...: runs the script again as root if we are not; does not return then.
become_root() {
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null || { echo "$1: must be run as root" >&2; exit 2; }
  exec sudo -- "$@"
}

# install_packages PACKAGE...: what is missing, and nothing else. Their services are not started: the lab runs its own
# in a kernel of its own, this machine's network is left alone.
install_packages() {
  local package missing=() policy=/usr/sbin/policy-rc.d status=0
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  if [ -e "$policy" ]; then
    policy=
  else
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  local options=(-qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600)
  export DEBIAN_FRONTEND=noninteractive
  if ! apt-get "${options[@]}" install "${missing[@]}" >/tmp/mnd-install.$$ 2>&1; then
    # Probably no package lists, or old ones.
    { apt-get -qq update && apt-get "${options[@]}" install "${missing[@]}"; } >/tmp/mnd-install.$$ 2>&1 || status=$?
  fi
  [ "$status" = 0 ] || { cat /tmp/mnd-install.$$ >&2; echo "packages could not be installed" >&2; }
  rm -f /tmp/mnd-install.$$
  [ -z "$policy" ] || rm -f "$policy"
  # Enabled by their packages, wanted by nobody here.
  if [ "$status" = 0 ] && [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
      case $package in
        charon-systemd) systemctl disable --quiet strongswan.service || true ;;
        prometheus) systemctl disable --quiet prometheus.service || true ;;
        radvd) systemctl disable --quiet radvd.service || true ;;
      esac
    done
  fi
  return "$status"
}

# build_preset PRESET [TARGET...]: configures once, builds what changed; on a terminal one line tells how far it is.
build_preset() {
  local preset=$1 quiet=()
  shift
  [ -t 1 ] || quiet=(--quiet)
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"/tmp/mnd-configure.$$" 2>&1 ||
    { cat "/tmp/mnd-configure.$$" >&2; rm -f "/tmp/mnd-configure.$$"; return 1; }
  rm -f "/tmp/mnd-configure.$$"
  echo "building preset $preset"
  cmake --build --preset "$preset" -- "${quiet[@]}" "$@"
}
