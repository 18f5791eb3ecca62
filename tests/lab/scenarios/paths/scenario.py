"""Which way packets of the node take: new connections by the home address through the tunnel, but for the local link, the home
agent and what `bypass` names; others by the link of their own address, whether it is fit as care-of address or not; all of it
over a link of 1280 bytes without ICMP, and beside somebody's VPN. Access routers let no foreign source pass. Routes of others
stay, and who claims to be the home link's router gets nothing."""

import signal
from contextlib import closing

import common
import echoes
import foreign
import kernel
import streams
import vici
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, load, run, wait_for

BYPASSED = "2001:db8:f4:0:1::2"  # of the correspondent
DEPRECATED = "2001:db8:a1::dead"  # of w1
ROUTER = "2001:db8:a1::1"  # of the link of w1
OURS = "10"  # metric of mnd's routes beside those of others
FOREIGN = {"2001:db8:f8::/48": OURS, "2001:db8:f9::/48": "20"}  # read in this order: the second one tells that both were
SMALL = 1280
SECTIONS = """[interface "w1"]
preference = 10
[interface "w?"]
preference = -5
[interface "wh"]
exclude = yes"""


def scenario(lab):
    run("ip", "-n", "cn", "address", "add", f"{BYPASSED}/128", "dev", "wan", "preferred_lft", "0")
    for router, prefix in (("ar1", "2001:db8:a1::/64"), ("ar2", "2001:db8:a2::/64")):
        ingress_filter(router, prefix)
    NODES["mn2"]["agent_lines"] = ["protect = payload"]
    common.charons(lab, "ha", "mn", "mn2")
    lab.before = {n: common.leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.node("mn", f"bypass = 2001:db8:f4:0:1::/80\n{SECTIONS}", {"prefer": ""})
    unbound(lab)
    lab.agent()
    lab.node("mn2", "protect = payload")
    at = lab.wait_registered(timeout=40, on="w1")
    if not lab.check("the node registers", at, lab.status()):
        return
    sources(lab, at, "while registered")
    deprecated_and_excluded(lab)
    foreign_routes(lab)
    rogue_router(lab)
    moves(lab)
    small_link(lab)
    vpn(lab)
    released(lab)
    common.stop_and_compare(lab)


def ingress_filter(router, prefix):
    """Of its access link only packets from the link's own prefix are forwarded (RFC 2827)."""
    for priority, what in (("100", ["from", prefix, "lookup", "main"]), ("101", ["blackhole"])):
        run("ip", "-n", router, "-6", "rule", "add", "priority", priority, "iif", "acc", *what)


def unbound(lab):
    """Nobody serves the node yet. The kernel may take either link: both have a default route of the same metric."""
    there = wait_for(lambda: lab.status().get("attachment"), 20)
    links = {lab.care_of("mn", link) for link in ("w1", "w2")} - {None}
    source = streams.source("mn", CORRESPONDENT)
    lab.check("without a binding new connections choose a care-of address", there and source in links and
              not lab.registered_at(), (source, links, lab.status()))


def sources(lab, at, when):
    """What unbound connections choose, and whom the other end sees."""
    wanted = {CORRESPONDENT: HOME_ADDRESS, BYPASSED: at, HOME_AGENT: at}
    if at == lab.care_of("mn", "w1"):
        wanted[ROUTER] = at
    chosen = {target: streams.source("mn", target) for target in wanted}
    lab.check(f"{when}: new connections choose the home address, but for the local link, the home agent and what is bypassed",
              chosen == wanted, f"{chosen}, not {wanted}")
    seen = [streams.attempt("mn", there, target) for there, target in
            (("cn", CORRESPONDENT), ("cn", BYPASSED), ("ha", HOME_AGENT))]
    lab.check(f"{when}: they are carried, both ways", seen == [(HOME_ADDRESS, True, True), (at, True, True), (at, True, True)],
              seen)


def deprecated_and_excluded(lab):
    """Connections of addresses that are no care-of addresses leave by their own links."""
    kernel.set_link("mn", "wh", True)
    excluded = wait_for(lambda: lab.care_of("mn", "wh"), 10)
    run("ip", "-n", "mn", "address", "add", f"{DEPRECATED}/64", "dev", "w1", "nodad", "preferred_lft", "0")
    ways = [("mn", CORRESPONDENT, DEPRECATED), ("mn", BYPASSED, DEPRECATED), ("mn", HOME_AGENT, DEPRECATED),
            ("mn", CORRESPONDENT, excluded), ("mn", CORRESPONDENT, HOME_ADDRESS)]
    names = ("deprecated", "deprecated, bypassed", "deprecated, to the home agent", "excluded link", "home address")
    counts = dict(zip(names, echoes.answered(ways)))
    lab.check("what is bound to a deprecated address, or to one of an excluded link, leaves by its own link",
              set(counts.values()) == {3}, counts)
    lab.check("an interface whose section excludes it is not used, though it leads home",
              lab.registered_at() == lab.care_of("mn", "w1"), lab.status())
    kernel.set_link("mn", "wh", False)
    run("ip", "-n", "mn", "address", "del", f"{DEPRECATED}/64", "dev", "w1")


def foreign_routes(lab):
    """The administrator's routes stay what they are, also where one of ours would have its metric."""
    for destination, metric in FOREIGN.items():
        run("ip", "-n", "mn", "-6", "route", "add", destination, "via", ROUTER, "dev", "w1", "metric", metric)
    beside = wait_for(lambda: all(len(routes_to(one)) == 2 for one, metric in FOREIGN.items() if metric != OURS), 10)
    lab.check("beside a route of another metric ours has the care-of address", beside, routes_to("all"))
    taken = [one for one, metric in FOREIGN.items() if metric == OURS]
    stays = [routes_to(one) for one in taken]
    lab.check("a route of the administrator with our metric is not replaced",
              all(len(there) == 1 and "proto 175" not in there[0] for there in stays), stays)
    for destination, metric in FOREIGN.items():
        run("ip", "-n", "mn", "-6", "route", "del", destination, "via", ROUTER, "dev", "w1", "metric", metric, "proto", "boot")
    gone = wait_for(lambda: not any(routes_to(one) for one in FOREIGN), 10)
    lab.check("and without them none of ours is left", gone, [routes_to(one) for one in FOREIGN])


def routes_to(destination):
    return [line for line in run("ip", "-n", "mn", "-6", "route", "show", destination).splitlines() if line]


def rogue_router(lab):
    """The same as under ESP: registration decides whether a link is home, not who claims it."""
    lab.start("ping", "mn", "ping", "-n", "-q", "-i", "0.1", "-I", HOME_ADDRESS, CORRESPONDENT)
    load("link-dead").rogue(lab)
    lab.stop("ping", signal.SIGINT)


def moves(lab):
    """Local connections of w2 go on when the node has moved to w1."""
    common.move_to(lab, "w1", "down", "w2")
    at = lab.care_of("mn", "w2")
    sources(lab, at, "after a hard move")
    with closing(streams.Stream("mn", "cn", CORRESPONDENT, at)) as local, \
            closing(streams.Stream("mn", "cn", BYPASSED)) as bypassing:
        there = common.move_to(lab, "w1", "up", "w1")
        carried = local.carries() + bypassing.carries()
        lab.check("after a soft move local connections go on by the other link", there and all(carried) and
                  local.peer == bypassing.peer == at, f"{there} {carried} {local.peer} {bypassing.peer}")
    sources(lab, there, "after a soft move")


def small_link(lab):
    """The link of w1 and that of the other node carry 1280 bytes, and nobody is told."""
    for namespace, interface in (("mn", "w1"), ("mn2", "w1"), ("ar1", "acc"), ("ar1", "acc2")):
        run("ip", "-n", namespace, "link", "set", interface, "mtu", str(SMALL))
    for namespace, interface in (("ar1", "acc"), ("ar1", "acc2"), ("ar1", "wan"), ("ha", "wan")):
        run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "clsact")
        run("tc", "-n", namespace, "filter", "add", "dev", interface, "egress", "protocol", "ipv6", "flower", "ip_proto",
            "icmpv6", "type", "2", "action", "drop")
    for namespace, how in (("mn", "in the clear"), ("mn2", "under ESP")):
        home = NODES[namespace]["home_address"]
        ready = wait_for(lambda n=namespace: lab.registered_at(n), 20)
        out, back = streams.attempt(namespace, "cn", CORRESPONDENT, home), streams.attempt("cn", namespace, home)
        lab.check(f"TCP through the tunnel, {how}, over a link of {SMALL} bytes without ICMP, begun by the node and by the "
                  "correspondent", ready and out == (home, True, True) and back == (CORRESPONDENT, True, True), f"{out} {back}")
    for namespace, interface in (("mn", "w1"), ("mn2", "w1"), ("ar1", "acc"), ("ar1", "acc2")):
        run("ip", "-n", namespace, "link", "set", interface, "mtu", "1500")
    run("tc", "-n", "ha", "qdisc", "del", "dev", "wan", "clsact")


def released(lab):
    """The binding is given up, and comes again."""
    def chosen(wanted):
        return wait_for(lambda: (source := streams.source("mn", CORRESPONDENT)) in wanted and source, 10)
    lab.status("mn", "home")
    links = {lab.care_of("mn", link) for link in ("w1", "w2")} - {None}
    lab.check("when the binding has been given up new connections choose a care-of address",
              links and chosen(links) and not lab.registered_at(), (links, streams.source("mn", CORRESPONDENT), lab.status()))
    lab.status("mn", "resume")
    lab.check("and the home address when it is there again", chosen({HOME_ADDRESS}), lab.status())


def vpn(lab):
    with foreign.vpn_of_everything():
        at = common.move_to(lab, "w1", "down", "w2")
        lab.check("beside a VPN that takes everything the node registers when it moves", at, lab.status())
        counts = echoes.answered([("cn", HOME_ADDRESS), ("mn", CORRESPONDENT, HOME_ADDRESS)])
        lab.check("beside it the home address is reached, and reaches", counts == (3, 3), counts)
