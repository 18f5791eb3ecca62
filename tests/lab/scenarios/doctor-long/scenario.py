"""Scenario `doctor`, and what takes longer to break: packet filters, charon's socket and plugins, certificates, the home
agent's disk, another VPN, resolvers that answer their own network alone."""

import ipaddress
import os
import socket
import stat
import threading

import common
import foreign
import lab as the_lab
import pki
from lab import HOME_AGENT, NODES, RUN, inside, load, program, run, wait_for

doctor, numbers = load("doctor"), load("numbers")
HOME = NODES["mn"]["home_address"]
RESOLVER, CUSTOMERS = "2001:db8:f1::2", ipaddress.ip_network("2001:db8:a1::/64")
NOBODY = 65534


def prepare():
    pki.root("root", pki.ECDSA)
    pki.issue_bundle("ha", HOME_AGENT)
    pki.issue_bundle("mn", HOME)
    pki.issue_bundle("other", "2001:db8:1::99")
    pki.issue("expired", "root", "--san", HOME, kind=pki.ECDSA, days=(-20, -10))
    pki.write_bundle("expired", "root")


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    disk = RUN / "ha.state"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk))
    doctor.scenario(lab, more)


def more(lab):
    filtered(lab)
    full(lab)
    other_vpn(lab)
    names(lab)
    socket_of_another(lab)
    certificates(lab)


def filtered(lab):
    """What leaves is dropped here; the kernel tells whoever sends."""
    doctor.modprobe("-a", "ip6table_filter", "xt_tcpudp")
    for protocol, check, rule in (("ESP", "firewall", "-p esp"), ("Mobility Header", "firewall", "-p 135")):
        run("ip6tables-legacy", "-A", "OUTPUT", *rule.split(), "-j", "DROP", namespace="mn")
        lab.status("mn", "refresh")
        doctor.breaks(lab, check, "", f"{protocol} dropped")
        run("ip6tables-legacy", "-F", "OUTPUT", namespace="mn")
        lab.status("mn", "refresh")
        doctor.mended(lab, f"{protocol} passes")
    lab.stop("mnd.mn")
    run("ip6tables-legacy", "-A", "OUTPUT", "-p", "udp", "--dport", "500", "-j", "DROP", namespace="mn")
    lab.node("mn")
    doctor.breaks(lab, "key-exchange", "", "UDP 500 dropped")
    run("ip6tables-legacy", "-F", "OUTPUT", namespace="mn")
    doctor.mended(lab, "UDP 500 passes")


def full(lab):
    numbers.fill(RUN / "ha.state")
    lab.status("mn", "refresh")
    doctor.breaks(lab, "home-agent", "status 130", "home agent without room on its disk")
    numbers.make_room(RUN / "ha.state")
    lab.status("mn", "refresh")
    doctor.mended(lab, "room on its disk")


def other_vpn(lab):
    with foreign.vpn_of_everything():
        doctor.breaks(lab, "other-vpn", "ip link set vpn0 down", "a VPN takes new connections")
    doctor.mended(lab, "that VPN gone")
    at = lab.registered_at("mn")
    policy = ("src", f"{at}/128", "dst", "::/0", "dir", "out")
    run("ip", "-n", "mn", "xfrm", "policy", "add", *policy, "tmpl", "src", at, "dst", RESOLVER, "proto", "esp", "reqid", "1",
        "mode", "tunnel")
    doctor.breaks(lab, "other-vpn", f"{at}/128 -> ::/0", "a VPN's policy takes the tunnel")
    run("ip", "-n", "mn", "xfrm", "policy", "delete", *policy)
    doctor.mended(lab, "that policy gone")


def names(lab):
    """A resolver of w1's provider, for its customers alone, some hops away: asked from the home address it refuses."""
    server = inside("ar1", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    server.bind((RESOLVER, 53))

    def serve():
        while True:
            question, peer = server.recvfrom(512)
            code = 0 if ipaddress.ip_address(peer[0]) in CUSTOMERS else 5
            server.sendto(question[:2] + bytes([0x81, 0x80 | code]) + question[4:], peer)
    threading.Thread(target=serve, daemon=True).start()
    lab.resolvers(RESOLVER)
    doctor.breaks(lab, "dns", f"bypass = {RESOLVER}/128", "a resolver that refuses the home address")
    lab.node_config("mn", f"bypass = {RESOLVER}/128")
    lab.status("mn", "reload")
    doctor.mended(lab, "that resolver asked beside the tunnel")
    lab.resolvers("2001:db8:f4::2")
    doctor.breaks(lab, "dns", "2001:db8:f4::2", "a resolver that is none")
    lab.resolvers()
    doctor.mended(lab, "without resolvers")


def socket_of_another(lab):
    """mnd without the right to pass by the modes of files, which as user mnd it does not have."""
    lab.stop("mnd.mn")
    path = lab.vici_socket("mn")
    before = path.stat()
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o700)
    lab.start("mnd.mn", "mn", "setpriv", "--bounding-set=-dac_override,-dac_read_search", program("mnd"), "--config",
              str(lab.node_config("mn")))
    doctor.breaks(lab, "vici", f"setfacl -m u:mnd:rw {path}", "charon's socket not permitted")
    os.chown(path, before.st_uid, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))
    doctor.mended(lab, "charon's socket permitted")


def certificates(lab):
    def node(bundle):
        lab.stop("mnd.mn")
        lab.node("mn", wrong={"identity": HOME, "certificate": pki.bundle(bundle)})

    lab.stop("mnd.mn")
    lab.stop("ha")
    lab.agent_extra = f"certificate = {pki.bundle('ha')}"
    NODES["mn"].update({"identity": HOME, "certificate": pki.bundle("mn")})
    lab.agent()
    common.agent_ready(lab)
    node("expired")
    doctor.breaks(lab, "certificate", "expired", "certificate expired")
    node("other")
    doctor.breaks(lab, "certificate-name", f"--san {HOME}", "certificate without the home address")
    node("mn")
    doctor.mended(lab, "right certificate")

    def charon():
        lab.stop("charon.mn")
        lab.charon("mn")
    whole = the_lab.PLUGINS
    the_lab.PLUGINS = " ".join(word for word in whole.split() if word != "pem")
    charon()
    doctor.breaks(lab, "charon-plugins", "pem", "a plugin of charon's missing")
    the_lab.PLUGINS = whole
    charon()
    doctor.mended(lab, "plugin loaded")
