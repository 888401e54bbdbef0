# SPDX-License-Identifier: GPL-3.0-only
"""A real ssh server in this process, whose commands are Python functions of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paramiko

from harness.guest.keys import RunKeys

Behaviour = Callable[["Command"], None]


class Command:
    """A command being run; a behaviour says what it does."""

    def __init__(self, line: str, channel: paramiko.Channel) -> None:
        self.line = line
        self.channel = channel
        self.transport = channel.get_transport()
        self.stdin = b""

    def carry_out(self, behaviour: Behaviour) -> None:
        # The client ends its input only after it was told that the command has begun.
        self.stdin = b"".join(iter(lambda: self.channel.recv(1 << 16), b""))
        behaviour(self)

    def end(self, status: int = 0) -> None:
        self.channel.send_exit_status(status)
        self.channel.shutdown_write()
        self.channel.close()

    def hang(self) -> None:
        """Never end; the thread does when the connection is gone."""
        self.transport.join()


class SshServer(paramiko.ServerInterface):
    """Lets the run's client key in as root, and notes every command line that it is asked to run."""

    def __init__(self, keys: RunKeys, behaviour: Behaviour) -> None:
        self.lines: list[str] = []
        self._client = keys.client.for_paramiko()
        self._behaviour = behaviour
        self._host_key = keys.host.for_paramiko()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()
        for transport in self._transports:
            transport.close()

    def _accept(self) -> None:
        while True:
            try:
                plug, _ = self._listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(plug)
            transport.add_server_key(self._host_key)
            self._transports.append(transport)
            transport.start_server(event=threading.Event(), server=self)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        fits = username == "root" and key == self._client
        return paramiko.AUTH_SUCCESSFUL if fits else paramiko.AUTH_FAILED

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        line = command.decode()
        self.lines.append(line)
        command_run = Command(line, channel)
        threading.Thread(target=command_run.carry_out, args=(self._behaviour,), daemon=True).start()
        return True


@contextmanager
def ssh_server(keys: RunKeys, behaviour: Behaviour) -> Iterator[SshServer]:
    """A server on a free port of the loopback for the block."""
    server = SshServer(keys, behaviour)
    try:
        yield server
    finally:
        server.close()
