"""strongSwan's own VPN with MOBIKE, to measure beside Mobile IPv6: its virtual IP is the node's home address, payload goes in
tunnel mode, all other settings are its defaults."""

import vici
from lab import HOME_ADDRESS, HOME_AGENT, NODES, wait_for

SETTINGS = "install_routes = yes\n  install_virtual_ip = yes"
SECRET = "a secret of the VPN"
AGENT = "vpn@example.org"


def start(lab):
    """Both charons are up; True when the tunnel is."""
    node, agent = lab.vici_socket("mn"), lab.vici_socket("ha")
    identity = NODES["mn"]["identity"]
    for where in (node, agent):
        _do(where, "load-shared", {"id": "vpn", "type": "IKE", "data": SECRET, "owners": [identity, AGENT]})
    _do(agent, "load-pool", {"home": {"addrs": f"{HOME_ADDRESS}/128"}})
    _do(agent, "load-conn", {"vpn": {
        "version": "2", "local_addrs": [HOME_AGENT], "remote_addrs": ["%any"], "pools": ["home"],
        "local": {"auth": "psk", "id": AGENT}, "remote": {"auth": "psk", "id": identity},
        "children": {"vpn": {"local_ts": ["::/0"]}}}})
    _do(node, "load-conn", {"vpn": {
        "version": "2", "remote_addrs": [HOME_AGENT], "vips": ["::"],
        "local": {"auth": "psk", "id": identity}, "remote": {"auth": "psk", "id": AGENT},
        "children": {"vpn": {"remote_ts": ["::/0"]}}}})
    _do(node, "initiate", {"child": "vpn", "timeout": "-1"})
    return wait_for(lambda: endpoint(lab), 10, 0.1)


def endpoint(lab):
    """The node's address as its IKE_SA has it, if the tunnel is up."""
    for sa in vici.ike_sas(lab.vici_socket("mn")):
        if any(child["state"] == "INSTALLED" for child in sa.get("child-sas", {}).values()):
            return sa["local-host"]
    return None


def _do(where, command, message):
    answer = vici.ask(where, command, message)
    if answer.get("success") == "no":
        raise RuntimeError(f"{command}: {answer.get('errmsg')}")
