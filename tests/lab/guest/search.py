"""Looks for secrets in what programs tell and write, in every form that they could have."""

import base64
import re
import socket

from lab import RUN, run

# Every request of the control sockets, and what is none.
REQUESTS = (b'{"command":"status"}', b'{"command":"events"}', b'{"command":"list"}', b'{"command":"watch"}',
            b'{"command":"sequence"}', b'{"command":"doctor"}', b'{"command":"show","node":"laptop"}', b'{"command":"reload"}',
            b'{"command":"ban","node":"nobody"}', b'{"command":"unban","node":"laptop"}', b'{"command":"export"}',
            b'{"command":"import"}', b'{"command":"x"}', b"{", b"[]")


def forms(secret):
    """Bytes that must not be found."""
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")[:-1]}


def of_esp(*namespaces):
    """(name, form) of the keys of ESP that these kernels have."""
    found = []
    for namespace in namespaces:
        for key in re.findall(r"(?:enc|auth-trunc|aead) \S+ 0x([0-9a-f]+)", run("ip", "xfrm", "state", namespace=namespace)):
            found += [("ESP key", form) for form in forms(bytes.fromhex(key))]
    return found


def looked_for(secrets, data):
    return sorted({name for name, form in secrets if form in data})


def asked(path, request):
    """What a control socket answers to a line."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(2)
    client.connect(str(path))
    client.sendall(request + b"\n")
    data = b""
    try:
        while not data.endswith(b"\n") and (part := client.recv(65536)):
            data += part
    except OSError:
        pass
    client.close()
    return data


def check_logs_and_state(lab, secrets, least_logs=2, least_states=2):
    """Whoever may read them. least_...: so many files there must be, or there was nothing to look through."""
    logs = {path.name: looked_for(secrets, path.read_bytes()) for path in RUN.glob("*.log")}
    lab.check("no log has a secret", len(logs) >= least_logs and not any(logs.values()), logs)
    state = {str(path): looked_for(secrets, path.read_bytes()) for folder in RUN.glob("*.state")
             for path in folder.rglob("*") if path.is_file()}
    lab.check("no state has a secret", len(state) >= least_states and not any(state.values()), state)
