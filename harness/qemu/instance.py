# SPDX-License-Identifier: GPL-3.0-only
"""One QEMU, alive for the life of a `with` block, whose death is named and never mistaken."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path

from harness.errors import CannotMeasure, InstanceDied
from harness.host.deadline import Deadline, NotYet, wait_until
from harness.host.facts import ResidentMemory, read_oom_kills, read_resident_memory
from harness.host.process import Child, describe_status, file_tail, spawn
from harness.qemu.command import MachineSpec, Wiring, command_line
from harness.qemu.events import EventLog, MachineEvent
from harness.qemu.monitor import Monitor, MonitorLost, connected
from harness.qemu.usernet import parse_forwards

ANSWER_SECONDS = 30.0
"""How long a healthy QEMU may take to answer on a busy host; commands here take milliseconds."""
DYING_SECONDS = 1.0
"""From the monitor's end of file to the process's end; QEMU closes it while it ends."""
GRACE_SECONDS = 3.0
"""From SIGTERM to SIGKILL; who wants the disks in order asks with `quit()` before."""


class State(Enum):
    """What the machine is doing; all but ENDED are QEMU's own words (`query-status`)."""

    PAUSED = "paused"  # before its first instruction, or stopped by the host
    RUNNING = "running"
    PANICKED = "panicked"  # the guest's kernel said so through pvpanic, and was stopped there
    SHUT_DOWN = "shut down"  # the guest switched itself off; QEMU is still there
    BROKEN = "broken"  # the host cannot go on emulating it: KVM's internal error, a disk error
    ENDED = "ended"  # QEMU is gone


# QAPI's RunState; what is not here is a passing state of a migration or a snapshot.
_STATES = {
    "running": State.RUNNING,
    "guest-panicked": State.PANICKED,
    "shutdown": State.SHUT_DOWN,
    "internal-error": State.BROKEN,
    "io-error": State.BROKEN,
}


class Instance:
    """A running QEMU; made by `start()`."""

    def __init__(
        self,
        spec: MachineSpec,
        child: Child,
        monitor: Monitor,
        channels: Mapping[str, socket.socket],
        events: EventLog,
        log: Path,
    ) -> None:
        self.spec = spec
        self.log = log
        self._child = child
        self._monitor = monitor
        self._channels = channels
        self._events = events
        self._asked_to_end = False
        self._oom_kills = read_oom_kills()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def events(self) -> tuple[MachineEvent, ...]:
        """Every QMP event so far, the oldest first."""
        return self._events.all()

    @property
    def state(self) -> State:
        """What the machine is doing now, asked from QEMU."""
        if not self.alive:
            return State.ENDED
        answer = self.execute("query-status")
        status = answer["status"] if isinstance(answer, dict) else ""
        return _STATES.get(status, State.PAUSED)

    def execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        *,
        deadline: Deadline | None = None,
    ) -> object:
        """What QEMU returns for a QMP command.

        :raise InstanceDied: QEMU is gone.
        :raise CommandRefused: QEMU answered with an error.
        :raise TimedOut: QEMU does not answer.
        """
        self.raise_if_dead()
        try:
            return self._monitor.execute(
                command, arguments, deadline=deadline or Deadline.after(ANSWER_SECONDS)
            )
        except MonitorLost as error:
            if death := self.death():
                raise death from error
            raise

    def cont(self) -> None:
        """Let the machine run: for the first time, or on from a stop."""
        self.execute("cont")

    def pause(self) -> None:
        """Stop the machine's CPUs between two instructions."""
        self.execute("stop")

    def reset(self) -> None:
        """Press the reset button; disks keep what reached QEMU. A stopped machine stays stopped."""
        self.execute("system_reset")

    def powerdown(self) -> None:
        """Press the power button: an ACPI event, which the guest may ignore.

        :raise CannotMeasure: nothing runs that could see it.
        """
        state = self.state
        if state is not State.RUNNING:
            raise CannotMeasure(f"cannot power the machine down: it is {state.value}")
        self.execute("system_powerdown")

    def quit(self, deadline: Deadline | None = None) -> None:
        """End QEMU in order, with its disks flushed to the host; does nothing when it has ended."""
        self._asked_to_end = True
        if self.alive:
            with suppress(MonitorLost):
                self._monitor.execute("quit", deadline=deadline or Deadline.after(ANSWER_SECONDS))
            self._child.wait(deadline or Deadline.after(ANSWER_SECONDS))

    def kill(self) -> None:
        """SIGKILL. Not a power cut: what the guest handed to QEMU is in the host's page cache."""
        self._asked_to_end = True
        self._child.signal(signal.SIGKILL)
        self._child.wait(Deadline.after(ANSWER_SECONDS))

    def forwarded_port(self, guest_port: int = 22) -> int:
        """The port of 127.0.0.1 that leads to the guest's port.

        :raise CannotMeasure: there is none.
        """
        answer = str(self.execute("human-monitor-command", {"command-line": "info usernet"}))
        for forward in parse_forwards(answer):
            if forward.guest_port == guest_port:
                return forward.host_port
        raise CannotMeasure(f"cannot find the port that leads to the guest's {guest_port}: {answer}")

    def channel(self, name: str) -> socket.socket:
        """Our end of the virtio-serial port; it must be read, or the guest's writes will block.

        It belongs to the instance: do not close it.
        """
        return self._channels[name]

    def resident_memory(self) -> ResidentMemory | None:
        """QEMU's memory in KiB, or None when it has ended."""
        return read_resident_memory(self.pid)

    def wait_for(
        self,
        name: str,
        deadline: Deadline,
        *,
        since: int = 0,
        matching: Callable[[MachineEvent], bool] = lambda _: True,
    ) -> MachineEvent:
        """The first event of that name at or after index `since` of `events`.

        :raise InstanceDied: QEMU ended first.
        :raise TimedOut: it has not come.
        """

        def check() -> MachineEvent | NotYet:
            # Read before the look at the process: QEMU's last words come before its end.
            dead = self.death()
            events = self.events[since:]
            for event in events:
                if event.name == name and matching(event):
                    return event
            if dead:
                raise dead
            return NotYet("the events " + (" ".join(event.name for event in events) or "none"))

        return wait_until(check, deadline, what=f"QEMU's event {name}")

    def raise_if_dead(self) -> None:
        """:raise InstanceDied: QEMU has ended. Also raises what an event's callback raised."""
        if self._monitor.fault:
            raise self._monitor.fault
        if death := self.death():
            raise death
        if self._asked_to_end and not self.alive:
            raise InstanceDied("cannot use the machine: it was ended before")

    def death(self, within: float = 0.0) -> InstanceDied | None:
        """Why QEMU is gone, or goes `within` seconds, although nobody asked it to; else None."""
        if self._asked_to_end:
            return None
        status = self._child.exited_within(DYING_SECONDS if self._monitor.lost else within)
        return None if status is None else _died("go on", self._child, status, self.log, self._oom())

    def _oom(self) -> bool:
        return read_oom_kills() > self._oom_kills


