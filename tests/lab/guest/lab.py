"""The lab as its scenarios see it: topology, charon per namespace, the programs under test, checks."""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import vici

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
OUT = Path(os.environ["OUT"])
RUN = Path("/run/lab")
SO_TIMESTAMP = 29
HOME_AGENT = "2001:db8:1::1"
CORRESPONDENT = "2001:db8:f4::2"
HOME_PREFIX = "2001:db8:1:"
REQID_NODE, REQID_AGENT, TABLE = 6275, 627500, 6275

NODES = {
    "mn": {"home_address": "2001:db8:1::42", "identity": "laptop@example.org", "secret": "correct horse battery staple",
           "name": "laptop"},
    "mn2": {"home_address": "2001:db8:1::43", "identity": "desk@example.org", "secret": "a second secret of its own",
            "name": "desk"},
}
HOME_ADDRESS = NODES["mn"]["home_address"]

PLUGINS = "random nonce openssl aes sha1 sha2 hmac kdf gcm kernel-netlink socket-default vici"


def say(text=""):
    print(text, flush=True)


def enter(namespace):
    """Puts this thread into a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}", "rb") as file:
        if libc.setns(file.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def mount_over(file, place):
    """In this kernel alone `place` is what `file` is, without a process for it."""
    bind = 0x1000
    if ctypes.CDLL(None, use_errno=True).mount(os.fsencode(file), os.fsencode(place), None, bind, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {place}")


def inside(namespace, action):
    """What action() gives in a network namespace; processes that it starts are in there too. A process costs much here,
    and `ip netns exec`, which mounts a /sys for it, twice as much."""
    with ThreadPoolExecutor(1, initializer=enter, initargs=(namespace,)) as thread:
        return thread.submit(action).result()


def run(*command, check=True, namespace=None):
    def runs():
        return subprocess.run(command, capture_output=True, text=True, check=False)
    result = inside(namespace, runs) if namespace else runs()
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip() or result.returncode}")
    return result.stdout


# A busy machine makes user-mode Linux many times slower: times to wait are guards against hanging, not goals.
PATIENCE_FACTOR = float(os.environ.get("LAB_PATIENCE", "4"))


def wait_for(condition, timeout, step=0.05):
    """The first true value of condition() within `timeout` seconds (times PATIENCE_FACTOR), or its last value."""
    end = time.monotonic() + timeout * PATIENCE_FACTOR
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(step)


def ask(socket_path, command, timeout=20, **more):
    """An answer of a control socket, without a process for it; {} if there is none."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Not settimeout(), under which connecting does not wait for others to be accepted.
    for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        client.setsockopt(socket.SOL_SOCKET, way, struct.pack("@ll", int(timeout), int(timeout % 1 * 1_000_000)))
    try:
        client.connect(str(socket_path))
        client.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
        return json.loads(client.makefile("rb").readline() or b"{}")
    except (OSError, ValueError):
        return {}
    finally:
        client.close()


def program(name):
    if "LAB_BIN_DIR" not in os.environ and (installed := shutil.which(name)):
        return installed
    folder = Path(os.environ.get("LAB_BIN_DIR", "/usr/sbin"))
    for place in (folder, folder / "mnd", folder / "examples/home-agent"):
        if (place / name).is_file():
            return str(place / name)
    raise RuntimeError(f"{name} is not in LAB_BIN_DIR={folder}: build it first")


class Checks:
    """One line per check in OUT/checks; the runner counts them. OUT/timeline: the same with seconds since the start.
    OUT/figures: what was measured."""

    def __init__(self):
        self.begin = time.monotonic()
        self.file = open(OUT / "checks", "a", buffering=1, encoding="utf-8")
        self.timeline = open(OUT / "timeline", "a", buffering=1, encoding="utf-8")
        self.failed = 0

    def note(self, line):
        """To the timeline alone."""
        self.timeline.write(f"{time.monotonic() - self.begin:6.1f} {line}\n")

    def figure(self, line):
        """To the timeline, and shown by the runner: what was measured and is not judged."""
        self.note(line)
        with open(OUT / "figures", "a", encoding="utf-8") as figures:
            figures.write(line + "\n")

    def check(self, text, ok, detail=""):
        ok = bool(ok)
        self.failed += not ok
        line = f"{'PASS' if ok else 'FAIL'} {text}" + (f": {detail}" if detail != "" and not ok else "")
        line = re.sub(r"\s*\n\s*", " | ", line)
        self.file.write(line + "\n")
        self.note(line)
        return ok


