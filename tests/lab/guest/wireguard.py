"""WireGuard, to measure beside Mobile IPv6: the node's address in the tunnel is its home address, everything goes through it as
wg-quick(8) has it, all other settings are its defaults. Which link the packets take is the routing table's business: the
default route of w1 is the better one, as mnd prefers it."""

import os
import re

from foreign import VPN_RULES
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, RUN, inside, run, wait_for

DEVICE, PORT, MARK, TABLE = "wg0", "51820", VPN_RULES[0][2], VPN_RULES[0][4]
KEEPALIVE = "25"  # seconds; what wg(8) has for who needs it
METRICS = {"w1": 100, "w2": 200}
USUAL_METRIC = 1024  # of default routes by router advertisements
DATA = b"\x04"  # the first byte of what is neither handshake nor cookie


def available():
    """Whether this kernel has it; it is loaded then."""
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], "wireguard", check=False)
    try:
        run("ip", "link", "add", DEVICE, "type", "wireguard")
    except RuntimeError:
        return False
    run("ip", "link", "del", DEVICE)
    return True


def start(lab, keepalive):
    """The node's links have addresses; true when the tunnel is up. keepalive: with persistent keepalive."""
    set_metrics(METRICS)
    wait_for(lambda: all(re.search(rf"dev {link} .*metric {metric} ", run("ip", "-n", "mn", "-6", "route", "show", "default"))
                         for link, metric in METRICS.items()), 10, 0.2)
    public = {namespace: make(namespace) for namespace in ("ha", "mn")}
    configure("ha", "listen-port", PORT, "peer", public["mn"], "allowed-ips", f"{HOME_ADDRESS}/128")
    configure("mn", "fwmark", MARK, "peer", public["ha"], "endpoint", f"[{HOME_AGENT}]:{PORT}", "allowed-ips", "::/0",
              *(("persistent-keepalive", KEEPALIVE) if keepalive else ()))
    run("ip", "-n", "mn", "addr", "add", f"{HOME_ADDRESS}/128", "dev", DEVICE)
    for namespace in ("ha", "mn"):
        run("ip", "-n", namespace, "link", "set", DEVICE, "up")
    run("ip", "-n", "ha", "route", "add", f"{HOME_ADDRESS}/128", "dev", DEVICE)
    run("ip", "-n", "mn", "-6", "route", "add", "default", "dev", DEVICE, "table", TABLE)
    for rule in VPN_RULES:
        run("ip", "-n", "mn", "-6", "rule", "add", *rule)
    # It says nothing before somebody has something to send.
    return wait_for(lambda: lab.ping("mn", CORRESPONDENT, 1) and endpoint(), 10, 0.1)


def make(namespace):
    """A device with a new key; the public one."""
    run("ip", "-n", namespace, "link", "add", DEVICE, "type", "wireguard")
    private = RUN / f"{namespace}.wireguard"
    private.touch(mode=0o600)
    private.write_text(run("wg", "genkey"), encoding="ascii")
    configure(namespace, "private-key", str(private))
    private.unlink()
    return run("wg", "show", DEVICE, "public-key", namespace=namespace).strip()


def configure(namespace, *settings):
    run("wg", "set", DEVICE, *settings, namespace=namespace)


def endpoint():
    """The node's address as the home agent's end has it; None if it has none."""
    found = re.search(r"\[(.*)\]", run("wg", "show", DEVICE, "endpoints", namespace="ha"))
    return found and found[1]


def stop():
    for rule in VPN_RULES:
        run("ip", "-n", "mn", "-6", "rule", "del", *rule)
    for namespace in ("ha", "mn"):
        run("ip", "-n", namespace, "link", "del", DEVICE)
    set_metrics(dict.fromkeys(METRICS, USUAL_METRIC))


def set_metrics(metrics):
    """Of default routes; those that are there change with the next advertisement."""
    def write():
        for link, metric in metrics.items():
            with open(f"/proc/sys/net/ipv6/conf/{link}/ra_defrtr_metric", "w", encoding="ascii") as setting:
                setting.write(str(metric))
    inside("mn", write)
