# For what works with a Debian in a folder that is not booted; sourced.
# shellcheck shell=bash

# in_chroot ROOT COMMAND...: with the little that an administrator's shell has.
in_chroot() {
  # shellcheck disable=SC2016
  unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive chroot "$0" "$@"' "$@"
}

# copy_image IMAGE ROOT: which dpkg need not write to the disk file by file.
copy_image() {
  cp -a --reflink=auto "$1" "$2"
  echo force-unsafe-io >"$2/etc/dpkg/dpkg.cfg.d/unsafe-io"
}

# later PACKAGE FOLDER: the same package as a later version, in FOLDER.
later() {
  local tree
  tree=$(mktemp -d)
  dpkg-deb -R "$1" "$tree"
  sed -i 's/^Version: .*/&+later/' "$tree/DEBIAN/control"
  dpkg-deb -Zgzip -z1 --root-owner-group -b "$tree" "$2" >/dev/null
  rm -rf "$tree"
}

# debian_mirror: the one of this machine's own apt.
debian_mirror() {
  local found
  # shellcheck disable=SC2016
  found=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE '/-security/!s|^Debian (\S+) main$|\1|p' | head -1)
  [ -n "$found" ] || { echo "apt knows no mirror of Debian; apt-get update?" >&2; return 1; }
  echo "$found"
}

# everything ROOT: all files in there, but for what a package manager writes about itself; of a folder its time does not count.
everything() {
  local own='^\./(proc/|srv/packages|var/lib/(dpkg|apt)/|var/cache/|var/log/|etc/(passwd|group|shadow|gshadow)-|etc/\.pwd\.lock)'
  (cd "$1" && find . ! -type d -printf '%p %y %m %U:%G %l\n' -o -type d -printf '%p %y %m %U:%G\n' | grep -vE "$own" | sort
    find . -xdev -type f -print0 | grep -zvE "$own" | sort -z | xargs -0 sha256sum)
}
