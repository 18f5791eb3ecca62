"""The packet filter of a router with other duties, whose policy is to drop: nftables', with the very lines that mip6-ha(8)
names, where the kernel's nf_tables has a family that sees IPv6; else ip6tables'."""

import os
import re
import subprocess

from foreign import FAR
from lab import HOME_AGENT, ROOT, inside, run

OTHER_ADDRESS = "2001:db8:f3::2"  # of the same machine
MANUAL = ROOT / "packaging/man/mip6-ha.8"


class Ip6tables:
    """Of user-mode Linux: CONFIG_NF_TABLES_IPV6, _INET and _NETDEV are not set there; the hooks behind both are the same."""

    MODULES = ("ip6_tables", "ip6table_raw", "ip6table_mangle", "ip6table_filter", "xt_policy", "xt_tcpudp", "xt_mark",
               "xt_TCPMSS")
    RULES = f"""*raw
-A PREROUTING -s 2001:db8:bad::/48 -j DROP
COMMIT
*mangle
-A PREROUTING -i branch -j MARK --set-mark 0x63
-A FORWARD -o branch -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*filter
:INPUT DROP
:FORWARD DROP
-A INPUT -i lo -j ACCEPT
-A INPUT -p 58 -j ACCEPT
-A INPUT -p 50 -j ACCEPT
-A INPUT -p 41 -j ACCEPT
-A INPUT -p udp --dport 500 -j ACCEPT
-A INPUT -p udp --dport 4500 -j ACCEPT
-A INPUT -p 135 -d {HOME_AGENT} -m policy --dir in --pol none -j DROP
-A INPUT -p 135 -m policy --dir in --pol ipsec -j ACCEPT
-A INPUT -d {OTHER_ADDRESS} -j ACCEPT
-A INPUT -d {FAR} -j ACCEPT
-A INPUT -j DROP
-A FORWARD -i mip6ha -j ACCEPT
-A FORWARD -o mip6ha -j ACCEPT
-A FORWARD -j DROP
COMMIT
"""

    def load(self):
        modules(self.MODULES)
        inside("ha", lambda: subprocess.run(["ip6tables-legacy-restore"], input=self.RULES, text=True, check=True))

    @staticmethod
    def state():
        rules = run("ip6tables-legacy-save", namespace="ha").splitlines()
        return [re.sub(r" \[.*", "", line) for line in rules if not line.startswith("#")]

    @staticmethod
    def dropped():
        """Of the Mobility Headers in the clear."""
        return int(re.search(r"\[(\d+):\d+\] -A INPUT .*--pol none", run("ip6tables-legacy-save", "-c", namespace="ha"))[1])


class Nftables:
    MODULES = ("nf_tables",)

    @staticmethod
    def of_the_manual():
        text = MANUAL.read_text(encoding="utf-8")
        return re.search(r"nftables' words:\n\.Bd[^\n]*\n(.*?)\.Ed", text, re.S)[1]

    def load(self):
        modules(self.MODULES)
        rules = f"""table inet router {{
  chain raw {{ type filter hook prerouting priority raw; ip6 saddr 2001:db8:bad::/48 drop; }}
  chain marks {{ type filter hook prerouting priority mangle; iifname "branch" meta mark set 0x63; }}
  chain clamp {{ type filter hook forward priority mangle;
    oifname "branch" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu; }}
  chain input {{ type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ip6 daddr {HOME_AGENT} meta l4proto 135 meta ipsec missing counter drop
{self.of_the_manual()}
    ip6 daddr {{ {OTHER_ADDRESS}, {FAR} }} accept
  }}
  chain forward {{ type filter hook forward priority filter; policy drop;
    iifname "mip6ha" accept
    oifname "mip6ha" accept
  }}
}}
"""
        inside("ha", lambda: subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True))

    @staticmethod
    def state():
        """Whole, with the handles: a rule that was made again has another one. Only what is counted may differ."""
        rules = run("nft", "-a", "list", "ruleset", namespace="ha")
        return [re.sub(r"packets \d+ bytes \d+", "", rules)]

    @staticmethod
    def dropped():
        return int(re.search(r"ipsec missing counter packets (\d+)", run("nft", "list", "ruleset", namespace="ha"))[1])


def modules(names):
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], "-a", *names)


def of_this_kernel():
    return Nftables() if os.environ["LAB_KIND"].startswith("stock") else Ip6tables()
