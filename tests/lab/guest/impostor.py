"""Something on charon's socket that is not charon."""

import os
import socket
import threading


class Impostor:
    """Listens at `path` until stop(). manner: "nonsense", or "nothing" (not a word, but connections stay)."""

    def __init__(self, path, manner):
        self.manner, self.accepted, self.connections = manner, 0, []
        path.unlink(missing_ok=True)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(str(path))
        self.server.listen(8)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:  # stopped
                return
            self.connections.append(connection)
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        if self.manner == "nothing":
            return
        try:
            while connection.recv(4096):
                connection.sendall(b"\x00\x00\x00\x08HTTP/1.1 400 What?\r\n" + os.urandom(64))
        except OSError:
            pass
        connection.close()

    def stop(self):
        for one in (self.server, *self.connections):
            try:
                one.shutdown(socket.SHUT_RDWR)  # a close alone ends nothing while a thread waits in accept() or recv()
            except OSError:  # has ended
                pass
            one.close()
