"""Both daemons under OpenRC, by packaging/openrc: user, rights, reload, a takeover in place, a crash, and the end."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import HOME_ADDRESS, HOME_AGENT, ROOT, RUN, inside, run, wait_for

SCRIPTS = ROOT / "packaging/openrc"


def scenario(lab):
    Path("/etc/conf.d").mkdir(exist_ok=True)
    for name in ("mnd", "mip6-ha"):
        shutil.copy(SCRIPTS / f"{name}.initd", f"/etc/init.d/{name}")
        Path(f"/etc/init.d/{name}").chmod(0o755)
        conf = Path(f"/etc/conf.d/{name}")
        conf.write_text((SCRIPTS / f"{name}.confd").read_text(encoding="utf-8"), encoding="utf-8")
        namespace = "mn" if name == "mnd" else "ha"
        with conf.open("a", encoding="utf-8") as file:
            file.write(f"{name.upper().replace('-', '_')}_VICI={lab.vici_socket(namespace)}\n")
        lab.charon(namespace)
    (RUN / "mn.control").symlink_to("/run/mnd/control.sock")
    home_agent(lab)
    node(lab)
    ends(lab)


def service(lab, name, action, namespace=None):
    """OpenRC's word for it, and what it said."""
    def runs():
        return subprocess.run(["rc-service", name, action], capture_output=True, text=True, check=False)
    done = inside(namespace, runs) if namespace else runs()
    lab.check(f"rc-service {name} {action}", done.returncode == 0, f"{done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


def pid_of(name):
    found = run("pgrep", "-x", name, check=False).split()
    return int(found[0]) if len(found) == 1 else None


def rights(lab, name):
    lines = Path(f"/proc/{pid_of(name)}/status").read_text(encoding="utf-8").splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    lab.check(f"{name} runs as user mnd", status["Uid"] == [run("id", "-u", "mnd").strip()] * 4, status["Uid"])
    both = f"{1 << 12 | 1 << 13:016x}"
    sets = [status[key] for key in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")]
    lab.check(f"{name} may do what it needs and no more", sets == [[both]] * 5 and status["NoNewPrivs"] == ["1"], sets)
    lab.check(f"{name} goes before what else wakes up", os.getpriority(os.PRIO_PROCESS, pid_of(name)) == -10)


def home_agent(lab):
    inside("ha", lambda: run("mip6-ha", "init", "--prefix", "2001:db8:1::/64", "--interface", "home", "--address", HOME_AGENT))
    with_charon("/etc/mip6-ha/mip6-ha.conf", lab.vici_socket("ha"))
    service(lab, "mip6-ha", "start", "ha")
    asked = subprocess.run(["mip6-ha", "status"], capture_output=True, text=True, check=False)
    lab.check("the home agent is there when it is called started", asked.returncode == 0, asked.stdout + asked.stderr)
    rights(lab, "mip6-ha")
    run("mip6-ha", "add", "laptop", "--address", HOME_ADDRESS, "--out", "/root/laptop.tar")
    run("tar", "-C", "/etc", "-xf", "/root/laptop.tar")
    service(lab, "mip6-ha", "reload")


def with_charon(config, socket):
    path = Path(config)
    path.write_text(f"vici-socket = {socket}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def node(lab):
    with_charon("/etc/mnd/mnd.conf", lab.vici_socket("mn"))
    service(lab, "mnd", "start")
    at = lab.wait_registered("mn", timeout=40)
    lab.check("the node registers", at, lab.status_text())
    rights(lab, "mnd")
    lab.check("OpenRC calls it started", "started" in service(lab, "mnd", "status"))
    service(lab, "mnd", "reload")
    lab.check("it has read its configuration again", "reload" in run("mip6ctl", "events"), run("mip6ctl", "events"))
    pid, keys = pid_of("mnd"), spis()
    service(lab, "mnd", "takeover")
    lab.check("a takeover leaves process, keys and registration", wait_for(
        lambda: (pid_of("mnd"), spis(), lab.registered_at("mn")) == (pid, keys, at), 10, 0.2),
        (pid, keys, at, pid_of("mnd"), spis(), lab.status_text()))
    run("kill", "-KILL", str(pid))
    lab.check("after a crash another one is started, and registered", wait_for(
        lambda: pid_of("mnd") not in (None, pid) and lab.registered_at("mn"), 20, 0.2), lab.status_text())
    lab.check("it is reached at its home address", wait_for(
        lambda: " 1 received" in run("ping", "-c", "1", "-W", "2", HOME_ADDRESS, namespace="cn", check=False), 20, 0.2))


def spis():
    return sorted(re.findall(r"proto esp spi (\S+)", run("ip", "xfrm", "state")))


def ends(lab):
    service(lab, "mnd", "stop")
    lab.check("mnd has ended and de-registered", pid_of("mnd") is None and
              HOME_ADDRESS not in run("ip", "-6", "address"), run("ip", "-6", "address"))
    service(lab, "mip6-ha", "stop")
    lab.check("mip6-ha has ended", pid_of("mip6-ha") is None)
