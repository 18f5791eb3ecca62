#!/usr/bin/env python3
"""Every message that we write is read by another implementation as it was meant: tshark's fields against ours.

usage: dissect.py DISSECT_WRITE
"""
import collections
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

COMPLAINTS = ["_ws.malformed", "_ws.expert.severity"]
LEAST_COMPLAINT = 0x00600000  # a warning; a note, which is less, tells of each option that tshark does not know
FEWEST_PACKETS = 300  # fewer: the writer did not do what it should
FEWEST_FIELDS = 50
MOBILITY_HEADER, DESTINATION_OPTIONS, ROUTING = 135, 60, 43

# tshark 4.0 looks for the options of a Home Agent Switch at a fixed place, whatever the number of addresses before them
# (seen with 0 and with 2). So of this message only these fields are compared. It also shows the token of a Care-of Test
# under the name of the home one; that is compared.
HOME_AGENT_SWITCH = "12"
COMPARED_IN_SWITCH = ["mip6.mhtype", "mip6.has.num_addrs", "mip6.has.address"]


def meant(path):
    """Per packet: a dictionary from field to the list of its values."""
    packets = []
    for line in path.read_text().splitlines():
        fields = collections.defaultdict(list)
        for entry in line.rstrip("\t").split("\t"):
            name, value = entry.split("=", 1)
            fields[name].append(value)
        packets.append(fields)
    return packets


def dissected(capture, names):
    """The same, as tshark sees it."""
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;"]
    for name in names:
        command += ["-e", name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"tshark cannot read the capture: {result.stderr}")
    return [{name: value.split(";") if value else [] for name, value in zip(names, line.split("\t"))}
            for line in result.stdout.splitlines()]


def packets_of(capture):
    data, at = capture.read_bytes(), 24
    while at < len(data):
        (size,) = struct.unpack_from("=I", data, at + 8)
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def mobility_checksum_holds(packet):
    """tshark does not check it: RFC 6275 section 6.1.1. True for any other protocol."""
    source, destination, protocol, at = packet[8:24], packet[24:40], packet[6], 40
    while protocol in (DESTINATION_OPTIONS, ROUTING):
        if protocol == ROUTING:
            destination = packet[at + 8:at + 24]
        else:
            source = packet[at + 8:at + 24]
        protocol, at = packet[at], at + 8 * (packet[at + 1] + 1)
    if protocol != MOBILITY_HEADER:
        return True
    summed = source + destination + struct.pack("!II", len(packet) - at, protocol) + packet[at:]
    return sum(struct.unpack(f"!{len(summed) // 2}H", summed)) % 0xffff == 0


def mistakes(names, expected, found):
    """What differs in one packet, and what tshark complains about."""
    switch = expected["mip6.mhtype"] == [HOME_AGENT_SWITCH]
    for name in COMPARED_IN_SWITCH if switch else names:
        if found[name] != expected[name]:
            yield f"{name}: meant {expected[name]}, tshark reads {found[name]}"
    if switch:
        return
    if found["_ws.malformed"]:
        yield f"malformed: {found['_ws.malformed']}"
    if any(int(severity) >= LEAST_COMPLAINT for severity in found["_ws.expert.severity"]):
        yield f"tshark warns: {found['_ws.expert.severity']}"


def check_the_check(names, expected, found):
    """A changed value of any field is seen."""
    for name in names:
        for i, packet in enumerate(expected):
            if packet[name] and (packet["mip6.mhtype"] != [HOME_AGENT_SWITCH] or name in COMPARED_IN_SWITCH):
                changed = found[i] | {name: [*found[i][name], "1"]}
                if not list(mistakes(names, packet, changed)):
                    sys.exit(f"the check is broken: another value of {name} is not found")
                break


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("tshark") is None:
        sys.exit("tshark is missing: install the package tshark")
    with tempfile.TemporaryDirectory() as folder:
        capture, fields = pathlib.Path(folder) / "messages.pcap", pathlib.Path(folder) / "fields"
        subprocess.run([sys.argv[1], capture, fields], check=True)
        expected = meant(fields)
        names = sorted({name for packet in expected for name in packet})
        found = dissected(capture, names + COMPLAINTS)
        packets = list(packets_of(capture))
    if not len(expected) == len(found) == len(packets) >= FEWEST_PACKETS or len(names) < FEWEST_FIELDS:
        sys.exit(f"{len(expected)} packets meant, {len(packets)} written, {len(found)} read, {len(names)} fields")
    check_the_check(names, expected, found)
    wrong = 0
    for number, (packet, meaning, reading) in enumerate(zip(packets, expected, found), 1):
        problems = list(mistakes(names, meaning, reading))
        if not mobility_checksum_holds(packet):
            problems.append("wrong checksum")
        for problem in problems:
            wrong += 1
            print(f"packet {number} ({packet.hex()}): {problem}", file=sys.stderr)
    if wrong:
        sys.exit(f"{wrong} mistakes")
    print(f"{len(packets)} packets, {len(names)} fields: tshark reads what was meant")


main()
