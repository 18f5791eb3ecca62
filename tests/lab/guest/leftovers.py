"""What is in a namespace's kernel and in its charon, as lines of text: compared before the start and after the stop."""

import re
import subprocess
from pathlib import Path

import vici
from lab import inside, run

# Kind and command of ip(8), which one process performs, since a process costs much in there: what stands between the
# outputs is the loopback interface, two lines. After a command of xfrm it performs no other.
COMMANDS = {"route": "route show table all", "rule": "rule", "proxy": "neigh show proxy", "xfrm state": "xfrm state"}
BETWEEN = re.compile(r"^\d+: lo: .*\n +link/loopback .*\n", re.MULTILINE)
SETTINGS = ("proxy_ndp", "accept_ra", "accept_source_route", "forwarding", "ndisc_notify")
LINK_SCOPE, PERMANENT = 0x20, 0x80  # of /proc/net/if_inet6


def _outputs():
    """Of the namespace in which this runs."""
    script = "".join(f"link show dev lo\n{command}\n" for command in COMMANDS.values())
    told = subprocess.run(["ip", "-6", "-batch", "-"], input=script, capture_output=True, text=True, check=True).stdout
    out = dict(zip(COMMANDS, BETWEEN.split(told)[1:], strict=True))
    conf, net = Path("/proc/sys/net/ipv6/conf"), Path("/proc/thread-self/net")
    out["link"] = (net / "dev").read_text(encoding="utf-8").split("\n", 2)[2]
    out["address"] = (net / "if_inet6").read_text(encoding="utf-8")
    out["xfrm policy"] = run("ip", "xfrm", "policy")
    script = "qdisc\n" + "".join(f"filter show dev {device} ingress\n" for device in ("mip6", "mip6ha")
                                if (conf / device).exists())
    out["tc"] = subprocess.run(["tc", "-batch", "-"], input=script, capture_output=True, text=True, check=True).stdout
    out["sysctl"] = "".join(f"{path.relative_to(conf)}: {path.read_text(encoding='utf-8')}" for setting in SETTINGS
                            for path in sorted(conf.glob(f"*/{setting}")))
    return out


def _lines(text):
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]


def _blocks(text):
    """Output whose entries begin at the margin, continued by indented lines: one line per entry."""
    entries = []
    for line in text.splitlines():
        if line[:1].isspace() and entries:
            entries[-1] += " " + line.strip()
        else:
            entries.append(line.strip())
    return [entry for entry in entries if entry]


def _is_lasting(line):
    """Of an address: not one of those that come and go with router advertisements and links."""
    scope, flags = (int(word, 16) for word in line.split()[3:5])
    return scope != LINK_SCOPE and flags & PERMANENT


def _without_keys(state):
    """The lab's logs are nobody's secret store."""
    return re.sub(r" (auth-trunc|auth|enc|aead) (\S+) 0x[0-9a-f]+", r" \1 \2", state)


def snapshot(namespace, vici_socket):
    out = inside(namespace, _outputs)
    routes = [re.sub(r" expires \S+", "", line) + " " for line in _lines(out["route"])]
    found = {
        "link": [line.split(":")[0] for line in _lines(out["link"])],
        "address": [line for line in _lines(out["address"]) if _is_lasting(line)],
        # What router advertisements make (proto ra) comes and goes with the links.
        "route": [r.strip() for r in routes if " proto kernel " not in r and " proto ra " not in r],
        "rule": _lines(out["rule"]),
        # SPI 0: the kernel's note that a packet had no SA. Nobody can remove it; it ends by itself.
        "xfrm state": [_without_keys(state) for state in _blocks(out["xfrm state"]) if " spi 0x00000000 " not in state],
        "xfrm policy": [p for p in _blocks(out["xfrm policy"]) if " socket " not in p],
        "proxy": _lines(out["proxy"]),
        "tc": [line for line in _lines(out["tc"]) if "noqueue" not in line],
        "sysctl": _lines(out["sysctl"]),
        "charon": vici.loaded(vici_socket) if Path(vici_socket).exists() else [],
    }
    return [f"{kind}: {line}" for kind, lines in found.items() for line in lines]


def difference(before, after):
    """Lines of `after` that were not there, each as often as there are too many."""
    rest = list(before)
    extra = []
    for line in after:
        if line in rest:
            rest.remove(line)
        else:
            extra.append(line)
    return extra
