"""Certificates instead of a secret, RSA 4096 from root over intermediate to node: registers and moves without an IKE
packet, a certificate of another home address or of a stranger's root is refused and named, on a link of MTU 1280 IKE
splits what is too big (RFC 7383, and IKEv1's own way), stopping leaves neither key nor CA in charon."""

import signal
import time

import common
import lab as the_lab
import leftovers
import moves
import pki
import vici
import wire
from lab import HOME_AGENT, NODES, load, run, wait_for
from pki import bundle

trouble = load("trouble")


def prepare():
    """root -> intermediate -> nodes, root -> agent; a bundle for each."""
    pki.root("root", pki.RSA_4096)
    pki.root("stranger", pki.ECDSA)
    pki.issue("intermediate", "root", "--ca", kind=pki.RSA_4096)
    for name, kind in (("mn", pki.RSA_4096), ("mn2", pki.ECDSA)):
        pki.issue(name, "intermediate", "--san", NODES[name]["home_address"], kind=kind)
        pki.write_bundle(name, "intermediate", "root")
    pki.issue("ha", "root", "--san", HOME_AGENT, kind=pki.RSA_4096)
    pki.write_bundle("ha", "root")
    pki.issue("impostor", "stranger", "--san", HOME_AGENT, kind=pki.ECDSA)
    pki.write_bundle("impostor", "root")


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    lab.agent_extra = f"certificate = {bundle('ha')}"
    for namespace, node in NODES.items():
        node.update(identity=node["home_address"], certificate=bundle(namespace))
    moves.whole(lab, agree=True, count=2, order=["hard", "soft"])
    for namespace in ("mn", "ha"):
        left = vici.certificates(lab.vici_socket(namespace))
        # its own certificate is known to stay (mnd.conf(5)): charon 5.9 has no command to take a single one out
        lab.check(f"after SIGTERM no CA certificate and no private key is left in charon of {namespace}",
                  len(left) <= 1 and not any(flag == "CA" or key for flag, key, _ in left),
                  [(flag, key) for flag, key, _ in left])
    refused(lab)


# --- RFC 7383 on a link of MTU 1280 ---
def narrow(lab):
    """The way to the home agent carries 1280 bytes, IKE_AUTH has more: IKE splits it, IPv6 does not."""
    for namespace, interface in (("mn", "w1"), ("ar1", "acc"), ("ar1", "wan"), ("core", "r1")):
        run("ip", "-n", namespace, "link", "set", interface, "mtu", "1280")
    capture = lab.capture("narrow", "ar1", "acc", "udp port 500 or udp port 4500 or ip6[6]==44")
    wait_for(capture.exists, 5)
    time.sleep(0.3)
    lab.node("mn")
    trouble.recovers(lab, "the right certificate, on a link of MTU 1280", 60)
    time.sleep(1.3)
    lab.stop("tcpdump.narrow", signal.SIGINT)
    seen = [wire.ike_packet(data) for _, data in wire.records(capture)]
    packets = [p for p in seen if p]
    split = [p for p in packets if p.exchange == wire.IKE_AUTH and p.first_payload == wire.FRAGMENT_OF_MESSAGE]
    whole = [p for p in packets if p.exchange == wire.IKE_AUTH and p.first_payload != wire.FRAGMENT_OF_MESSAGE]
    both = {p.source == HOME_AGENT for p in split}
    lab.check("IKE_AUTH goes in encrypted fragments of IKE, in both directions", len(split) >= 4 and both == {True, False},
              packets)
    lab.check("no message of IKE_AUTH goes whole", not whole, whole)
    lab.check("no packet of IKE is larger than 1280 bytes", packets and max(p.size for p in packets) <= 1280, packets)
    lab.check("no packet is a fragment of IPv6", all(p for p in seen) and not any(p.ip_fragment for p in packets), seen)
    narrow_with_ikev1(lab)


def narrow_with_ikev1(lab):
    """The same certificates with IKEv1, whose fragmentation has no RFC: charon does it with its like."""
    for name in ("mnd.mn", "ha"):
        lab.stop(name)
    NODES["mn"].update(keying="ikev1", agent_lines=["keying = ikev1"])
    capture = lab.capture("narrow-1", "ar1", "acc", "udp port 500 or udp port 4500 or ip6[6]==44")
    wait_for(capture.exists, 5)
    time.sleep(0.3)
    lab.agent()
    common.agent_ready(lab)
    lab.node("mn")
    trouble.recovers(lab, "the right certificate with IKEv1, on a link of MTU 1280", 60)
    time.sleep(1.3)
    lab.stop("tcpdump.narrow-1", signal.SIGINT)
    seen = [wire.ike_packet(data) for _, data in wire.records(capture)]
    packets = [p for p in seen if p]
    split = [p for p in packets if p.exchange == wire.IKEV1_MAIN and p.first_payload == wire.FRAGMENT_OF_IKEV1]
    lab.check("main mode of IKEv1 goes in fragments of IKE, in both directions", len(split) >= 4 and
              {p.source == HOME_AGENT for p in split} == {True, False}, packets)
    lab.check("no packet of IKEv1 is larger than 1280 bytes, or a fragment of IPv6", all(p for p in seen) and split and
              max(p.size for p in packets) <= 1280 and not any(p.ip_fragment for p in packets), seen)


# --- refusals ---
def strangers_root(lab):
    """A home agent whose certificate comes from another root, also where charon trusts that for other connections."""
    lab.stop("ha")
    right, lab.agent_extra = lab.agent_extra, f"certificate = {bundle('impostor')}"
    lab.agent()
    common.agent_ready(lab)
    lab.node("mn")
    trouble.named(lab, "home agent .* is not trusted", "home agent with a certificate from another root", 30)
    lab.stop("mnd.mn")
    vici.ask(lab.vici_socket("mn"), "load-authority", {"office": {"cacert": pki.crt("stranger").read_text()}})
    lab.node("mn")
    trouble.named(lab, "is not trusted .*not authenticated by", "the same, from a root that charon trusts otherwise", 30)
    lab.check("the node is not registered there", not lab.registered_at("mn"), lab.status("mn"))
    vici.ask(lab.vici_socket("mn"), "unload-authority", {"name": "office"})
    for name in ("mnd.mn", "ha"):
        lab.stop(name)
    lab.agent_extra = right
    lab.agent()
    common.agent_ready(lab)


def refused(lab):
    """A certificate that is valid, but for another home address."""
    before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.agent()
    common.agent_ready(lab)
    other = {"certificate": bundle("mn2")}
    lab.node("mn", wrong={**other, "identity": NODES["mn2"]["home_address"]})
    trouble.named(lab, "does not have home address", "certificate and identity of another home address", 30)
    lab.check("the node is not registered by it", not lab.registered_at("mn"), lab.status("mn"))
    lab.stop("mnd.mn")
    lab.node("mn", wrong=other)
    trouble.named(lab, "wrong certificate or identity", "certificate of another home address, own identity", 30)
    lab.check("the node is not registered by that either", not lab.registered_at("mn"), lab.status("mn"))
    lab.stop("mnd.mn")
    strangers_root(lab)
    narrow(lab)
    for name in ("mnd.mn", "ha"):
        lab.stop(name)
    for namespace in ("mn", "ha"):
        left = leftovers.difference(before[namespace], leftovers.snapshot(namespace, lab.vici_socket(namespace)))
        lab.check(f"after refusals and SIGTERM nothing is left in {namespace}", not left, "; ".join(left))
