"""A Debian as the node (tests/system): units of systemd, connections of NetworkManager, resolvers of names."""

import os
import shutil
import subprocess
from pathlib import Path

from lab import HOME_AGENT, NODES, OUT, ROOT, RUN, Lab, run, wait_for

CONNECTIONS = Path("/etc/NetworkManager/system-connections")
HOOK = ROOT / "packaging/networkmanager/90-mnd"
CONTROL = "/run/mnd/control.sock"
# Resolvers of the home network and of the access network of w1, and the one name that each knows.
AT_HOME, NAS = "2001:db8:1::53", ("nas.home.example", "2001:db8:1::9")
OF_W1, PORTAL = "2001:db8:a1::1", ("portal.access.example", "2001:db8:a1::9")


class Desktop:
    def __init__(self, lab: Lab):
        self.lab = lab
        (RUN / "mn.control").symlink_to(CONTROL)

    def connection(self, name, interface, user=""):
        """A profile as a user would have it; user: its section [user]."""
        path = CONNECTIONS / f"{name}.nmconnection"
        path.touch(mode=0o600)
        path.write_text(f"[connection]\nid={name}\ntype=ethernet\ninterface-name={interface}\nautoconnect=false\n"
                        f"[ipv4]\nmethod=disabled\n[ipv6]\nmethod=auto\naddr-gen-mode=0\n[user]\n{user}\n", encoding="utf-8")

    @staticmethod
    def up(*connections):
        run("nmcli", "connection", "reload")
        for name in connections:
            # udev has to tell it of the device first
            wait_for(lambda n=name: "activated" in run("nmcli", "--wait", "60", "connection", "up", n, check=False), 15, 0.3)

    def begin(self, *connections):
        """The home agent with its charon, these connections up, mnd.service."""
        self.home_agent()
        self.up(*connections)
        self.mnd()

    def home_agent(self):
        self.lab.charon("ha")
        self.lab.agent()

    def change(self, name, interface, user):
        """Another section [user] of a profile, in effect from now on."""
        self.connection(name, interface, user)
        self.up(name)

    def mnd(self):
        """mnd.service with the usual configuration."""
        shutil.copy(self.lab.secret("mn", NODES["mn"]), "/etc/mnd/secret")
        self.configure()
        run("systemctl", "start", "mnd.service")

    @staticmethod
    def configure(more=""):
        """Beside /etc/mnd/secret."""
        Path("/etc/mnd/mnd.conf").write_text(
            f"home-address = {NODES['mn']['home_address']}/64\nhome-agent = {HOME_AGENT}\n"
            f"identity = {NODES['mn']['identity']}\nsecret-file = secret\n{more}", encoding="utf-8")

    def resolvers(self):
        run("ip", "-n", "hh", "address", "add", f"{AT_HOME}/64", "dev", "eth0", "nodad")
        self._resolver("hh", *NAS)
        self._resolver("ar1", *PORTAL)

    def named(self, what, *resolvers):
        for resolver, (name, address) in resolvers:
            found = wait_for(lambda r=resolver, n=name: resolves(r, n), 10, 0.2)
            self.lab.check(f"{what}: {resolver} resolves {name}", found == address, found)

    def _resolver(self, namespace, name, address):
        """One that knows a single name, and answers whoever is on its links alone (dnsmasq --local-service)."""
        self.lab.start(f"dnsmasq.{namespace}", namespace, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                       "--no-resolv", "--no-hosts", "--local-service", "--user=root", "--pid-file", "--log-facility=-",
                       f"--host-record={name},{address}")


def resolves(resolver, name):
    """The address that the C library gives for a name when this is the resolver; "" if none."""
    Path("/etc/resolv.conf").write_text(f"nameserver {resolver}\noptions timeout:2 attempts:3\n", encoding="utf-8")
    return run("getent", "ahostsv6", name, check=False).partition(" ")[0]


def figure(text):
    with open(OUT / "figures", "a", encoding="utf-8") as file:
        file.write(text + "\n")


def hook(*arguments):
    """The hook as NetworkManager calls it: its status and what it said."""
    done = subprocess.run([HOOK, *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    return done.returncode, done.stderr
