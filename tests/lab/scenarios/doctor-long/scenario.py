"""Scenario `doctor`, and what takes longer to break: packet filters, charon's socket and plugins, certificates, the home
agent's disk and the way to it, another VPN or Mobile IPv6, resolvers that answer their own network alone, each of the
kernel's modules and options."""

import gzip
import ipaddress
import os
import shutil
import socket
import stat
import threading
from pathlib import Path

import common
import foreign
import lab as the_lab
import pki
from lab import HOME_AGENT, NODES, RUN, inside, load, mount_over, program, run, wait_for
from topology import ROUTES

doctor, numbers = load("doctor"), load("numbers")
HOME = NODES["mn"]["home_address"]
RESOLVER, CUSTOMERS = "2001:db8:f1::2", ipaddress.ip_network("2001:db8:a1::/64")
NOBODY = 65534
MODULES = ("mip6", "xfrm_user", "esp6", "ip6_tunnel", "sch_ingress", "cls_flower", "cls_matchall", "act_gact")
OPTIONS = ("CONFIG_XFRM_SUB_POLICY", "CONFIG_XFRM_MIGRATE", "CONFIG_IPV6_MULTIPLE_TABLES", "CONFIG_IPV6_SUBTREES")


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
    options(lab)
    modules(lab)


def more(lab):
    filtered(lab)
    full(lab)
    other_vpn(lab)
    other_mobile_ipv6(lab)
    names(lab)
    no_way(lab)
    socket_of_another(lab)
    certificates(lab)


def filtered(lab):
    """What leaves is dropped here; the kernel tells whoever sends."""
    doctor.modprobe("-a", "ip6table_filter", "xt_tcpudp")
    accept = "nft list ruleset; nft insert rule inet filter output meta l4proto '{ esp, 135 }' accept"
    for protocol, number in (("ESP", "esp"), ("Mobility Header", "135")):
        run("ip6tables-legacy", "-A", "OUTPUT", "-p", number, "-j", "DROP", namespace="mn")
        lab.status("mn", "refresh")
        doctor.breaks(lab, "firewall", accept, f"{protocol} dropped")
        run("ip6tables-legacy", "-F", "OUTPUT", namespace="mn")
        lab.status("mn", "refresh")
        doctor.mended(lab, f"{protocol} passes")
    lab.stop("mnd.mn")
    run("ip6tables-legacy", "-A", "OUTPUT", "-p", "udp", "--dport", "500", "-j", "DROP", namespace="mn")
    lab.node("mn")
    doctor.breaks(lab, "key-exchange", "that UDP ports 500 and 4500 are open on the way", "UDP 500 dropped")
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


def other_mobile_ipv6(lab):
    """A policy that lets its mobility messages go under its own ESP."""
    policy = ("src", f"{HOME}/128", "dst", f"{HOME_AGENT}/128", "proto", "135", "dir", "out")
    run("ip", "-n", "mn", "xfrm", "policy", "add", *policy, "tmpl", "src", HOME, "dst", HOME_AGENT, "proto", "esp", "reqid",
        "11", "mode", "transport")
    doctor.breaks(lab, "other-vpn", f"another Mobile IPv6, takes what goes to the home agent: {HOME}/128 -> {HOME_AGENT}/128; "
                  "ip -6 xfrm policy", "another Mobile IPv6's policy takes the updates")
    run("ip", "-n", "mn", "xfrm", "policy", "delete", *policy)
    doctor.mended(lab, "the other Mobile IPv6 gone")


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


def no_way(lab):
    """The router in the middle forgets the home network."""
    route = next(one for one in ROUTES["core"] if ipaddress.ip_address(HOME_AGENT) in ipaddress.ip_network(one[0]))
    run("ip", "-n", "core", "route", "del", route[0])
    lab.status("mn", "refresh")
    doctor.breaks(lab, "home-agent", f"{HOME_AGENT} does not answer; check that the home agent is running and can be reached "
                  "from", "no way to the home agent")
    run("ip", "-n", "core", "route", "add", route[0], "via", route[1])
    lab.status("mn", "refresh")
    doctor.mended(lab, "the way is back")


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


def stopped(lab, what):
    """Nothing but that neither mnd nor charon runs."""
    doctor.breaks(lab, "running", "systemctl start mnd", what, ["charon"])


def options(lab):
    """As if the kernel, whose own words these are, had been built without one. From here on no program of ours runs."""
    for name in ("mnd.mn", "ha", "charon.mn", "charon.ha"):
        lab.stop(name)
    doctor.modprobe("configs")
    built = gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    file = RUN / "boot" / f"config-{os.uname().release}"
    file.parent.mkdir()
    file.write_text(built, encoding="utf-8")
    mount_over(file.parent, "/boot")
    stopped(lab, "a kernel built with all options")
    for option in OPTIONS:
        file.write_text(built.replace(f"{option}=y", f"# {option} is not set"), encoding="utf-8")
        doctor.breaks(lab, "kernel-options", f"the kernel was built without {option}; use a kernel", f"without {option}",
                      ["running", "charon"])
    file.write_text(built, encoding="utf-8")
    stopped(lab, "all options again")


def lists_of_modules():
    """Where the programs look for it, the list of this kernel's modules that can be loaded; its path."""
    real, mine = (root / os.uname().release for root in (Path(os.environ["LAB_MODULES"], "lib/modules"), RUN / "modules"))
    mine.mkdir(parents=True)
    for name in ("modules.builtin", "modules.dep"):
        shutil.copy(real / name, mine)
    # This machine may have no such folder, and is not to get one.
    (RUN / "lib/modules").mkdir(parents=True)
    doctor.modprobe("overlay")
    run("mount", "-t", "overlay", "-o", f"lowerdir={RUN}/lib:/usr/lib", "overlay", "/usr/lib")
    mount_over(mine.parent, "/usr/lib/modules")
    return mine / "modules.dep"


def unload(lab, module):
    """What ended programs have left to the kernel may hold it for a moment."""
    def gone():
        doctor.modprobe("-r", module, check=False)
        return not Path("/sys/module", module).exists()
    lab.check(f"{module} can be unloaded", wait_for(gone, 10, 0.3))


def modules(lab):
    """Each of them is neither loaded nor there to be loaded."""
    for namespace in ("mn", "ha"):
        run("ip", "-n", namespace, "xfrm", "state", "flush")
    listed = lists_of_modules()
    whole = listed.read_text(encoding="utf-8")

    def take_out(module):
        listed.write_text("".join(line for line in whole.splitlines(True) if f"/{module}.ko:" not in line), encoding="utf-8")
    stopped(lab, "all modules there")
    for module in MODULES:
        unload(lab, module)
        stopped(lab, f"{module} to be loaded")
        take_out(module)
        doctor.breaks(lab, "modules", f"the kernel has no {module}; modprobe -a {module}; ", f"no {module} anywhere",
                      ["running", "charon"])
        doctor.modprobe(module)
        stopped(lab, f"{module} loaded")
        listed.write_text(whole, encoding="utf-8")
    unload(lab, "mip6")
    take_out("mip6")
    common.charons(lab, "mn", "ha")
    lab.node("mn")
    doctor.breaks(lab, "modules", "the kernel has no mip6; modprobe -a mip6; ", "mnd runs without mip6")
    doctor.modprobe("mip6")
    lab.agent()
    doctor.mended(lab, "all modules back")
