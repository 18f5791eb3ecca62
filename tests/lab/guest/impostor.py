"""Something on charon's socket that is not charon. usage: impostor.py SOCKET nonsense|nothing|closes"""

import os
import socket
import sys
import threading
import time


def serve(connection, manner):
    if manner == "nothing":
        time.sleep(600)
    elif manner == "nonsense":
        try:
            while connection.recv(4096):
                connection.sendall(b"\x00\x00\x00\x08HTTP/1.1 400 What?\r\n" + os.urandom(64))
        except OSError:
            pass
    connection.close()


def main(path, manner):
    if os.path.exists(path):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(8)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, manner), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
