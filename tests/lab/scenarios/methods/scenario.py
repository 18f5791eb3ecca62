"""What IKE has beside IKEv2 with a secret, on links of MTU 1280: certificates of RSA 4096 from root over intermediate to node,
by IKEv2 and by main mode of IKEv1, and a secret in aggressive mode. IKE splits what is too big (RFC 7383, and IKEv1's own
way); with K agreed a move needs no IKE packet and a quick mode re-key works from the new address, with K refused IKE is
established again. A home agent of a stranger's root and a charon that does not do aggressive mode are refused and named.
Stopping leaves neither key nor CA in charon."""

import signal

import attack
import common
import lab as the_lab
import leftovers
import pki
import rekey
import vici
import wire
from lab import HOME_AGENT, NODES, load, run, wait_for
from pki import bundle

trouble, payload = load("trouble"), load("protect-payload")
CONSENT = "aggressive-mode-exposes-secret-to-guessing = accepted"
ALLOW = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes"
BY_CERTIFICATE = {"identity": NODES["mn"]["home_address"], "certificate": bundle("mn")}
BY_SECRET = NODES["mn"]


def prepare():
    """root -> intermediate -> node, root -> agent; a bundle for each."""
    pki.root("root", pki.RSA_4096)
    pki.root("stranger", pki.ECDSA)
    pki.issue("intermediate", "root", "--ca", kind=pki.RSA_4096)
    pki.issue("mn", "intermediate", "--san", NODES["mn"]["home_address"], kind=pki.RSA_4096)
    pki.write_bundle("mn", "intermediate", "root")
    pki.issue("ha", "root", "--san", HOME_AGENT, kind=pki.RSA_2048)  # too big for a packet, too, and sooner made
    pki.write_bundle("ha", "root")
    pki.issue("impostor", "stranger", "--san", HOME_AGENT, kind=pki.ECDSA)
    pki.write_bundle("impostor", "root")


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    for namespace, interface in (("mn", "w1"), ("ar1", "acc"), ("mn", "w2"), ("ar2", "acc")):
        run("ip", "-n", namespace, "link", "set", interface, "mtu", "1280")
    # Here passes what node and home agent say to each other by way of either link, before that could drop it.
    lab.tap = attack.Tap("ha", "wan")
    common.charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    strangers_root(lab)
    ikev2(lab)
    main_mode(lab)
    aggressive_mode(lab)
    common.stop_and_compare(lab)


# --- what is on the wire ---
def passed(lab, pause=0.3):
    """IKE packets since the last call, and None for a fragment of IPv6 in which there is no header of IKE."""
    frames = [frame for frame in lab.tap.passed(pause) if frame[12:14] == b"\x86\xdd"]
    return [wire.ike_packet(frame) for frame in frames if frame[20] == wire.FRAGMENT or wire.ike_packet(frame)]


def kinds(lab, pause=0.3):
    return [packet and packet.exchange for packet in passed(lab, pause)]


def check_split(lab, what, packets, exchange, first_payload):
    """In both directions, what has certificates at least; no packet is larger than the link, nor is any split by IPv6."""
    split = [p for p in packets if p and (p.exchange, p.first_payload) == (exchange, first_payload)]
    lab.check(f"{what}: certificates go in fragments of IKE, in both directions", len(split) >= 4 and
              {p.source == HOME_AGENT for p in split} == {True, False}, packets)
    lab.check(f"{what}: no packet of IKE is larger than 1280 bytes, or a fragment of IPv6", split and all(
        p and p.size <= 1280 and not p.ip_fragment for p in packets), packets)


def moves_by_k(lab, what, interface, state, target):
    """A move without IKE packets."""
    passed(lab)
    at = common.move_to(lab, interface, state, target)
    followed = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 5, 0.2)
    lab.check(f"{what}: with K both IKE endpoints move to {target}", at and followed and lab.status("mn")["key_mobility"],
              lab.ike_endpoints())
    seen = kinds(lab, 0.5)
    lab.check(f"{what}: the move to {target} needs no IKE packet", not seen, seen)
    return at


def check_credentials_gone(lab, after):
    """Its own certificates are known to stay (mnd.conf(5)), at the home agent that of the stranger's root, too: charon 5.9 has
    no command to take a single one out."""
    for namespace, own in (("mn", 1), ("ha", 2)):
        left = vici.certificates(lab.vici_socket(namespace))
        lab.check(f"{after}: after SIGTERM no CA certificate and no private key is left in charon of {namespace}",
                  len(left) <= own and not any(flag == "CA" or key for flag, key, _ in left),
                  [(flag, key) for flag, key, _ in left])


