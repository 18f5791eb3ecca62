"""Movement that costs one netlink message, where setting a link down costs a tenth of a second: both links stay as they are,
and the metric of a default route, which NetworkManager sets, tells the node which one to use. That is so without `prefer`."""

import os
import re
import select
import socket
import subprocess
import threading

from lab import CORRESPONDENT, HOME_ADDRESS, inside, run

BETTER, GOOD = 100, 600  # both before the 1024 of router advertisements


class Roads:
    """The node has default routes by both links; that by w2 is always good, that by w1 better or not there at all."""

    def __init__(self):
        self.gateways = {interface: re.search(r"^default via (\S+)", run(
            "ip", "-n", "mn", "-6", "route", "show", "default", "dev", interface), re.MULTILINE)[1]
            for interface in ("w1", "w2")}
        self.ip = inside("mn", lambda: subprocess.Popen(["ip", "-6", "-batch", "-"], stdin=subprocess.PIPE, text=True))
        self.at = "w1"
        self._route("add", "w1", BETTER)
        self._route("add", "w2", GOOD)

    def prefer(self, interface):
        if interface != self.at:
            self._route("add" if interface == "w1" else "del", "w1", BETTER)
        self.at = interface

    def change(self):
        self.prefer("w2" if self.at == "w1" else "w1")

    def link_was_down(self):
        """w1: its routes went with it."""
        self._route("add", "w1", BETTER)
        self.at = "w1"

    def close(self):
        """As it was before."""
        self._route("del", "w2", GOOD)
        if self.at == "w1":
            self._route("del", "w1", BETTER)
        self.ip.stdin.close()
        return self.ip.wait()

    def _route(self, what, interface, metric):
        self.ip.stdin.write(f"route {what} default via {self.gateways[interface]} dev {interface} metric {metric} "
                            "proto static\n")
        self.ip.stdin.flush()


class Session:
    """A TCP connection from the home address to the correspondent, which echoes: no process, hardly a packet."""

    def __init__(self, port=7007):
        listening = inside("cn", lambda: socket.create_server((CORRESPONDENT, port), family=socket.AF_INET6))
        threading.Thread(target=self._echo, args=(listening,), daemon=True).start()
        self.client = inside("mn", lambda: socket.create_connection((CORRESPONDENT, port), 20, (HOME_ADDRESS, 0)))
        self.client.setblocking(False)
        self.sent = self.received = 0

    @staticmethod
    def _echo(listening):
        with listening.accept()[0] as peer:
            while data := peer.recv(4096):
                peer.sendall(data)

    def say(self):
        self.sent += self.client.send(os.urandom(1))

    def heard(self, timeout):
        """Whether all that was said has come back, within so many seconds without a word."""
        while self.received < self.sent and select.select([self.client], [], [], timeout)[0]:
            data = self.client.recv(4096)
            if not data:
                return False
            self.received += len(data)
        return self.received == self.sent
