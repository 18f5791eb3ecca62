"""Certificates for scenarios, made with strongSwan's pki by a scenario's prepare(), before the kernel boots: a process costs
a tenth of what it costs in there."""

import subprocess
import time

from lab import OUT

FOLDER = OUT / "pki"
# What a charon as Debian configures it loads, too.
PLUGINS = " pem pkcs1 pkcs8 x509 pubkey constraints revocation"
RSA_4096 = ("--type", "rsa", "--size", "4096")
RSA_2048 = ("--type", "rsa", "--size", "2048")
ECDSA = ("--type", "ecdsa", "--size", "256")
ECDSA_384 = ("--type", "ecdsa", "--size", "384")
ED25519 = ("--type", "ed25519")


def bundle(name):
    return FOLDER / f"{name}.pem"


def crt(name):
    return FOLDER / f"{name}.crt"


def pki(*arguments, data=None):
    result = subprocess.run(["pki", *map(str, arguments), "--outform", "pem"], input=data, capture_output=True,
                            check=False)
    if result.returncode != 0:
        raise RuntimeError(f"pki {' '.join(map(str, arguments))}: {result.stderr.decode()}")
    return result.stdout


def key(name, kind):
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.key"
    path.touch(mode=0o600)
    path.write_bytes(pki("--gen", *kind))


def root(name, kind):
    key(name, kind)
    crt(name).write_bytes(pki("--self", "--ca", "--in", FOLDER / f"{name}.key", "--dn", f"CN={name}"))


def issue(name, issuer, *options, kind=None, days=None):
    """A certificate of `name`; days: (from, to), counted from now."""
    if kind:
        key(name, kind)
    if days:
        for option, day in zip(("--not-before", "--not-after"), days):
            options += (option, time.strftime("%d.%m.%y %T", time.gmtime(time.time() + 86400 * day)))
    public = pki("--pub", "--in", FOLDER / f"{name}.key")
    crt(name).write_bytes(pki("--issue", "--cacert", crt(issuer), "--cakey", FOLDER / f"{issuer}.key", "--dn",
                              f"CN={name}", *options, data=public))


def revoke(name, issuer):
    """A CRL of `issuer` with the certificate `name`."""
    path = FOLDER / f"{issuer}.crl"
    path.write_bytes(pki("--signcrl", "--cacert", crt(issuer), "--cakey", FOLDER / f"{issuer}.key", "--reason",
                         "key-compromise", "--cert", crt(name)))
    return path


def write_bundle(name, *chain, more=()):
    """Key and certificate of `name`, the CAs of `chain`, then further files."""
    files = [FOLDER / f"{name}.key", crt(name), *map(crt, chain), *more]
    bundle(name).touch(mode=0o640)
    bundle(name).write_bytes(b"".join(file.read_bytes() for file in files))
    return bundle(name)


def issue_bundle(name, *addresses):
    """Key, certificate and the CA `root` of a node or home agent that has these addresses; ECDSA, which is quick."""
    issue(name, "root", *(word for one in addresses for word in ("--san", one)), kind=ECDSA)
    return write_bundle(name, "root")
