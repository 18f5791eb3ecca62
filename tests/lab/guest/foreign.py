"""What the administrator has in charon beside us: a connection with a tunnel of its own, loaded by swanctl from files, a
secret, and traffic through it."""

import contextlib
import os
import subprocess

import vici
from lab import RUN, inside, run, wait_for
from traffic import Pings

NEAR, FAR = "2001:db8:77::1", "2001:db8:78::1"  # ends of the tunnel's inside
GATEWAY, NEXT_HOP, BACK = "2001:db8:f3::2", "2001:db8:a2::1", "2001:db8:f3::1"
NAME = "office"


VPN_RULES = (("not", "fwmark", "0xca6c", "lookup", "51820"), ("lookup", "main", "suppress_prefixlength", "0"))


@contextlib.contextmanager
def vpn_of_everything():
    """As wg-quick makes it for a VPN that takes everything: with an address and the best default route, which would make a
    care-of address if it were no tunnel. Its device vpn0 loses what it gets: nobody is at the other end."""
    run("ip", "-n", "mn", "link", "add", "vpn0", "type", "ip6tnl", "mode", "any", "local", "::1", "remote", "100::1")
    run("ip", "-n", "mn", "link", "set", "vpn0", "up")
    run("ip", "-n", "mn", "address", "add", "2001:db8:f9::2/64", "dev", "vpn0", "nodad")
    run("ip", "-n", "mn", "-6", "route", "add", "default", "dev", "vpn0", "metric", "1")
    run("ip", "-n", "mn", "-6", "route", "add", "default", "dev", "vpn0", "table", "51820")
    for rule in VPN_RULES:
        run("ip", "-n", "mn", "-6", "rule", "add", *rule)
    yield
    for rule in VPN_RULES:
        run("ip", "-n", "mn", "-6", "rule", "del", *rule)
    run("ip", "-n", "mn", "link", "del", "vpn0")


class Foreign:
    """Between the node's second link and the home agent's machine, which has it under another address."""

    def __init__(self, lab):
        self.lab = lab
        near = lab.care_of("mn", "w2")
        run("ip", "-n", "mn", "addr", "add", f"{NEAR}/128", "dev", "lo")
        run("ip", "-n", "ha", "addr", "add", f"{FAR}/128", "dev", "lo")
        for target in (GATEWAY, FAR):
            run("ip", "-n", "mn", "route", "add", f"{target}/128", "via", NEXT_HOP, "dev", "w2")
        run("ip", "-n", "ha", "route", "add", f"{NEAR}/128", "via", BACK)
        self.write("mn", near, GATEWAY, "near@office", "far@office", NEAR, FAR)
        self.write("ha", GATEWAY, near, "far@office", "near@office", FAR, NEAR)

    def write(self, namespace, local, remote, own, peer, inside, beyond):
        folder = RUN / f"{namespace}.swanctl"
        folder.mkdir(mode=0o700)
        (folder / "swanctl.conf").write_text(f"""connections {{ {NAME} {{
  version = 2
  mobike = no
  local_addrs = {local}
  remote_addrs = {remote}
  proposals = aes128-sha256-x25519
  local {{ auth = psk
    id = {own} }}
  remote {{ auth = psk
    id = {peer} }}
  children {{ net {{ local_ts = {inside}/128
    remote_ts = {beyond}/128
    esp_proposals = aes128-sha256 }} }}
}} }}
secrets {{ ike-{NAME} {{
  id-1 = {own}
  id-2 = {peer}
  secret = "the administrator's own" }} }}
""", encoding="utf-8")

    def load_all(self, namespace):
        """What an administrator does after each change; it unloads what is not in the files."""
        run("env", f"SWANCTL_DIR={RUN}/{namespace}.swanctl", f"STRONGSWAN_CONF={RUN}/{namespace}.strongswan.conf", "swanctl",
            "--load-all", "--uri", f"unix://{self.lab.vici_socket(namespace)}")

    def start(self):
        for namespace in ("mn", "ha"):
            self.load_all(namespace)
        vici.ask(self.lab.vici_socket("mn"), "initiate", {"child": "net", "ike": NAME, "timeout": "5000"})
        log = open(RUN / "office.ping.log", "wb")
        self.pings = inside("mn", lambda: subprocess.Popen(
            ["ping", "-n", "-D", "-i", "0.1", "-I", NEAR, FAR], stdout=log, stderr=log, env={**os.environ, "LC_ALL": "C"}))
        return wait_for(lambda: b"icmp_seq" in (RUN / "office.ping.log").read_bytes(), 5)

    def present(self, namespace):
        """Theirs, as charon has it."""
        return [line for line in vici.loaded(self.lab.vici_socket(namespace)) if NAME in line]

    def sas(self, namespace):
        return [sa["initiator-spi"] for sa in vici.ike_sas(self.lab.vici_socket(namespace)) if sa["connection"] == NAME]

    def stop(self):
        """(pings sent, pings lost)"""
        self.pings.send_signal(2)
        self.pings.wait(5)
        pings = Pings((RUN / "office.ping.log").read_text(encoding="utf-8"))
        return pings.transmitted, (pings.transmitted or 0) - len({number for _, _, number in pings.replies})
