"""All kinds of move, the home agent agrees to K: no IKE packet, endpoints follow on both sides, re-keying works from
the new address, the second node is left alone; transfer, pings, protection on the wire, nothing left after the stop."""

import moves
import rekey


def scenario(lab):
    moves.whole(lab, agree=True, then=rekey.after_each_kind)
