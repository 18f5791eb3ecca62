"""ECDSA, Ed25519 and AEAD proposals register; then what can be wrong between node and home agent: each refusal is named by
charon's reason and with its remedy, by status and by an event, at the end that finds it and at the other, and nothing is
registered."""

import json
import re
import signal
import subprocess
import time

import common
import lab as the_lab
import leftovers
import pki
import vici
from lab import HOME_AGENT, NODES, OUT, RUN, load, run, wait_for

trouble = load("trouble")
HOME = NODES["mn"]["home_address"]
CERTIFICATE = {"identity": HOME, "certificate": None}
CHECKED = OUT / "checked.json"
GIVE_UP_SOON = "retransmit_timeout = 1\n  retransmit_tries = 1"  # after 2.8 s, and not after 165


def prepare():
    for name, kind in (("root", pki.ECDSA), ("root384", pki.ECDSA_384), ("root25519", pki.ED25519)):
        pki.root(name, kind)
    for name, issuer, kind in (("ecdsa", "root", pki.ECDSA), ("ecdsa384", "root384", pki.ECDSA_384),
                               ("ed25519", "root25519", pki.ED25519), ("revoked", "root", pki.ECDSA)):
        pki.issue(name, issuer, "--san", HOME, kind=kind)
        pki.write_bundle(name, issuer)
    pki.issue("expired", "root", "--san", HOME, kind=pki.ECDSA, days=(-20, -10))
    pki.issue("ha", "root", "--san", HOME_AGENT, kind=pki.ECDSA)
    pki.issue("ha25519", "root25519", "--san", HOME_AGENT, kind=pki.ED25519)
    pki.issue("ha384", "root384", "--san", HOME_AGENT, kind=pki.ECDSA_384)
    pki.write_bundle("ha384", "root384")
    pki.issue("ha-expired", "root", "--san", HOME_AGENT, kind=pki.ECDSA, days=(-20, -10))
    pki.issue("ha-revoked", "root", "--san", HOME_AGENT, kind=pki.ECDSA)
    for name in ("expired", "ha-expired", "ha-revoked"):
        pki.write_bundle(name, "root")
    pki.write_bundle("ha25519", "root25519")
    pki.write_bundle("ha", "root", more=[pki.revoke("revoked", "root")])
    pki.write_bundle("ecdsa", "root", more=[pki.revoke("ha-revoked", "root")])
    CHECKED.write_text(json.dumps([judged(*one) for one in weak()]), encoding="utf-8")


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    lab.charon_extra.update(mn=GIVE_UP_SOON, ha="half_open_timeout = 10")
    common.charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    checked(lab)
    kinds(lab)
    silent(lab)
    by_certificate(lab)
    by_secret(lab)
    common.stop_and_compare(lab)


def agent_with(lab, certificate=None, lines=(), keep_node=False):
    """The home agent anew: a certificate of its own, or secrets; lines: of the node's section. The node ends before it, and
    has an answer to its last update."""
    for name in ("ha",) if keep_node else ("mnd.mn", "ha"):
        lab.stop(name)
    right = {name: dict(node) for name, node in NODES.items()}
    lab.agent_extra = f"certificate = {pki.bundle(certificate)}" if certificate else ""
    NODES["mn"]["agent_lines"] = list(lines)
    if certificate:
        NODES["mn"].update(CERTIFICATE)
    lab.agent()
    for name, node in right.items():
        NODES[name].clear()
        NODES[name].update(node)
    common.agent_ready(lab)


def node_with(lab, certificate=None, extra="", **wrong):
    if "mnd.mn" in lab.processes:
        lab.stop("mnd.mn")
    if certificate:
        wrong = {"identity": HOME, "certificate": pki.bundle(certificate), **wrong}
    lab.node("mn", extra, wrong=wrong)