@contextmanager
def start(
    spec: MachineSpec,
    log: Path,
    deadline: Deadline,
    *,
    on_event: Callable[[MachineEvent], None] = lambda _: None,
    paused: bool = False,
) -> Iterator[Instance]:
    """A QEMU for the life of the block; what it prints goes to `log`.

    `on_event` is called in another thread and must be quick. With `paused` the machine waits for
    `cont()`. When QEMU has died, an error that left the block because of it becomes InstanceDied.

    :raise HostLacks: there is no QEMU.
    :raise InstanceDied: QEMU did not start, or ended although nobody asked it to.
    :raise TimedOut: QEMU did not answer until the deadline.
    """
    events = EventLog(on_event)
    with ExitStack() as stack:
        child, ours = stack.enter_context(_process(spec, log))
        monitor = stack.enter_context(_monitor(child, ours.pop(""), deadline, events, log))
        instance = Instance(spec, child, monitor, ours, events, log)
        if not paused:
            instance.cont()
        yield from _named_death(instance)


def _named_death(instance: Instance) -> Iterator[Instance]:
    try:
        yield instance
    except InstanceDied:
        raise
    except CannotMeasure as error:
        # A lost connection to the guest can be seen some milliseconds before the death behind it.
        if death := instance.death(within=0.25):
            raise death from error
        raise
    if death := instance.death():
        raise death


@contextmanager
def _process(spec: MachineSpec, log: Path) -> Iterator[tuple[Child, dict[str, socket.socket]]]:
    """QEMU, and our ends of its socket pairs by channel name; the monitor's name is empty."""
    with ExitStack() as stack:
        ours = {}
        descriptors = {}
        with ExitStack() as handed_over:
            # Closed here once QEMU has them, so that its death is an end of file for us.
            for name in ("", *(channel.name for channel in spec.channels)):
                mine, its = socket.socketpair()
                ours[name] = stack.enter_context(mine)
                descriptors[name] = handed_over.enter_context(its).fileno()
            output = handed_over.enter_context(log.open("ab"))
            child = stack.enter_context(
                spawn(
                    command_line(spec, Wiring(descriptors[""], descriptors)),
                    stdout=output,
                    stderr=output,
                    pass_fds=tuple(descriptors.values()),
                    grace=GRACE_SECONDS,
                )
            )
        yield child, ours


@contextmanager
def _monitor(
    child: Child, ours: socket.socket, deadline: Deadline, events: EventLog, log: Path
) -> Iterator[Monitor]:
    with ExitStack() as stack:
        try:
            monitor = stack.enter_context(connected(ours, deadline, events.add))
        except MonitorLost as error:
            status = child.exited_within(GRACE_SECONDS)
            if status is None:
                raise
            raise _died("start QEMU", child, status, log, oom=False) from error
        yield monitor


def _died(what: str, child: Child, status: int, log: Path, oom: bool) -> InstanceDied:
    lines = "".join(f"\n  qemu| {line}" for line in file_tail(log).splitlines())
    killed = oom and status == -signal.SIGKILL
    return InstanceDied(
        f"cannot {what}: QEMU (pid {child.pid}) ended {describe_status(status)}"
        f" although nobody asked it to{lines}",
        hint="the host's kernel killed a process for lack of memory meanwhile" if killed else "",
    )
