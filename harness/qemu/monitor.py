# SPDX-License-Identifier: GPL-3.0-only
"""QMP over a socket that QEMU inherited: commands from any thread, events as they come.

qemu.qmp's listeners go silent, without an error, when the connection dies; so its run state is
watched beside them. QEMU closes the connection in no other way than by ending.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from qemu.qmp import ConnectError, EventListener, ExecInterruptedError, Message, QMPClient, QMPError, Runstate
from qemu.qmp.protocol import StateError
from qemu.qmp.qmp_client import ExecuteError

from harness.errors import CannotMeasure, TimedOut
from harness.host.deadline import Deadline, monotonic_ns
from harness.host.loop import LoopThread
from harness.qemu.events import MachineEvent


class MonitorLost(CannotMeasure):
    """The connection to QEMU is gone."""


class CommandRefused(CannotMeasure):
    """QEMU answered a command with an error."""


class Monitor:
    """A connection in the state RUNNING or lost; there is no way back from lost."""

    def __init__(self, loop: LoopThread, on_event: Callable[[MachineEvent], None]) -> None:
        self._loop = loop
        self._on_event = on_event
        self._client = QMPClient("machine")
        self._listener = EventListener()
        self._watching: asyncio.Task[None] | None = None
        self._leaving = asyncio.Lock()
        self._lost = False
        self.fault: Exception | None = None

    @property
    def lost(self) -> bool:
        """Whether QEMU has closed the connection: it has ended, or is about to."""
        return self._lost

    def execute(
        self, command: str, arguments: Mapping[str, object] | None = None, *, deadline: Deadline
    ) -> object:
        """What QEMU returns for the command.

        :raise CommandRefused: it answered with an error.
        :raise MonitorLost: it closed the connection.
        :raise TimedOut: it has not answered until the deadline.
        """
        try:
            return self._loop.call(self._client.execute(command, arguments), deadline.remaining)
        except ExecuteError as error:
            raise CommandRefused(f"cannot {command}: QEMU says: {error}") from error
        except (ExecInterruptedError, StateError, OSError, EOFError) as error:
            raise MonitorLost(f"cannot {command}: the connection to QEMU is gone") from error
        except TimedOut as error:
            raise TimedOut(f"cannot {command}: QEMU does not answer its monitor") from error

    def connect(self, ours: socket.socket, deadline: Deadline) -> None:
        """Shake hands; events count from here on."""
        try:
            self._loop.call(self._open(ours), deadline.remaining)
        except ConnectError as error:
            raise MonitorLost(f"cannot connect to QEMU's monitor: {error}") from error
        except AssertionError as error:  # qemu.qmp 0.0.6 asserts that a peer stays after the handshake
            raise MonitorLost("cannot connect to QEMU's monitor: it closed it after the handshake") from error
        except TimedOut as error:
            raise TimedOut("cannot connect to QEMU's monitor: it does not answer") from error

    async def _open(self, ours: socket.socket) -> None:
        self._client.register_listener(self._listener)
        await self._client.connect(ours)
        self._watching = asyncio.create_task(self._watch())

    async def _pump(self) -> None:
        async for message in self._listener:
            self._deliver(message)

    async def _watch(self) -> None:
        pump = asyncio.create_task(self._pump())
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()
        await self._settle()
        pump.cancel()
        while not self._listener.empty():
            self._deliver(await self._listener.get())
        self._lost = True

    def _deliver(self, message: Message) -> None:
        event = MachineEvent(str(message["event"]), _mapping(message.get("data")), monotonic_ns())
        try:
            self._on_event(event)
        except Exception as error:
            self.fault = self.fault or error

    async def _settle(self) -> None:
        # qemu.qmp bears one disconnection at a time, and reports why the reader ended only to one that
        # is waited for to its end.
        async with self._leaving:
            with suppress(QMPError, OSError, EOFError):
                await self._client.disconnect()

    async def close(self) -> None:
        """Take leave; runs in the asyncio thread."""
        await self._settle()
        # Cancelled in its own disconnection, the watch would leave that unwaited; it ends by itself now.
        if self._watching:
            await self._watching


@contextmanager
def connected(
    ours: socket.socket, deadline: Deadline, on_event: Callable[[MachineEvent], None]
) -> Iterator[Monitor]:
    """The monitor behind our end of the socket pair, with an asyncio thread of its own.

    `on_event` is called in that thread: it must be quick. What it raises is kept in `fault`.

    :raise MonitorLost: QEMU ended before it could answer.
    :raise TimedOut: QEMU does not answer.
    """
    with LoopThread() as loop:
        monitor = Monitor(loop, on_event)
        try:
            monitor.connect(ours, deadline)
            yield monitor
        finally:
            loop.call(monitor.close())


def _mapping(data: object) -> Mapping[str, object]:
    return data if isinstance(data, dict) else {}
