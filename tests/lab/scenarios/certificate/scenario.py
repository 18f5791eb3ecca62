"""Certificates instead of a secret, RSA 4096 from root over intermediate to node: registers and moves without an IKE
packet, a certificate of another home address or of a stranger's root is refused and named, stopping leaves neither key
nor CA in charon."""

import importlib.util
import subprocess
from pathlib import Path

import lab as the_lab
import leftovers
import moves
import vici
from lab import HOME_AGENT, NODES, RUN

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("trouble", HERE.parent / "trouble" / "scenario.py")
trouble = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trouble)
PKI = RUN / "pki"
# What a charon as Debian configures it loads, too.
PLUGINS = " pem pkcs1 pkcs8 x509 pubkey constraints revocation"


def scenario(lab):
    make_certificates(lab)
    the_lab.PLUGINS += PLUGINS
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


# --- making certificates ---
def bundle(name):
    return PKI / f"{name}.pem"


def pki(*arguments, data=None):
    result = subprocess.run(["pki", *map(str, arguments), "--outform", "pem"], input=data, capture_output=True, check=True)
    return result.stdout


def key(name, *kind):
    path = PKI / f"{name}.key"
    path.touch(mode=0o600)
    path.write_bytes(pki("--gen", *kind))
    return path


def issue(name, issuer, *options):
    public = pki("--pub", "--in", PKI / f"{name}.key")
    (PKI / f"{name}.crt").write_bytes(pki("--issue", "--cacert", PKI / f"{issuer}.crt", "--cakey", PKI / f"{issuer}.key",
                                          "--dn", f"CN={name}", *options, data=public))


def make_certificates(lab):
    """root -> intermediate -> nodes, root -> agent; a bundle for each."""
    PKI.mkdir()
    rsa, ecdsa = ("--type", "rsa", "--size", "4096"), ("--type", "ecdsa", "--size", "256")
    for name, kind in (("root", rsa), ("intermediate", rsa), ("mn", rsa), ("ha", rsa), ("mn2", ecdsa),
                       ("stranger", ecdsa), ("impostor", ecdsa)):
        key(name, *kind)
    for root in ("root", "stranger"):
        (PKI / f"{root}.crt").write_bytes(pki("--self", "--ca", "--in", PKI / f"{root}.key", "--dn", f"CN={root}"))
    issue("intermediate", "root", "--ca")
    for name in ("mn", "mn2"):
        issue(name, "intermediate", "--san", NODES[name]["home_address"])
    issue("ha", "root", "--san", HOME_AGENT)
    issue("impostor", "stranger", "--san", HOME_AGENT)
    for name, chain in (("mn", ("intermediate", "root")), ("mn2", ("intermediate", "root")), ("ha", ("root",)),
                        ("impostor", ("root",))):
        bundle(name).touch(mode=0o640)
        bundle(name).write_bytes(b"".join((PKI / file).read_bytes() for file in (f"{name}.key", f"{name}.crt",
                                                                              *(f"{c}.crt" for c in chain))))
    size = len((PKI / "mn.crt").read_bytes())
    lab.check("the certificates are made", size > 1000, size)


# --- refusals ---
def strangers_root(lab):
    """A home agent whose certificate comes from another root, also where charon trusts that for other connections."""
    lab.stop("ha")
    right, lab.agent_extra = lab.agent_extra, f"certificate = {bundle('impostor')}"
    lab.agent()
    lab.node("mn")
    trouble.named(lab, "home agent .* is not trusted", "home agent with a certificate from another root", 30)
    lab.stop("mnd.mn")
    vici.ask(lab.vici_socket("mn"), "load-authority", {"office": {"cacert": (PKI / "stranger.crt").read_text()}})
    lab.node("mn")
    trouble.named(lab, "wrong certificate or identity", "the same, from a root that charon trusts otherwise", 30)
    lab.check("the node is not registered there", not lab.registered_at("mn"), lab.status("mn"))
    vici.ask(lab.vici_socket("mn"), "unload-authority", {"name": "office"})
    lab.stop("ha")
    lab.agent_extra = right
    lab.agent()


def refused(lab):
    """A certificate that is valid, but for another home address."""
    before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.agent()
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
    trouble.recovers(lab, "the right certificate", 60)
    for name in ("mnd.mn", "ha"):
        lab.stop(name)
    for namespace in ("mn", "ha"):
        left = leftovers.difference(before[namespace], leftovers.snapshot(namespace, lab.vici_socket(namespace)))
        lab.check(f"after refusals and SIGTERM nothing is left in {namespace}", not left, "; ".join(left))
