"""protect = payload: all that is tunnelled is under ESP between care-of address and home agent, checked over all links.
Its SAs move with the keys (0 IKE packets), or are made anew when K is refused or the kernel refuses; their keys are renewed
in time; clear tunnel packets and wrong packets under ESP are refused at both ends; restarts of both daemons and of charon; at
home none of it is used; nothing is left."""

import signal
import time
from contextlib import contextmanager

import common
import echoes
import kernel
import leftovers
import ordering
import spoof
import traffic
import vici
import wire
import wrong_inside
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, RUN, inside, run, say, wait_for
from spoof import forged

PAYLOAD_REQID = "6276"
REKEY = 10  # seconds, the least that mnd takes
PING_INTERVAL = 20  # ms
ROUND_TRIP = 20  # ms; with what the node needs to see that its link is down, and a ping's interval


def scenario(lab):
    lab.agent_extra = "protect = payload"
    everything = {link: lab.capture(f"all.{link}", *where, "ip6", 200) for link, where in lab.LINKS.items()
                  if link in ("ar1", "ar2", "wan")}
    far = lab.capture("far", "cn", "wan", "icmp6")
    common.charons(lab, "ha", "mn", "mn2")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.agent()
    lab.node("mn", "protect = payload")
    if not lab.check("the node registers", lab.wait_registered(timeout=40), lab.status()):
        return
    lab.check("its payload is under ESP", protected(lab), lab.status().get("payload"))
    lab.node("mn2", "protect = payload")
    reaches(lab, "away")
    lab.check("what the node says to itself stays there", echoes.answered([("mn", HOME_ADDRESS, HOME_ADDRESS)]) == (3,))
    forgeries(lab, far)
    wrong_inside.check(lab)
    start_traffic(lab)
    with pings(lab, "agreed"):
        agreed = [moves(lab, "hard", "down", "w2"), moves(lab, "soft", "up", "w1")]
    rekeyed(lab)
    restarts(lab)
    stop_traffic(lab)
    impossible(lab)
    refused = after_refusal(lab)
    home = at_home(lab)
    home += switched_off(lab)
    common.stop_and_compare(lab)
    lab.stop_captures()
    packets = wire.packets(everything)
    judge(lab, packets, [*lab.forged, *home], agreed, refused)


def protected(lab):
    """Both ends have SAs for payload, from and to the address that is registered."""
    def there():
        at = lab.status().get("registered_at")
        return at and lab.status().get("payload") == "under ESP" and tunnel_ends("mn") == {at} == tunnel_ends("ha") and at
    return wait_for(there, 30, 0.3)


def tunnel_ends(namespace):
    """The care-of addresses of the tunnel mode states, and of the policy that sends into it."""
    ends = tunnel_states(namespace) + [p for p in tunnel_policies(namespace) if p.direction == kernel.OUT]
    return {address for one in ends for address in (one.source, one.destination)} - {HOME_AGENT}


def tunnel_states(namespace):
    return [s for s in kernel.states(namespace) if s.mode == kernel.TUNNEL and s.spi != 0]


def tunnel_policies(namespace):
    return [p for p in kernel.policies(namespace) if p.mode == kernel.TUNNEL]


def reaches(lab, when):
    ways = (("cn", HOME_ADDRESS), ("mn", CORRESPONDENT, HOME_ADDRESS), ("hh", HOME_ADDRESS), ("ha", HOME_ADDRESS))
    counts = echoes.answered(ways)
    lab.check(f"{when}: correspondent, host of the home link and home agent reach the node, and it them",
              counts == (3, 3, 3, 3), counts)


def reached():
    return echoes.answered([("cn", HOME_ADDRESS)], 2) == (2,)


