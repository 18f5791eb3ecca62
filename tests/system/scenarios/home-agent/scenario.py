"""The README's commands of an operator, and of the laptop that gets the archive, with the units as they are installed: both
daemons run as user mnd, and what root writes beside them they can read."""

import subprocess
from pathlib import Path

from desktop import Desktop
from lab import HOME_ADDRESS, HOME_AGENT, inside, run, wait_for

CONFIG = Path("/etc/mip6-ha/mip6-ha.conf")
UNIT = Path("/etc/systemd/system/mip6-ha.service.d")


def scenario(lab):
    desktop = Desktop(lab)
    desktop.connection("net1", "w1")
    router(lab)
    run("mip6-ha", "add", "laptop", "--address", HOME_ADDRESS, "--out", "/root/laptop.tar")
    run("tar", "-C", "/etc", "-xf", "/root/laptop.tar")
    desktop.up("net1")
    run("systemctl", "start", "mnd.service")
    at = lab.wait_registered("mn", timeout=40)
    lab.check("the laptop registers", at and at == lab.care_of("mn", "w1"), lab.status_text())
    lab.check("it is reached at its home address", wait_for(
        lambda: run("ping", "-c", "1", "-W", "2", HOME_ADDRESS, namespace="cn", check=False).find(" 1 received") > 0, 20, 0.2))
    for unit in ("mnd", "mip6-ha"):
        lab.check(f"{unit} runs as user mnd", process(unit).get("Uid") == run("id", "-u", "mnd").strip(), process(unit))
        lab.check(f"{unit} may do what it needs and no more", process(unit).get("CapEff") == f"{1 << 12 | 1 << 13:016x}",
                  process(unit))
    other = subprocess.run(["mip6-ha", "add", "phone", "--certificate", "--out", "/root/phone.tar"], capture_output=True,
                           text=True, check=False)
    lab.check("a node with a certificate is added beside them", other.returncode == 0, other.stdout + other.stderr)
    lab.check("the home agent serves it", '"phone"' in run("mip6-ha", "list", "--json"), run("mip6-ha", "list"))
    run("systemctl", "restart", "mip6-ha.service")
    lab.check("and after a restart", wait_for(lambda: '"phone"' in run("mip6-ha", "list", "--json", check=False), 20, 0.2))


def router(lab):
    """In its namespace of the lab, beside a charon of its own: there is one system here."""
    lab.charon("ha")
    lab.charon_ready("ha")
    UNIT.mkdir(parents=True)
    (UNIT / "lab.conf").write_text("[Service]\nNetworkNamespacePath=/run/netns/ha\n", encoding="utf-8")
    run("systemctl", "daemon-reload")
    socket = lab.vici_socket("ha")
    run("setfacl", "-m", "u:mnd:rw", str(socket))
    inside("ha", lambda: run("mip6-ha", "init", "--prefix", "2001:db8:1::/64", "--interface", "home", "--address", HOME_AGENT))
    CONFIG.write_text(f"vici-socket = {socket}\n" + CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    run("systemctl", "start", "mip6-ha.service")
    lab.check("the home agent runs", run("systemctl", "is-active", "mip6-ha.service", check=False).strip() == "active",
              run("systemctl", "status", "mip6-ha.service", check=False))


def process(unit):
    """{name: value} of /proc/PID/status, the effective one of several."""
    pid = run("systemctl", "show", "-P", "MainPID", f"{unit}.service").strip()
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.split()[-1] for name, _, value in (line.partition(":") for line in lines)
            if name in ("Uid", "Gid", "CapEff", "NoNewPrivs") and value.split()}
