"""Pre-shared key, private key, manual keys and the kernel's ESP keys are looked for, in every form they could have: in logs,
control answers, metrics, backup, arguments, environment, state, world-readable files, and in the core files that there must
not be."""

import base64
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import common
import lab as the_lab
import pki
from lab import HOME_AGENT, NODES, RUN, program, wait_for
from search import REQUESTS, asked, check_logs_and_state, forms, looked_for, of_esp

DAEMONS = ("mnd.mn", "mnd.mn2", "ha")
PORT = 9275  # of the metrics
BACKUP = RUN / "backup.db"
CORES = RUN / "cores"


def prepare():
    pki.root("root", pki.ECDSA)
    pki.issue_bundle("ha", HOME_AGENT)
    pki.issue_bundle("desk", NODES["mn2"]["home_address"])


def scenario(lab):
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.environ["MND_DEBUG"] = "yes"  # the log says all that it can
    CORES.mkdir()
    the_lab.PLUGINS += pki.PLUGINS
    lab.agent_extra = f"certificate = {pki.bundle('ha')}\nmetrics = [::1]:{PORT}"
    # Only the home agent knows this one: its keys are in the kernel.
    NODES["third"] = {"name": "third", "home_address": "2001:db8:1::77", "manual_keys": common.make_keys("third")}
    home = NODES["mn2"]["home_address"]
    NODES["mn2"].update(identity=home, certificate=pki.bundle("desk"))
    common.charons(lab, "ha", "mn", "mn2")
    lab.agent()
    lab.node("mn")
    lab.node("mn2")
    if not lab.check("both nodes register, one by secret, one by certificate", lab.wait_registered("mn", timeout=40) and
                     lab.wait_registered("mn2", timeout=40), f"{lab.status('mn')} {lab.status('mn2')}"):
        return
    secrets = all_secrets()
    lab.check("the keys of a file of manual keys are among those to look for",
              looked_for(secrets, NODES["third"]["manual_keys"].read_bytes()))
    lab.check("there are secrets to look for", {"pre-shared key", "private key", "ESP key"} <= {n for n, _ in secrets},
              [name for name, _ in secrets])
    lab.check("the search finds a secret where one is", looked_for(secrets, b"x" + NODES["mn"]["secret"].encode()) and
              looked_for(secrets, (pki.FOLDER / "desk.key").read_bytes()), "")
    control_answers(lab, secrets)
    processes(lab, secrets)
    mistakes(lab, secrets)
    common.move_to(lab, "w1", "down", "w2")  # more to be told in the logs
    cores(lab, secrets)
    files(lab, secrets)


# --- what to look for ---
def all_secrets():
    """(name, bytes that must not be found)."""
    found = []
    for name in ("mn",):
        found += [("pre-shared key", form) for form in forms(NODES[name]["secret"].encode())]
    for name in ("desk", "ha"):
        lines = (pki.FOLDER / f"{name}.key").read_text().splitlines()
        body = [line for line in lines if line and not line.startswith("-----")]
        # All keys of one kind begin alike: what follows the first 48 bytes is the key's own.
        der = base64.b64decode("".join(body))
        found += [("private key", line.encode()) for line in body[1:2]]
        found += [("private key", form) for form in (der, der[-60:-20], der.hex().encode())]
    return found + of_esp("mn", "mn2", "ha")


# --- where to look ---
def control_answers(lab, secrets):
    answers = b""
    for path in (RUN / "mn.control", RUN / "mn2.control", RUN / "ha.control"):
        for request in REQUESTS:
            answers += asked(path, request)
    for command in ("status", "events"):
        answers += subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/mn.control", command], capture_output=True,
                                  check=False, timeout=5).stdout
    for command in (("status",), ("list",), ("show", "laptop"), ("show", "third"), ("events",), ("doctor",),
                    ("export", str(BACKUP))):
        answers += subprocess.run([program("mip6-ha"), "--socket", f"{RUN}/ha.control", *command], capture_output=True,
                                  check=False, timeout=30).stdout
    told = common.scrape(PORT)[1]
    answers += told.encode()
    lab.check("no control answer and no metric has a secret", len(answers) > 2000 and "mip6_ha_" in told and
              not looked_for(secrets, answers), f"{len(answers)} bytes, {looked_for(secrets, answers)}")
    lab.check("the backup has none", BACKUP.stat().st_size > 1000 and not looked_for(secrets, BACKUP.read_bytes()))


