"""TCP that costs no process: what a connection chooses, whom its peer sees, whether what is sent arrives."""

import hashlib
import os
import socket
import threading
from contextlib import closing

from lab import PATIENCE_FACTOR, inside

BYTES = 200_000
TIMEOUT = 5 * PATIENCE_FACTOR  # seconds without a byte


class Stream:
    """A connection from `here` to `target`, an address of namespace `there`. peer: the source as the other end sees it."""

    def __init__(self, here, there, target, source=None):
        with closing(inside(there, lambda: socket.create_server((target, 0), family=socket.AF_INET6))) as server:
            server.settimeout(TIMEOUT)
            self.near = inside(here, lambda: socket.socket(socket.AF_INET6))
            self.near.settimeout(TIMEOUT)
            if source:
                self.near.bind((source, 0))
            self.near.connect(server.getsockname()[:2])
            self.far, (self.peer, *_) = server.accept()
        self.far.settimeout(TIMEOUT)

    def carries(self):
        """(from here, to here): whether BYTES arrived, as they were sent."""
        return _sent(self.near, self.far), _sent(self.far, self.near)

    def close(self):
        self.near.close()
        self.far.close()


def _sent(one, other):
    data = os.urandom(1 << 10) * (BYTES >> 10)
    digest, left = hashlib.sha256(), len(data)
    sender = threading.Thread(target=_send, args=(one, data))
    sender.start()
    try:
        while left:
            part = other.recv(min(left, 1 << 16))
            if not part:
                break
            digest.update(part)
            left -= len(part)
    except OSError:
        pass
    sender.join()
    return left == 0 and digest.digest() == hashlib.sha256(data).digest()


def _send(one, data):
    try:
        one.sendall(data)
    except OSError:
        pass


def attempt(*way):
    """(peer, carries from here, carries to here); None if there is no connection."""
    try:
        with closing(Stream(*way)) as stream:
            return (stream.peer, *stream.carries())
    except OSError:
        return None


def source(namespace, target):
    """The address that an unbound connection to `target` gets."""
    made = inside(namespace, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    with closing(made):
        try:
            made.connect((target, 9))
        except OSError as error:
            return str(error)
        return made.getsockname()[0]
