"""Two home agents on the home link, with databases and charons of their own. Who asks is told of both, in the order of
their preference, and a flood of questions is bounded and counted. When the first one is ended, the node registers with
the second by itself; when its machine is back, it sees on the home link that the address is served, and leaves it alone. A
node that has to ask for home agents is refused by the one that is not to claim the address, and finds the other. When that
one's machine is lost without a word, the node finds out when its update is not answered, and goes back to the first; and the
second one, back too, leaves it there."""

import signal

import common
import kernel
import ordering
import second_agent as second
from lab import HOME_ADDRESS, HOME_AGENT, RUN, run, wait_for

BOTH = {"home_agent": f"{HOME_AGENT} {second.ADDRESS}"}
ASKING = {"home_agent": "discover"}
LIFETIME = 12  # seconds that the node asks for when it is to find out by itself: it refreshes after three quarters of it


def scenario(lab):
    second.make(lab)
    common.charons(lab, "ha", "ha2", "mn")
    lab.agent(extra="preference = 10")
    second.start(lab)
    discovery(lab)
    lab.node("mn", wrong=BOTH)
    at = lab.wait_registered("mn", timeout=40)
    if not lab.check("the node registers with the first one", at and serves(lab, HOME_AGENT) and
                     second.binding("ha", HOME_ADDRESS) == at, f"{at} {lab.status()}"):
        return
    lab.check("its neighbours know the home address by that one", known_by(lab, "ha"), second.neighbour(HOME_ADDRESS))
    ended(lab, at)
    back(lab, at)
    link_away(lab, at)
    restarted(lab, at)
    asking(lab, at)
    lost(lab, at)
    stopped(lab)


def serves(lab, agent, timeout=1):
    return wait_for(lambda: lab.status().get("home_agent") == agent and lab.registered_at(), timeout, 0.3)


def known_by(lab, namespace):
    return wait_for(lambda: second.neighbour(HOME_ADDRESS) == lab.mac[namespace], 10, 0.3)


def reachable(lab, name):
    lab.check(f"{name} the home address is reachable", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) == 3, 15))


