"""Nothing in the clear is sent, and nothing in the clear is believed: not at the first registration, not when leaving
home, not with charon stopped; a forged update is refused whether it has a home address option or not."""

import signal
import threading
import time

import common
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, wait_for
from spoof import forged

OUTSIDER = "2001:db8:f4::2"


def forge(lab, form, spans, **more):
    begin = time.time()
    sequence = ((lab.status("mn").get("sequence") or 0) + 1) & 0xFFFF
    settings = {"source": OUTSIDER, "home_address": HOME_ADDRESS, "agent": HOME_AGENT, "sequence": sequence,
                "care_of": CORRESPONDENT, "count": 3, **more}
    forged("cn", form, **settings)
    time.sleep(0.3)
    spans.append((begin, time.time() + 0.1))


def refused(lab, form, what, spans):
    """The update moves nothing, is counted by the kernel's policy check and is not answered."""
    before, routes = lab.xfrm_errors("ha"), common.agent_route()
    forge(lab, form, spans)
    after = lab.xfrm_errors("ha")
    counted = sum(after.values()) - sum(before.values())
    lab.check(f"{what} is refused by the home agent", common.agent_route() == routes and routes and counted >= 3,
              f"{routes} -> {common.agent_route()}, {before} -> {after}")


def scenario(lab):
    spans = []
    # Updates come in while the home agent starts: its policies have to be there before its socket.
    lab.captures = lab.capture_all()
    common.charons(lab, "ha", "mn")
    begin = time.time()
    flood = threading.Thread(target=lambda: forged(
        "cn", "update", source=OUTSIDER, home_address=HOME_ADDRESS, agent=HOME_AGENT, sequence=1, care_of=CORRESPONDENT,
        count=150))
    flood.start()
    lab.agent()
    flood.join()
    spans.append((begin, time.time() + 0.1))
    lab.check("forged updates while the home agent starts bind nothing", not common.agent_route(), common.agent_route())

    lab.node("mn")
    at = lab.wait_registered("mn", timeout=15)
    if not lab.check("the node registers", at, lab.status("mn")):
        return
    refused(lab, "update", "an update in the clear from the home address, without home address option,", spans)
    refused(lab, "update-option", "an update in the clear with home address option", spans)
    refused(lab, "update-zero", "a de-registration in the clear", spans)

    before = lab.status("mn")
    forge(lab, "acknowledgement", spans, sequence=before["sequence"], care_of=at)
    after = lab.status("mn")
    lab.check("an acknowledgement in the clear is refused by the node", after.get("registered_at") == at and
              after["counters"]["refused"] == before["counters"]["refused"] and lab.xfrm_errors("mn"), after)

    binding_errors(lab, at, spans)
    lab.check("the node comes home", common.move_to(lab, "wh", "up", None) == HOME_ADDRESS, lab.status("mn"))
    before = lab.xfrm_errors("ha")
    forge(lab, "update", spans)
    lab.check("at home, too, an update in the clear binds nothing", not common.agent_route() and
              lab.xfrm_errors("ha") != before, common.agent_route())
    lab.check("the node leaves home", common.move_to(lab, "wh", "down", "w1"), lab.status("mn"))

    charon_stopped(lab)
    lab.stop("mnd.mn")
    lab.stop_captures()
    found = common.clear(wire.packets(lab.captures), spans)
    lab.check("not one mobility message of ours was in the clear", not found, found[:3])


def binding_errors(lab, at, spans):
    """They are in the clear by nature: from a stranger they do nothing, from the home agent's address one update."""
    sent = lab.status("mn")["counters"]["updates_sent"]
    forge(lab, "binding-error", spans, care_of=at)
    lab.check("a Binding Error of a stranger does nothing", lab.status("mn")["counters"]["updates_sent"] == sent)
    forge(lab, "binding-error", spans, care_of=at, source=HOME_AGENT)
    after = wait_for(lambda: lab.status("mn")["counters"]["updates_sent"] > sent and lab.status("mn"), 5) or {}
    lab.check("three Binding Errors from the home agent's address bring one update, and end nothing",
              after.get("registered_at") == at and after["counters"]["updates_sent"] == sent + 1, after)


def charon_stopped(lab):
    """Ended by SIGTERM, charon takes its SAs along: a move then finds no SA, and must send nothing in the clear."""
    lab.stop("charon.mn", signal.SIGTERM)
    common.link("w1", "down")
    time.sleep(3)
    lab.check("without SAs the node sends nothing and is not registered anew",
              lab.status("mn").get("registered_at") != lab.care_of("mn", "w2"), lab.status("mn"))
    lab.charon("mn")
    at = wait_for(lambda: lab.registered_at("mn") == lab.care_of("mn", "w2"), 20, 0.3)
    lab.check("when charon is back the node registers where it is", at, lab.status("mn"))
