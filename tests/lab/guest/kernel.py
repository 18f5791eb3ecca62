"""What a namespace's kernel has, asked by netlink: ip(8) costs a process, a third of a second in there, and what is waited
for is asked often. Layouts: linux/xfrm.h, linux/if_addr.h, linux/rtnetlink.h, linux/lwtunnel.h."""

import fcntl
import os
import socket
import struct
import threading
from collections import namedtuple

from lab import inside
from wire import address

ROUTE, XFRM = 0, 6  # NETLINK_...
REQUEST, ACKNOWLEDGE, INTERRUPTED, DUMP, CREATE = 0x1, 0x4, 0x10, 0x300, 0x400  # NLM_F_..., NLM_F_DUMP_INTR
ADD_ADDRESS, ADD_ROUTE = 20, 24  # RTM_NEW...
NO_DETECTION = 0x2  # IFA_F_NODAD
DONE, ERROR = 3, 2  # NLMSG_...
GET_ADDRESSES, GET_ROUTES, GET_STATES, GET_POLICIES = 22, 26, 0x12, 0x15  # RTM_GETADDR, RTM_GETROUTE, XFRM_MSG_...
ESP = 50
TUNNEL = 1  # XFRM_MODE_TUNNEL
OUT = 1  # XFRM_POLICY_OUT

# source, destination: of the packets that the kernel makes (of a state) or of the first template (of a policy; None: none).
# key: of the cipher, hexadecimal digits; "" if there is none.
State = namedtuple("State", "source destination protocol spi reqid mode key")
Policy = namedtuple("Policy", "direction source destination reqid mode")
Address = namedtuple("Address", "local tentative deprecated dynamic")
Route = namedtuple("Route", "destination length table tunnel")  # tunnel: the far end of an IPv6 encapsulation, or None

_sockets = {}  # they stay in the namespace in which they were opened
_lock = threading.Lock()


def _dump(namespace, protocol, kind, body):
    """The messages of a dump: what follows their headers."""
    def until_whole(asked):
        found = None
        while found is None:
            found = _dump_once(asked, kind, body)
        return found
    return _asked(namespace, protocol, until_whole)


def _asked(namespace, protocol, question):
    """question(socket), of that namespace."""
    with _lock:
        if (namespace, protocol) not in _sockets:
            made = inside(namespace, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
            made.settimeout(20)
            _sockets[namespace, protocol] = made
        try:
            return question(_sockets[namespace, protocol])
        except BaseException:
            _sockets.pop((namespace, protocol)).close()  # what was not read of it must not answer the next question
            raise


def _dump_once(asked, kind, body):
    """None if something changed meanwhile."""
    asked.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | DUMP, 0, 0) + body)
    found, interrupted = [], False
    while True:
        data = asked.recv(1 << 16)
        while data:
            length, of_kind, flags = struct.unpack_from("=IHH", data)
            interrupted = interrupted or flags & INTERRUPTED
            if of_kind == ERROR:
                raise RuntimeError(f"netlink: {struct.unpack_from('=i', data, 16)[0]}")
            if of_kind == DONE:
                return None if interrupted else found
            found.append(data[16:length])
            data = data[(length + 3) & ~3:]


def _request(namespace, kind, body):
    """A request of NETLINK_ROUTE that makes something."""
    def ask(asked):
        asked.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACKNOWLEDGE | CREATE, 0, 0) + body)
        data = asked.recv(1 << 16)
        code = struct.unpack_from("=i", data, 16)[0]
        if struct.unpack_from("=H", data, 4)[0] != ERROR or code:
            raise RuntimeError(f"netlink: request {kind}: {os.strerror(-code)}")
    _asked(namespace, ROUTE, ask)


def _attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]  # without NLA_F_NESTED
        data = data[(length + 3) & ~3:]
    return found


