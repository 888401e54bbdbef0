# SPDX-License-Identifier: GPL-3.0-only
"""Commands in the guest, over one kept ssh connection.

A lost connection is never made again on the quiet and a command is never run twice: nobody knows whether
the first one happened, and `snap revert` twice is another experiment. A new boot gets a new Shell.
"""

from __future__ import annotations

import contextlib
import logging
import select
import shlex
import socket
from dataclasses import dataclass

import paramiko

from harness.errors import CannotMeasure, GuestFailed, TimedOut
from harness.guest.keys import RunKeys
from harness.host.deadline import Deadline, monotonic

MOST_OUTPUT = 1 << 20
_CHUNK = 1 << 15
_KEEPALIVE_SECONDS = 5
_CUT = "\n[cut: the output is longer than 1 MiB]"
_SHOWN = 2000
USER = "root"

# paramiko logs tracebacks of what it also raises; without any handler Python prints them.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class ShellResult:
    """How a command ended: `status` is -1 when a signal ended it.

    Of each stream the first MiB is kept; one that was longer says so at its end.
    """

    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def shown(self) -> str:
        """Both streams, as text that is safe on a terminal: what is not printable is escaped."""
        return printable("\n".join(filter(None, (self.stdout.rstrip(), self.stderr.rstrip()))))


class CommandFailed(CannotMeasure):
    """A command that had to succeed did not; `result` is how it ended."""

    def __init__(self, result: ShellResult) -> None:
        words = result.shown[-_SHOWN:] or "it said nothing"
        super().__init__(
            f"cannot go on: `{_short(result.command)}` ended with status {result.status}: {words}"
        )
        self.result = result


class Shell:
    """Root's commands in one boot of the guest."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport
        self._cause: CannotMeasure | None = None

    @classmethod
    def connect(cls, host: str, port: int, keys: RunKeys, deadline: Deadline) -> Shell:
        """Log in, with the run's key, to the server that shows the run's host key.

        Raises GuestFailed when there is no such server, and TimedOut.
        """
        where = f"ssh at {host}:{port}"
        try:
            plug = socket.create_connection((host, port), timeout=_finite(deadline))
        except TimeoutError as error:
            raise TimedOut(f"cannot wait longer for {where} to accept a connection") from error
        except OSError as error:
            raise GuestFailed(f"cannot connect to {where}: {error.strerror or error}") from error
        transport = paramiko.Transport(plug)
        try:
            _log_in(transport, keys, deadline, where)
        except BaseException:
            transport.close()
            raise
        return cls(transport)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; what runs in it raises GuestFailed."""
        self._transport.close()

    def give_up(self, cause: CannotMeasure) -> None:
        """End the connection; what runs in it, and whatever is run later, raises `cause`."""
        self._cause = self._cause or cause
        self.close()

    def run(self, command: str, deadline: Deadline, *, check: bool = True, stdin: bytes = b"") -> ShellResult:
        """Run a command line of sh and wait for its end.

        Raises CommandFailed when it fails and `check` is true, TimedOut at the deadline (the guest may go on
        with the command) and GuestFailed when the connection is lost (nobody knows how far it came).
        """
        began = monotonic()
        with contextlib.closing(self._channel(command, deadline)) as channel:
            try:
                channel.exec_command(command)
                stdout, stderr = _Conversation(channel, stdin).finish(deadline, command)
                status = self._status(channel, command, deadline)
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise self._lost(command, str(error)) from error
        result = ShellResult(command, status, _text(stdout), _text(stderr), monotonic() - began)
        if check and status != 0:
            raise CommandFailed(result)
        return result

    def start(self, command: str, deadline: Deadline) -> None:
        """Start a command and leave it to itself; its output goes to the guest's journal."""
        quoted = shlex.quote(f"exec setsid systemd-cat sh -c {shlex.quote(command)}")
        self.run(f"sh -c {quoted} </dev/null >/dev/null 2>&1 &", deadline)

    def put(self, content: bytes, path: str, deadline: Deadline) -> None:
        """Write a file of the guest, whole or not at all."""
        target, half = shlex.quote(path), shlex.quote(f"{path}.half")
        self.run(f"cat > {half} && mv -f {half} {target}", deadline, stdin=content)

    def _channel(self, command: str, deadline: Deadline) -> paramiko.Channel:
        if deadline.expired:
            raise TimedOut(f"cannot start `{_short(command)}`: no time is left")
        try:
            return self._transport.open_session(timeout=_finite(deadline))
        except (paramiko.SSHException, OSError, EOFError) as error:
            if self._transport.is_active() and deadline.expired:
                raise TimedOut(f"cannot wait longer to start `{_short(command)}`") from error
            if self._cause is not None:
                raise self._cause from error
            why = "the ssh connection is lost" if not self._transport.is_active() else f"sshd says {error}"
            raise GuestFailed(f"cannot start `{_short(command)}`: {why}") from error

    def _status(self, channel: paramiko.Channel, command: str, deadline: Deadline) -> int:
        if not channel.status_event.wait(_finite(deadline)):
            raise _timed_out(command)
        # A signal's end leaves no status either, but then the connection is still there.
        if channel.exit_status == -1 and not self._transport.is_active():
            raise self._lost(command)
        return channel.exit_status

    def _lost(self, command: str, error: str = "") -> CannotMeasure:
        why = (
            f"ssh says {error}" if self._transport.is_active() else "the ssh connection was lost while it ran"
        )
        return self._cause or GuestFailed(
            f"cannot tell how `{_short(command)}` ended: {why}",
            hint="it was not run a second time",
        )


