#!/usr/bin/env bash
# Installs a home agent or a mobile node from these sources into /usr: the Debian packages that are missing, the build, its
# programs, manuals and unit, what gives it access to charon, user and group mnd. Nothing else is downloaded; nothing is started
# or switched on (strongSwan neither, if it is installed now), and no setting changes.
# usage: packaging/install.sh mip6-ha | mnd
# What was installed is listed in build/release/install_manifest_*.txt.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh

case ${1-} in
  mip6-ha) programs=(mip6-ha) ;;
  mnd) programs=(mnd mip6ctl) ;;
  --help | -h) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  *) echo "packaging/install.sh: name what to install, mip6-ha or mnd; try --help" >&2; exit 2 ;;
esac
become_root "$(realpath packaging/install.sh)" "$@"

install_packages "${packages_build[@]}" "${packages_run[@]}"
build_preset release "${programs[@]}"
cmake --install build/release --prefix /usr --component "$1" >/dev/null
systemd-sysusers "$1.conf"
[ "$1" != mnd ] || install -d -o mnd -g mnd -m 0700 /var/lib/mnd # else its unit does it, at the first start
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ ! -S /run/charon.vici ] || setfacl -m u:mnd:rw /run/charon.vici # from its next start on its unit does it
echo "installed: ${programs[*]}"
