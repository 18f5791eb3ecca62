"""The home agent's mind changes in mid-life: it comes back without K, then with it again, and then with a state folder of
yesterday. Each time the node goes the new way with the next acknowledgement, and both ends of IKE are where it is."""

import shutil
import signal

import common
import vici
from lab import HOME_ADDRESS, RUN, wait_for


def scenario(lab):
    if not common.begin(lab, capture=False):
        return
    shutil.copytree(RUN / "ha.state", RUN / "ha.backup")
    first = connection(lab)

    restart(lab, key_mobility=False)
    lab.check("an agent that refuses K from now on: the next acknowledgement says so", answered(lab, False),
              lab.status("mn"))
    lab.check("the node has not moved: nothing is established anew", connection(lab) == first, connection(lab))
    at = moved(lab, "down", "w2", "K refused in mid-life")
    second = connection(lab)
    lab.check("for the move IKE was established anew", at and len(second) == 1 and second != first, (first, second))

    restart(lab, key_mobility=True)
    lab.check("an agent that agrees to K again: the next acknowledgement says so", answered(lab, True), lab.status("mn"))
    moved(lab, "up", "w1", "K agreed in mid-life")
    lab.check("the move costs no new connection", connection(lab) == second, (second, connection(lab)))

    restart(lab, key_mobility=True, backup=RUN / "ha.backup")
    lab.check("with an old state folder the next acknowledgement agrees to K", answered(lab, True), lab.status("mn"))
    lab.check("and the home address is reachable", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 5))
    moved(lab, "down", "w2", "after the old state folder")
    lab.check("that move too costs no new connection", connection(lab) == second, (second, connection(lab)))

    restart(lab, key_mobility=False, backup=RUN / "ha.backup")
    lab.check("an old state folder and no K: the next acknowledgement refuses", answered(lab, False), lab.status("mn"))
    moved(lab, "up", "w1", "after the old state folder, K refused")
    common.stop_and_compare(lab)


def connection(lab):
    """Initiator SPIs of the IKE_SAs at the node: what a new connection changes, and a move does not."""
    return {sa["initiator-spi"] for sa in vici.ike_sas(lab.vici_socket("mn"))}


def restart(lab, key_mobility, backup=None):
    lab.stop("ha", signal.SIGKILL)
    if backup:
        shutil.rmtree(RUN / "ha.state")
        shutil.copytree(backup, RUN / "ha.state")
    lab.agent(key_mobility)
    wait_for((RUN / "ha.control").exists, 5)


def answered(lab, key_mobility):
    """The next acknowledgement has K so, and is accepted."""
    before = lab.status("mn")
    lab.status("mn", "refresh")

    def there():
        now = lab.status("mn")
        return now.get("sequence") != before.get("sequence") and lab.registered_at("mn") and \
            now.get("key_mobility") is key_mobility
    return wait_for(there, 6, 0.1)


def moved(lab, state, target, what):
    at = common.move_to(lab, "w1", state, target)
    ends = wait_for(lambda: all(e == [at] for e in lab.ike_endpoints()[:2]), 5, 0.1)
    lab.check(f"{what}: a move is registered, both ends of the one IKE_SA follow", at and ends,
              f"{at} {lab.ike_endpoints()[:2]} {lab.status('mn')}")
    return at
