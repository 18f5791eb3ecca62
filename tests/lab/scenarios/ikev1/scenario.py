"""IKEv1: main mode with certificates and aggressive mode with a secret register; with K agreed a move needs no IKE
packet and a quick mode re-key works from the new address; with K refused IKE is established again; a wrong secret and a
charon that does not do aggressive mode are refused and named."""

import signal
import time

import common
import lab as the_lab
import leftovers
import pki
import rekey
import vici
import wire
from lab import HOME_AGENT, NODES, load, wait_for

trouble, payload = load("trouble"), load("protect-payload")
CONSENT = "aggressive-mode-exposes-secret-to-guessing = accepted"
ALLOW = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes"


def prepare():
    pki.root("root", pki.RSA_2048)
    for name, address in (("mn", NODES["mn"]["home_address"]), ("ha", HOME_AGENT)):
        pki.issue(name, "root", "--san", address, kind=pki.RSA_2048)
        pki.write_bundle(name, "root")


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    lab.captures = lab.capture_all()
    lab.spans = {}
    lab.agent_extra = f"certificate = {pki.bundle('ha')}"
    common.charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    main_mode(lab)
    aggressive_mode(lab)
    evaluate(lab)


class Span:
    """A stretch of time whose IKE packets are looked at in the end."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name

    def __enter__(self):
        self.begin = time.time()

    def __exit__(self, *_):
        self.lab.spans[self.name] = (self.begin, time.time())


def registers(lab, what):
    with Span(lab, what):
        at = lab.wait_registered("mn", timeout=15)
    sas = {n: vici.ike_sas(lab.vici_socket(n)) for n in ("mn", "ha")}
    one = all(len(s) == 1 and s[0]["version"] == "1" for s in sas.values())
    lab.check(f"{what}: registers with one IKE_SA of IKEv1 at both ends", at and one, sas)
    return at


def moves_by_k(lab, what):
    """A hard move without IKE packets, then re-keys from the new address."""
    with Span(lab, f"{what}, move"):
        at = common.move_to(lab, "w1", "down", "w2")
        followed = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 5, 0.2)
    lab.check(f"{what}: with K both IKE endpoints move", at and followed and lab.status("mn")["key_mobility"],
              lab.ike_endpoints())
    socket = lab.vici_socket("mn")
    before = rekey.spis(socket)[1]
    with Span(lab, f"{what}, quick mode"):
        vici.ask(socket, "rekey", {"child": "reg"})
        wait_for(lambda: set(rekey.spis(socket)[1]) - set(before), 5)
        lab.check(f"{what}: after the re-key an update is still answered", rekey.refresh(lab), lab.status("mn"))
    lab.check(f"{what}: a quick mode re-key makes new SAs", set(rekey.spis(socket)[1]) - set(before), before)
    return at


def anew_by_charon(lab, at):
    socket = lab.vici_socket("mn")
    main = rekey.spis(socket)[0]
    vici.ask(socket, "rekey", {"ike": vici.ike_sas(socket)[0]["connection"]})
    wait_for(lambda: set(rekey.spis(socket)[0]) - set(main), 5)
    lab.check("phase 1 anew by charon itself loses no keys",
              settled(lab, at) and rekey.refresh(lab) and not events(lab, "gone"), events(lab))


def settled(lab, at):
    """One IKE_SA with keys at each end; charon takes ten seconds to drop the old phase 1."""
    def one():
        sas = [vici.ike_sas(lab.vici_socket(n)) for n in ("mn", "ha")]
        return all(len(s) == 1 and s[0].get("child-sas") for s in sas) and lab.ike_endpoints()[:2] == ([at], [at])
    return wait_for(one, 15, 0.5)


def events(lab, *words):
    import subprocess
    told = subprocess.run([the_lab.program("mip6ctl"), "--socket", f"{the_lab.RUN}/mn.control", "events"],
                          capture_output=True, text=True, check=False).stdout
    return [line for line in told.splitlines() if all(word in line for word in words)]


def main_mode(lab):
    by_certificate = {"identity": NODES["mn"]["home_address"], "certificate": pki.bundle("mn"), "keying": "ikev1"}
    secret, NODES["mn"] = NODES["mn"], {**NODES["mn"], **by_certificate, "agent_lines": ["keying = ikev1"]}
    right, lab.agent_extra = lab.agent_extra, f"{lab.agent_extra}\nprotect = payload"
    lab.agent()
    lab.node("mn", "protect = payload")
    if registers(lab, "main mode with certificates"):
        lab.check("with IKEv1 its payload is under ESP, too", payload.protected(lab) and reached(lab), payload.tunnel_ends("mn"))
        at = moves_by_k(lab, "main mode with certificates")
        anew_by_charon(lab, at)
        lab.check("the payload's SAs have moved along", payload.protected(lab) == at and reached(lab), (
            payload.tunnel_ends("mn"), payload.tunnel_ends("ha")))
    lab.agent_extra = right
    lab.check("certificates are no reason for a warning", not lab.status("mn").get("warnings"), lab.status("mn"))
    lab.stop("mnd.mn")
    lab.stop("ha")
    common.link("w1", "up")
    wait_for(lambda: lab.care_of("mn", "w1"), 6)
    NODES["mn"] = secret


def reached(lab):
    return wait_for(lambda: lab.ping("cn", NODES["mn"]["home_address"]) >= 2, 5)


def aggressive_mode(lab):
    NODES["mn"].update(keying="ikev1", agent_lines=["keying = ikev1", CONSENT])
    lab.agent()
    lab.node("mn", CONSENT)
    trouble.named(lab, "wrong secret or identity", "a charon that does not do aggressive mode", 20)
    lab.check("the node's remedy names charon's setting", ALLOW.split(" ", maxsplit=1)[0] in lab.trouble("mn")[1],
              lab.trouble("mn"))
    told = wait_for(lambda: lab.agent_status().get("trouble"), 5) or {}
    lab.check("the home agent names it, and charon's setting", "aggressive" in told.get("what", "") and ALLOW in
              told.get("remedy", ""), told)
    lab.stop("charon.ha")
    lab.charon_extra["ha"] = ALLOW
    lab.charon("ha")
    at = registers(lab, "aggressive mode with a secret")
    warnings = lab.status("mn").get("warnings") or [{}]
    lab.check("status warns of aggressive mode, as JSON and as text", "guess the secret" in warnings[0].get("what", "")
              and "warning" in lab.status_text("mn"), lab.status_text("mn"))
    there = (lab.agent_status().get("warnings") or [{}])[0].get("what", "")
    lab.check("so does the home agent", "guess the secret" in there, there)
    if at:
        moves_by_k(lab, "aggressive mode with a secret")
    refused_k(lab)
    wrong_secret(lab)


def refused_k(lab):
    lab.stop("ha", signal.SIGKILL)
    lab.agent(key_mobility=False)
    wait_for(lambda: rekey.refresh(lab) and not lab.status("mn")["key_mobility"], 10)
    with Span(lab, "K refused"):
        at = common.move_to(lab, "w1", "up", "w1")
        lab.check("with K refused IKE is established again from the new address, the old one gone at both ends",
                  settled(lab, at), (at, lab.ike_endpoints()))
    lab.check("and an update is answered", rekey.refresh(lab), lab.status("mn"))


def wrong_secret(lab):
    lab.stop("mnd.mn")
    lab.stop("ha")
    common.stop_and_compare(lab)
    lab.agent()
    lab.node("mn", CONSENT, wrong={"secret": "not the secret that the agent has"})
    trouble.named(lab, "wrong secret", "a wrong secret in aggressive mode", 20)
    lab.check("the node is not registered by it", not lab.registered_at("mn"), lab.status("mn"))
    lab.stop("mnd.mn")
    lab.stop("ha")


def evaluate(lab):
    lab.stop_captures()
    seen = []
    for link in ("ar1", "ar2"):
        seen += [(time_, packet) for time_, data in wire.records(lab.captures[link]) if (packet := wire.ike_packet(data))]

    def kinds(name):
        begin, end = lab.spans[name]
        return [packet.exchange for time_, packet in seen if begin <= time_ <= end]
    for what, phase_1 in (("main mode with certificates", wire.IKEV1_MAIN),
                          ("aggressive mode with a secret", wire.IKEV1_AGGRESSIVE)):
        lab.check(f"{what}: that is what is on the wire", phase_1 in kinds(what) and wire.IKEV1_QUICK in kinds(what),
                  kinds(what))
        lab.check(f"{what}: the move with K needs no IKE packet", not kinds(f"{what}, move"), kinds(f"{what}, move"))
        lab.check(f"{what}: the re-key is quick mode alone",
                  wire.IKEV1_QUICK in kinds(f"{what}, quick mode") and phase_1 not in kinds(f"{what}, quick mode"),
                  kinds(f"{what}, quick mode"))
    lab.check("with K refused there is a phase 1", wire.IKEV1_AGGRESSIVE in kinds("K refused"), kinds("K refused"))
