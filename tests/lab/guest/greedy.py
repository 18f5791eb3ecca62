"""Clients who ask as fast as they are answered, for ever: greedy.py PLACE CLIENTS REQUEST. PLACE: a Unix socket, with many
requests a connection, or a port of ::1, with one. SIGTERM: the end; prints how many bytes of answers came."""

import select
import signal
import socket
import sys

ROW = 20  # requests that are sent at once where a connection takes many


def connect(place):
    one = socket.socket(socket.AF_INET6 if place.isdigit() else socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect(("::1", int(place)) if place.isdigit() else place)
    return one


def main(place, count, request):
    ending = False

    def on_signal(*_):
        nonlocal ending
        ending = True
    signal.signal(signal.SIGTERM, on_signal)
    many = not place.isdigit()
    line = (request + "\n").encode() * ROW if many else request.encode().decode("unicode_escape").encode()
    outstanding, received = {}, 0
    while not ending:
        while len(outstanding) < int(count):
            one = connect(place)
            one.sendall(line)
            outstanding[one] = ROW
        for one in select.select(list(outstanding), [], [], 0.1)[0]:
            try:
                data = one.recv(1 << 16)
                outstanding[one] -= data.count(b"\n")
                if many and outstanding[one] == 0:
                    one.sendall(line)
                    outstanding[one] = ROW
            except OSError:
                data = b""
            received += len(data)
            if not data:
                del outstanding[one]
                one.close()
    print(received)


if __name__ == "__main__":
    main(*sys.argv[1:])