def forgeries(lab, far):
    """In the clear from the right addresses: into the tunnel's device at both ends, and as if decapsulated already."""
    at = lab.registered_at()
    own = {"home_address": HOME_ADDRESS, "agent": HOME_AGENT, "sequence": 1, "count": 3, "care_of": at}
    lab.forged = []
    begin = time.time()
    before = dropped("ha"), dropped("mn")
    forged("cn", "tunnel", source=at, **own)
    forged("cn", "tunnel-to-node", source=HOME_AGENT, **own)
    time.sleep(0.5)
    after = dropped("ha"), dropped("mn")
    lab.forged.append((begin, time.time() + 0.1))
    lab.forged_far = far
    lab.check("tunnel packets in the clear from the right addresses are dropped and counted at both ends",
              after[0] >= before[0] + 3 and after[1] >= before[1] + 3, f"{before} {after}")
    run("ip", "-n", "ar1", "-6", "route", "add", HOME_ADDRESS, "via", at, "dev", "acc")
    for what, origin, source, destination, end in (
            ("from the home address to the home agent", "hh", HOME_ADDRESS, HOME_AGENT, "ha"),
            ("from the home address through the home agent", "hh", HOME_ADDRESS, CORRESPONDENT, "ha"),
            ("to the home address on the visited link", "ar1", CORRESPONDENT, HOME_ADDRESS, "mn")):
        begin, before = time.time(), sum(lab.xfrm_errors(end).values())
        packet = spoof.ipv6(source, destination, spoof.ICMPV6, spoof.echo(source, destination))
        inside(origin, lambda p=packet, d=destination: [spoof.send_raw(p, d) for _ in range(3)])
        counted = wait_for(lambda e=end, b=before: sum(lab.xfrm_errors(e).values()) >= b + 3, 2)
        lab.forged.append((begin, time.time() + 0.1))
        lab.check(f"payload in the clear {what} is refused and counted", counted, (before, lab.xfrm_errors(end)))
    run("ip", "-n", "ar1", "-6", "route", "del", HOME_ADDRESS)
    time.sleep(0.1)  # until the last span is over: the lab's next packets have the same words in them


def dropped(namespace):
    """Packets that the tunnel's device did not take, or that the policies did not."""
    device = "mip6ha" if namespace == "ha" else "mip6"
    text = run("tc", "-s", "filter", "show", "dev", device, "ingress", namespace=namespace)
    return sum(int(line.split("dropped")[1].split(",")[0]) for line in text.splitlines() if "dropped" in line)


def start_traffic(lab):
    lab.stop_file = str(RUN / "stop")
    here = str(traffic.__file__)
    lab.start("serve", "cn", "/usr/bin/python3", "-B", here, "serve", f"{RUN}/tcp.cn.json", lab.stop_file)
    time.sleep(0.5)
    lab.start("connect", "mn", "/usr/bin/python3", "-B", here, "connect", f"{RUN}/tcp.mn.json", lab.stop_file,
              HOME_ADDRESS, CORRESPONDENT)


@contextmanager
def pings(lab, name):
    """From the correspondent, while it lasts."""
    lab.start("ping", "cn", "ping", "-n", "-D", "-i", str(PING_INTERVAL / 1000), HOME_ADDRESS, log=f"ping.{name}")
    wait_for(lambda: measured(name).replies, 5)
    yield
    lab.stop("ping", signal.SIGINT)


def measured(name):
    return traffic.Pings((RUN / f"ping.{name}.log").read_text(encoding="utf-8"))


def stop_traffic(lab):
    import json
    with open(lab.stop_file, "w", encoding="utf-8"):
        pass
    for name in ("connect", "serve"):
        wait_for(lambda p=lab.processes[name]: p.poll() is not None, 20)
    ends = [json.loads((RUN / f"tcp.{n}.json").read_text(encoding="utf-8")) for n in ("mn", "cn")
            if (RUN / f"tcp.{n}.json").exists()]
    lab.check("a transfer survives the moves and restarts, both checksums right",
              len(ends) == 2 and all(e.get("checksum") is True and not e["errors"] for e in ends), ends)


