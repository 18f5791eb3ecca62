"""Scenario `doctor`, and what takes longer to break: packet filters, charon's socket and plugins, certificates, the home
agent's disk and the way to it, another VPN or Mobile IPv6, resolvers that answer their own network alone, each of the
kernel's modules and options."""

import gzip
import ipaddress
import os
import re
import shutil
import signal
import socket
import stat
import threading
import time
from pathlib import Path

import common
import foreign
import lab as the_lab
import pki
from lab import HOME_AGENT, NODES, RUN, inside, load, mount_over, program, run, wait_for
from topology import ROUTES, signal_radvd

doctor, numbers = load("doctor"), load("numbers")
HOME = NODES["mn"]["home_address"]
RESOLVER, CUSTOMERS = "2001:db8:f1::2", ipaddress.ip_network("2001:db8:a1::/64")
NOBODY = 65534
LATER_S = 10 * 365 * 24 * 60 * 60
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
    if lists_alone():
        lab.node_config("mn")
        options(lab)
        modules(lab)
        return
    the_lab.PLUGINS += pki.PLUGINS
    disk = RUN / "ha.state"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk))
    doctor.scenario(lab, more)
    options(lab)
    modules(lab)


def lists_alone():
    """In a stock kernel: its own options, and modules of which each is a compressed file. The rest is the same as in user-mode
    Linux."""
    return os.environ["LAB_KIND"] != "uml"


def more(lab):
    filtered(lab)
    full(lab)
    other_vpn(lab)
    other_mobile_ipv6(lab)
    names(lab)
    no_way(lab)
    not_advertised(lab)
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
    doctor.breaks(lab, "firewall", "nft list ruleset; nft insert rule inet filter output udp dport '{ 500, 4500 }' accept",
                  "UDP 500 dropped", said="UDP port 500")
    lab.stop("mnd.mn")
    run("ip6tables-legacy", "-F", "OUTPUT", namespace="mn")
    run("ip6tables-legacy", "-A", "INPUT", "-p", "udp", "--dport", "500", "-j", "DROP", namespace="ha")
    lab.node("mn")
    doctor.breaks(lab, "key-exchange", "that UDP ports 500 and 4500 are open on the way", "UDP 500 dropped elsewhere")
    run("ip6tables-legacy", "-F", "INPUT", namespace="ha")
    doctor.mended(lab, "UDP 500 passes")


def full(lab):
    numbers.fill(RUN / "ha.state")
    lab.status("mn", "refresh")
    doctor.breaks(lab, "home-agent", "", "home agent without room on its disk", said="status 130")
    numbers.make_room(RUN / "ha.state")
    lab.status("mn", "refresh")
    doctor.mended(lab, "room on its disk")


def other_vpn(lab):
    with foreign.vpn_of_everything():
        doctor.obey(doctor.breaks(lab, "other-vpn", "ip link set vpn0 down", "a VPN takes new connections"))
        doctor.mended(lab, "that VPN ended as the doctor says")
    at = lab.registered_at("mn")
    policy = ("src", f"{at}/128", "dst", "::/0", "dir", "out")
    run("ip", "-n", "mn", "xfrm", "policy", "add", *policy, "tmpl", "src", at, "dst", RESOLVER, "proto", "esp", "reqid", "1",
        "mode", "tunnel")
    doctor.breaks(lab, "other-vpn", "ip -6 xfrm policy shows", "a VPN's policy takes the tunnel", said=f"{at}/128 -> ::/0")
    run("ip", "-n", "mn", "xfrm", "policy", "delete", *policy)
    doctor.mended(lab, "that policy gone")


def other_mobile_ipv6(lab):
    """A policy that lets its mobility messages go under its own ESP."""
    policy = ("src", f"{HOME}/128", "dst", f"{HOME_AGENT}/128", "proto", "135", "dir", "out")
    run("ip", "-n", "mn", "xfrm", "policy", "add", *policy, "tmpl", "src", HOME, "dst", HOME_AGENT, "proto", "esp", "reqid",
        "11", "mode", "transport")
    doctor.breaks(lab, "other-vpn", "ip -6 xfrm policy shows", "another Mobile IPv6's policy takes the updates",
                  said=f"another Mobile IPv6, takes what goes to the home agent: {HOME}/128 -> {HOME_AGENT}/128")
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
    doctor.breaks(lab, "dns", "resolvectl status", "a resolver that is none", said="do not answer: 2001:db8:f4::2")
    lab.resolvers()
    doctor.mended(lab, "without resolvers")


def no_way(lab):
    """The router in the middle forgets the home network."""
    route = next(one for one in ROUTES["core"] if ipaddress.ip_address(HOME_AGENT) in ipaddress.ip_network(one[0]))
    run("ip", "-n", "core", "route", "del", route[0])
    lab.status("mn", "refresh")
    doctor.breaks(lab, "home-agent", "check that the home agent is running and can be reached from", "no way to the home agent",
                  said=f"{HOME_AGENT} does not answer")
    run("ip", "-n", "core", "route", "add", route[0], "via", route[1])
    lab.status("mn", "refresh")
    doctor.mended(lab, "the way is back")