def processes(lab, secrets):
    told = {}
    for name in DAEMONS:
        pid = lab.processes[name].pid
        data = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        told[name] = (len(data), looked_for(secrets, data))
    lab.check("no argument and no environment of a daemon has a secret", all(size > 20 and not found for size, found in
                                                                            told.values()), told)
    private = [f"/proc/{lab.processes[name].pid}/{file}" for name in DAEMONS for file in ("environ", "maps")]
    others = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", *private],
                            capture_output=True, check=False)
    lab.check("other users see neither environment nor memory map", not others.stdout, others.stdout[:100])


def mistakes(lab, secrets):
    """A secret that stands where it should not is not repeated to whoever made the mistake."""
    config = RUN / "wrong.conf"
    text = (RUN / "mn.conf").read_text()
    config.write_text(text + f"secret = {NODES['mn']['secret']}\n")
    result = subprocess.run([program("mnd"), "--config", str(config), "--check"], capture_output=True, check=False)
    told = result.stdout + result.stderr
    lab.check("a secret in the configuration is a mistake that is told without it", result.returncode != 0 and told and
              not looked_for(secrets, told), told)
    readable = RUN / "readable.secret"
    readable.write_text(NODES["mn"]["secret"] + "\n")
    readable.chmod(0o644)
    config.write_text(re.sub(r"secret-file = .*", f"secret-file = {readable}", text))
    result = subprocess.run([program("mnd"), "--config", str(config), "--check"], capture_output=True, check=False)
    told = result.stdout + result.stderr
    lab.check("a secret file that others can read is refused by name", result.returncode != 0 and b"readable.secret" in
              told and not looked_for(secrets, told), told)
    readable.unlink()
    config.unlink()


def dies(lab, name, sent):
    process = lab.processes.pop(name)
    process.send_signal(sent)
    return process.wait(5) == -sent


def cores(lab, secrets):
    """Neither to a file nor into a pipe; a process of nobody's care leaves one both ways."""
    for way, pattern, daemons in (("a file", f"{CORES}/file.%p", (("mnd.mn", signal.SIGABRT), ("ha", signal.SIGSEGV))),
                                  ("a pipe", f"|/usr/bin/tee {CORES}/pipe.%p", (("mnd.mn2", signal.SIGSEGV), ))):
        Path("/proc/sys/kernel/core_pattern").write_text(pattern)
        careless = subprocess.Popen(["sleep", "60"])
        lab.processes["careless"] = careless
        time.sleep(0.2)
        dead = [dies(lab, name, sent) for name, sent in (*daemons, ("careless", signal.SIGABRT))]
        wait_for(lambda: any(path.stat().st_size for path in CORES.iterdir()), 3, 0.1)
        time.sleep(0.3)
        left = [path.name for path in CORES.iterdir()]
        lab.check(f"with core files going to {way}, a careless process leaves one and the daemons none", all(dead) and
                  len(left) == 1 and left[0].endswith(f".{careless.pid}"), f"{dead} {left} {careless.pid}")
        for path in CORES.iterdir():
            path.unlink()
    Path("/proc/sys/kernel/core_pattern").write_text("core")


def files(lab, secrets):
    """Logs and state, whoever may read them, and whatever in /run and /var/tmp anybody may."""
    check_logs_and_state(lab, secrets, 6, 3)
    open_files, found = 0, []
    for folder in (Path("/run"), Path("/var/tmp")):
        for path in folder.rglob("*"):
            if path.is_symlink() or not path.is_file() or not path.stat().st_mode & 0o004 or "netns" in path.parts:
                continue
            open_files += 1
            if what := looked_for(secrets, path.read_bytes()):
                found.append((str(path), what))
    lab.check("no file that anybody may read has a secret", open_files > 10 and not found, f"{open_files} {found}")
