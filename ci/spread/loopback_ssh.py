# SPDX-License-Identifier: GPL-3.0-only
"""A private ssh server on the loopback interface, so that spread can use the machine it runs on.

spread reaches machines by ssh as root with a password. The system's own sshd would need root's password
changed for that, so this server takes the password of one spread session instead, on a port that the
kernel picks, and runs everything as the user who started it. It ends when it is told to through a socket
that only this user can open, or an hour after the last connection.
"""

from __future__ import annotations

import hmac
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko

from harness.host.deadline import Deadline, monotonic
from harness.host.process import spawn

IDLE_SECONDS = 3600.0
LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16


class Session(paramiko.ServerInterface):
    """One connection: root by the session's password, and commands."""

    def __init__(self, password: str) -> None:
        self._password = password

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's interface
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = hmac.compare_digest(password.encode(), self._password.encode())
        return paramiko.AUTH_SUCCESSFUL if right and username == "root" else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - paramiko's interface
        return (
            paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        )

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        _in_thread(lambda: carry_out(channel, command.decode()))
        return True


def carry_out(channel: paramiko.Channel, command: str) -> None:
    """Run the command with the channel as its standard streams and send its status."""
    (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe(), os.pipe()
    with spawn(
        ["/bin/bash", "-c", command],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=dict(os.environ),
        cwd=Path.home(),
    ) as child:
        for ours in (stdin, stdout, stderr):
            os.close(ours)
        _in_thread(lambda: _feed(channel, to_stdin))
        pumps = [
            _in_thread(lambda: _drain(from_stdout, channel.sendall)),
            _in_thread(lambda: _drain(from_stderr, channel.sendall_stderr)),
        ]
        status = child.wait(Deadline.never())
    for pump in pumps:
        pump.join()
    channel.send_exit_status(status if status >= 0 else 128 - status)
    channel.close()


def _feed(channel: paramiko.Channel, descriptor: int) -> None:
    with os.fdopen(descriptor, "wb", buffering=0) as pipe:
        while data := channel.recv(CHUNK):
            try:
                pipe.write(data)
            except BrokenPipeError:
                return


def _drain(descriptor: int, send: Callable[[bytes], object]) -> None:
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while data := pipe.read(CHUNK):
            try:
                send(data)
            except OSError:  # the client has gone; the command is still read to its end
                continue


class Server:
    """Listens from its making on; `serve` returns when it is told to stop, or after idling."""

    def __init__(self, password: str, idle_seconds: float = IDLE_SECONDS) -> None:
        self._password = password
        self._idle = idle_seconds
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server((LOOPBACK, 0))
        self._transports: list[paramiko.Transport] = []
        self.address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._stop = stopper(self.address)

    def keep_only_mine(self) -> None:
        """Close every descriptor that was inherited, and let the standard streams lead nowhere.

        spread waits until nobody holds the pipes that it gave to the script.
        """
        mine = {self._listener.fileno(), self._stop.fileno()}
        for descriptor in {int(entry.name) for entry in Path("/proc/self/fd").iterdir()} - mine - {0, 1, 2}:
            os.closerange(descriptor, descriptor + 1)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)

    def serve(self) -> None:
        with self._listener, self._stop as stop:
            _in_thread(self._accept)
            stop.settimeout(1.0)
            last_use = monotonic()
            while monotonic() - last_use < self._idle:
                if any(transport.is_active() for transport in self._transports):
                    last_use = monotonic()
                try:
                    stop.accept()[0].close()
                except TimeoutError:
                    continue
                break
            # Closing alone would not end the accept(2) that another thread is in, nor the port with it.
            self._listener.shutdown(socket.SHUT_RDWR)
        for transport in self._transports:
            transport.close()
        stop_path(self.address).unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the server ends
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self._key)
            self._transports.append(transport)
            _in_thread(lambda transport=transport: self._greet(transport))

    def _greet(self, transport: paramiko.Transport) -> None:
        try:
            transport.start_server(server=Session(self._password))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()


def stop_path(address: str) -> Path:
    """The socket that ends the server at `address`; its directory is this user's alone."""
    directory = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/revert-safety-spread-{os.getuid()}")
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.lstat().st_uid != os.getuid():
        sys.exit(f"cannot use {directory}: it is another user's")
    return directory / f"revert-safety-{address}.stop"


def stopper(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    stop_path(address).unlink(missing_ok=True)  # left by one that was killed: the port is ours now
    listener.bind(os.fspath(stop_path(address)))
    listener.listen()
    return listener


def stop(address: str) -> None:
    """End the server; nothing happens when it has ended."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(os.fspath(stop_path(address)))
        except (FileNotFoundError, ConnectionRefusedError):
            return


def start(password: str) -> None:
    """Print the address of a server that goes on without us."""
    server = Server(password)
    done, tell = os.pipe()
    if os.fork():
        os.close(tell)
        # Whoever started us may end our process group as soon as we are gone, so the server leaves it first.
        if os.read(done, 1) != b".":
            sys.exit("cannot start the server")
        print(server.address, flush=True)
        os._exit(0)
    os.setsid()
    os.write(tell, b".")
    server.keep_only_mine()
    server.serve()


def _in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            start(os.environ["SPREAD_PASSWORD"])
        case ["stop", address]:
            stop(address)
        case _:
            sys.exit("cannot understand the command line: expected `start`, or `stop ADDRESS`")
