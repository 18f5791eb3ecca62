"""What is in a namespace's kernel and in its charon, as lines of text: compared before the start and after the stop."""

import re
from pathlib import Path

import vici
from lab import run

# Kind and command; the output of all comes from one shell, since a process costs much in there.
COMMANDS = {
    "link": "ip -o link",
    "address": "ip -6 -o addr",
    "route": "ip -6 route show table all",
    "rule": "ip -6 rule",
    "xfrm state": "ip xfrm state",
    "xfrm policy": "ip xfrm policy",
    "proxy": "ip -6 neigh show proxy",
    "tc": "tc qdisc; for i in mip6 mip6ha; do [ -e /proc/sys/net/ipv6/conf/$i ] && tc filter show dev $i ingress; done",
    "sysctl": "cd /proc/sys/net/ipv6/conf && "
              "grep -s . */proxy_ndp */accept_ra */accept_source_route */forwarding */ndisc_notify; cd /",
}


def _outputs(namespace):
    script = "".join(f"echo '### {kind}'; {command}\n" for kind, command in COMMANDS.items())
    output = run("sh", "-c", script, namespace=namespace, check=False)
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in output.split("### ")[1:]}


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


def _link(line):
    return line.split(":")[1].strip().split("@")[0]


def _without_keys(state):
    """The lab's logs are nobody's secret store."""
    return re.sub(r" (auth-trunc|auth|enc|aead) (\S+) 0x[0-9a-f]+", r" \1 \2", state)


def snapshot(namespace, vici_socket):
    out = _outputs(namespace)
    routes = [re.sub(r" expires \S+", "", line) + " " for line in _lines(out["route"])]
    found = {
        "link": [_link(line) for line in _lines(out["link"])],
        # What router advertisements make (dynamic, proto ra) comes and goes with the links.
        "address": [re.sub(r" valid_lft.*", "", line) for line in _lines(out["address"])
                    if " dynamic" not in line and " scope link" not in line],
        "route": [r.strip() for r in routes if " proto kernel " not in r and " proto ra " not in r],
        "rule": _lines(out["rule"]),
        "xfrm state": [_without_keys(state) for state in _blocks(out["xfrm state"])],
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