class Lab:
    def __init__(self, dad=False):
        self.checks = Checks()
        self.check = self.checks.check
        self.processes = {}
        self.charon_extra = {}  # namespace: further settings of its charon
        self.agent_extra = ""  # further settings at the top of the home agent's configuration
        self.state = RUN  # where both daemons keep their state folders
        self.first_agent = self.first_node = True
        self.down = None  # an interface of mn that begins so
        self.environment = {}  # name of a process -> what it has beside that of the lab, such as a preloaded library
        self.dad = dad or os.environ.get("LAB_DAD") == "on"
        RUN.mkdir(exist_ok=True)
        self.hide_resolvers()

    # --- names ---
    @staticmethod
    def resolvers(*addresses):
        """What /etc/resolv.conf names in the lab; nobody unless this is called."""
        (RUN / "resolv.conf").write_text("".join(f"nameserver {one}\n" for one in addresses), encoding="utf-8")

    def hide_resolvers(self):
        """This machine's are not to be had in there. A system of its own (tests/system) keeps its file."""
        real = Path("/etc/resolv.conf").resolve()
        if "LAB_MODULES" not in os.environ or not real.is_file():
            return
        self.resolvers()
        mount_over(RUN / "resolv.conf", real)

    # --- network ---
    def build(self):
        import topology  # which needs this module
        # Packets are stamped from now on. The first tcpdump would patch the kernel's code for that, in running traffic, which
        # an emulated processor (boot-stock) does not always survive.
        self.stamps = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.stamps.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        topology.make(self.dad)

    def linked(self):
        """Waits until the nodes' links have addresses, but for self.down. What needs none starts before."""
        for namespace, interface in (("mn", "w1"), ("mn", "w2"), ("mn2", "w1")):
            if (namespace, interface) == ("mn", self.down):
                continue
            if not wait_for(lambda n=namespace, i=interface: self.care_of(n, i), 15):
                raise RuntimeError(f"no address on {interface} of {namespace}: is radvd running?")

    def care_of(self, namespace, interface):
        """The address that router advertisements made on this interface; None if there is none yet."""
        import kernel  # which needs this module
        for entry in kernel.addresses(namespace, interface):
            if entry.dynamic and not entry.tentative and not entry.deprecated:
                return entry.local
        return None

    # --- processes ---
    def start(self, name, namespace, *command, env=None, log=None):
        with open(RUN / f"{log or name}.log", "ab") as output:
            process = inside(namespace, lambda: subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **self.environment.get(name, {}), **(env or {})}))
        self.processes[name] = process
        return process

    def start_daemon(self, name, namespace, daemon, config):
        """mnd or mip6-ha, under the priority of its systemd unit."""
        return self.start_as_daemon(name, namespace, daemon, program(daemon), "--config", str(config))

    def start_as_daemon(self, name, namespace, daemon, *command):
        """Another program under the priority of that one."""
        process = self.start(name, namespace, *command)
        unit = (ROOT / f"packaging/systemd/{daemon}.service").read_text(encoding="utf-8")
        os.setpriority(os.PRIO_PROCESS, process.pid, int(re.search("^Nice=(.*)", unit, re.M)[1]))
        return process

    def stop(self, name, sent=signal.SIGTERM, timeout=6):
        """Exit status; None if it had to be killed because it did not end in time."""
        process = self.processes.pop(name, None)
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(sent)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def alive(self, name):
        process = self.processes.get(name)
        return process is not None and process.poll() is None

    def vici_socket(self, namespace):
        return RUN / f"{namespace}.vici"

    def charon(self, namespace, wait=True):
        config = RUN / f"{namespace}.strongswan.conf"
        config.write_text(f"""charon-systemd {{
  load = {PLUGINS}
  threads = 8
  install_routes = no
  install_virtual_ip = no
  {self.charon_extra.get(namespace, "")}
  plugins {{ vici {{ socket = unix://{self.vici_socket(namespace)} }} }}
  journal {{ default = -1 }}
  filelog {{ file {{ path = {RUN}/charon.{namespace}.log
    default = 1
    time_format = %H:%M:%S
    time_add_ms = yes
    flush_line = yes }} }}
}}
""", encoding="utf-8")
        empty = RUN / "swanctl"
        empty.mkdir(exist_ok=True)
        self.start(f"charon.{namespace}", namespace, shutil.which("charon-systemd") or "/usr/sbin/charon-systemd",
                   env={"STRONGSWAN_CONF": str(config), "SWANCTL_DIR": str(empty)}, log=f"charon.{namespace}.out")
        if wait:
            self.charon_ready(namespace)

    def charon_ready(self, namespace):
        def answers():
            try:
                return vici.ask(self.vici_socket(namespace), "version")
            except OSError:
                return None
        if not wait_for(answers, 15):
            raise RuntimeError(f"charon of {namespace} does not answer: see charon.{namespace}.log")

    def agent(self, key_mobility=True, extra=""):
        config = self.agent_config(key_mobility, extra)
        process = self.start_daemon("ha", "ha", "mip6-ha", config)
        # A node that comes before its connection is refused, and then waits for a while.
        if self.first_agent and self.alive("charon.ha") and any("manual_keys" not in node for node in NODES.values()):
            wait_for(lambda: not self.alive("ha") or vici.connections(self.vici_socket("ha")), 5)
        self.first_agent = False
        return process

    def agent_config(self, key_mobility=True, extra=""):
        config = RUN / "ha.conf"
        lines = [f"address = {HOME_AGENT}", "interface = home", f"prefix = {HOME_PREFIX}:/64",
                 f"key-mobility = {'yes' if key_mobility else 'no'}", f"vici-socket = {self.vici_socket('ha')}",
                 f"control-socket = {RUN}/ha.control", f"state-directory = {self.state}/ha.state", extra,
                 self.agent_extra]
        (self.state / "ha.state").mkdir(exist_ok=True)
        for node in NODES.values():
            lines += [f"[node {node['name']}]", f"home-address = {node['home_address']}"]
            if "manual_keys" in node:
                lines.append(f"manual-keys = {node['manual_keys']}")
                continue
            lines.append(f"identity = {node['identity']}")
            if "certificate" not in node:
                lines.append(f"secret-file = {self.secret('ha-' + node['name'], node)}")
            lines += node.get("agent_lines", [])  # further settings of its section
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return config

    def secret(self, name, node):
        path = RUN / f"{name}.secret"
        path.touch(mode=0o600)
        path.write_text(node["secret"] + "\n", encoding="utf-8")
        return path

    def proof(self, name, node):
        """The settings by which a node proves itself; none of IKE with manual keys (NODES: "manual_keys", a path)."""
        if "manual_keys" in node:
            return f"keying = manual\nmanual-keys = {node['manual_keys']}"
        method = node.get("keying", "ikev2")
        return f"keying = {method}\nidentity = {node['identity']}\n{self.credential(name, node)}"

    def credential(self, name, node):
        if "certificate" in node:
            return f"certificate = {node['certificate']}"
        return f"secret-file = {self.secret(name, node)}"

    def node(self, namespace, extra="", wrong=None):
        """Starts mnd of `mn` or `mn2`. wrong: settings that replace those of NODES."""
        if self.first_node:
            self.linked()
        self.first_node = False
        config = self.node_config(namespace, extra, wrong)
        return self.start_daemon(f"mnd.{namespace}", namespace, "mnd", config)

    def node_config(self, namespace, extra="", wrong=None):
        node = {**NODES[namespace], **(wrong or {})}
        config = RUN / f"{namespace}.conf"
        (self.state / f"{namespace}.state").mkdir(exist_ok=True)
        config.write_text(f"""home-address = {node['home_address']}/64
home-agent = {node.get('home_agent', HOME_AGENT)}
{self.proof(namespace, node)}
{"prefer = " + preferred if (preferred := node.get("prefer", "w1 w2")) else ""}
vici-socket = {self.vici_socket(namespace)}
control-socket = {RUN}/{namespace}.control
state-directory = {self.state}/{namespace}.state
{extra}
""", encoding="utf-8")
        return config

    # --- what the programs say (only K, sequence and trouble are taken from here) ---
    def status(self, namespace="mn", command="status"):
        return ask(RUN / f"{namespace}.control", command)

    def status_text(self, namespace="mn"):
        result = subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/{namespace}.control", "status"],
                                capture_output=True, text=True, check=False, timeout=5 * PATIENCE_FACTOR)
        return result.stdout + result.stderr

    def registered_at(self, namespace="mn"):
        """The address that is registered, nothing outstanding; None if there is none."""
        said = self.status(namespace)
        at = said.get("registered_at")
        attachment = said.get("attachment") or {}
        settled = said.get("state") in ("registered", "at home") and at == attachment.get("care_of")
        return at if at and settled else None

    def wait_registered(self, namespace="mn", address=None, timeout=10, on=None):
        """on: an interface whose address it is to be. On a slow machine the node may take another one first, and comes back."""
        def there():
            at = self.registered_at(namespace)
            wanted = self.care_of(namespace, on) if on else address or at
            return at if at and at == wanted else None
        return wait_for(there, timeout, 0.1)

    def trouble(self, namespace="mn"):
        """(what, remedy) of the last error that is still there, as status tells it."""
        error = self.status(namespace).get("last_error") or {}
        return (error.get("what", ""), error.get("remedy", "")) if error.get("current", True) else ("", "")

    def agent_status(self):
        return ask(RUN / "ha.control", "status")

    # --- what the kernel and charon say ---
    def ike_endpoints(self):
        """(node's own, the agent's view of the node, the agent's view of the second node): lists of addresses."""
        own = [sa["local-host"] for sa in vici.ike_sas(self.vici_socket("mn"))]
        seen = vici.ike_sas(self.vici_socket("ha"))
        return (own, [sa["remote-host"] for sa in seen if sa.get("remote-id") == NODES["mn"]["identity"]],
                [sa["remote-host"] for sa in seen if sa.get("remote-id") == NODES["mn2"]["identity"]])

    def xfrm_errors(self, namespace):
        """Counters of /proc/net/xfrm_stat that are not zero."""
        lines = inside(namespace, Path("/proc/thread-self/net/xfrm_stat").read_text).split("\n")
        return {key: int(value) for key, value in (line.split() for line in lines if line) if int(value)}

    def usage(self, name):
        """Resident memory in KiB and processor time in ms of a process of ours."""
        process = self.processes.get(name)
        try:
            resident = resident_kib(process.pid)
            stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except (OSError, AttributeError):
            return {"rss_kib": None, "cpu_ms": None}
        ticks = os.sysconf("SC_CLK_TCK")
        return {"rss_kib": resident, "cpu_ms": (int(stat[11]) + int(stat[12])) * 1000 // ticks}

    def ping(self, namespace, target, count=3, source=None):
        """How many of `count` pings were answered."""
        command = ["ping", "-n", "-c", str(count), "-i", "0.1", "-W", "1", target]
        if source:
            command[1:1] = ["-I", source]
        found = re.search(r"(\d+) received", run(*command, check=False, namespace=namespace))
        return int(found.group(1)) if found else 0

    # --- captures ---
    MOBILITY = "ip6 and not ip6[6]==58 and not ip6[6]==6 and not (ip6[6]==41 and (ip6[46]==6 or ip6[46]==58))"
    LINKS = {"ar1": ("ar1", "acc"), "ar1-2": ("ar1", "acc2"), "ar2": ("ar2", "acc"), "home": ("ha", "home"),
             "wan": ("ha", "wan")}

    def capture(self, name, namespace, interface, expression, snap=320):
        path = RUN / f"{name}.pcap"
        self.start(f"tcpdump.{name}", namespace, "tcpdump", "-n", "-Z", "root", "-s", str(snap), "-i", interface, "-w",
                   str(path), *([expression] if expression else []))
        return path

    def capture_all(self):
        """Mobility, ESP and IKE on all links of the node and of the home agent, and the node's netlink messages."""
        found = {link: self.capture(link, *where, self.MOBILITY) for link, where in self.LINKS.items()}
        self.netlink = self.capture("netlink", "mn", "nl", "", 512)
        wait_for(lambda: all((RUN / f"{name}.pcap").exists() for name in [*self.LINKS, "netlink"]), 5)
        time.sleep(0.3)
        return found

    def stop_captures(self):
        time.sleep(1.3)  # tcpdump gets what is in the kernel's ring once a second
        for name in [n for n in self.processes if n.startswith("tcpdump.")]:
            self.stop(name, signal.SIGINT)

    # --- end ---
    def keep(self):
        """Logs and captures go to OUT."""
        for path in RUN.iterdir():
            if path.is_file() and path.suffix in (".log", ".pcap", ".txt", ".json", ".conf"):
                shutil.copy(path, OUT / path.name)

    def close(self):
        for name in list(self.processes):
            self.stop(name, signal.SIGKILL)
        self.keep()


def resident_kib(pid):
    """Resident memory of a process; None of one that has ended and was not waited for yet."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(found[1]) if found else None


def load(scenario):
    import importlib.util
    path = HERE / "scenarios" / scenario / "scenario.py"
    spec = importlib.util.spec_from_file_location("scenario", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(scenario):
    """Runs a scenario: scenarios/NAME/scenario.py has `def scenario(lab)` and may have DAD = True, and `def prepare()`, what
    is made on this machine before the kernel boots."""
    # A signal ends a program with UBSan as it does any other, without a report of its own.
    os.environ.setdefault("UBSAN_OPTIONS", "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0")
    module = load(scenario)
    lab = Lab(dad=getattr(module, "DAD", False))
    try:
        lab.build()
        lab.checks.note("the network is there")
        module.scenario(lab)
    except Exception as error:  # a scenario that breaks is a failed check, with its place
        import traceback
        traceback.print_exc()
        lab.check("the scenario ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        lab.close()
    (OUT / "ended").write_text("yes\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE / "guest"))
    # Scenarios import `lab`; this module is that one, not a second copy.
    sys.modules["lab"] = sys.modules["__main__"]
    if sys.argv[1] == "--prepare":
        getattr(load(sys.argv[2]), "prepare", lambda: None)()
    else:
        main(sys.argv[1])
