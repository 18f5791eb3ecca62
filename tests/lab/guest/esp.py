"""Opens the ESP of captured mobility messages with the kernel's own keys, and writes what was inside as a capture that
dissectors read."""

import ctypes
import struct

import kernel
import wire
from lab import HOME_AGENT

RAW_IP = 101  # link type of a capture whose records begin with the IP header
IPV6_HEADER = 40
# ESP as the lab's proposals make it: SPI, number, 16 bytes of IV, text, 16 bytes of HMAC-SHA-256-128.
HEAD, INITIAL_VECTOR, INTEGRITY = 8, 16, 16
crypto = ctypes.CDLL("libcrypto.so.3")  # a process per packet would cost more than the rest


def keys(namespace):
    """{SPI: AES-CBC key as hexadecimal digits} of the ESP states with the home agent that are in the kernel now."""
    return {state.spi: state.key for state in kernel.states(namespace)
            if state.protocol == kernel.ESP and state.key and HOME_AGENT in (state.source, state.destination)}


def cbc(key, vector, text, encrypt):
    """AES-CBC of whole blocks; key: hexadecimal digits."""
    schedule, result = ctypes.create_string_buffer(512), ctypes.create_string_buffer(len(text))
    set_key = crypto.AES_set_encrypt_key if encrypt else crypto.AES_set_decrypt_key
    set_key(bytes.fromhex(key), len(key) * 4, schedule)
    crypto.AES_cbc_encrypt(text, result, ctypes.c_size_t(len(text)), schedule, ctypes.create_string_buffer(vector, 16),
                           int(encrypt))
    return result.raw


def decrypt(packet, key):
    """(next header, what it protects) of an ESP packet, from its SPI on."""
    vector, text = packet[HEAD:HEAD + INITIAL_VECTOR], packet[HEAD + INITIAL_VECTOR:-INTEGRITY]
    plain = cbc(key, vector, text, False)
    return plain[-1], plain[:-2 - plain[-2]]


def opened(packet, known):
    """An IPv6 packet as it would be without ESP; None if it has none, or under a key that is not known."""
    protocol, next_header_at, at = packet[6], 6, IPV6_HEADER
    while protocol in (wire.DSTOPTS, wire.ROUTING, wire.HOP_BY_HOP) and at + 8 <= len(packet):
        protocol, next_header_at, at = packet[at], at, at + 8 * (1 + packet[at + 1])
    if protocol != wire.ESP or at + HEAD > len(packet):
        return None
    key = known.get(struct.unpack_from("!I", packet, at)[0])
    if key is None:
        return None
    inner, text = decrypt(packet[at:], key)
    result = bytearray(packet[:at] + text)
    result[next_header_at] = inner
    struct.pack_into("!H", result, 4, len(result) - IPV6_HEADER)
    return bytes(result)


def message(plain):
    """The Mobility Header message of an IPv6 packet without ESP."""
    protocol, at = plain[6], IPV6_HEADER
    while protocol in (wire.DSTOPTS, wire.ROUTING, wire.HOP_BY_HOP) and at + 8 <= len(plain):
        protocol, at = plain[at], at + 8 * (1 + plain[at + 1])
    return plain[at:] if protocol == wire.MOBILITY else None


def mobility(packet):
    """Whether an IPv6 packet carries a Mobility Header, in the clear."""
    return message(packet) is not None


def updates(path, known, agent):
    """(SPI, sequence number, flags, ESP bytes) of each Binding Update to the agent that the keys of `known` open."""
    for time, frame in wire.records(path):
        told = wire.parse(time, "", frame)
        if not told or told.spi not in known or told.destination != agent:
            continue
        plain = opened(frame[14:14 + IPV6_HEADER + struct.unpack_from("!H", frame, 18)[0]], known)
        text = message(plain) if plain else None
        if text and text[2] == 5:
            number, flags = struct.unpack_from("!HB", text, 6)
            yield told.spi, number, flags, told.payload


def write_opened(sources, target, known):
    """Writes the Mobility Header messages of the captures `sources`, out of ESP or without it, by time; how many there
    were, and the SPIs whose keys were not known."""
    count, unknown = 0, set()
    frames = sorted(record for source in sources for record in wire.records(source))
    with open(target, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        for time, frame in frames:
            told = wire.parse(time, "", frame)
            if not told:
                continue
            packet = frame[14:14 + IPV6_HEADER + struct.unpack_from("!H", frame, 18)[0]]
            plain = packet if mobility(packet) else opened(packet, known)
            if plain is None:
                if told.protocol == wire.ESP:
                    unknown.add(told.spi)
                continue
            if not mobility(plain):
                continue
            file.write(struct.pack("<IIII", int(time), int(time % 1 * 1e6), len(plain), len(plain)) + plain)
            count += 1
    return count, unknown
