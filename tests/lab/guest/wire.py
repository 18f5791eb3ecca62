"""Reads what tcpdump wrote and says what each packet is: mobility messages, IKE, netlink notifications."""

import ipaddress
import struct
from collections import namedtuple

HOP_BY_HOP, TCP, UDP, IPV6, ROUTING, FRAGMENT, ESP, AH, ICMP, DSTOPTS, MOBILITY = 0, 6, 17, 41, 43, 44, 50, 51, 58, 60, 135
HOME_ADDRESS_OPTION = 201
SKIPPED = {HOP_BY_HOP, ROUTING, FRAGMENT, DSTOPTS, AH}

# time: seconds since 1970 by the kernel. source, destination: of the IPv6 header. protocol: where the chain of next
# headers ends. option: home address option's address; routing: type 2 routing header's address; clear: types of
# mobility messages that are not under ESP, also inside a tunnel.
Packet = namedtuple("Packet", "time link source destination protocol option routing clear ports payload spi")


def records(path):
    """(time, bytes) of each record of a pcap file; a cut last record is ignored."""
    with open(path, "rb") as file:
        head = file.read(24)
        if len(head) < 24:
            return
        magic = struct.unpack("<I", head[:4])[0]
        order = "<" if magic in (0xA1B2C3D4, 0xA1B23C4D) else ">"
        divisor = 1e9 if struct.unpack(order + "I", head[:4])[0] == 0xA1B23C4D else 1e6
        while True:
            header = file.read(16)
            if len(header) < 16:
                return
            seconds, fraction, captured, _ = struct.unpack(order + "IIII", header)
            data = file.read(captured)
            if len(data) < captured:
                return
            yield seconds + fraction / divisor, data


def address(data):
    return str(ipaddress.IPv6Address(data))


def _home_address_option(data):
    at = 2
    while at + 1 < len(data):
        if data[at] == 0:
            at += 1
            continue
        if data[at] == HOME_ADDRESS_OPTION and at + 18 <= len(data):
            return address(data[at + 2:at + 18])
        at += 2 + data[at + 1]
    return None


def parse(time, link, data):
    """An Ethernet frame as Packet, None if it is not IPv6 or too short."""
    if len(data) < 54 or data[12:14] != b"\x86\xdd":
        return None
    source, destination = address(data[22:38]), address(data[38:54])
    protocol, at = data[20], 54
    option = routing = ports = spi = None
    clear, payload = [], b""
    while at + 8 <= len(data):
        if protocol == MOBILITY:
            clear.append(data[at + 2])
            protocol_after = data[at]
            if protocol_after not in SKIPPED | {MOBILITY}:
                break
            protocol, at = protocol_after, at + 8 * (1 + data[at + 1])
            continue
        if protocol == IPV6:  # a tunnel: what is inside counts as in the clear, too
            inner = parse(time, link, data[:12] + b"\x86\xdd" + data[at:])
            if inner:
                clear += inner.clear
            break
        if protocol not in SKIPPED:
            if protocol == UDP:
                ports = struct.unpack_from("!HH", data, at)
                payload = data[at + 8:]
            elif protocol == ICMP:
                payload = data[at:]
            elif protocol == TCP:
                ports = struct.unpack_from("!HH", data, at)
                payload = data[at:]
            elif protocol == ESP:
                spi = struct.unpack_from("!I", data, at)[0]
                payload = data[at:]
            break
        length = 8 if protocol == FRAGMENT else (data[at + 1] + 2) * 4 if protocol == AH else 8 * (1 + data[at + 1])
        if protocol == DSTOPTS:
            option = _home_address_option(data[at:at + length]) or option
        elif protocol == ROUTING and data[at + 2] == 2 and at + 24 <= len(data):
            routing = address(data[at + 8:at + 24])
        protocol, at = data[at], at + length
    return Packet(time, link, source, destination, protocol, option, routing, clear, ports, payload, spi)


def packets(captures):
    """All packets of {link name: path}, by time."""
    found = [parse(time, link, data) for link, path in captures.items() for time, data in records(path)]
    return sorted((p for p in found if p), key=lambda p: p.time)


def is_update(packet, home_address, agent):
    """A protected Binding Update: away under ESP with home address option, at home plain ESP."""
    if packet.protocol != ESP or packet.destination != agent:
        return False
    return packet.option == home_address or (packet.source == home_address and packet.link == "home")


def is_acknowledgement(packet, home_address, agent):
    """A protected acknowledgement: away under ESP with type 2 routing header, at home plain ESP."""
    if packet.protocol != ESP or packet.source != agent:
        return False
    return packet.routing == home_address or (packet.destination == home_address and packet.link == "home")