def not_advertised(lab):
    """The links are up, and no router says anything there."""
    for router in ("ar1", "ar2"):
        signal_radvd(router, "acc", signal.SIGSTOP)
    for link in ("w1", "w2"):
        run("ip", "-n", "mn", "address", "flush", "dev", link, "scope", "global")
    doctor.breaks(lab, "network", "see that a router advertises there", "no router advertises",
                  said="no network here has an IPv6 address")
    for router in ("ar1", "ar2"):
        signal_radvd(router, "acc", signal.SIGCONT)
    doctor.mended(lab, "routers advertise")


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
    state = lab.state / "mn.state"
    os.chown(state, NOBODY, NOBODY)
    state.chmod(0o700)
    remedy = doctor.breaks(lab, "state-directory", f"install -d -o mnd -g mnd -m 0700 {state}", "state folder of somebody else")
    doctor.obey(remedy.replace("-o mnd -g mnd", "-o root -g root"))  # as whom it runs here
    doctor.mended(lab, "state folder as the doctor says")


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
    doctor.breaks(lab, "certificate", "date tells whether the clock is right", "certificate expired", said="has expired")
    node("other")
    doctor.breaks(lab, "certificate-name", f"--san {HOME}", "certificate without the home address")
    node("mn")
    doctor.mended(lab, "right certificate")
    apart = time.time() - time.monotonic()
    time.clock_settime(time.CLOCK_REALTIME, time.time() + LATER_S)
    doctor.breaks(lab, "certificate", "date tells whether the clock is right", "clock in the future", said="has expired")
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + apart)
    doctor.mended(lab, "clock set")

    def charon():
        lab.stop("charon.mn")
        lab.charon("mn")
    # Without kernel-netlink, socket-default or nonce, and nothing in their place, charon ends while it starts.
    whole = the_lab.PLUGINS
    the_lab.PLUGINS = " ".join(word for word in whole.split() if word != "pem")
    charon()
    doctor.breaks(lab, "charon-plugins", "systemctl restart strongswan", "a plugin of charon's missing", said="its plugin pem")
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
    if lists_alone():
        built = Path(os.environ["LAB_MODULES"], "config").read_text(encoding="utf-8")
    else:
        doctor.modprobe("configs")
        built = gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    file = RUN / "boot" / f"config-{os.uname().release}"
    file.parent.mkdir()
    file.write_text(built, encoding="utf-8")
    mount_over(file.parent, "/boot")
    stopped(lab, "a kernel built with all options")
    for option in OPTIONS:
        file.write_text(built.replace(f"{option}=y", f"# {option} is not set"), encoding="utf-8")
        doctor.breaks(lab, "kernel-options", "apt install linux-image-", f"without {option}", ["running", "charon"],
                      f"the kernel was built without {option}")
    file.write_text(built, encoding="utf-8")
    stopped(lab, "all options again")


def lists_of_modules():
    """Where the programs look for it, the folder of this kernel's modules as it is; but its lists of those that can be loaded
    and of those that are built in can be written to. Their paths."""
    real = Path(os.environ["LAB_MODULES"], "lib/modules")
    # This machine may have no such folder, and is not to get one.
    (RUN / "lib/modules").mkdir(parents=True)
    doctor.modprobe("overlay")
    run("mount", "-t", "overlay", "-o", f"lowerdir={RUN}/lib:/usr/lib", "overlay", "/usr/lib")
    mount_over(real, "/usr/lib/modules")
    lists = []
    for name in ("modules.dep", "modules.builtin"):
        there = Path("/usr/lib/modules", os.uname().release, name)
        lists.append(Path(shutil.copy(there, RUN)))
        mount_over(lists[-1], there)
    return lists


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
    whole = {path: path.read_text(encoding="utf-8") for path in lists_of_modules()}

    def take_out(module):
        """Of the lists; whether it is built in."""
        were = [[line for line in text.splitlines(True) if Path(line.strip().split(":")[0]).name.split(".")[0] == module]
                for text in whole.values()]
        for (path, text), lines in zip(whole.items(), were):
            path.write_text("".join(line for line in text.splitlines(True) if line not in lines), encoding="utf-8")
        return bool(were[1])

    def put_back():
        for path, text in whole.items():
            path.write_text(text, encoding="utf-8")
    stopped(lab, "all modules there")
    for module in MODULES:
        built_in = take_out(module)
        if not built_in:
            put_back()
            unload(lab, module)
            stopped(lab, f"{module} to be loaded")
            take_out(module)
        remedy = doctor.breaks(lab, "modules", f"modprobe -a {module}; ", f"no {module} anywhere", ["running", "charon"],
                               f"the kernel has no {module}")
        if not built_in:
            doctor.obey(remedy)
            stopped(lab, f"{module} loaded as the doctor says")
        put_back()
    if lists_alone():
        return
    unload(lab, "mip6")
    take_out("mip6")
    common.charons(lab, "mn", "ha")
    lab.node("mn")
    without_mip6(lab, "mnd runs without mip6", "modules")
    lab.stop("mnd.mn")
    # As under ProtectKernelModules=yes.
    hidden = 'mount -t tmpfs tmpfs /usr/lib/modules && exec "$@"'
    lab.start("mnd.mn", "mn", "unshare", "--mount", "sh", "-c", hidden, "sh", program("mnd"), "--config", f"{RUN}/mn.conf")
    without_mip6(lab, "mnd, which does not see the modules, runs without mip6", "kernel")
    doctor.modprobe("mip6")
    lab.agent()
    doctor.mended(lab, "all modules back")


def without_mip6(lab, what, of_daemon):
    doctor.breaks(lab, "modules", "modprobe -a mip6; ", what, said="the kernel has no mip6")

    def findings():
        return [one["check"] for one in lab.status("mn", "doctor").get("findings", [])]
    lab.check(f"{what}: asked without mip6ctl it finds {of_daemon}", wait_for(lambda: findings() == [of_daemon], 10),
              findings())