class _Conversation:
    """A command's input and output, all three streams at once, so that none of them can block another."""

    def __init__(self, channel: paramiko.Channel, stdin: bytes) -> None:
        self._channel = channel
        self._stdin = memoryview(stdin)
        self._stdout = bytearray()
        self._stderr = bytearray()
        channel.setblocking(0)
        if not stdin:
            channel.shutdown_write()

    def finish(self, deadline: Deadline, command: str) -> tuple[bytes, bytes]:
        """Both outputs, when the command has closed them."""
        while not self._is_over():
            self._feed()
            self._drain()
            if self._channel.recv_ready() or self._channel.recv_stderr_ready() or self._is_over():
                continue
            if deadline.expired:
                raise _timed_out(command)
            # A window that opens for more input shows in no descriptor, so input is offered again soon.
            pause = min(deadline.remaining, 0.05 if self._stdin else 5.0)
            select.select([self._channel.fileno()], [], [], pause)
        self._drain()
        return bytes(self._stdout), bytes(self._stderr)

    def _is_over(self) -> bool:
        channel = self._channel
        ended = bool(channel.eof_received or channel.closed)
        return ended and not (channel.recv_ready() or channel.recv_stderr_ready())

    def _feed(self) -> None:
        while self._stdin and self._channel.send_ready():
            self._stdin = self._stdin[self._channel.send(self._stdin[:_CHUNK].tobytes()) :]
            if not self._stdin:
                self._channel.shutdown_write()

    def _drain(self) -> None:
        while self._channel.recv_ready():
            _keep(self._stdout, self._channel.recv(_CHUNK))
        while self._channel.recv_stderr_ready():
            _keep(self._stderr, self._channel.recv_stderr(_CHUNK))


def printable(text: str) -> str:
    """Text of the guest that no terminal obeys: what is not printable, but line ends and tabs, is escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _log_in(transport: paramiko.Transport, keys: RunKeys, deadline: Deadline, where: str) -> None:
    try:
        transport.get_security_options().key_types = ("ssh-ed25519",)
        transport.start_client(timeout=_finite(deadline))
        if transport.get_remote_server_key() != keys.host.for_paramiko():
            raise GuestFailed(f"cannot trust {where}: it does not show the host key made for this run")
        transport.auth_timeout = min(deadline.remaining, 86400.0)
        transport.auth_publickey(USER, keys.client.for_paramiko())
    except (paramiko.SSHException, OSError, EOFError) as error:
        if deadline.expired:
            raise TimedOut(f"cannot wait longer for {where} to let us in: {error}") from error
        raise GuestFailed(f"cannot log in by {where}: {str(error) or type(error).__name__}") from error
    transport.set_keepalive(_KEEPALIVE_SECONDS)


def _keep(kept: bytearray, chunk: bytes) -> None:
    kept += chunk[: MOST_OUTPUT + 1 - len(kept)]


def _text(raw: bytes) -> str:
    text = raw[:MOST_OUTPUT].decode("utf-8", "backslashreplace")
    return text + _CUT if len(raw) > MOST_OUTPUT else text


def _timed_out(command: str) -> TimedOut:
    return TimedOut(f"cannot wait longer for `{_short(command)}` to end", hint="the guest may go on with it")


def _short(command: str) -> str:
    return printable(command if len(command) <= 200 else f"{command[:200]}…")


def _finite(deadline: Deadline) -> float | None:
    return None if deadline.remaining == float("inf") else deadline.remaining