def is_ike(packet):
    """UDP 500, or 4500 with the four zero bytes that tell IKE from ESP, or a NAT keep-alive: all of it counts."""
    return packet.ports is not None and packet.protocol == UDP and bool({500, 4500} & set(packet.ports))


IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = range(34, 38)


def ike_exchange(packet):
    """The exchange type of an IKE packet (RFC 7296, 3.1), None if it is too short for one."""
    at = 4 if 4500 in packet.ports else 0
    return packet.payload[at + 18] if len(packet.payload) > at + 18 else None


FRAGMENT_OF_MESSAGE = 53  # SKF, RFC 7383
FRAGMENT_OF_IKEV1 = 132  # of no RFC
IKEV1_MAIN, IKEV1_AGGRESSIVE, IKEV1_QUICK, IKEV1_INFORMATIONAL = 2, 4, 32, 5
IkePacket = namedtuple("IkePacket", "source destination size exchange first_payload ip_fragment")


def ike_packet(data):
    """An Ethernet frame with IKE as IkePacket; size: of the IPv6 packet. None if it is something else."""
    if len(data) < 54 or data[12:14] != b"\x86\xdd":
        return None
    size = 40 + struct.unpack_from("!H", data, 18)[0]
    fragment = data[20] == FRAGMENT
    at = 54 + (8 if fragment else 0)
    protocol = data[54] if fragment else data[20]
    if protocol != UDP or len(data) < at + 8:
        return None
    ports = struct.unpack_from("!HH", data, at)
    at += 8 + (4 if 4500 in ports else 0)
    if not {500, 4500} & set(ports) or len(data) < at + 28:
        return None
    return IkePacket(address(data[22:38]), address(data[38:54]), size, data[at + 18], data[at + 16], fragment)


# --- netlink, captured from an nlmon device ---
NEWADDR, DELADDR, NEWROUTE = 20, 21, 24
TENTATIVE, DEPRECATED, DUPLICATE = 0x40, 0x20, 0x08
Change = namedtuple("Change", "time kind interface address prefix_length flags gateway")


def _attributes(data, at, end):
    while at + 4 <= end:
        length, kind = struct.unpack_from("<HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4:at + length]
        at += (length + 3) & ~3


def _address_change(time, kind, data, at, end):
    family, prefix_length, flags, _, interface = struct.unpack_from("<BBBBI", data, at)
    if family != 10:
        return None
    found = None
    for attribute, value in _attributes(data, at + 8, end):
        if attribute == 1:
            found = address(value)
        elif attribute == 8:
            (flags,) = struct.unpack("<I", value)
    return Change(time, kind, interface, found, prefix_length, flags, None)


def _route_change(time, kind, data, at, end):
    family, length = data[at], data[at + 1]
    if family != 10 or length != 0:
        return None
    interface = gateway = None
    for attribute, value in _attributes(data, at + 12, end):
        if attribute == 4:
            (interface,) = struct.unpack("<I", value)
        elif attribute == 5 and len(value) == 16:
            gateway = address(value)
    return Change(time, kind, interface, None, 0, 0, gateway) if gateway else None


DUMPS = {18: "link", 22: "address", 26: "route"}  # RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE


def dumped(path, pid):
    """What a process has asked the kernel for as a whole: names of DUMPS. libnl's port id begins with the process id."""
    found = set()
    for _, data in records(path):
        if len(data) < 32:
            continue
        _, kind, flags, _, port = struct.unpack_from("<IHHII", data, 16)
        if kind in DUMPS and flags & 0x300 and port & 0x3FFFFF == pid:  # NLM_F_DUMP
            found.add(DUMPS[kind])
    return found


def changes(path):
    """The kernel's notifications: addresses that came (NEWADDR) or went (DELADDR), default routes that came (NEWROUTE).
    Requests and answers to dumps are left out: a notification has port id 0 or no dump flag."""
    for time, data in records(path):
        if len(data) < 16 or struct.unpack_from("!H", data, 14)[0] != 0:
            continue
        at = 16
        while at + 16 <= len(data):
            length, kind, flags, _, _ = struct.unpack_from("<IHHII", data, at)
            if length < 16:
                break
            end = min(at + length, len(data))
            change = None
            if not flags & 0x3 and end - at >= 24:  # neither a request nor part of a dump (NLM_F_MULTI)
                if kind in (NEWADDR, DELADDR):
                    change = _address_change(time, kind, data, at + 16, end)
                elif kind == NEWROUTE and end - at >= 28:
                    change = _route_change(time, kind, data, at + 16, end)
            if change:
                yield change
            at += (length + 3) & ~3
