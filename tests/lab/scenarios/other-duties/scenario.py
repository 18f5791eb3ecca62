"""The home agent on a router that has other duties: the administrator's packet filter with a policy of drop, tunnel, rules,
routes, proxy entry, IPsec by hand and by the same charon, and another program with raw sockets and a policy of its own.
All of it is what it was, and works, when mip6-ha has started, was killed and restarted, when another node came, got another
secret and went by command, and when mip6-ha has ended. In a stock kernel the packet filter is nftables' (router_filter.py)."""

import json
import re
import signal
import socket
import struct
import subprocess

import attack
import common
import leftovers
import router_filter
import spoof
import vici
from foreign import FAR, NEAR, Foreign
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, RUN, inside, program, run, wait_for
from router_filter import OTHER_ADDRESS

BRANCH, FAR_BRANCH = "2001:db8:88::1", "2001:db8:88::2"
LINES = f"""link add branch type ip6tnl mode ip6ip6 local {HOME_AGENT} remote {CORRESPONDENT}
link set branch up
addr add {BRANCH}/64 dev branch nodad
rule add from 2001:db8:99::/48 lookup 99
rule add fwmark 0x63 lookup 99
route add default via 2001:db8:f3::1 table 99
route add 2001:db8:9a::/64 dev branch
neigh add proxy 2001:db8:1::77 dev home
xfrm state add src {OTHER_ADDRESS} dst 2001:db8:9b::1 proto esp spi 0x9b reqid 99 mode tunnel enc cipher_null "" \\
  auth hmac(sha1) 0x{"ab" * 20}
xfrm policy add src 2001:db8:9c::/64 dst 2001:db8:9d::/64 dir out priority 77 tmpl src {OTHER_ADDRESS} dst 2001:db8:9b::1 \\
  proto esp reqid 99 mode tunnel"""
IPV6_XFRM_POLICY, XFRM_OUT = 35, 1


def scenario(lab):
    NODES.pop("mn2")
    common.charons(lab, "ha", "mn")
    theirs(lab)
    other = Program()
    lab.before = {"ha": state(lab)}
    other.works(lab, "before")
    lab.agent()
    lab.node("mn")
    lab.check("the node registers through the packet filter", lab.wait_registered("mn", timeout=40), lab.status("mn"))
    strangers(lab)
    works(lab, "while mip6-ha runs", other, serving=True)
    lab.stop("ha", signal.SIGKILL)
    works(lab, "after SIGKILL", other, serving=True)
    lab.agent()
    wait_for(lambda: attack.entry(NODES["mn"]["name"]).get("keys_up"), 10)
    works(lab, "after a restart", other, serving=True)
    there(lab, "after a restart", lab.before["ha"], serving=True)
    by_command(lab)
    works(lab, "after nodes by command", other, serving=True)
    lab.stop("ha")
    works(lab, "after SIGTERM", other)
    now = there(lab, "after SIGTERM", lab.before["ha"])
    more = leftovers.difference(lab.before["ha"], now)
    lab.check("and nothing is there that was not", not more, more)
    lab.foreign.stop()


def theirs(lab):
    """What the administrator has."""
    lab.filter = router_filter.of_this_kernel()
    batch("ha", LINES)
    batch("cn", f"""link add branch type ip6tnl mode ip6ip6 local {CORRESPONDENT} remote {HOME_AGENT}
link set branch up
addr add {FAR_BRANCH}/64 dev branch nodad""")
    lab.filter.load()
    run("tc", "qdisc", "add", "dev", "wan", "clsact", namespace="ha")
    run("tc", "filter", "add", "dev", "wan", "ingress", "pref", "1", "protocol", "ipv6", "flower", "src_ip", "2001:db8:bad::1",
        "action", "drop", namespace="ha")
    lab.foreign = Foreign(lab)
    lab.check("the administrator's own connection is up", lab.foreign.start(), lab.foreign.present("ha"))


def strangers(lab, count=5):
    """The remedy against floods of messages in the clear, of mip6-ha(8)."""
    dropped = lab.filter.dropped
    begin, before = dropped(), attack.counted(attack.agent_status())
    spoof.forged("cn", "malformed-update", source=CORRESPONDENT, home_address=HOME_ADDRESS, agent=HOME_AGENT, sequence=1,
                 care_of=HOME_AGENT, count=count)
    counted = wait_for(lambda: dropped() - begin >= count, 5, 0.2)
    grown = attack.more(before, attack.counted(attack.agent_status()))
    lab.check("what strangers send in the clear is dropped and counted by the filter, and no work of mip6-ha", counted and
              not [name for name in grown if name.startswith("malformed") or name == "socket_dropped"], (dropped(), grown))