def states(namespace):
    """IPsec states of IPv6."""
    found = []
    for message in _dump(namespace, XFRM, GET_STATES, bytes(24)):
        spi, protocol = struct.unpack_from("!IB", message, 72)
        reqid, family, mode = struct.unpack_from("=IHB", message, 208)
        if family != socket.AF_INET6:
            continue
        cipher = _attributes(message[224:]).get(2)  # XFRMA_ALG_CRYPT: a name of 64 bytes, bits of the key, the key
        key = cipher[68:68 + struct.unpack_from("=I", cipher, 64)[0] // 8].hex() if cipher else ""
        found.append(State(address(message[80:96]), address(message[56:72]), protocol, spi, reqid, mode, key))
    return found


def policies(namespace):
    """IPsec policies of IPv6, sub policies among them."""
    found = []
    for message in _dump(namespace, XFRM, GET_POLICIES, bytes(64)):
        if struct.unpack_from("=H", message, 40)[0] != socket.AF_INET6:
            continue
        template = _attributes(message[168:]).get(5)  # XFRMA_TMPL: the first one
        if template:
            reqid, mode = struct.unpack_from("=IB", template, 44)
            found.append(Policy(message[160], address(template[28:44]), address(template[:16]), reqid, mode))
        else:
            found.append(Policy(message[160], None, None, 0, 0))
    return found


def addresses(namespace, interface):
    """Global IPv6 addresses of an interface."""
    index = inside(namespace, lambda: _index(interface))
    found = []
    for message in _dump(namespace, ROUTE, GET_ADDRESSES, struct.pack("=BBBBI", socket.AF_INET6, 0, 0, 0, 0)):
        family, _, _, scope, of_index = struct.unpack_from("=BBBBI", message)
        attributes = _attributes(message[8:])
        if family != socket.AF_INET6 or scope != 0 or of_index != index:
            continue
        flags = struct.unpack("=I", attributes[8])[0]  # IFA_FLAGS; IFA_F_TENTATIVE, _DEPRECATED, _PERMANENT
        found.append(Address(address(attributes[1]), bool(flags & 0x40), bool(flags & 0x20), not flags & 0x80))
    return found


def routes(namespace):
    """IPv6 routes of all tables."""
    found = []
    for message in _dump(namespace, ROUTE, GET_ROUTES, struct.pack("=BBBBBBBBI", socket.AF_INET6, *[0] * 8)):
        if message[0] != socket.AF_INET6:
            continue
        attributes = _attributes(message[12:])
        table = struct.unpack("=I", attributes[15])[0] if 15 in attributes else message[4]  # RTA_TABLE
        far = _attributes(attributes.get(22, b"")).get(2)  # RTA_ENCAP: LWTUNNEL_IP6_DST
        found.append(Route(address(attributes[1]) if 1 in attributes else "::", message[1], table,
                           address(far) if far and len(far) == 16 else None))
    return found


def add_address(namespace, interface, added):
    """An address of /64, without duplicate address detection."""
    index = inside(namespace, lambda: _index(interface))
    packed = socket.inet_pton(socket.AF_INET6, added)
    _request(namespace, ADD_ADDRESS, struct.pack("=BBBBI", socket.AF_INET6, 64, NO_DETECTION, 0, index) +
             _attribute(2, packed) + _attribute(1, packed))  # IFA_LOCAL, IFA_ADDRESS


def add_route(namespace, destination, gateway):
    """destination: ADDRESS/LENGTH. In the main table, by protocol boot."""
    prefix, length = destination.split("/")
    body = struct.pack("=BBBBBBBBI", socket.AF_INET6, int(length), 0, 0, 254, 3, 0, 1, 0)
    body += _attribute(1, socket.inet_pton(socket.AF_INET6, prefix)) if int(length) else b""  # RTA_DST
    _request(namespace, ADD_ROUTE, body + _attribute(5, socket.inet_pton(socket.AF_INET6, gateway)))  # RTA_GATEWAY


def _index(interface):
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return None


def _flags(any_socket, interface):
    return struct.unpack_from("=h", fcntl.ioctl(any_socket, 0x8913, interface.encode().ljust(16, b"\0") + bytes(24)), 16)[0]


def set_link(namespace, interface, up):
    def change():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
            flags = _flags(any_socket, interface)
            flags = flags | 1 if up else flags & ~1  # IFF_UP
            request = interface.encode().ljust(16, b"\0") + struct.pack("=h", flags) + bytes(22)
            fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
    inside(namespace, change)


def running(namespace, interface):
    """Whether the kernel has told that this interface has a carrier, which it does up to a second later."""
    def told():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
            return bool(_flags(any_socket, interface) & 0x40)  # IFF_RUNNING
    return inside(namespace, told)
