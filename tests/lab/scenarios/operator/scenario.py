"""An operator and a laptop: init, which mends the machine if it is told so, then nodes with a secret, with a certificate and
with manual keys come, get other keys and go by command, while the home agent runs. The archive of `add --out` is all that
the laptop is given. Each command that asks the home agent answers as the manual says, errors too; keys set by hand are
replaced by command after a backup was taken back."""

import json
import re
import shutil
import subprocess

import common
import lab as the_lab
import pki
import search
import vici
from lab import HOME_AGENT, ROOT, RUN, inside, load, program, run, wait_for

trouble = load("trouble")

CONFIG = RUN / "mip6-ha/mip6-ha.conf"
BACKUP = RUN / "backup.db"
MANUAL = ROOT / "packaging/man/mip6-ha.8"
MENDED = ("/etc/sysctl.d/60-mip6-ha.conf", "/etc/strongswan.d/mip6-ha.conf")


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    common.charons(lab, "mn", "ha")
    lab.secrets = []
    init(lab)
    mend(lab)
    lab.agent_process = lab.start_daemon("ha", "ha", "mip6-ha", CONFIG)
    lab.check("the home agent runs without any node", wait_for(lambda: lab.agent_status().get("bindings") == [], 10),
              lab.agent_status())
    for method in ("--psk", "--certificate", "--manual"):
        whole_life(lab, method)
    lab.check("the home agent is still the process that it was", lab.agent_process.poll() is None)
    left = sorted(path.name for path in (CONFIG.parent / "nodes.d").iterdir())
    lab.check("after all were removed the folder of nodes is as before", left == [".lock"], left)
    lab.stop("ha")
    search.check_logs_and_state(lab, lab.secrets)


def operate(*words):
    """What a subcommand says with --json."""
    return json.loads(run(program("mip6-ha"), *words, "--config", str(CONFIG), "--json", namespace="ha"))


def members():
    """{command: members of its answer}, as mip6-ha(8) has them."""
    section = MANUAL.read_text(encoding="utf-8").partition("\n.Sh JSON\n")[2].partition("\n.Sh ")[0]
    return {command: {"version", *words.split()} for command, words in re.findall(r"\.It Cm (\w+)\n\.Va (.*)", section)}


def asked(*words, socket=RUN / "ha.control"):
    """(exit status, answer) of a command for the running home agent, as a process; its answer is all that it prints."""
    done = inside("ha", lambda: subprocess.run([program("mip6-ha"), *words, "--json", "--socket", str(socket)],
                                               capture_output=True, text=True, check=False))
    return done.returncode, json.loads(done.stdout) if done.stdout.count("\n") == 1 else done


def answers(lab, *words, good=(0,)):
    """The answer, which has the members that the manual names and no other."""
    status, answer = asked(*words)
    lab.check(f"{words[0]} --json: one object with the members that the manual names", status in good and
              isinstance(answer, dict) and answer.keys() == members()[words[0]], (status, answer))
    return answer if isinstance(answer, dict) else {}


def commands(lab, name):
    """All that ask the home agent, of a node that is registered; in the end it is not banned."""
    lab.check("list and status have the node", all(
        [one["care_of"] for one in answers(lab, word).get("bindings", []) if one["name"] == name] == [lab.registered_at("mn")]
        for word in ("list", "status")))
    shown = answers(lab, "show", name).get("node", {})
    lab.check("show has its keys", shown.get("name") == name and shown.get("keys") and shown.get("accepted"), shown)
    events = answers(lab, "events").get("events", [])
    lab.check("events has what happened to it", name in [one.get("node") for one in events], events)
    answers(lab, "doctor", good=(0, 1))
    answers(lab, "reload")
    ban = answers(lab, "ban", name, "--why", "lost in a train").get("banned") or {}
    lab.check("the ban has its reason", ban.get("why") == "lost in a train" and listed(lab, name)["banned"] == ban, ban)
    answers(lab, "unban", name)
    lab.check("the ban is lifted", "banned" not in listed(lab, name), listed(lab, name))
    nowhere = RUN / "nobody.control"
    for words, socket in ((("show", "nobody"), RUN / "ha.control"), (("ban", "nobody"), RUN / "ha.control"),
                          (("import", str(CONFIG)), RUN / "ha.control"), (("status",), nowhere)):
        status, answer = asked(*words, socket=socket)
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        lab.check(f"{words[0]} --json that fails: an object with an error and its remedy", status == 1 and
                  answer.keys() == {"version", "error"} and error["what"] and error["remedy"], (status, answer))


