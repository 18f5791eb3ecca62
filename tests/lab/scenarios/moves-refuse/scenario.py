"""All kinds of move, the home agent refuses K: IKE is established anew, make before break, at most six packets; the old
IKE_SA is gone on both ends within a second; nothing is lost for want of an SA."""

import moves


def scenario(lab):
    moves.whole(lab, agree=False)