def log_of(name):
    return (RUN / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def discovery(lab):
    def listed():
        return [[one["address"] for one in second.status(name).get("home_agents", [])] for name in ("ha", "ha2")]
    lab.check("each home agent lists the other", wait_for(lambda: listed() == [[second.ADDRESS], [HOME_AGENT]], 15, 0.3),
              listed())
    replies = second.discover()
    lab.check("who asks the anycast address is told of both, by preference", replies == [[HOME_AGENT, second.ADDRESS]], replies)
    second.route_home_prefix(second.WAN)
    replies = second.discover()
    second.route_home_prefix(second.WAN_OF_FIRST)
    lab.check("the other one tells the same", replies == [[HOME_AGENT, second.ADDRESS]] and
              second.status("ha2")["counters"].get("discovery_answered") == 1, (replies, second.status("ha2").get("counters")))
    answered = len(second.discover(200, 1))

    def counted():
        counters = second.status("ha").get("counters", {})
        return (counters.get("discovery_answered", 0), counters.get("malformed", {}).get("too many discovery requests", 0))
    all_counted = wait_for(lambda: sum(counted()) == 201, 10, 0.3)
    lab.check("of a flood of requests few are answered, and all others counted", all_counted and 0 < answered < 100 and
              counted()[1] > 100, f"{answered} {counted()}")


def ended(lab, at):
    """SIGTERM takes the node's keys away, which tells it enough; then that machine goes down."""
    status = lab.stop("ha")
    lab.check("when the first one is ended the node registers with the second by itself",
              serves(lab, second.ADDRESS, 60) and second.binding("ha2", HOME_ADDRESS) == at, lab.status())
    lab.check("the first one has ended in time with status 0", status == 0, status)
    second.crash(lab)
    reachable(lab, "then")
    lab.check("its neighbours know the home address by the second", known_by(lab, "ha2"), second.neighbour(HOME_ADDRESS))
    common.check_events(lab, f"{second.ADDRESS} from now on, not {HOME_AGENT}")


def back(lab, at):
    second.boot(lab)
    lab.agent(extra="preference = 10")
    leaves_it(lab, "the first one", "ha", "ha2", at, "binding ended: the home address is claimed on the home link")
    seen = [second.neighbour(HOME_ADDRESS) for _ in range(3)]
    lab.check("the neighbours go on knowing it by the second", set(seen) - {None} == {lab.mac["ha2"]}, (seen, lab.mac))
    reachable(lab, "by the way through the first one's router")
    lab.check("the node stays with the second", ordering.refresh() and serves(lab, second.ADDRESS, 10), lab.status())


def leaves_it(lab, which, name, other, at, words):
    """A home agent that is back where another one serves."""
    lab.check(f"{which}, back again, says what became of its binding", wait_for(lambda: words in log_of(name), 20, 0.3),
              log_of(name)[-900:])
    lab.check(f"{which} binds it no longer", not second.binding(name, HOME_ADDRESS) and
              second.binding(other, HOME_ADDRESS) == at, second.status(name))
    proxied = run("ip", "-n", name, "-6", "neigh", "show", "proxy")
    lab.check(f"nor does {which} intercept it", HOME_ADDRESS not in proxied and not common.agent_route(name), proxied)


def link_away(lab, at):
    """Nobody else has taken the address meanwhile."""
    for up in (False, True):
        kernel.set_link("hl", "ha2", up)
        wait_for(lambda up=up: kernel.running("ha2", "home") == up, 5)
    lab.check("a home agent whose link was away asks before it intercepts again", wait_for(
        lambda: "binding withheld until the home link was asked" in log_of("ha2"), 10, 0.2), log_of("ha2")[-600:])
    lab.check("and goes on serving where nobody else does", wait_for(
        lambda: second.binding("ha2", HOME_ADDRESS) == at, 15, 0.3) and known_by(lab, "ha2"), second.status("ha2"))
    reachable(lab, "after that")


def restarted(lab, at):
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn", wrong=BOTH)
    lab.check("a restarted node begins with the home agent that has its binding",
              lab.wait_registered("mn", at, 20) == at and serves(lab, second.ADDRESS), lab.status())
    common.check_events(lab, "registered")
    refused = second.status("ha").get("counters", {}).get("updates", 0)
    lab.check("and asks no other", refused == 0, refused)


def asking(lab, at):
    """Its state is lost, and with it the home agent that it had."""
    lab.stop("mnd.mn", signal.SIGKILL)
    for path in (lab.state / "mn.state").iterdir():
        path.unlink()
    lab.node("mn", f"lifetime = {LIFETIME}", wrong=ASKING)
    lab.check("a node that has to ask finds the one that serves it", serves(lab, second.ADDRESS, 90), lab.status())
    counters = second.status("ha").get("counters", {})
    lab.check("the one of higher preference has refused it: the address is defended", counters.get("refused", {}).get("134"),
              counters)
    lab.check("one binding is all there is", not second.binding("ha", HOME_ADDRESS) and
              second.binding("ha2", HOME_ADDRESS) == at, second.status("ha"))
    reachable(lab, "found by asking,")
    common.check_events(lab, f"asked for at {second.ANYCAST}", f"{HOME_AGENT} from now on",
                        f"{second.ADDRESS} from now on, not {HOME_AGENT}")


def lost(lab, at):
    """Nothing tells the node: it has no traffic, and stays where it is."""
    second.crash(lab, "ha2")
    lab.check("when the second one's machine is lost the node finds out by itself, and registers with the first",
              serves(lab, HOME_AGENT, 60) and second.binding("ha", HOME_ADDRESS) == at, lab.status())
    common.check_events(lab, f"{HOME_AGENT} from now on, not {second.ADDRESS}")
    lab.check("the first one has tested the address, found it free, and intercepts it", known_by(lab, "ha"),
              second.neighbour(HOME_ADDRESS))
    reachable(lab, "by the first one again")
    second.boot(lab, "ha2")
    second.start(lab)
    leaves_it(lab, "the second one", "ha2", "ha", at, "binding expired meanwhile")
    reachable(lab, "with the second one back")


def stopped(lab):
    codes = [lab.stop(name) for name in ("mnd.mn", "ha")]
    lab.check("all end in time with status 0", codes == [0, 0], codes)
    shown = run("ip", "-n", "ha", "-6", "neigh", "show", "proxy")
    lab.check("and intercept nothing any more", HOME_ADDRESS not in shown, shown)