def stop_both(lab, after):
    status = [lab.stop(name) for name in ("mnd.mn", "ha")]
    lab.check(f"{after}: both daemons end in time with status 0", status == [0, 0], status)


def begin(lab, what):
    """Of a home agent whose charon then has the connection."""
    lab.agent()
    lab.check(f"{what}: the home agent loads the connection", common.agent_ready(lab))


# --- IKEv2 ---
def strangers_root(lab):
    """A home agent whose certificate comes from another root, also where charon trusts that for other connections."""
    NODES["mn"] = {**BY_SECRET, **BY_CERTIFICATE}
    lab.agent_extra = f"certificate = {bundle('impostor')}"
    begin(lab, "a certificate from another root")
    lab.node("mn")
    trouble.named(lab, "home agent .* is not trusted", "home agent with a certificate from another root", 30)
    vici.ask(lab.vici_socket("mn"), "load-authority", {"office": {"cacert": pki.crt("stranger").read_text()}})
    common.link("w1", "down")  # at another address IKE is tried at once
    trouble.named(lab, "is not trusted .*not authenticated by", "the same, from a root that charon trusts otherwise", 30)
    lab.check("the node is not registered there", not lab.registered_at("mn"), lab.status("mn"))
    vici.ask(lab.vici_socket("mn"), "unload-authority", {"name": "office"})
    lab.stop("ha")


def ikev2(lab):
    what = "IKEv2 with certificates"
    lab.agent_extra = f"certificate = {bundle('ha')}"
    passed(lab)
    begin(lab, what)
    common.link("w1", "up")
    trouble.recovers(lab, "the right certificate", 60)
    packets = passed(lab)
    check_split(lab, what, packets, wire.IKE_AUTH, wire.FRAGMENT_OF_MESSAGE)
    whole = [p for p in packets if p and p.exchange == wire.IKE_AUTH and p.first_payload != wire.FRAGMENT_OF_MESSAGE]
    lab.check(f"{what}: no message of IKE_AUTH goes whole", not whole, whole)
    wait_for(lambda: (own := lab.care_of("mn", "w1")) and lab.registered_at("mn") == own, 10)  # not where it was before
    moves_by_k(lab, what, "w1", "down", "w2")
    moves_by_k(lab, what, "w1", "up", "w1")
    stop_both(lab, what)
    check_credentials_gone(lab, what)


# --- IKEv1 ---
def registers(lab, what, phase_1):
    """The IKE packets of it."""
    at = lab.wait_registered("mn", timeout=15)
    sas = {n: vici.ike_sas(lab.vici_socket(n)) for n in ("mn", "ha")}
    one = all(len(s) == 1 and s[0]["version"] == "1" for s in sas.values())
    lab.check(f"{what}: registers with one IKE_SA of IKEv1 at both ends", at and one, sas)
    packets = passed(lab)
    seen = {p and p.exchange for p in packets}
    lab.check(f"{what}: that is what is on the wire", {phase_1, wire.IKEV1_QUICK} <= seen, seen)
    return packets


def quick_mode(lab, what, phase_1):
    """From the new address."""
    socket = lab.vici_socket("mn")
    before = rekey.spis(socket)[1]
    vici.ask(socket, "rekey", {"child": "reg"})
    made = wait_for(lambda: set(rekey.spis(socket)[1]) - set(before), 5)
    lab.check(f"{what}: a quick mode re-key makes new SAs", made, before)
    lab.check(f"{what}: after the re-key an update is still answered", rekey.refresh(lab), lab.status("mn"))
    seen = kinds(lab)
    lab.check(f"{what}: the re-key is quick mode alone", wire.IKEV1_QUICK in seen and phase_1 not in seen, seen)


def anew_by_charon(lab, at):
    """Phase 1, which charon does again before its lifetime ends; the old one goes after ten seconds, or now."""
    socket = lab.vici_socket("mn")
    old = vici.ike_sas(socket)[0]
    vici.ask(socket, "rekey", {"ike": old["connection"]})

    def adopted():
        return all(any(sa["initiator-spi"] != old["initiator-spi"] and sa["state"] == "ESTABLISHED" and sa.get("child-sas")
                       for sa in vici.ike_sas(lab.vici_socket(n))) for n in ("mn", "ha"))
    lab.check("phase 1 anew by charon itself takes the keys along at both ends", wait_for(adopted, 10), vici.ike_sas(socket))
    vici.ask(socket, "terminate", {"ike-id": old["uniqueid"], "timeout": "5000"})
    lab.check("phase 1 anew by charon itself loses no keys",
              settled(lab, at) and rekey.refresh(lab) and not events(lab, "gone"), events(lab, "gone"))


