#!/usr/bin/env python3
"""Takes seeds of the fuzz targets out of captures: Mobility Headers, Destination Options and type 2 routing headers,
and the ICMPv6 messages of Mobile IPv6. Packets inside ESP are counted and left alone.

usage: seeds_from_pcap.py [--corpus FOLDER] CAPTURE.pcap...
Files are named captured_KIND_DIGEST; what a folder of seeds has already, whatever its name, is not written again.
"""
import argparse
import collections
import hashlib
import pathlib
import struct
import sys

HOP_BY_HOP, ROUTING, FRAGMENT, ESP, ICMPV6, DESTINATION, MOBILITY = 0, 43, 44, 50, 58, 60, 135
IPV6_IN_IPV6 = 41
# Where the IPv6 header begins, by the capture's link type; -1: behind an Ethernet type field that may follow VLAN tags.
LINK_HEADERS = {1: -1, 101: 0, 12: 0, 14: 0, 229: 0, 113: 16, 276: 20}
MH_NAMES = {0: "refresh_request", 1: "home_test_init", 2: "care_of_test_init", 3: "home_test", 4: "care_of_test",
            5: "update", 6: "acknowledgement", 7: "error", 12: "home_agent_switch", 13: "heartbeat", 16: "revocation"}
ICMP_NAMES = {134: ("router_advertisement", "advertisement"), 144: ("discovery", "address_request"),
              145: ("discovery", "address_reply"), 146: ("discovery", "prefix_solicitation"),
              147: ("discovery", "prefix_advertisement")}


def packets(data):
    """The link type of a classic pcap file, and its packets."""
    for order in "<>":
        if len(data) >= 24 and struct.unpack(order + "I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D):
            break
    else:
        raise ValueError("not a pcap file (of pcapng: 'tshark -F pcap -r IN -w OUT')")
    link_type = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    found, at = [], 24
    while at + 16 <= len(data):
        kept, full = struct.unpack(order + "II", data[at + 8:at + 16])
        if kept == full and at + 16 + kept <= len(data):  # whole packets only
            found.append(data[at + 16:at + 16 + kept])
        at += 16 + kept
    return link_type, found


def ipv6_of(link_type, frame):
    """The IPv6 packet in a frame; empty if there is none."""
    if link_type not in LINK_HEADERS:
        raise ValueError(f"link type {link_type} is not known here")
    at = LINK_HEADERS[link_type]
    if at < 0:
        at = 14
        while frame[at - 2:at] in (b"\x81\x00", b"\x88\xa8"):
            at += 4
        if frame[at - 2:at] != b"\x86\xdd":
            return b""
    packet = frame[at:]
    return packet if len(packet) >= 40 and packet[0] >> 4 == 6 else b""


def seeds(packet, inside_esp):
    """(target, kind, bytes) of what is in a packet."""
    if len(packet) < 40:
        return
    protocol = packet[6]
    rest = packet[40:40 + struct.unpack(">H", packet[4:6])[0]]
    while True:
        if protocol == IPV6_IN_IPV6:
            yield from seeds(rest, inside_esp)
            return
        if protocol in (ESP, FRAGMENT):
            inside_esp[0] += protocol == ESP
            return
        if protocol == ICMPV6:
            if rest and rest[0] in ICMP_NAMES:
                target, kind = ICMP_NAMES[rest[0]]
                yield target, kind, rest
            return
        if protocol not in (HOP_BY_HOP, ROUTING, DESTINATION, MOBILITY) or len(rest) < 8:
            return
        size = 8 * (rest[1] + 1)
        header = rest[:size]
        if protocol == MOBILITY:
            yield "message", MH_NAMES.get(header[2], "unknown"), header
            return
        if protocol == DESTINATION:
            yield "home_address_option", "home_address", header
        elif protocol == ROUTING and header[2] == 2:
            yield "routing_header", "type_2", header
        protocol, rest = header[0], rest[size:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent / "corpus")
    parser.add_argument("captures", nargs="+", type=pathlib.Path)
    options = parser.parse_args()

    known = collections.defaultdict(set)
    for path in options.corpus.glob("*/*"):
        if path.is_file():
            known[path.parent.name].add(path.read_bytes())
    written, duplicates, inside_esp = 0, 0, [0]
    for capture in options.captures:
        try:
            link_type, frames = packets(capture.read_bytes())
            found = [seed for frame in frames for seed in seeds(ipv6_of(link_type, frame), inside_esp)]
        except (OSError, ValueError) as error:
            sys.exit(f"cannot read seeds from {capture}: {error}")
        for target, kind, content in found:
            if content in known[target]:
                duplicates += 1
                continue
            known[target].add(content)
            folder = options.corpus / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"captured_{kind}_{hashlib.sha256(content).hexdigest()[:8]}").write_bytes(content)
            written += 1
    print(f"{written} seeds written, {duplicates} were there already, {inside_esp[0]} packets inside ESP left alone")
    if written + duplicates == 0:
        sys.exit("nothing of Mobile IPv6 in these captures")


main()
