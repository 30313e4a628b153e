"""What systemd is told of a service of `Type=notify`; nothing where nobody asked.

Source: sd_notify(3)."""

import contextlib
import os
import socket


def tell(state: str) -> None:
    """Tell the manager of services a state, such as `READY=1`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect("\0" + address[1:] if address.startswith("@") else address)
        manager.sendall(state.encode())