def by_command(lab):
    """Another node; the same charon's connections and secrets change each time."""
    def ours():
        return [line for line in vici.loaded(lab.vici_socket("ha")) if "tablet" in line]
    theirs = lab.foreign.present("ha"), lab.foreign.sas("ha")
    node = lab.agent_status()["bindings"]
    for command, wanted in (("add", True), ("rotate", True), ("remove", False)):
        said = json.loads(run(program("mip6-ha"), command, "tablet", "--config", str(RUN / "ha.conf"), "--json",
                              namespace="ha"))
        done = wait_for(lambda w=wanted: bool(ours()) == w, 10, 0.1)
        now = lab.foreign.present("ha"), lab.foreign.sas("ha")
        lab.check(f"{command} changes our connections and secrets alone, the administrator's IKE_SA is the same",
                  said["agent"] == "reloaded" and done and theirs[0] and theirs[1] and now == theirs,
                  f"{said} {ours()} {theirs} {now}")
        there(lab, f"after {command}", lab.before["ha"], serving=True)
    served = [one["care_of"] for one in lab.agent_status()["bindings"]]
    lab.check("and the node that is served noticed nothing", served == [one["care_of"] for one in node] and
              attack.entry(NODES["mn"]["name"]).get("keys_up"), (node, lab.agent_status()))


def batch(namespace, text):
    inside(namespace, lambda: subprocess.run(["ip", "-6", "-batch", "-"], input=text + "\n", text=True, check=True))


def without_numbers(line):
    """Of packets: the administrator's connection carries some meanwhile."""
    return re.sub(r" anti-replay context.*| lastused.*", "", line)


def state(lab):
    lines = leftovers.snapshot("ha", lab.vici_socket("ha"))
    lines += ["packet filter: " + line for line in lab.filter.state()]
    lines += ["filter: " + line.strip() for line in run("tc", "filter", "show", "dev", "wan", "ingress",
                                                       namespace="ha").splitlines()]
    lines += ["link: " + line.strip() for line in run("ip", "-d", "link", "show", "dev", "branch", namespace="ha").splitlines()]
    policies = run("ip", "xfrm", "policy", namespace="ha").count(" socket ")
    return sorted(without_numbers(line) for line in lines) + [f"policies of sockets: {policies}"]


class Program:
    """Another one on the same machine: it hears Mobility Headers and echo requests, and has an IPsec policy on a socket."""

    def __init__(self):
        self.mobility = attack.socket_in("ha", socket.AF_INET6, socket.SOCK_RAW, spoof.MOBILITY)
        self.mobility.bind((OTHER_ADDRESS, 0))
        self.icmp = attack.socket_in("ha", socket.AF_INET6, socket.SOCK_RAW, spoof.ICMPV6)
        self.icmp.bind((OTHER_ADDRESS, 0))
        self.bypass = attack.socket_in("ha", socket.AF_INET6, socket.SOCK_DGRAM)
        selector = bytes(40) + struct.pack("=H", socket.AF_INET6) + bytes(14)
        forever = struct.pack("=4Q", *[2**64 - 1] * 4) + bytes(32)
        self.bypass.setsockopt(socket.IPPROTO_IPV6, IPV6_XFRM_POLICY, selector + forever + bytes(32) + struct.pack(
            "=IIBBBB4x", 0, 0, XFRM_OUT, 0, 0, 0))
        for one in (self.mobility, self.icmp):
            one.settimeout(10)

    def works(self, lab, when):
        spoof.forged("cn", "binding-error", source=CORRESPONDENT, home_address=HOME_ADDRESS, agent=HOME_AGENT, sequence=0,
                     care_of=OTHER_ADDRESS)
        inside("cn", lambda: spoof.send_raw(spoof.ipv6(CORRESPONDENT, OTHER_ADDRESS, spoof.ICMPV6, spoof.echo(
            CORRESPONDENT, OTHER_ADDRESS)), OTHER_ADDRESS))
        heard = [hears(one, wanted) for one, wanted in ((self.mobility, spoof.packed(HOME_ADDRESS)), (self.icmp, b"forged"))]
        lab.check(f"{when} another program hears what is for it", all(heard), heard)


def hears(one, wanted):
    try:
        for _ in range(1000):
            if wanted in one.recv(2048):
                return True
    except socket.timeout:
        pass
    return False


def there(lab, when, before, serving=False):
    now = state(lab)
    missing = leftovers.difference(now, before)
    if serving:  # the one setting of others that mip6-ha changes while it runs: mip6-ha(8)
        missing = [line for line in missing if not line.startswith("sysctl: all/proxy_ndp:")]
    lab.check(f"{when} all that the administrator had is there", not missing, missing)
    return now


def works(lab, when, other, serving=False):
    lab.check(f"{when} the administrator's two tunnels carry packets", lab.ping("cn", BRANCH, 2) == 2 and
              lab.ping("mn", FAR, 2, NEAR) == 2)
    other.works(lab, when)
    if serving:
        lab.check(f"{when} the correspondent reaches the node", lab.ping("cn", HOME_ADDRESS, 2) >= 1)