def begin_move(lab, state, target):
    """(when it began, where the node is registered then). Packets to the node that came when w1 was down have left its access
    router with a neighbour that does not answer, which costs the next few packets to it, the acknowledgement too."""
    if state == "up":
        run("ip", "-n", "ar1", "neigh", "flush", "dev", "acc", check=False)
    return time.time(), common.move_to(lab, "w1", state, target)


def moves(lab, kind, state, target):
    begin, at = begin_move(lab, state, target)
    lab.check(f"{kind} move, K agreed: registered, and the payload's SAs are there too", at and protected(lab) == at,
              f"{at} {tunnel_ends('mn')} {tunnel_ends('ha')} {lab.status()}")
    endpoints = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 3, 0.2)
    lab.check(f"{kind} move, K agreed: both charons follow", endpoints, lab.ike_endpoints())
    reaches(lab, f"after the {kind} move")
    return kind, begin, time.time(), at


def rekeyed(lab):
    """charon has followed the moves: it finds the SA where it is now. A process of the node that may keep keys for 10 s asks,
    for it finds older ones; the Mobility Header's first, and five seconds later payload's."""
    watch = vici.Watch(lab.vici_socket("mn"))
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn", f"protect = payload\nrekey = {REKEY}")
    lab.wait_registered(timeout=15)
    reaches(lab, "while the Mobility Header's SA is re-keyed")
    made = wait_for(lambda: vici.rekeyed(watch, "pay"), REKEY + 5)
    lab.check("payload's SA, older than its limit, is re-keyed in time after the moves", made, watch.events)
    lab.check("the node asked for it, the home agent's charon for none", common.charon_said(
        "mn", "vici rekey CHILD_SA 'pay'") == 1 and not common.charon_said("ha", "generating CREATE_CHILD_SA request"), made)
    lab.check("the node is reached under the new ones", wait_for(lambda: {*vici.rekeyed(watch, "pay")[-1:]} & {
        s.spi for s in tunnel_states("mn")}, 5) and reached(), (made, tunnel_states("mn")))


def restarts(lab):
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn", "protect = payload")
    lab.check("the node restarted: payload goes on under ESP", lab.wait_registered(timeout=15) and protected(lab),
              lab.status())
    lab.stop("ha", signal.SIGKILL)
    lab.agent()
    wait_for(reached, 10, 0.3)
    lab.check("the home agent restarted: payload goes on under ESP", protected(lab), tunnel_ends("ha"))
    gone = wait_for(lambda: states("mn") == states("ha") == 2, 15, 0.3)
    lab.check("the SAs from before the re-key are gone at both ends", gone, f"{states('mn')} {states('ha')}")
    lab.stop("charon.mn", signal.SIGKILL)
    lab.charon("mn")

    def made_anew():
        sas = vici.ike_sas(lab.vici_socket("mn"))
        return [c for sa in sas for c in sa.get("child-sas", {}).values()
                if c.get("reqid") == PAYLOAD_REQID and c.get("state") == "INSTALLED"]
    lab.check("charon restarted: the payload's SA is made anew", wait_for(made_anew, 15, 0.3))
    lab.check("and those of the dead one are gone", wait_for(lambda: states("mn") == states("ha") == 2, 10, 0.3),
              f"{states('mn')} {states('ha')}")
    reaches(lab, "after the restarts")


# --- the keys cannot move ---
def connection(lab):
    return {sa["initiator-spi"] for sa in vici.ike_sas(lab.vici_socket("mn"))}


def sending_policy(namespace, command="get"):
    """What ip(8) says of the policy that sends payload of `mn` into its tunnel; "" if there is none."""
    ends = ("src", f"{HOME_ADDRESS}/128", "dst", "::/0") if namespace == "mn" else ("src", "::/0", "dst", f"{HOME_ADDRESS}/128")
    return run("ip", "xfrm", "policy", command, *ends, "dir", "out", namespace=namespace, check=False)