def settled(lab, at):
    """One IKE_SA with keys at each end."""
    def one():
        sas = [vici.ike_sas(lab.vici_socket(n)) for n in ("mn", "ha")]
        return all(len(s) == 1 and s[0].get("child-sas") for s in sas) and lab.ike_endpoints()[:2] == ([at], [at])
    return wait_for(one, 15, 0.2)


def events(lab, word):
    return [event for event in lab.status("mn", "events").get("events", []) if word in event["text"]]


def main_mode(lab):
    what = "main mode with certificates"
    NODES["mn"].update(keying="ikev1", agent_lines=["keying = ikev1"])
    right, lab.agent_extra = lab.agent_extra, f"{lab.agent_extra}\nprotect = payload"
    passed(lab)
    begin(lab, what)
    lab.node("mn", "protect = payload")
    check_split(lab, what, registers(lab, what, wire.IKEV1_MAIN), wire.IKEV1_MAIN, wire.FRAGMENT_OF_IKEV1)
    lab.check("with IKEv1 its payload is under ESP, too", payload.protected(lab) and reached(lab), payload.tunnel_ends("mn"))
    at = moves_by_k(lab, what, "w1", "down", "w2")
    quick_mode(lab, what, wire.IKEV1_MAIN)
    anew_by_charon(lab, at)
    lab.check("the payload's SAs have moved along", payload.protected(lab) == at and reached(lab), (
        payload.tunnel_ends("mn"), payload.tunnel_ends("ha")))
    lab.agent_extra = right
    lab.check("certificates are no reason for a warning", not lab.status("mn").get("warnings"), lab.status("mn"))
    stop_both(lab, what)
    check_credentials_gone(lab, what)


def reached(lab):
    return wait_for(lambda: lab.ping("cn", NODES["mn"]["home_address"]) >= 2, 5)


def aggressive_mode(lab):
    what = "aggressive mode with a secret"
    NODES["mn"] = {**BY_SECRET, "keying": "ikev1", "agent_lines": ["keying = ikev1", CONSENT]}
    begin(lab, what)
    lab.node("mn", CONSENT)
    trouble.named(lab, "wrong secret or identity", "a charon that does not do aggressive mode", 20)
    lab.check("the node's remedy names charon's setting", ALLOW.split(" ", maxsplit=1)[0] in lab.trouble("mn")[1],
              lab.trouble("mn"))
    told = wait_for(lambda: lab.agent_status().get("trouble"), 5) or {}
    lab.check("the home agent names it, and charon's setting", "aggressive" in told.get("what", "") and ALLOW in
              told.get("remedy", ""), told)
    lab.stop("charon.ha")
    passed(lab)  # from here on it may register at any time
    lab.charon_extra["ha"] = ALLOW
    lab.charon("ha")
    common.agent_ready(lab)
    common.link("w1", "up")  # at another address IKE is tried at once
    registers(lab, what, wire.IKEV1_AGGRESSIVE)
    warnings = lab.status("mn").get("warnings") or [{}]
    lab.check("status warns of aggressive mode, as JSON and as text", "guess the secret" in warnings[0].get("what", "")
              and "warning" in lab.status_text("mn"), lab.status_text("mn"))
    there = (lab.agent_status().get("warnings") or [{}])[0].get("what", "")
    lab.check("so does the home agent", "guess the secret" in there, there)
    moves_by_k(lab, what, "w1", "down", "w2")
    quick_mode(lab, what, wire.IKEV1_AGGRESSIVE)
    refused_k(lab)


def refused_k(lab):
    lab.stop("ha", signal.SIGKILL)
    lab.agent(key_mobility=False)
    wait_for(lambda: rekey.refresh(lab) and not lab.status("mn")["key_mobility"], 10)
    passed(lab)
    at = common.move_to(lab, "w1", "up", "w1")
    lab.check("with K refused IKE is established again from the new address, the old one gone at both ends",
              settled(lab, at), (at, lab.ike_endpoints()))
    lab.check("and an update is answered", rekey.refresh(lab), lab.status("mn"))
    seen = kinds(lab)
    lab.check("with K refused there is a phase 1", wire.IKEV1_AGGRESSIVE in seen, seen)
