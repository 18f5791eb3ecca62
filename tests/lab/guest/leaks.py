"""Pre-shared key, private keys, manual keys and the kernel's ESP keys are looked for, in every form they could have: in logs,
control answers, metrics, backup, arguments, environment, state, world-readable files, and in the core files that there must
not be. For a scenario with both nodes (mn2 by secret, mn and the home agent by certificate) and `third`, whom only the home
agent knows."""

import base64
import json
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import common
import pki
from lab import HOME_AGENT, NODES, OUT, RUN, program, wait_for
from search import REQUESTS, asked, check_logs_and_state, forms, looked_for, of_esp

DAEMONS = ("mnd.mn", "mnd.mn2", "ha")
PORT = 9275  # of the metrics
BACKUP = RUN / "backup.db"
CORES = RUN / "cores"
THIRD = {"name": "third", "home_address": "2001:db8:1::78", "manual_keys": OUT / "third.keys"}
MISTAKES = OUT / "mistakes.json"


def prepare():
    """Before the boot: a process costs a tenth of what it costs in there."""
    common.make_keys("third", OUT)
    MISTAKES.write_text(json.dumps([*mistakes()]), encoding="utf-8")


def begin(lab):
    """Before the daemons start: the log says all that it can, core files have no limit, and there is more to look through."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.environ["MND_DEBUG"] = "yes"
    CORES.mkdir()
    lab.agent_extra += f"\nmetrics = [::1]:{PORT}"
    NODES["third"] = THIRD


def check(lab, certified, earlier=()):
    """certified: names of key files in use; earlier: secrets of before. Ends all daemons."""
    secrets = [*earlier, *of_esp("mn", "mn2", "ha"), *kept(certified)]
    lab.check("the keys of a file of manual keys are among those to look for",
              looked_for(secrets, THIRD["manual_keys"].read_bytes()))
    lab.check("there are secrets to look for", {"pre-shared key", "private key", "ESP key"} <= {n for n, _ in secrets},
              [name for name, _ in secrets])
    lab.check("the search finds a secret where one is", looked_for(secrets, b"x" + NODES["mn2"]["secret"].encode()) and
              all(looked_for(secrets, (pki.FOLDER / f"{name}.key").read_bytes()) for name in certified))
    control_answers(lab, secrets)
    processes(lab, secrets)
    for what, right, told in json.loads(MISTAKES.read_text(encoding="utf-8")):
        lab.check(what, right, told)
    common.move_to(lab, "w1", "down", "w2")  # more to be told in the logs
    cores(lab)
    files(lab, secrets)


# --- what to look for ---
def kept(certified):
    """(name, bytes that must not be found)."""
    found = [("pre-shared key", form) for form in forms(NODES["mn2"]["secret"].encode())]
    for name in certified:
        lines = (pki.FOLDER / f"{name}.key").read_text(encoding="ascii").splitlines()
        body = [line for line in lines if line and not line.startswith("-----")]
        # All keys of one kind begin alike: what follows the first 48 bytes is the key's own.
        der = base64.b64decode("".join(body))
        found += [("private key", line.encode()) for line in body[1:2]]
        found += [("private key", form) for form in (der, der[-60:-20], der.hex().encode())]
    return found


# --- where to look ---
def control_answers(lab, secrets):
    answers = b""
    for path in (RUN / "mn.control", RUN / "mn2.control", RUN / "ha.control"):
        for request in REQUESTS:
            answers += asked(path, request)
    for node, command in (("mn", "events"), ("mn2", "status")):
        answers += subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/{node}.control", command], capture_output=True,
                                  check=False, timeout=5).stdout
    for command in (("status",), ("list",), ("show", "desk"), ("show", "third"), ("events",), ("doctor",),
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


def mistakes():
    """A secret that stands where it should not is not repeated to whoever made the mistake: (check, passed, what was told)."""
    config, secret, readable = OUT / "wrong.conf", NODES["mn2"]["secret"], OUT / "readable.secret"
    hidden = OUT / "hidden.secret"
    for path, mode in ((hidden, 0o600), (readable, 0o644)):
        path.touch()
        path.chmod(mode)
        path.write_text(secret + "\n", encoding="utf-8")
    text = f"home-address = {THIRD['home_address']}/64\nhome-agent = {HOME_AGENT}\nidentity = a@example.org\n"
    searched = [("secret", form) for form in forms(secret.encode())]
    for what, lines, named in (
            ("a secret in the configuration is a mistake that is told without it",
             f"secret-file = {hidden}\nsecret = {secret}", r"wrong\.conf:5: secret\b"),
            ("a secret file that others can read is refused by name", f"secret-file = {readable}", r"readable\.secret")):
        config.write_text(f"{text}{lines}\n", encoding="utf-8")
        result = subprocess.run([program("mnd"), "--config", str(config), "--check"], capture_output=True, check=False)
        told = result.stdout + result.stderr
        right = result.returncode != 0 and re.search(named, told.decode()) and not looked_for(searched, told)
        yield what, bool(right), told.decode()
    readable.unlink()


def dies(lab, name, sent):
    process = lab.processes.pop(name)
    process.send_signal(sent)
    return process.wait(5) == -sent


def cores(lab):
    """Neither to a file nor into a pipe; a process of nobody's care leaves one both ways."""
    for way, pattern, daemons in (("a file", f"{CORES}/file.%p", (("mnd.mn", signal.SIGABRT), ("ha", signal.SIGSEGV))),
                                  ("a pipe", f"|/usr/bin/tee {CORES}/pipe.%p", (("mnd.mn2", signal.SIGSEGV), ))):
        Path("/proc/sys/kernel/core_pattern").write_text(pattern, encoding="ascii")
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
    Path("/proc/sys/kernel/core_pattern").write_text("core", encoding="ascii")


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
