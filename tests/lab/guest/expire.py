"""Fills the socket on which charon hears of the kernel's IPsec events, while charon is stopped: as after a storm of such
events, the next ones are lost. Each is a soft expiry of an SA that nobody uses. As a program: expire.py COUNT."""

import socket
import struct
import subprocess
import sys

NETLINK_XFRM, XFRM_MSG_EXPIRE, NLM_F_REQUEST = 6, 0x18, 1
SOURCE, DESTINATION, SPI, ESP = "2001:db8:99::1", "2001:db8:99::2", 0x6275, 50
STATE_SIZE = 224  # struct xfrm_usersa_info


def message(number):
    state = bytearray(STATE_SIZE)
    identity = socket.inet_pton(socket.AF_INET6, DESTINATION) + struct.pack("!I", SPI) + bytes([ESP, 0, 0, 0])
    state[56:80] = identity
    state[80:96] = socket.inet_pton(socket.AF_INET6, SOURCE)
    struct.pack_into("=H", state, 212, socket.AF_INET6)
    payload = bytes(state) + bytes(8)  # hard: no
    return struct.pack("=IHHII", 16 + len(payload), XFRM_MSG_EXPIRE, NLM_F_REQUEST, number, 0) + payload


def main(count):
    subprocess.run(["ip", "xfrm", "state", "add", "src", SOURCE, "dst", DESTINATION, "proto", "esp", "spi", hex(SPI),
                    "mode", "transport", "enc", "cbc(aes)", "0x" + "00" * 16, "auth", "hmac(sha256)", "0x" + "00" * 32],
                   check=True)
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
    for number in range(1, count + 1):
        kernel.send(message(number))
    subprocess.run(["ip", "xfrm", "state", "delete", "src", SOURCE, "dst", DESTINATION, "proto", "esp", "spi", hex(SPI)],
                   check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