def the_agents_kernel_refuses(lab):
    """An SA is in the way of the one that payload would move to: the home agent finds out before it answers."""
    old, at, target = connection(lab), lab.registered_at(), lab.care_of("mn", "w2")
    failures = lab.agent_status()["counters"]["kernel_failures"]
    spi = next(s.spi for s in tunnel_states("ha") if s.destination == at)
    obstacle = ("src", HOME_AGENT, "dst", target, "proto", "esp", "spi", hex(spi))
    keys = ("enc", "cbc(aes)", "0x" + 16 * "11", "auth-trunc", "hmac(sha256)", "0x" + 32 * "22", "128")
    run("ip", "xfrm", "state", "add", *obstacle, "mode", "tunnel", *keys, namespace="ha")
    at = common.move_to(lab, "w1", "down", "w2")
    failed = wait_for(lambda: lab.agent_status()["counters"]["kernel_failures"] > failures, 5)
    run("ip", "xfrm", "state", "delete", *obstacle, namespace="ha")
    said = (RUN / "ha.log").read_text(encoding="utf-8")
    lab.check("the home agent's kernel refuses to move payload's SAs: registered, and mip6-ha says why",
              failed and at == target and "cannot move the payload's SAs" in said, lab.agent_status())
    anew = wait_for(lambda: connection(lab) != old and lab.ike_endpoints()[:2] == ([at], [at]), 10, 0.2)
    lab.check("its answer to that very update is without K, IKE is established anew from there, and the node is reached",
              anew and wait_for(lambda: protected(lab) == at, 5) and lab.status().get("key_mobility") is False and
              reached(), f"{lab.ike_endpoints()[:2]} {tunnel_ends('ha')} {lab.status()}")
    at = common.move_to(lab, "w1", "up", "w1")
    lab.check("under the new keys K is agreed again", at and protected(lab) == at and lab.status().get("key_mobility") and
              wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 5), lab.status())


def impossible(lab):
    """Somebody removes the policy that the kernel's MIGRATE of payload is about: before a move, when each end puts it back;
    and while the node waits for the acknowledgement after which it moves the keys."""
    def why():
        return f"{lab.ike_endpoints()[:2]} {connection(lab)} {tunnel_ends('mn')} {tunnel_ends('ha')} {lab.status()}"
    old = connection(lab)
    for end, state, target in (("mn", "down", "w2"), ("ha", "up", "w1")):
        sending_policy(end, "delete")
        gone = "tmpl" not in sending_policy(end)
        at = common.move_to(lab, "w1", state, target)
        lab.check(f"{end}: a policy of payload removed before a move is put back, K is agreed, no new IKE", gone and at and
                  protected(lab) == at and lab.status().get("key_mobility") and connection(lab) == old and
                  "tmpl" in sending_policy(end) and reached(), f"{gone} {why()}")
    the_agents_kernel_refuses(lab)
    old = connection(lab)
    begin, agent, sent = time.time(), lab.processes["ha"], lab.status()["counters"]["updates_sent"]
    agent.send_signal(signal.SIGSTOP)
    common.link("w1", "down")
    waits = wait_for(lambda: lab.status()["counters"]["updates_sent"] > sent, 10, 0.02)
    sending_policy("mn", "delete")
    gone = "tmpl" not in sending_policy("mn")
    agent.send_signal(signal.SIGCONT)
    at = lab.care_of("mn", "w2")
    anew = wait_for(lambda: connection(lab) != old and lab.ike_endpoints()[:2] == ([at], [at]), 10, 0.2)
    lab.check("the kernel refuses to move payload's SAs: registered all the same, IKE is established anew from there",
              waits and gone and anew and lab.registered_at() == at and protected(lab) == at, f"{waits} {gone} {why()}")
    lab.fallback = (begin, time.time(), at)
    said = lab.status()
    lab.check("the kernel refuses: status says that moving keys failed, and why", said["keying"]["migration_failed"] and
              "kernel refused" in (said.get("last_error") or {}).get("what", "") and said["last_error"]["remedy"], said)
    common.check_events(lab, "cannot move the payload's SAs")
    lab.check("the kernel refuses: its policy is back, and the node is reached", "tmpl" in sending_policy("mn") and
              reached(), sending_policy("mn"))
    at = common.move_to(lab, "w1", "up", "w1")
    lab.check("the kernel refused: the next update does not set K, and the move works", at and protected(lab) == at and
              lab.status().get("key_mobility") is False and wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 5), why())