def mend(lab):
    """In a mount namespace of its own: these folders are this machine's."""
    command = f"{program('mip6-ha')} init --prefix 2001:db8:1::/64 --interface home --config {CONFIG} --json --mend"
    script = "; ".join(["set -e", *(f"mount -t tmpfs mended {path.rpartition('/')[0]}" for path in MENDED), command, command,
                        "cat " + " ".join(MENDED)])
    run("sysctl", "-qw", "net.ipv6.conf.home.accept_ra=0", "net.ipv6.conf.wan.accept_ra=0",
        "net.ipv6.conf.all.forwarding=0", namespace="ha")
    first, second, *written = run("unshare", "--mount", "sh", "-c", script, namespace="ha").splitlines()
    said = [json.loads(line) for line in (first, second)]
    good = [{one["check"]: one["good"] for one in now["findings"]} for now in said]
    forwarding = run("sysctl", "-n", "net.ipv6.conf.all.forwarding", namespace="ha").strip()
    lab.check("init --mend switches forwarding on, and says so", forwarding == "1" and good[0].get("forwarding") and any(
        MENDED[0] in line for line in said[0]["mended"]), (forwarding, said[0]))
    lab.check("also for later starts, and it bounds what strangers can ask of charon", "half_open_timeout" in str(written) and
              re.search(r"^net\.ipv6\.conf\.all\.forwarding *= *1$", "\n".join(written), re.M), written)
    lab.check("said again it has nothing to mend", not said[1]["mended"] and said[0]["mended"], said[1])


def init(lab):
    """The lab's charon and folders are not where a machine has them: a drop-in file says so, as an administrator would."""
    said = operate("init", "--prefix", "2001:db8:1::/64", "--interface", "home")
    good = {one["check"]: one["good"] for one in said["findings"]}
    lab.check("init takes the address that the interface has", said["address"] == HOME_AGENT, said)
    lab.check("init finds forwarding, home link and address good",
              all(good.get(check) for check in ("forwarding", "home-link", "address")), said["findings"])
    lab.check("and that charon is not where it should be, with a remedy",
              any(one["check"] == "charon" and not one["good"] and "strongswan" in one["remedy"] for one in said["findings"]),
              said["findings"])
    modes = [oct(path.stat().st_mode & 0o7777) for path in (CONFIG, CONFIG.parent, CONFIG.parent / "nodes.d")]
    lab.check("configuration and folders are for root and its group", modes == ["0o640", "0o750", "0o750"], modes)
    drop_in = CONFIG.with_name("mip6-ha.conf.d")
    drop_in.mkdir()
    (drop_in / "lab.conf").write_text(f"vici-socket = {lab.vici_socket('ha')}\ncontrol-socket = {RUN}/ha.control\n"
                                      f"state-directory = {RUN}/ha.state\n", encoding="utf-8")


class Laptop:
    """The node's machine: what it is given is unpacked into its etc; where the lab's charon is, a drop-in file says."""

    def __init__(self, lab, name):
        self.lab = lab
        self.etc = RUN / f"{name}.etc"
        self.state = RUN / f"{name}.state"
        self.archive = RUN / f"{name}.tar"
        self.config = self.etc / "mnd/mnd.conf"
        drop_in = self.etc / "mnd/mnd.conf.d"
        for folder in (drop_in, self.state):
            folder.mkdir(parents=True)
        (drop_in / "lab.conf").write_text(f"vici-socket = {lab.vici_socket('mn')}\ncontrol-socket = "
                                          f"{RUN}/mn.control\nstate-directory = {self.state}\n", encoding="utf-8")

    def put(self):
        """The operator's last command; then the archive is removed."""
        with open(self.archive, "rb") as archive:
            run_with(archive, "tar", "-C", str(self.etc), "-x")
        for name in ("secret", "manual-keys", "node.pem"):
            path = self.config.with_name(name)
            text = path.read_bytes().partition(b"-----END")[0] if path.exists() else b""
            self.lab.secrets += [(name, form) for word in text.split() if len(word) >= 32 for form in search.forms(word)]
        self.archive.unlink()

    def start(self):
        self.lab.start_daemon("mnd.mn", "mn", "mnd", self.config)

    def restart(self):
        self.lab.stop("mnd.mn")
        self.start()


def run_with(stdin, *command):
    subprocess.run(command, stdin=stdin, check=True)


