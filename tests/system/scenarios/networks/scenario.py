"""Without NetworkManager: under systemd-networkd, then under ifupdown, the node registers, moves when a link is taken down and
up by that manager's own command, comes home and leaves again, and stays reachable; each way around, names are resolved by a
resolver of the home network, which answers nobody else, and by one of the access network. A networkd that starts anew, which
removes rules and routes of others, takes nothing away for long. The commands on the laptop are README.md's, word for word:
the files *.sh (tests/house/readme_commands.py)."""

import subprocess
from pathlib import Path

from desktop import AT_HOME, NAS, OF_W1, PORTAL, Desktop
from lab import HOME_ADDRESS, NODES, run, wait_for

LINKS = ("w1", "w2", "wh")
NETWORKS = Path("/etc/systemd/network")


def scenario(lab):
    run("systemctl", "stop", "NetworkManager.service")
    clean()
    desktop = Desktop(lab)
    desktop.resolvers()
    commands("secret.sh")
    NODES["mn"]["secret"] = Path("/etc/mnd/secret").read_text(encoding="ascii").strip()
    desktop.configure("prefer = w1 w2\n")
    desktop.home_agent()
    networkd(lab, desktop)
    ifupdown(lab, desktop)


def clean():
    """Interfaces as nobody has used them."""
    for interface in LINKS:
        run("ip", "link", "set", interface, "down")
        run("ip", "address", "flush", "dev", interface)
        folder = Path("/proc/sys/net/ipv6/conf") / interface
        for setting, value in (("disable_ipv6", "0"), ("accept_ra", "1"), ("addr_gen_mode", "0"), ("autoconf", "1")):
            (folder / setting).write_text(value, encoding="ascii")


def networkd(lab, desktop):
    what = "systemd-networkd"
    NETWORKS.mkdir(exist_ok=True)
    for interface in LINKS:
        (NETWORKS / f"{interface}.network").write_text(
            f"[Match]\nName={interface}\n[Link]\nActivationPolicy={'manual' if interface == 'wh' else 'up'}\n"
            "[Network]\nDHCP=no\nIPv6AcceptRA=yes\n", encoding="utf-8")
    run("systemctl", "start", "systemd-networkd.service")
    lab.linked()
    started = commands("start.sh")
    lab.check("README's commands start mnd", started.returncode == 0, started.stderr)
    everywhere(lab, desktop, what, lambda link: run("networkctl", "up", link), lambda link: run("networkctl", "down", link))
    run("systemctl", "restart", "systemd-networkd.service")
    reached(lab, f"{what} started anew", "w1")
    said = wait_for(lambda: (said := commands("look.sh")).returncode == 0 and said, 20, 0.5) or commands("look.sh")
    lab.check(f"{what} started anew: mip6ctl doctor finds nothing", said.returncode == 0, said.stdout + said.stderr)
    run("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service")


def ifupdown(lab, desktop):
    clean()
    Path("/etc/network/interfaces").write_text("".join(f"iface {link} inet6 auto\n" for link in LINKS), encoding="utf-8")
    run("ifup", "w1")
    run("ifup", "w2")
    everywhere(lab, desktop, "ifupdown", lambda link: run("ifup", link), lambda link: run("ifdown", link))


def everywhere(lab, desktop, what, up, down):
    """By w1, by w2, at home, by w1 again."""
    reached(lab, f"{what}, w1", "w1")
    desktop.named(f"{what}, w1", (AT_HOME, NAS), (OF_W1, PORTAL))
    down("w1")
    reached(lab, f"{what}, w1 taken down", "w2")
    desktop.named(f"{what}, w2", (AT_HOME, NAS))
    up("wh")
    lab.check(f"{what}, home link up: the node comes home", wait_for(
        lambda: lab.status().get("state") == "at home" and lab.registered_at("mn") == HOME_ADDRESS, 30, 0.2), lab.status())
    desktop.named(f"{what}, at home", (AT_HOME, NAS))
    down("wh")
    up("w1")
    reached(lab, f"{what}, away again", "w1")


def reached(lab, what, interface):
    there = lab.wait_registered("mn", timeout=30, on=interface)
    lab.check(f"{what}: the node is registered by {interface}", there, lab.status_text())
    lab.check(f"{what}: it is reached at its home address", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) == 3, 20, 0.2))


def commands(name):
    return subprocess.run(["bash", "-e", Path(__file__).parent / name], capture_output=True, text=True, check=False)