def states(namespace):
    return len(tunnel_states(namespace))


def after_refusal(lab):
    """The home agent refuses K from now on: make before break, payload child and all."""
    for name in ("mnd.mn", "ha"):  # a new process of the node sets K
        lab.stop(name, signal.SIGKILL)
    lab.agent(key_mobility=False)
    lab.node("mn", "protect = payload")
    wait_for(lambda: protected(lab), 30, 0.3)
    ordering.refresh()
    if not lab.check("K refused: registered, payload under ESP", lab.status().get("key_mobility") is False and
                     protected(lab), lab.status()):
        return []
    common.rested(lab)
    with pings(lab, "refused"):
        return [move_refused(lab, "hard", "down", "w2"), move_refused(lab, "soft", "up", "w1")]


def move_refused(lab, kind, state, target):
    begin, at = begin_move(lab, state, target)
    there = at and protected(lab) == at
    alone = wait_for(lambda a=at: lab.ike_endpoints()[:2] == ([a], [a]) and states("mn") == states("ha") == 2, 8)
    lab.check(f"{kind} move, K refused: one IKE_SA and one pair of payload SAs from there", there and alone,
              f"{at} {lab.ike_endpoints()} {states('mn')} {states('ha')} {tunnel_ends('ha')}")
    end = time.time()
    reaches(lab, f"after the {kind} move, K refused")
    return kind, begin, end, at


def at_home(lab):
    begin = time.time()
    home = common.move_to(lab, "wh", "up", None)
    lab.check("at home no payload policy is left at either end", home == HOME_ADDRESS and
              not tunnel_policies("mn") and not tunnel_policies("ha"), lab.status())
    reaches(lab, "at home")
    at = common.move_to(lab, "wh", "down", "w1")
    end = time.time()
    lab.check("away again: payload is under ESP", at and protected(lab) == at, f"{at} {tunnel_ends('ha')}")
    reaches(lab, "away again")
    return [(begin, end)]


def switched_off(lab):
    """Both daemons are killed and configured without payload: what they left does not stand in the way."""
    begin = time.time()
    for name in ("mnd.mn", "ha"):
        lab.stop(name, signal.SIGKILL)
    lab.agent_extra = ""
    lab.agent()
    lab.node("mn")
    lab.check("without payload protection after SIGKILL: registered, no policy of it is left at either end",
              lab.wait_registered("mn", timeout=20) and
              not tunnel_policies("mn") and not tunnel_policies("ha"), lab.status())
    reaches(lab, "without payload protection")
    return [(begin, time.time())]


def judge(lab, packets, spans, agreed, refused):
    def outside(packet):
        return not any(a <= packet.time <= b for a, b in spans)
    tunnelled = [p for p in packets if p.protocol == wire.IPV6 and outside(p)]
    lab.check("no packet in a packet in the clear on any link", not tunnelled, tunnelled[:3])
    bare = [p for p in packets if HOME_ADDRESS in (p.source, p.destination) and p.link in ("ar1", "ar2") and outside(p)]
    lab.check("the home address is never seen on an access link", not bare, bare[:3])
    mobility = [p for p in packets if p.clear]
    lab.check("no mobility message is in the clear", not [p for p in mobility if outside(p)], mobility[:3])
    payload = [p for p in packets if p.protocol == wire.ESP and p.option is None and p.routing is None]
    lab.check("ESP is between care-of address and home agent", len(payload) > 300 and
              all(HOME_AGENT in (p.source, p.destination) for p in payload), len(payload))
    arrived = [t for t, data in wire.records(lab.forged_far) if b"forged" in data]
    lab.check("nothing of the forged packets came through", not [t for t in arrived if any(b < t < e for b, e in lab.forged)],
              arrived)
    judge_moves(lab, packets, agreed, refused)


