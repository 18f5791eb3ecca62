"""Packets that nobody but the lab would send: forged Mobility Header messages and tunnel packets, over a raw socket of
a chosen namespace."""

import ipaddress
import socket
import struct
import time

from lab import inside

MOBILITY, DSTOPTS, ROUTING, IPV6, ICMPV6 = 135, 60, 43, 41, 58
NO_NEXT_HEADER = 59
UPDATE, ACKNOWLEDGEMENT, BINDING_ERROR = 5, 6, 7


def packed(address):
    return ipaddress.IPv6Address(address).packed


def checksum(source, destination, protocol, data):
    total = 0
    pseudo = packed(source) + packed(destination) + struct.pack("!IHBB", len(data), 0, 0, protocol) + data
    for (word,) in struct.iter_unpack("!H", pseudo + b"\0" * (len(pseudo) % 2)):
        total += word
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mobility(source, destination, kind, body, length=None):
    """A Mobility Header message with its checksum; `length` overrides the header's own length field."""
    assert (len(body) + 6) % 8 == 0
    units = (len(body) + 6) // 8 - 1 if length is None else length
    message = struct.pack("!BBBBH", NO_NEXT_HEADER, units, kind, 0, 0) + body
    value = checksum(source, destination, MOBILITY, message)
    return message[:4] + struct.pack("!H", value) + message[6:]


def update(home_address, agent, sequence, care_of, lifetime=100):
    """A Binding Update (A, H, K) with an alternate care-of address option, which begins at 8n+6."""
    body = struct.pack("!HHH", sequence, 0xD000, lifetime) + b"\1\0" + b"\3\x10" + packed(care_of)
    return mobility(home_address, agent, UPDATE, body)


def acknowledgement(agent, home_address, sequence, status=0):
    body = struct.pack("!BBHH", status, 0x80, sequence, 100) + b"\1\2\0\0"
    return mobility(agent, home_address, ACKNOWLEDGEMENT, body)


def ipv6(source, destination, protocol, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + packed(source) + packed(destination) + payload


def home_address_option(home_address, inner_protocol):
    """A destination options header of 24 bytes; the option begins at 8n+6 (RFC 6275, 6.3)."""
    return bytes([inner_protocol, 2, 1, 2, 0, 0, 201, 16]) + packed(home_address)


def routing_header(home_address, inner_protocol):
    return bytes([inner_protocol, 2, 2, 1, 0, 0, 0, 0]) + packed(home_address)


def echo(source, destination, number=1):
    data = struct.pack("!BBHHH", 128, 0, 0, 0x4D49, number) + b"forged"
    return data[:2] + struct.pack("!H", checksum(source, destination, ICMPV6, data)) + data[4:]


def send_raw(packet, destination):
    """The packet, header and all, from this namespace."""
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.sendto(packet, (destination, 0))
    raw.close()


def packets_of(form, source, home_address, agent, sequence, care_of):
    if form == "update":  # from the home address itself, without home address option
        return ipv6(home_address, agent, MOBILITY, update(home_address, agent, sequence, care_of)), agent
    if form == "update-option":  # with home address option, without ESP
        message = update(home_address, agent, sequence, care_of)
        return ipv6(source, agent, DSTOPTS, home_address_option(home_address, MOBILITY) + message), agent
    if form == "update-zero":  # a de-registration
        message = mobility(home_address, agent, UPDATE, struct.pack("!HHH", sequence, 0xC000, 0) + b"\1\2\0\0")
        return ipv6(home_address, agent, MOBILITY, message), agent
    if form == "acknowledgement":  # to the node, through its care-of address
        message = acknowledgement(agent, home_address, sequence, 133)
        return ipv6(agent, care_of, ROUTING, routing_header(home_address, MOBILITY) + message), care_of
    if form == "malformed":  # an acknowledgement whose option is longer than the message; the kernel lets it through
        body = struct.pack("!BBHH", 0, 0, sequence, 100) + b"\3\xc8\0\0"
        return ipv6(source, care_of, MOBILITY, mobility(source, care_of, ACKNOWLEDGEMENT, body)), care_of
    if form == "malformed-update":
        body = struct.pack("!HHH", sequence, 0xD000, 100) + b"\3\xc8\0\0"
        return ipv6(source, care_of, MOBILITY, mobility(source, care_of, UPDATE, body)), care_of
    if form == "binding-error":  # "I have no binding for your home address", to the node
        body = b"\1\0" + packed(home_address)
        return ipv6(source, care_of, MOBILITY, mobility(source, care_of, BINDING_ERROR, body)), care_of
    if form == "unknown-type":  # a message of a type that `sequence` names
        return ipv6(source, agent, MOBILITY, mobility(source, agent, sequence, b"\1\0")), agent
    if form == "tunnel":  # into the tunnel's other end, from a wrong outer address
        inner = ipv6(home_address, "2001:db8:f4::2", ICMPV6, echo(home_address, "2001:db8:f4::2"))
        return ipv6(source, agent, IPV6, inner), agent
    if form == "tunnel-to-node":
        inner = ipv6("2001:db8:f4::2", home_address, ICMPV6, echo("2001:db8:f4::2", home_address))
        return ipv6(source, care_of, IPV6, inner), care_of
    raise ValueError(form)


def forged(namespace, form, *, source, home_address, agent, sequence, care_of, count=1, pause=0.02):
    """Sends `count` packets of this form from the namespace."""
    def send():
        for index in range(count):
            send_raw(*packets_of(form, source, home_address, agent, (sequence + index) & 0xFFFF, care_of))
            time.sleep(pause)
    inside(namespace, send)
