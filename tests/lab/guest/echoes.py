"""Echo requests that cost no process: ping(8) is a tenth of a second of this kernel's time."""

import os
import select
import socket
import struct
import time

from lab import PATIENCE_FACTOR, inside

REQUEST, REPLY = 128, 129


def answered(ways, count=3, pause=0.1):
    """How many of `count` requests were answered, for each way: (namespace, target) or (namespace, target, source). All ways at
    the same time."""
    base = int.from_bytes(os.urandom(2), "big") & 0xFF00
    sockets = [_socket(*way) for way in ways]
    found = [set() for _ in ways]
    for number in range(count):
        for index, (one, way) in enumerate(zip(sockets, ways)):
            try:
                one.sendto(struct.pack("!BBHHH", REQUEST, 0, 0, base + index, number), (way[1], 0))
            except OSError:
                pass  # no route: that is one without an answer
        _replies(sockets, base, found, count, pause)
    _replies(sockets, base, found, count, PATIENCE_FACTOR)
    for one in sockets:
        one.close()
    return tuple(len(numbers) for numbers in found)


def _socket(namespace, _target, source=None):
    made = inside(namespace, lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
    if source:
        made.bind((source, 0))
    return made


def _replies(sockets, base, found, count, timeout):
    """Until all have come, or the time is over."""
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0 and any(len(numbers) < count for numbers in found):
        for one in select.select(sockets, [], [], left)[0]:
            data, index = one.recv(2048), sockets.index(one)
            if len(data) >= 8 and data[0] == REPLY and data[4:6] == struct.pack("!H", base + index):
                found[index].add(data[7])
