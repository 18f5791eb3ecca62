"""All kinds of move with duplicate address detection on the node's links, at its real delay."""

import moves

DAD = True


def scenario(lab):
    moves.whole(lab, agree=True, count=6)