def weak():
    """(program, what, configuration, the place that is named, reason): what the configuration check of both refuses."""
    secret = OUT / "check.secret"
    node = f"home-address = {HOME}/64\nhome-agent = {HOME_AGENT}\nidentity = a@b\nsecret-file = {secret}\n"
    agent = f"address = {HOME_AGENT}\ninterface = home\nprefix = 2001:db8:1::/64\n"
    section = f"[node laptop]\nhome-address = {HOME}\nsecret-file = {secret}\n"
    for what, line, reason in (("3DES", "ike-proposals = 3des-sha1-modp2048", "3des.*64 bits"),
                               ("ESP without integrity", "esp-proposals = aes128", "no integrity"),
                               ("IKEv1 with a secret", "keying = ikev1", "main mode.*guess")):
        key = line.split(" ", maxsplit=1)[0]
        for program, text, number in (("mnd", node + line, 5), ("mip6-ha", agent + section + line, 7)):
            yield program, what, text, f"check.conf:{number}: {key}", reason
    group = f"group-secret-file = {secret}\n"
    for program, text, number in (("mnd", node + group, 5), ("mip6-ha", agent + group + section, 4)):
        yield (program, "a secret of a group", text, f"check.conf:{number}: group-secret-file",
               "could pose as another.* or as the home agent")


def judged(program, what, text, place, reason):
    """Before the boot: a process costs a tenth of what it costs in there, and these need nothing of it."""
    (OUT / "check.conf").write_text(text + "\n", encoding="utf-8")
    (OUT / "check.secret").touch(mode=0o600)
    (OUT / "check.secret").write_text(NODES["mn"]["secret"] + "\n", encoding="utf-8")
    result = subprocess.run([the_lab.program(program), "--config", str(OUT / "check.conf"), "--check"], capture_output=True,
                            text=True, check=False)
    right = result.returncode == 2 and place in result.stderr and bool(re.search(reason, result.stderr))
    return f"{program} --check refuses {what} with line and reason", right, result.stderr


def checked(lab):
    for what, right, told in json.loads(CHECKED.read_text(encoding="utf-8")):
        lab.check(what, right, told)


def kinds(lab):
    """What registers beside RSA and the default proposals."""
    for what, node, agent, extra in (
            ("Ed25519", "ed25519", "ha25519", ""),
            ("AES-GCM, ECP 384 and signatures of SHA-384 alone", "ecdsa384", "ha384",
             "ike-proposals = aes256gcm16-prfsha384-ecp384\nesp-proposals = aes256gcm16\nsignature-hash = sha384"),
            ("ECDSA P-256", "ecdsa", "ha", "")):
        agent_with(lab, agent, extra.splitlines())
        node_with(lab, node, extra)
        at = lab.wait_registered("mn", timeout=15)
        lab.check(f"{what} registers", at, lab.status("mn"))
        sa = (vici.ike_sas(lab.vici_socket("mn")) or [{}])[0]
        if extra:
            child = next(iter(sa.get("child-sas", {}).values()), {})
            lab.check(f"{what}: that is what charon negotiated", (sa.get("encr-alg"), sa.get("dh-group"),
                      child.get("encr-alg")) == ("AES_GCM_16", "ECP_384", "AES_GCM_16"), sa)


def silent(lab):
    """The home agent's charon hangs: what it leaves unanswered ends the connection, and then each attempt at another."""
    lab.processes["charon.ha"].send_signal(signal.SIGSTOP)
    vici.ask(lab.vici_socket("mn"), "rekey", {"child": "reg"})
    trouble.named(lab, r"does not answer IKE.*\(charon: .*peer not responding", "no answer to IKE", 25)
    told = json.loads(run(the_lab.program("mip6ctl"), "--socket", f"{RUN}/mn.control", "--json", "events"))["events"]
    steps = [one["text"] for one in told if one["kind"] == "keys"]
    lab.check("no answer to IKE: an event tells why the connection ended",
              "the IKE connection was closed: the home agent does not answer any more" in steps, steps)
    lab.processes["charon.ha"].send_signal(signal.SIGCONT)


def refused(lab, what, at_node, at_agent=None):
    """Both ends name it, the node in charon's words too; what is None is not looked at."""
    trouble.named(lab, rf"(?=.*\(charon: \S).*({at_node})", f"{what}, at the node", 25)
    lab.check(f"{what}: nothing is registered", not lab.registered_at("mn"), lab.status("mn"))
    if at_agent is None:
        return
    found = wait_for(lambda: (told := lab.agent_status().get("trouble")) and re.search(at_agent, told["what"]) and
                     told["remedy"], 5, 0.2)
    lab.check(f"{what}, at the home agent: status names it and its remedy", found, lab.agent_status().get("trouble"))