def connection(lab, name):
    return [one for one in vici.connections(lab.vici_socket("ha")) if name in str(one)]


def listed(lab, name):
    return next((one for one in lab.agent_status().get("bindings", []) if one["name"] == name), None)


def whole_life(lab, method):
    """add, register, rotate, register with the new bundle, remove."""
    word = method.strip("-")
    name = f"laptop-{word}"
    laptop = Laptop(lab, name)
    said = operate("add", name, method, "--out", str(laptop.archive))
    node = said["nodes"][0]
    home = node["home_address"]
    lab.check(f"{word}: add gives an address and tells the running home agent",
              said["agent"] == "reloaded" and home.startswith("2001:db8:1:") and not said["notes"], said)
    laptop.put()
    checked = run(program("mnd"), "--check", "--config", str(laptop.config), check=False, namespace="mn")
    lab.check(f"{word}: the node finds no mistake in what it was given", "no mistakes" in checked, checked)
    if method == "--manual":
        run(program("mnd"), "--config", str(laptop.config), "--keys-are-new", namespace="mn")
    else:  # a node that comes before its connection is refused, and then waits for a while
        wait_for(lambda: connection(lab, name), 10)
    laptop.start()
    lab.check(f"{word}: the node registers with nothing but what it was given", lab.wait_registered("mn", timeout=30),
              lab.status("mn"))
    lab.check(f"{word}: its home address is reachable", wait_for(lambda: lab.ping("cn", home) >= 2, 5))

    said = operate("rotate", name, "--out", str(laptop.archive))
    lab.check(f"{word}: rotate tells the running home agent", said["agent"] == "reloaded" and not said["notes"], said)
    old_is_dead(lab, method, name, laptop)
    laptop.put()
    laptop.restart()
    lab.check(f"{word}: with the new bundle the node registers again",
              wait_for(lambda: lab.registered_at("mn") and (listed(lab, name) or {}).get("care_of") and
                       (listed(lab, name) or {}).get("keys_up"), 40, 0.2), (lab.status("mn"), listed(lab, name)))
    lab.check(f"{word}: and is reachable", wait_for(lambda: lab.ping("cn", home) >= 2, 5))
    if method == "--manual":
        taken_back(lab, name, laptop)
    if method == "--psk":
        commands(lab, name)

    said = operate("remove", name)
    lab.check(f"{word}: remove ends the service at once", said["agent"] == "reloaded" and listed(lab, name) is None,
              (said, lab.agent_status()))
    lab.check(f"{word}: nothing reaches the node any more", lab.ping("cn", home) == 0)
    lab.check(f"{word}: charon has no connection of it", wait_for(lambda: not connection(lab, name), 5))
    lab.stop("mnd.mn")
    shutil.rmtree(laptop.etc)


def taken_back(lab, name, laptop):
    """A backup of manual keys: they are refused from then on, until there are others."""
    made = answers(lab, "export", str(BACKUP))
    lab.check("export writes as much as it says", made.get("bytes") == BACKUP.stat().st_size, made)
    refused = answers(lab, "import", str(BACKUP)).get("refused")
    lab.check("manual keys are refused after an import", refused == {"count": 1, "names": [name]}, refused)
    said = operate("rotate", name, "--out", str(laptop.archive))
    lab.check("rotate after it tells the home agent", said["agent"] == "reloaded" and not said["notes"], said)
    laptop.put()
    laptop.restart()
    lab.check("with the keys of rotate the node registers again, and nothing is left to do", wait_for(
        lambda: lab.registered_at("mn") and (listed(lab, name) or {}).get("care_of"), 40, 0.2) and not
              [one for one in lab.agent_status()["advice"] if name in one["what"]], (lab.status("mn"), lab.agent_status()))


def old_is_dead(lab, method, name, laptop):
    """The node still has the former key. With IKE it is refused when it asks for new keys; manual keys are not taken."""
    word = method.strip("-")
    laptop.restart()
    if method == "--manual":
        before = lab.xfrm_errors("ha")
        refused = wait_for(lambda: lab.xfrm_errors("ha").get("XfrmInNoStates", 0) > before.get("XfrmInNoStates", 0), 20)
        lab.check(f"{word}: what comes under the old keys is not taken", refused, lab.xfrm_errors("ha"))
    else:
        trouble.named(lab, "wrong|refuse|not trusted|AUTHENTICATION_FAILED", f"{word}: the old key is refused", 30)
    lab.check(f"{word}: the node is not registered by it", not lab.registered_at("mn"), lab.status("mn"))
