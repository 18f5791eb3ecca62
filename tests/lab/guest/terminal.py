"""A terminal of 80 columns and 24 rows, as most begin, with a program on it: what is shown there."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from pathlib import Path

from lab import run

COLUMNS, ROWS = 80, 24
CLEAR = "\x1b[H\x1b[2J"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PLACE = Path("/dev/pts")


class Terminal:
    def __init__(self, *command, rows=ROWS, **environment):
        if not PLACE.is_mount():
            PLACE.mkdir(exist_ok=True)
            run("mount", "-t", "devpts", "devpts", str(PLACE))
        self.rows, self.written = rows, b""
        self.screen, program_end = pty.openpty()
        fcntl.ioctl(program_end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, COLUMNS, 0, 0))
        self.process = subprocess.Popen(command, stdin=program_end, stdout=program_end, stderr=program_end,
                                        env={**os.environ, "TERM": "xterm", **environment})
        os.close(program_end)

    def screens(self):
        """What was shown one after the other, from the first time that it was cleared; the last one may not be complete."""
        while select.select([self.screen], [], [], 0)[0]:
            try:
                self.written += os.read(self.screen, 1 << 16)
            except OSError:  # EIO: nobody writes to it any more
                break
        return self.written.decode(errors="replace").replace("\r\n", "\n").split(CLEAR)

    def misfits(self, screens):
        """Lines that are wider, screens of which the first line is not seen any more: the cursor has a line, too."""
        plain = [COLOUR.sub("", one) for one in screens]
        return [line for one in plain for line in one.split("\n") if len(line) > COLUMNS] + \
            [one for one in plain if one.count("\n") >= self.rows]

    def end(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.screen)
