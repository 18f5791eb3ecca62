"""Certificates for scenarios, of charon's own pki: quick ones (ECDSA), each node's from one root."""

import subprocess

from lab import RUN

PLUGINS = " pem pkcs1 pkcs8 x509 pubkey constraints revocation"  # what charon needs for them beside lab.PLUGINS
PKI = RUN / "quick-pki"


def _pki(*arguments, data=None):
    return subprocess.run(["pki", *map(str, arguments), "--outform", "pem"], input=data, capture_output=True,
                          check=True).stdout


def _key(name):
    PKI.mkdir(exist_ok=True)
    path = PKI / f"{name}.key"
    path.touch(mode=0o600)
    path.write_bytes(_pki("--gen", "--type", "ecdsa", "--size", "256"))
    return path


def root(name="root"):
    (PKI / f"{name}.crt").write_bytes(_pki("--self", "--ca", "--in", _key(name), "--dn", f"CN={name}"))


def bundle(name, *alternative_names, issuer="root"):
    """The file that `certificate = FILE` wants: key, certificate, root."""
    public = _pki("--pub", "--in", _key(name))
    names = [word for one in alternative_names for word in ("--san", one)]
    (PKI / f"{name}.crt").write_bytes(_pki("--issue", "--cacert", PKI / f"{issuer}.crt", "--cakey",
                                           PKI / f"{issuer}.key", "--dn", f"CN={name}", *names, data=public))
    path = PKI / f"{name}.pem"
    path.touch(mode=0o640)
    path.write_bytes(b"".join((PKI / file).read_bytes() for file in (f"{name}.key", f"{name}.crt", f"{issuer}.crt")))
    return path