def steps(packets, at, begin):
    """Signalling between `at` and the home agent up to the first payload from there to the node at `at`, in its order; that
    payload's time, or None; the times of IKE's packets."""
    found, ike = [], []
    for packet in packets:
        if packet.link != "wan" or packet.time < begin or {packet.source, packet.destination} != {at, HOME_AGENT}:
            continue
        if wire.is_ike(packet):
            found.append(wire.ike_exchange(packet))
            ike.append(packet.time)
        elif packet.option or packet.routing:
            found.append("update" if packet.option else "acknowledgement")
        elif packet.protocol == wire.ESP and packet.source == HOME_AGENT:
            return found, packet.time, ike
    return found, None, ike


def judge_moves(lab, packets, agreed, refused):
    """By what stands between a move and the first payload to its new address: each of it waits for the one before."""
    ike = [p for p in packets if wire.is_ike(p) and p.link == "wan" and "2001:db8:a3:" not in p.source + p.destination]
    for kind, begin, end, at in agreed:
        count = len([p for p in ike if begin <= p.time <= end])
        lab.check(f"{kind} move, K agreed: not one IKE packet", count == 0, count)
        found, back, _ = steps(packets, at, begin)
        lab.check(f"{kind} move, K agreed: payload comes to the new address after one update and its acknowledgement",
                  back and back <= end and found in (["update"], ["update", "acknowledgement"]), (found, back))
        say(f"  {kind} move, K agreed: longest gap {measured('agreed').longest_gap(begin, end):.0f} ms, "
            f"lost {len([t for t in measured('agreed').lost(end) if t >= begin])}")
    exchanges = [e for e in (wire.IKE_SA_INIT, wire.IKE_AUTH, wire.CREATE_CHILD_SA) for _ in range(2)]
    for kind, begin, end, at in refused:
        mine = [p for p in ike if begin <= p.time <= end]
        lab.check(f"{kind} move, K refused: eight IKE packets at most", 0 < len(mine) <= 8, len(mine))
        found, back, times = steps(packets, at, begin)
        wanted = ["update", "acknowledgement", *exchanges]
        # Where the home agent's own last answer leaves after the payload, or the old IKE_SA is gone before there is any.
        lab.check(f"{kind} move, K refused: payload comes to the new address after one update, its acknowledgement and three "
                  "exchanges of IKE", back and back <= end and found in (
                      wanted[:-1], *(wanted + [wire.INFORMATIONAL] * count for count in range(3))), (found, back))
        gap, took = measured("refused").longest_gap(begin, end), (times[:len(exchanges)][-1] - times[0]) * 1000 if times else 0
        lost = len([t for t in measured("refused").lost(end) if t >= begin]) * PING_INTERVAL
        say(f"  {kind} move, K refused: longest gap {gap:.0f} ms, lost what was sent in {lost:.0f} ms, IKE took {took:.0f} ms")
        # Ten times what is wanted: a guard; the figures are told. Counted in pings: a machine that stands still sends none.
        lab.check(f"{kind} move, K refused: payload's gap is the IKE exchange and a round trip, or ten times that",
                  0 < took and lost < 10 * (took + ROUND_TRIP), (gap, lost, took))
    begin, end, at = lab.fallback
    asked = [wire.ike_exchange(p) for p in ike if begin <= p.time <= end and p.source == at]
    lab.check("the kernel refuses: IKE was established anew once", asked.count(wire.IKE_SA_INIT) == 1 and
              asked.count(wire.IKE_AUTH) == 1, asked)
