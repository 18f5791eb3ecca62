"""A second home agent on the home link, in a namespace `ha2` that only its scenarios have, and the machine of either going
down, and that of the first one coming back.

  ha2 -home- hl (the home link)     ha2 -wan- core
"""

import re
import signal
import socket
import struct

import kernel
import topology
from lab import HOME_PREFIX, RUN, ask, inside, program, run

ADDRESS = "2001:db8:1::2"
WAN = "2001:db8:f5::2"  # on its other link
WAN_OF_FIRST = "2001:db8:f3::2"
ANYCAST = "2001:db8:1:0:fdff:ffff:ffff:fffe"
PREFERENCE = 5  # less than that of ha
REQUEST, REPLY = 144, 145


def make(lab):
    """The namespace, its links and router advertisements."""
    topology.batch(["netns add ha2", "link add home netns ha2 type veth peer name ha2 netns hl",
                    "link add wan netns ha2 type veth peer name r5 netns core"])
    inside("ha2", lambda: topology.configure("ha", False))
    bring_up()
    inside("hl", lambda: topology.batch(["link set ha2 up", "link set ha2 master br0"]))
    inside("core", lambda: topology.batch(["link set r5 up", "addr add 2001:db8:f5::1/64 dev r5 nodad",
                                           f"route add {ADDRESS}/128 via {WAN}"]))
    topology.advertise("ha2", "home", f"{ADDRESS}/64", PREFERENCE)
    lab.mac = {namespace: inside(namespace, lambda: hardware_address("home")) for namespace in ("ha", "ha2")}


def bring_up():
    inside("ha2", lambda: topology.batch(["link set lo up", "link set home up", "link set wan up",
                                          f"addr add {WAN}/64 dev wan nodad", f"addr add {ADDRESS}/64 dev home nodad",
                                          "route add default via 2001:db8:f5::1"]))


def hardware_address(interface):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as any_socket:
        any_socket.bind((interface, 0))
        return any_socket.getsockname()[4].hex(":")


def start(lab, extra=""):
    """mip6-ha in ha2: as the first one, but for what is its own."""
    text = lab.agent_config(extra=f"{extra}\npreference = {PREFERENCE}").read_text(encoding="utf-8")
    for old, new in (("address = 2001:db8:1::1\n", f"address = {ADDRESS}\n"), (f"{RUN}/ha.", f"{RUN}/ha2."),
                     ("/ha.state", "/ha2.state")):
        text = text.replace(old, new)
    (lab.state / "ha2.state").mkdir(exist_ok=True)
    config = RUN / "ha2.conf"
    config.write_text(text, encoding="utf-8")
    return lab.start("ha2", "ha2", program("mip6-ha"), "--config", str(config))


def status(name):
    return ask(RUN / f"{name}.control", "status")


def binding(name, home_address):
    """Where this home agent has the node; None: nowhere."""
    for one in status(name).get("bindings", []):
        if one.get("home_address") == home_address:
            return one.get("care_of")
    return None


def route_home_prefix(by, prefix=f"{HOME_PREFIX}:/64"):
    """What a routing protocol would do."""
    inside("core", lambda: topology.batch([f"route replace {prefix} via {by}"]))


def crash(lab, name="ha"):
    """This home agent's machine is gone, and nothing of it is in any kernel; who routes has the way to the other one."""
    for interface in ("home", "wan"):
        kernel.set_link(name, interface, False)
    for process in (name, f"charon.{name}"):
        lab.stop(process, signal.SIGKILL)
    tunnel = [index for index, device in inside(name, socket.if_nameindex) if device == "mip6ha"]  # SIGTERM has taken it out
    inside(name, lambda: topology.batch([*["link del mip6ha" for _ in tunnel], "xfrm state flush", "xfrm policy flush"]))
    route_home_prefix(WAN if name == "ha" else WAN_OF_FIRST)


def boot(lab, name="ha"):
    """It is back, without having been told anything; who routes goes by the first one, where that is there."""
    if name == "ha":
        topology.bring_up("ha")
    else:
        bring_up()
    inside("core", lambda: topology.batch(["neigh flush all"]))
    route_home_prefix(WAN_OF_FIRST)
    lab.charon(name)


def neighbour(home_address, namespace="hh"):
    """The link-layer address by which a host on the home link knows the home address, asked anew."""
    run("ip", "-n", namespace, "-6", "neigh", "flush", "to", home_address, check=False)
    run("ping", "-n", "-c", "1", "-W", "2", home_address, check=False, namespace=namespace)
    shown = run("ip", "-n", namespace, "-6", "neigh", "show", "to", home_address, check=False)
    found = re.search(r"lladdr (\S+)", shown)
    return found.group(1) if found else None


def discover(count=1, timeout=3, anycast=ANYCAST):
    """Replies to so many requests at the anycast address: lists of home agents, each as it was told."""
    def asks():
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as asking:
            asking.settimeout(timeout)
            replies = []
            for number in range(count):
                asking.sendto(struct.pack("!BBHHH", REQUEST, 0, 0, number, 0), (anycast, 0))
            try:
                while len(replies) < count:
                    message = asking.recv(2048)
                    if message[0] == REPLY:
                        replies.append([socket.inet_ntop(socket.AF_INET6, message[at:at + 16])
                                        for at in range(8, len(message), 16)])
            except TimeoutError:
                pass
            return replies
    return inside("cn", asks)
