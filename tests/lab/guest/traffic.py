"""Traffic that has to survive the moves: a TCP transfer in both directions with checksums, and pings.

usage: traffic.py serve|connect RESULT STOP [SOURCE TARGET]: one end of the transfer. It sends until the file STOP
exists, then its checksum; it ends when the other end's checksum has come, and writes RESULT (JSON)."""

import hashlib
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from pathlib import Path

PORT, CHUNK, PAUSE = 5001, 1200, 0.0125


def _send(connection, stop, result):
    digest, counter, sent = hashlib.sha256(), 0, 0
    while not os.path.exists(stop):
        block = hashlib.sha256(struct.pack("!Q", counter)).digest() * (CHUNK // 32)
        counter += 1
        connection.sendall(struct.pack("!H", len(block)) + block)
        digest.update(block)
        sent += len(block)
        time.sleep(PAUSE)
    connection.sendall(struct.pack("!H", 0) + digest.digest())
    connection.shutdown(socket.SHUT_WR)
    result["sent"] = sent


def _receive(connection, result):
    digest, received = hashlib.sha256(), 0
    stream = connection.makefile("rb")
    while True:
        head = stream.read(2)
        if len(head) < 2:
            raise ConnectionError("the stream ended without its checksum")
        (length,) = struct.unpack("!H", head)
        if length == 0:
            break
        block = stream.read(length)
        digest.update(block)
        received += len(block)
    result["received"] = received
    result["checksum"] = stream.read(32) == digest.digest()


def transfer(connection, stop, path):
    result, errors = {}, []

    def guarded(function, *arguments):
        try:
            function(connection, *arguments, result)
        except OSError as error:
            errors.append(f"{function.__name__}: {error}")

    threads = [threading.Thread(target=guarded, args=(_send, stop)), threading.Thread(target=guarded, args=(_receive,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result["errors"] = errors
    Path(path + ".new").write_text(json.dumps(result), encoding="utf-8")
    os.rename(path + ".new", path)


def connect(source, target, patience=10):
    """Who serves may not listen yet."""
    end = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection((target, PORT), timeout=patience, source_address=(source, 0))
        except ConnectionRefusedError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)


def main(role, path, stop, source=None, target=None):
    if role == "serve":
        server = socket.create_server(("::", PORT), family=socket.AF_INET6)
        connection, _ = server.accept()
    else:
        connection = connect(source, target)
        connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transfer(connection, stop, path)


def tcp_counters(text):
    """Of /proc/net/snmp: connections of this namespace that were reset."""
    names, values = [line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["EstabResets"])


class Pings:
    """What `ping -D` wrote: when each reply came, and which pings had none."""

    def __init__(self, text):
        self.replies = []  # (received, sent, number)
        for match in re.finditer(r"\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) .*time=([\d.]+) ms(.*)", text):
            if "DUP" not in match[4]:
                received = float(match[1])
                self.replies.append((received, received - float(match[3]) / 1000, int(match[2])))
        sent = re.search(r"(\d+) packets transmitted", text)
        self.transmitted = int(sent[1]) if sent else None
        self.unwrap()

    def unwrap(self):
        """icmp_seq has 16 bits; a run of more than 65535 pings goes on counting."""
        turns, last, found = 0, 0, []
        for received, sent, number in self.replies:
            if number < last - 32768:
                turns += 65536
            last = number
            found.append((received, sent, number + turns))
        self.replies = sorted(found)

    def longest_gap(self, begin, end):
        """The longest time without a reply between the two, in ms."""
        times = [begin] + [r for r, _, _ in self.replies if begin < r < end] + [end]
        return max(b - a for a, b in zip(times, times[1:])) * 1000

    def lost(self, until):
        """Times at which the pings without reply were sent, up to `until`."""
        by_number = sorted((number, sent) for _, sent, number in self.replies)
        found = []
        for (a, sent_a), (b, sent_b) in zip(by_number, by_number[1:]):
            found += [sent_a + (sent_b - sent_a) * (n - a) / (b - a) for n in range(a + 1, b)]
        if by_number and self.transmitted and len(by_number) > 1:
            (first, sent_first), (last, sent_last) = by_number[0], by_number[-1]
            pause = (sent_last - sent_first) / (last - first)
            found += [sent_last + pause * k for k in range(1, self.transmitted - last + 1)]
        return [t for t in found if t < until]


if __name__ == "__main__":
    main(*sys.argv[1:])
