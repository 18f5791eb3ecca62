"""State of both daemons as it would be after a long time, written while they are not running."""

import ipaddress
import json
import sqlite3
import subprocess

import common
from lab import HOME_ADDRESS, HOME_AGENT, NODES, program


def node_file(lab):
    return lab.state / "mn.state" / f"sequence-{HOME_ADDRESS}-{HOME_AGENT}.json"


def node_numbers(lab):
    return json.loads(node_file(lab).read_text(encoding="utf-8"))


def set_node_numbers(lab, first_unused, first_under_keys=None):
    state = {"version": 1, "reserved_until": first_unused & 0xFFFF}
    if first_under_keys is not None:
        state["first_under_keys"] = first_under_keys & 0xFFFF
    node_file(lab).parent.mkdir(exist_ok=True)
    node_file(lab).write_text(json.dumps(state), encoding="utf-8")


def agent_database(lab):
    return lab.state / "ha.state" / "agent.db"


def set_agent_number(lab, last):
    """A node that is not bound, whose last update had this number."""
    database = sqlite3.connect(agent_database(lab))
    database.execute("INSERT OR REPLACE INTO bindings (home_address, sequence, key_mobility, granted, expires_unix, "
                     "link_local) VALUES (?, ?, 0, 0, 0, 0)", (ipaddress.IPv6Address(HOME_ADDRESS).packed, last & 0xFFFF))
    database.commit()
    database.close()


def manual_keys(folder):
    """For prepare(): a file of manual keys of `mn`, its path; folder/mn.state and folder/ha.state say that they are new."""
    keys = common.make_keys("mn", folder)
    node = f"home-address = {HOME_ADDRESS}/64\nhome-agent = {HOME_AGENT}\nkeying = manual"
    agent = f"address = {HOME_AGENT}\ninterface = home\nprefix = 2001:db8:1::/64"
    section = f"[node {NODES['mn']['name']}]\nhome-address = {HOME_ADDRESS}"
    for end, lines, command in (("mn", [node], ("mnd", "--keys-are-new")),
                                ("ha", [agent, section], ("mip6-ha", "--keys-are-new", NODES["mn"]["name"]))):
        state, config = folder / f"{end}.state", folder / "prepare.conf"
        state.mkdir()
        lines[1:1] = [f"state-directory = {state}", f"control-socket = {folder}/none"]
        config.write_text("\n".join([*lines, f"manual-keys = {keys}"]) + "\n", encoding="utf-8")
        subprocess.run([program(command[0]), "--config", str(config), *command[1:]], check=True, stdout=subprocess.DEVNULL)
    return keys
