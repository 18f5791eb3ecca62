#!/usr/bin/env python3
"""What the units of both daemons must have: user, hardening, no capabilities but two, a watchdog that leaves an idle daemon
asleep, and no wait for a network that is online; after a check that mistakes are found.

usage: unit_values.py [SOURCE-FOLDER]
"""
import pathlib
import sys

UNITS = ("mnd", "mip6-ha")
BOTH = {"CAP_NET_ADMIN", "CAP_NET_RAW"}
ALWAYS = {"User": "mnd", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "PrivateTmp": "yes"}
SHORTEST_WATCHDOG = 180  # seconds; the daemon is woken once in half of it
FAMILIES = {"AF_UNIX", "AF_NETLINK", "AF_INET", "AF_INET6", "AF_PACKET"}
ONLINE = "network-online.target"


def mistakes(unit):
    """What is wrong with a unit's text."""
    found = [f"it names {ONLINE}"] if ONLINE in unit else []
    lines = [line.partition("=") for line in unit.splitlines() if "=" in line and not line.startswith("#")]
    values = {}
    for name, _, value in lines:
        values.setdefault(name, []).append(value)
    found += [f"not {name}={value}: {values.get(name)}" for name, value in ALWAYS.items() if values.get(name) != [value]]
    found += [f"{name} is not {sorted(BOTH)}: {values.get(name)}" for name in ("CapabilityBoundingSet", "AmbientCapabilities")
              if [set(value.split()) for value in values.get(name, [])] != [BOTH]]
    families = [set(value.split()) for value in values.get("RestrictAddressFamilies", [])]
    if len(families) != 1 or not families[0] or not families[0] <= FAMILIES:
        found.append(f"RestrictAddressFamilies is not some of {sorted(FAMILIES)}: {families}")
    filters = values.get("SystemCallFilter", [])
    if filters[:2] != ["@system-service", "~@privileged @resources"]:
        found.append(f"SystemCallFilter does not begin with @system-service, and no others: {filters}")
    watchdog = values.get("WatchdogSec", [])
    if len(watchdog) != 1 or not watchdog[0].isdigit() or int(watchdog[0]) < SHORTEST_WATCHDOG:
        found.append(f"WatchdogSec is not {SHORTEST_WATCHDOG} or more seconds: {watchdog}")
    return found


def check_the_check():
    good = ("[Service]\nUser=mnd\n# WatchdogSec=1\nWatchdogSec=180\nProtectSystem=strict\nNoNewPrivileges=yes\nPrivateTmp=yes\n"
            "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW\nCapabilityBoundingSet=CAP_NET_RAW CAP_NET_ADMIN\n"
            "RestrictAddressFamilies=AF_UNIX AF_INET6\nSystemCallFilter=@system-service\n"
            "SystemCallFilter=~@privileged @resources\n")
    lines = good.splitlines()[1:]
    bad = [good.replace(line + "\n", "") for line in lines if not line.startswith("#")]
    bad += [good.replace("=strict", "=full"), good.replace("=mnd", "=root"), good.replace("=yes", "=no"),
            good.replace("=180", "=179"), good.replace("=180", "=3min"), good + "WatchdogSec=0\n",
            good.replace("CAP_NET_RAW CAP", "CAP_SYS_ADMIN CAP_NET_RAW CAP"), good + "CapabilityBoundingSet=CAP_SYS_ADMIN\n",
            good + "AmbientCapabilities=CAP_CHOWN\n", good.replace("AF_INET6", "AF_VSOCK"), good + f"After={ONLINE}\n"]
    if mistakes(good) or not all(mistakes(one) for one in bad):
        sys.exit("the check is broken: it does not tell good from bad")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    failed = False
    for name in UNITS:
        file = f"packaging/systemd/{name}.service"
        for one in mistakes((root / file).read_text(encoding="utf-8")):
            print(f"{file}: {one}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


main()
