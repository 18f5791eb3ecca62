"""Re-keying after a move with K agreed: from the new address, with the IKE_SA that moved."""

import time

import vici
from lab import wait_for


def after_each_kind(lab, director):
    """One more move of each kind, each followed by a re-key of the IKE_SA and of its child."""
    spans = []
    for kind in ("hard", "soft", "home", "away"):
        move = director.move(kind)
        begin = time.time()
        socket = lab.vici_socket("mn")
        names = [sa["connection"] for sa in vici.ike_sas(socket)]
        before = spis(socket)
        for name in names:
            vici.ask(socket, "rekey", {"ike": name})
        wait_for(lambda b=before, s=socket: spis(s)[0] != b[0], 3)
        child = [c["name"] for sa in vici.ike_sas(socket) for c in sa.get("child-sas", {}).values()]
        for name in child[:1]:
            vici.ask(socket, "rekey", {"child": name})
        wait_for(lambda b=before, s=socket: not set(spis(s)[1]) & set(b[1]), 3)
        after = spis(socket)
        endpoints = lab.ike_endpoints()
        lab.check(f"after {kind} a re-key works from the new address, for IKE_SA and child",
                  names and before[0] != after[0] and before[1] != after[1] and endpoints[0] == endpoints[1] == [move.new],
                  f"{before} {after} {endpoints}, should be at {move.new}")
        spans.append((begin, time.time()))
        # A re-keyed child's old inbound SA stays for some seconds; the next move must not be confused by it.
        lab.check(f"after {kind} and the re-key an update is still answered", refresh(lab), lab.status("mn"))
    director.moves = director.moves[:-4]
    return spans


def refresh(lab):
    before = lab.status("mn").get("sequence")
    lab.status("mn", "refresh")
    return wait_for(lambda: lab.status("mn").get("sequence") != before and lab.registered_at("mn"), 5, 0.05)


def spis(socket):
    """(initiator SPIs of the IKE_SAs, inbound SPIs of their installed children)"""
    sas = vici.ike_sas(socket)
    return ([sa["initiator-spi"] for sa in sas],
            [c["spi-in"] for sa in sas for c in sa.get("child-sas", {}).values() if c.get("state") == "INSTALLED"])
