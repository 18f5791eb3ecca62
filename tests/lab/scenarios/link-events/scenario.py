"""What happens to the links of a node: another one of three, a new name, plugged in anew, addresses taken away, renumbered,
temporary ones in rotation, the MTU, IPv6 switched off for one link and for all, a router that ends its service, two changes
in one round trip, a daemon that was dead meanwhile. After each the node is registered at the right address without a
restart, `mip6ctl status` says why there, and the home address is reachable."""

import re
import signal
import struct
import subprocess
import time
from pathlib import Path

import common
import kernel
import topology
import wire
from lab import HERE, HOME_ADDRESS, OUT, RUN, inside, run, wait_for

PREFIXES = {"w1": "2001:db8:a1:", "w2": "2001:db8:a2:", "w3": "2001:db8:a4:", "usb0": "2001:db8:a1:"}
ONLY = "only usable address"
NEW_PREFIX = "2001:db8:a8:"
LOCAL = "fd00:a4::1"  # a ULA; the home agent's address is global
LIBRARY, ASLEEP = OUT / "asleep.so", RUN / "asleep"
LONG, SHORT = 1000, 60  # seconds of sleep: longer than the registration's lifetime, and not
FAR = "700ms"  # from the node to the home agent


def prepare():
    subprocess.run(["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(LIBRARY), str(HERE / "guest/asleep.c")], check=True)


def scenario(lab):
    topology.third_link(lab)
    lab.charon_extra["mn"] = common.NO_ROAMING
    ASLEEP.write_bytes(struct.pack("=q", 0))
    lab.environment["mnd.mn"] = {"LD_PRELOAD": str(LIBRARY), "ASLEEP": str(ASLEEP)}
    common.begin(lab, capture=False)
    three_links(lab)
    same_address_again(lab)
    router_ends(lab)
    temporary(lab)
    renumbered(lab)
    routers(lab)
    renamed_and_replugged(lab)
    within_a_round_trip(lab)
    dead_meanwhile(lab)
    taken_away(lab)
    asleep(lab)
    common.stop_and_compare(lab)


def ip(*commands, namespace="mn"):
    inside(namespace, lambda: topology.batch(commands))


def setting(name, value, namespace="mn"):
    inside(namespace, lambda: Path(f"/proc/sys/net/ipv6/conf/{name}").write_text(str(value), encoding="ascii"))


def at(lab, interface, reason=None, prefix=None, timeout=12):
    """The address at which the node is registered, once it is one of this interface, for that reason."""
    prefix = prefix or PREFIXES[interface]

    def there():
        place = lab.registered_at()
        attachment = lab.status().get("attachment") or {}
        right = place and place.startswith(prefix) and attachment.get("interface") == interface
        return place if right and reason in (None, attachment["reason"]) else None
    return wait_for(there, timeout, 0.05)


def check_at(lab, what, interface, reason=None, prefix=None):
    there = at(lab, interface, reason, prefix)
    # Registered it has been all the time where it comes back to the address that it had.
    reachable = there and wait_for(lambda: lab.ping("cn", HOME_ADDRESS, count=1), 5)
    return lab.check(f"{what}: registered on {interface}{f', {reason}' if reason else ''}, reachable", reachable,
                     (there, lab.status()))


def told(lab, words):
    return sum(words in one["text"] for one in lab.status(command="events").get("events", []))


def three_links(lab):
    lab.check("status says why there", at(lab, "w1", "preferred interface w1"), lab.status())
    common.link("w3", "up")
    common.link("w1", "down")
    check_at(lab, "from the first link to the second", "w2", "preferred interface w2")
    common.link("w2", "down")
    check_at(lab, "from the second to the third", "w3", ONLY)


def same_address_again(lab):
    """Each takes all addresses of the only link away; at first one stays that does not reach the home agent."""
    def delete():
        ip(f"addr add {LOCAL}/64 dev w3 nodad")
        ip(f"addr del {lab.care_of('mn', 'w3')}/64 dev w3")

    def small():
        ip("link set w3 mtu 1279")

    def off():
        setting("w3/disable_ipv6", 1)
    for what, begin, end in (("the address is taken away and comes back", delete, lambda: None),
                             ("an MTU too small for IPv6, and back", small, lambda: ip("link set w3 mtu 1500")),
                             ("IPv6 off and on for this link", off, lambda: setting("w3/disable_ipv6", 0))):
        before = told(lab, "no usable address is left")
        begin()
        lab.check(f"{what}: noticed", wait_for(lambda b=before: told(lab, "no usable address is left") > b, 5), lab.status())
        end()
        check_at(lab, what, "w3", ONLY)
    counted = sent_by_now(lab)
    ip("link set w3 mtu 1400")
    wait_for(lambda: " mtu 1400 " in run("ip", "link", "show", "w3", namespace="mn"), 3)
    lab.check("another MTU moves nothing", at(lab, "w3") and lab.status()["counters"]["updates_sent"] == counted,
              lab.status())
    ip("link set w3 mtu 1500")


def sent_by_now(lab):
    """Updates, once none is due any more: MAX_UPDATE_RATE holds one back for a second at most."""
    def for_a_while():
        before = lab.status()["counters"]["updates_sent"]
        time.sleep(1.5)
        return before if lab.status()["counters"]["updates_sent"] == before else None
    return wait_for(for_a_while, 20)


def router_ends(lab):
    common.link("w2", "up")
    lab.check("a link that is preferred comes up", at(lab, "w2", "preferred interface w2"), lab.status())
    topology.advertise_otherwise("ar2", "acc", "2001:db8:a2::/64", further="AdvDefaultLifetime 0;")
    check_at(lab, "a router that is none any longer (lifetime 0)", "w3", ONLY)
    topology.advertise_otherwise("ar2", "acc", "2001:db8:a2::/64")
    check_at(lab, "and is one again", "w2", "preferred interface w2")


def temporary(lab):
    """Of an interface with stable addresses too, nothing is seen of the rotation of its temporary ones. Where one of those is
    all that there is, it serves."""
    common.link("w2", "down")
    stable = at(lab, "w3", ONLY)
    sent_by_now(lab)
    lifetimes = {"w3/temp_valid_lft": 60, "w3/temp_prefered_lft": 4, "w3/regen_max_retry": 1, "w3/max_desync_factor": 0}
    for name, value in lifetimes.items():
        setting(name, value)
    setting("w3/use_tempaddr", 2)
    there = wait_for(lambda: temporary_addresses(), 5)
    counted = lab.status()["counters"]["updates_sent"]
    rotated = wait_for(lambda: temporary_addresses() - there, 12)
    lab.check("temporary addresses come and are replaced", there and rotated, temporary_addresses())
    lab.check("the stable one stays in use, without an update", at(lab, "w3", "stable address") == stable and
              lab.status()["counters"]["updates_sent"] == counted, lab.status())
    # The stable one is somebody else's, as duplicate address detection finds.
    common.link("w3", "down")
    ip(f"addr add {stable}/128 dev acc nodad", namespace="ar3")
    for name, value in {"accept_dad": 1, "dad_transmits": 1, "temp_valid_lft": 1200, "temp_prefered_lft": 12}.items():
        setting(f"w3/{name}", value)
    common.link("w3", "up")
    alone = wait_for(lambda: (place := at(lab, "w3", timeout=0)) in temporary_addresses() and place, 12)
    lab.check("where the stable one is a duplicate a temporary one is registered, and serves", alone and alone != stable and
              lab.ping("cn", HOME_ADDRESS) > 0, (alone, stable, lab.status()))
    successor = wait_for(lambda: (place := at(lab, "w3", timeout=0)) in temporary_addresses() - {alone} and place, 20)
    lab.check("and when its time is over the one that follows it", successor and lab.ping("cn", HOME_ADDRESS) > 0,
              (alone, temporary_addresses(), lab.status()))
    common.link("w3", "down")
    ip(f"addr del {stable}/128 dev acc", namespace="ar3")
    for name in ("accept_dad", "use_tempaddr"):
        setting(f"w3/{name}", 0)
    common.link("w3", "up")
    check_at(lab, "the stable one is the only one again", "w3", ONLY)


def temporary_addresses():
    lines = run("ip", "-6", "-o", "addr", "show", "dev", "w3", "temporary", namespace="mn")
    return set(re.findall(r"inet6 (\S+)/", lines))


def renumbered(lab):
    ip(f"addr add {NEW_PREFIX}:1/64 dev acc nodad", namespace="ar3")
    ip(f"route add {NEW_PREFIX}:/64 via 2001:db8:f6::2", namespace="core")
    topology.advertise_otherwise("ar3", "acc", f"{NEW_PREFIX}:/64", deprecated=["2001:db8:a4::/64"])
    check_at(lab, "the link has another prefix", "w3", ONLY, NEW_PREFIX)
    topology.advertise_otherwise("ar3", "acc", "2001:db8:a4::/64", deprecated=[f"{NEW_PREFIX}:/64"])
    check_at(lab, "and the former one again", "w3", ONLY)


def renamed_and_replugged(lab):
    ip("link set w1 name lan5", "link set lan5 up")
    settled = wait_for(lambda: lab.care_of("mn", "lan5"), 5)
    lab.check("a link of a name that is not preferred comes up, none is left",
              settled and at(lab, "w3", "already in use"), lab.status())
    ip("link set lan5 down", "link set lan5 name w1", "link set w1 up")
    check_at(lab, "the same link under a name that is preferred", "w1", "preferred interface w1")
    ip("link del w1")
    check_at(lab, "it is unplugged", "w3", ONLY)
    common.link("w3", "down")
    ip("link add acc type veth peer name usb0 netns mn", "link set acc up", "addr add 2001:db8:a1::1/64 dev acc nodad",
       namespace="ar1")
    common.link("usb0", "up")
    check_at(lab, "and plugged in, which gives it another name", "usb0", ONLY)


def within_a_round_trip(lab):
    """Away and back before the answer to the first update is there."""
    sent_by_now(lab)
    run("tc", "-n", "core", "qdisc", "add", "dev", "r3", "root", "netem", "delay", FAR)
    before = lab.status()["counters"]
    common.link("w2", "up")
    wait_for(lambda: lab.status()["counters"]["updates_sent"] > before["updates_sent"], 5, 0.02)
    common.link("w2", "down")
    wait_for(lambda: lab.status()["counters"]["updates_sent"] > before["updates_sent"] + 1, 5, 0.02)
    after = lab.status()["counters"]
    lab.check("two moves in one round trip", after["updates_sent"] == before["updates_sent"] + 2 and
              after["acknowledged"] == before["acknowledged"], (before, after))
    run("tc", "-n", "core", "qdisc", "del", "dev", "r3", "root")
    check_at(lab, "after both", "usb0", ONLY)


def dead_meanwhile(lab):
    lab.stop("mnd.mn", signal.SIGKILL)
    ip("link del usb0")
    common.link("w2", "up")
    wait_for(lambda: lab.care_of("mn", "w2"), 5)
    lab.node("mn")
    check_at(lab, "the node moves while its daemon is dead", "w2", ONLY)


def routers(lab):
    """Two on one link: the one that says it is better, then the one that can still be reached."""
    for name, value in (("delay_first_probe_time", 1), ("retrans_time_ms", 100), ("base_reachable_time_ms", 500)):
        inside("mn", lambda n=name, v=value: Path(f"/proc/sys/net/ipv6/neigh/w3/{n}").write_text(str(v), encoding="ascii"))
    topology.second_router(further="AdvDefaultPreference high;")
    first, second = link_local("ar3"), link_local("ar4")
    lab.check("of two routers on a link the one of the higher preference is used",
              wait_for(lambda: used_router() == second, 5), (first, second, used_router()))
    ip(f"addr del {second}/64 dev acc", namespace="ar4")
    lab.check("it is there no longer, the other one is used: reachable",
              wait_for(lambda: lab.ping("cn", HOME_ADDRESS, count=1) and used_router() == first, 12, 0.05),
              (first, second, used_router()))
    ip(f"addr add {second}/64 dev acc nodad", namespace="ar4")
    lab.check("it is heard again and used again", wait_for(lambda: used_router() == second, 8), used_router())
    check_at(lab, "after that", "w3", ONLY)


def link_local(namespace):
    return re.search(r"inet6 (\S+)/", run("ip", "-6", "-o", "addr", "show", "dev", "acc", "scope", "link",
                                          namespace=namespace))[1]


def used_router():
    """Of w3, for what comes from the care-of address."""
    routes = run("ip", "-6", "route", "show", "proto", "175", namespace="mn")
    found = set(re.findall(r"from \S+ via (\S+) dev w3 ", routes))
    return found.pop() if len(found) == 1 else None


def taken_away(lab):
    """What the node itself has put into the kernel, by others; on w2."""
    for what, take in (("the device", lambda: ip("link del mip6")),
                       ("the home address", lambda: ip(f"addr del {HOME_ADDRESS}/128 dev mip6")),
                       ("the home address's routes",
                        lambda: run("ip", "-6", "route", "flush", "table", "6275", namespace="mn"))):
        before = told(lab, "set up again")
        take()
        lab.check(f"{what} taken away: noticed", wait_for(lambda b=before: told(lab, "set up again") > b, 8), lab.status())
        check_at(lab, "and there again", "w2", ONLY)
    before = told(lab, "no usable address is left")
    setting("all/disable_ipv6", 1)
    lab.check("IPv6 off everywhere: noticed", wait_for(lambda: told(lab, "no usable address is left") > before, 5),
              lab.status())
    setting("all/disable_ipv6", 0)
    check_at(lab, "and on again", "w2", ONLY)
    lab.check("nothing to complain about", not lab.trouble()[0], lab.status())


def asleep(lab):
    """The daemon stands still, as in sleep; then the clocks are what they are after one, and the kernel tells it as after
    one."""
    def sleep(seconds, meanwhile=lambda: None):
        mnd = lab.processes["mnd.mn"]
        mnd.send_signal(signal.SIGSTOP)
        meanwhile()
        ASLEEP.write_bytes(struct.pack("=q", seconds + struct.unpack("=q", ASLEEP.read_bytes())[0]))
        time.clock_settime(time.CLOCK_REALTIME, time.time() + 1)
        mnd.send_signal(signal.SIGCONT)
        return wait_for(lambda: told(lab, f"slept {seconds} s"), 5)

    def move():
        common.link("w2", "down")
        common.link("w3", "up")
        lab.check("another network while it sleeps", wait_for(lambda: lab.care_of("mn", "w3"), 8))
    lab.check("a long sleep is noticed", sleep(LONG, move), lab.status(command="events"))
    check_at(lab, "after a sleep longer than the registration", "w3", ONLY)
    before, listed = lab.status()["counters"], told(lab, "found in charon")
    asked = lab.capture("netlink", "mn", "nl", "", 512)
    wait_for(asked.exists, 5)
    lab.check("a short sleep is noticed", sleep(SHORT), lab.status(command="events"))
    lab.check("the registration is refreshed, by one update",
              wait_for(lambda: lab.status()["counters"]["acknowledged"] > before["acknowledged"], 5) and
              lab.status()["counters"]["updates_sent"] == before["updates_sent"] + 1, (before, lab.status()))
    lab.check("charon's list is read", wait_for(lambda: told(lab, "found in charon") > listed, 5))
    mnd = lab.processes["mnd.mn"].pid
    lab.stop_captures()
    dumped = wire.dumped(asked, mnd)
    lab.check("links, addresses and routes are read again", dumped >= {"link", "address", "route"}, dumped)
    check_at(lab, "after a short sleep", "w3", ONLY)
    told_before = told(lab, "slept")
    time.clock_settime(time.CLOCK_REALTIME, time.time() - 1)
    lab.check("a clock that is set is no sleep", at(lab, "w3") and told(lab, "slept") == told_before)
