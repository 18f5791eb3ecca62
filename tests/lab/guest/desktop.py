"""A Debian desktop as the node (tests/system): units of systemd, connections of NetworkManager."""

import os
import shutil
import subprocess
from pathlib import Path

from lab import HOME_AGENT, NODES, OUT, RUN, Lab, run, wait_for

CONNECTIONS = Path("/etc/NetworkManager/system-connections")
HOOK = Path(__file__).parent.parent.parent.parent / "packaging/networkmanager/90-mnd"
CONTROL = "/run/mnd/control.sock"


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
        self.lab.charon("ha")
        self.lab.agent()
        self.up(*connections)
        shutil.copy(self.lab.secret("mn", NODES["mn"]), "/etc/mnd/secret")
        Path("/etc/mnd/mnd.conf").write_text(
            f"home-address = {NODES['mn']['home_address']}/64\nhome-agent = {HOME_AGENT}\n"
            f"identity = {NODES['mn']['identity']}\nsecret-file = secret\n", encoding="utf-8")
        run("systemctl", "start", "mnd.service")


def figure(text):
    with open(OUT / "figures", "a", encoding="utf-8") as file:
        file.write(text + "\n")


def hook(*arguments):
    """The hook as NetworkManager calls it: its status and what it said."""
    done = subprocess.run([HOOK, *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    return done.returncode, done.stderr