def by_certificate(lab):
    """With the home agent's certificate of the kinds."""
    node_with(lab, "ecdsa", "signature-hash = sha384")
    refused(lab, "a signature of SHA-256 where SHA-384 is wanted", "signature-hash", None)
    node_with(lab, "expired")
    refused(lab, "an expired certificate of the node", "our certificate.*has expired", "certificate of .*has expired")
    node_with(lab, "revoked")
    refused(lab, "a revoked certificate of the node", "wrong certificate or identity", "was revoked.*key compromise")
    node_with(lab, "ecdsa", extra="home-agent-identity = ha.example.org")
    refused(lab, "another name of the home agent", "wrong certificate or identity", "it calls us by another name")
    agent_with(lab, "ha-expired")
    node_with(lab, "ecdsa")
    refused(lab, "an expired certificate of the home agent", "certificate of home agent .*has expired", None)
    agent_with(lab, "ha-revoked", keep_node=True)
    common.link("w1", "down")  # at another address IKE is tried at once
    refused(lab, "a revoked certificate of the home agent", "certificate of home agent .* was revoked by its CA", None)
    agent_with(lab, "ha", keep_node=True)
    common.link("w1", "up")
    trouble.recovers(lab, "the right certificates", 60)
    common.check_events(lab, "certificate of home agent", "has expired", "renew it, or check the clock here",
                        "was revoked by its CA", "key compromise); have the CA issue another", "IKE established from")


def by_secret(lab):
    agent_with(lab)
    before, begin = common.charon_said("ha", "vici connection: mip6ha-laptop"), time.monotonic()
    failed = common.charon_said("ha", "N(AUTH_FAILED)")
    node_with(lab, extra="ike-proposals = aes256-sha512-ecp384")
    refused(lab, "no proposal for IKE in common", "none of our proposals for IKE.*NO_PROPOSAL_CHOSEN",
            "no proposal for IKE in common.*charon: received proposals unacceptable")
    node_with(lab, extra="esp-proposals = aes256gcm16")
    refused(lab, "no proposal for ESP in common", "none of our proposals for ESP", "no proposal for ESP in common")
    node_with(lab, identity="nobody@example.org")
    refused(lab, "a wrong identity", "wrong secret or identity.*AUTHENTICATION_FAILED",
            "nobody@example.org.*no node with this identity")
    node_with(lab, secret="not the secret of this node")
    refused(lab, "a wrong secret", "wrong secret or identity", "laptop@example.org.*MAC mismatched")
    loaded_again(lab, before, failed, begin)


def loaded_again(lab, before, failed, begin):
    """Perhaps others have unloaded the connection: once a minute at most, however often somebody fails."""
    socket = lab.vici_socket("mn")
    identities = {"local": {"auth": "psk", "id": NODES["mn"]["identity"]}, "remote": {"auth": "psk", "id": HOME_AGENT}}
    vici.ask(socket, "load-conn", {"probe": {"version": "2", "local_addrs": [lab.care_of("mn", "w1")],
                                             "remote_addrs": [HOME_AGENT], **identities, "children": {"reg": {}}}})
    for _ in range(4):  # with the node's wrong secret
        vici.ask(socket, "initiate", {"child": "reg", "ike": "probe", "timeout": "5000"})
    vici.ask(socket, "unload-conn", {"name": "probe"})
    failed = common.charon_said("ha", "N(AUTH_FAILED)") - failed
    loaded = common.charon_said("ha", "vici connection: mip6ha-laptop") - before
    minutes = int((time.monotonic() - begin) / 60)
    lab.check("after a failed IKE_AUTH the home agent loads the node's connection again", loaded >= 1, (loaded, failed))
    lab.check("once a minute at most, however many fail", failed >= 5 and loaded <= 1 + minutes, (loaded, failed, minutes))
