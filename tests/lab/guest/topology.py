"""The lab's network, made inside the lab's kernel.

  mn  -w1- ar1 -wan- core      mn: the node (w1 preferred); mn2: a second node that never moves, on a link of its own
  mn  -w2- ar2 -wan- core      ar1, ar2: access routers with router advertisements; core: the router between all
  mn2 -w1- ar1                 ha: home agent; hl: the switch of the home link with ha (home), hh (eth0), mn (wh)
  mn  -wh- hl  -home- ha -wan- core      cn: the correspondent

Only where a scenario asks for it (third_link(), second_router()), for a namespace and its radvd cost half a second:

  mn  -w3- ar3 -wan- core      ar3: acc is a bridge, the switch of that link
           ar3 -acc- ar4 -wan- core      ar4: a second router on it
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import kernel
from lab import RUN, inside, wait_for

NAMESPACES = ("mn", "mn2", "ar1", "ar2", "core", "ha", "hl", "hh", "cn")
ROUTERS = ("ar1", "ar2", "ar3", "ar4", "core", "ha")
# The namespace and interface of one end, and of the other. (A name that the present namespace has, which in tests/system is
# the node's, is refused for others too: the node's come last.)
LINKS = (("ar1", "wan", "core", "r1"), ("ar2", "wan", "core", "r2"), ("ha", "wan", "core", "r3"), ("cn", "wan", "core", "r4"),
         ("ha", "home", "hl", "ha"), ("hh", "eth0", "hl", "hh"), ("mn", "wh", "hl", "mn"),
         ("mn2", "w1", "ar1", "acc2"), ("mn", "w1", "ar1", "acc"), ("mn", "w2", "ar2", "acc"))
# Addresses of /64, and routes: (destination, by way of).
ADDRESSES = {
    "core": {"r1": ["2001:db8:f1::1"], "r2": ["2001:db8:f2::1"], "r3": ["2001:db8:f3::1"], "r4": ["2001:db8:f4::1"]},
    "ar1": {"wan": ["2001:db8:f1::2"], "acc": ["2001:db8:a1::1"], "acc2": ["2001:db8:a3::1"]},
    "ar2": {"wan": ["2001:db8:f2::2"], "acc": ["2001:db8:a2::1"]},
    "ha": {"wan": ["2001:db8:f3::2"], "home": ["2001:db8:1::1"]},
    "cn": {"wan": ["2001:db8:f4::2"]},
}
ROUTES = {
    "core": [("2001:db8:a1::/64", "2001:db8:f1::2"), ("2001:db8:a3::/64", "2001:db8:f1::2"),
             ("2001:db8:a2::/64", "2001:db8:f2::2"), ("2001:db8:1::/64", "2001:db8:f3::2")],
    "ar1": [("::/0", "2001:db8:f1::1")],
    "ar2": [("::/0", "2001:db8:f2::1")],
    "ha": [("::/0", "2001:db8:f3::1")],
    "cn": [("::/0", "2001:db8:f4::1")],
}
# What ip(8) is to do in a namespace besides, in one process.
COMMANDS = {
    "hl": """link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
             link set br0 up
             link set ha master br0
             link set hh master br0
             link set mn master br0""",
    # nl: every netlink message in the node's namespace, with the kernel's time.
    "mn": """link set wh down
             link add nl type nlmon
             link set nl up""",
}
ADVERTISED = (("ar1", "acc", "2001:db8:a1::/64"), ("ar1", "acc2", "2001:db8:a3::/64"), ("ar2", "acc", "2001:db8:a2::/64"),
              ("ha", "home", "2001:db8:1::1/64", 10))


def batch(commands):
    lines = [line.strip() for line in commands if line.strip()]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True, check=True)


def configure(namespace, dad):
    """Duplicate address detection and forwarding, for links that come later too."""
    folder = Path("/proc/sys/net/ipv6/conf")
    for which in ("all", "default"):
        for setting in ("accept_dad", "dad_transmits"):
            (folder / which / setting).write_text("1" if dad else "0", encoding="utf-8")
    if namespace in ROUTERS:
        (folder / "all/forwarding").write_text("1", encoding="utf-8")


def configure_radvd(namespace, interface, prefix, preference=None, further="", deprecated=()):
    """preference: as a home agent, whose address is in `prefix`. further: settings of the interface, such as
    "AdvDefaultLifetime 0;" or "AdvDefaultPreference high;". deprecated: prefixes that are no longer preferred."""
    as_home_agent = "AdvHomeAgentFlag on; AdvHomeAgentInfo on; HomeAgentLifetime 1800; HomeAgentPreference"
    former = "".join(f"  prefix {one} {{ AdvOnLink on; AdvAutonomous on; AdvPreferredLifetime 0; }};\n" for one in deprecated)
    config = RUN / f"radvd.{namespace}.{interface}.conf"
    config.write_text(f"""interface {interface} {{
  AdvSendAdvert on; IgnoreIfMissing on;
  MinRtrAdvInterval 0.2; MaxRtrAdvInterval 0.6; MinDelayBetweenRAs 0.03; AdvDefaultLifetime 1800;
  {f"{as_home_agent} {preference};" if preference is not None else ""}
  {further}
  prefix {prefix} {{ AdvOnLink on; AdvAutonomous on; AdvRouterAddr on; }};
{former}}};
""", encoding="utf-8")
    config.chmod(0o600)
    return config


def advertise(namespace, interface, *what, **more):
    """Router advertisements by radvd, as in configure_radvd(); it ends with the kernel."""
    config = configure_radvd(namespace, interface, *what, **more)
    name = f"radvd.{namespace}.{interface}"
    command = ["radvd", "-n", "-C", str(config), "-m", "logfile", "-l", str(RUN / f"{name}.log"),
               "-p", str(RUN / f"{name}.pid")]
    inside(namespace, lambda: subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))


def advertise_otherwise(namespace, interface, *what, **more):
    """From now on; the radvd is the same."""
    configure_radvd(namespace, interface, *what, **more)
    signal_radvd(namespace, interface, signal.SIGHUP)


def signal_radvd(namespace, interface, sent):
    """To one that may have been started just now: it writes its process id before it catches SIGHUP."""
    file = RUN / f"radvd.{namespace}.{interface}.pid"

    def ready():
        pid = file.exists() and file.read_text(encoding="ascii").strip()
        status = Path(f"/proc/{pid or 'none'}/status")
        text = status.read_text(encoding="ascii") if status.exists() else ""
        caught = re.search(r"^Name:\tradvd$.*^SigCgt:\t([0-9a-f]+)$", text, re.M | re.S)
        return caught and int(caught[1], 16) >> (signal.SIGHUP - 1) & 1 and int(pid)
    os.kill(wait_for(ready, 10, 0.05), sent)


def third_link(lab):
    """ar3, and w3 of the node, which is down; 2001:db8:a4::/64. Before the captures, to be among them."""
    _add_router("ar3", 6, "2001:db8:f6", "a4")
    inside("ar3", lambda: batch(["link add acc type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                                 "link add port type veth peer name w3 netns mn", "link set port master acc",
                                 "link set port up", "link set acc up", "addr add 2001:db8:a4::1/64 dev acc nodad"]))
    advertise("ar3", "acc", "2001:db8:a4::/64")
    lab.LINKS = {**lab.LINKS, "ar3": ("ar3", "acc")}


def second_router(**more):
    """ar4, on the link of third_link() too; the core sends what is for that link by ar3. more: of configure_radvd()."""
    _add_router("ar4", 7, "2001:db8:f7")
    inside("ar3", lambda: batch(["link add port2 type veth peer name acc netns ar4", "link set port2 master acc",
                                 "link set port2 up"]))
    inside("ar4", lambda: batch(["link set acc up", "addr add 2001:db8:a4::2/64 dev acc nodad"]))
    advertise("ar4", "acc", "2001:db8:a4::/64", **more)


def by_router(namespace):
    """What is for the third link goes by this router of it: ar3 or ar4."""
    gateway = {"ar3": "2001:db8:f6::2", "ar4": "2001:db8:f7::2"}[namespace]
    inside("core", lambda: batch([f"route replace 2001:db8:a4::/64 via {gateway}"]))


def _add_router(namespace, number, prefix, link=None):
    batch([f"netns add {namespace}", f"link add wan netns {namespace} type veth peer name r{number} netns core"])
    inside(namespace, lambda: configure(namespace, False))
    inside(namespace, lambda: batch(["link set lo up", "link set wan up", f"addr add {prefix}::2/64 dev wan nodad",
                                     f"route add default via {prefix}::1"]))
    inside("core", lambda: batch([f"link set r{number} up", f"addr add {prefix}::1/64 dev r{number} nodad",
                                  *([f"route add 2001:db8:{link}::/64 via {prefix}::2"] if link else [])]))


def bring_up(namespace):
    """Links, addresses and routes; also of one whose links were down."""
    interfaces = [near for here, near, _, _ in LINKS if here == namespace]
    interfaces += [far for _, _, there, far in LINKS if there == namespace]
    for interface in ["lo", *interfaces]:
        kernel.set_link(namespace, interface, True)
    for interface, addresses in ADDRESSES.get(namespace, {}).items():
        for one in addresses:
            kernel.add_address(namespace, interface, one)
    for destination, gateway in ROUTES.get(namespace, []):
        kernel.add_route(namespace, destination, gateway)


def make(dad):
    """dad: duplicate address detection on the node's links."""
    # tests/system: the node is that whole system, in the namespace that was there before
    batch(f"netns add {namespace}" for namespace in NAMESPACES if not Path(f"/run/netns/{namespace}").exists())
    for namespace in NAMESPACES:
        inside(namespace, lambda n=namespace: configure(n, dad and n == "mn"))
    batch(f"link add {near} netns {here} type veth peer name {far} netns {there}" for here, near, there, far in LINKS)
    for namespace in NAMESPACES:
        bring_up(namespace)
        if namespace in COMMANDS:
            inside(namespace, lambda c=COMMANDS[namespace].split("\n"): batch(c))
    for one in ADVERTISED:
        advertise(*one)
