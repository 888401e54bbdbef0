# SPDX-License-Identifier: GPL-3.0-only
"""Watches a machine's boots from outside: where each begins and ends, and when hope is gone.

A boot ends when QEMU says RESET, whoever asked for it; nothing that runs in the guest is believed about
that. A panic comes by pvpanic or, before its driver is loaded, by the console.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import CannotMeasure, GuestFailed, TimedOut
from harness.host.deadline import Deadline
from harness.model.console import Severity
from harness.model.event import BootBegan, BootEnded, BootReady, MachineSaid
from harness.qemu.console import ConsoleFollower, SeenTrouble
from harness.qemu.events import MachineEvent
from harness.record_writing import Recorder

_CONSOLE_EVERY = 0.25  # seconds between looks at the console file, which has no event of its own
# Console and pvpanic tell of one panic at about the same time, and either may be first.
_PANICKED = "the guest's kernel panicked"


class BootWatch:
    """Numbers the boots of one machine and keeps the first trouble that ends all waiting.

    `before` is how many boots the run had on machines before this one.
    """

    def __init__(self, record: Recorder, console: ConsoleFollower, before: int = 0) -> None:
        self._record = record
        self._console = console
        self._on_trouble: Callable[[CannotMeasure], None] = lambda _: None
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._end_expected = False
        self._panic_expected = False
        self._panicked = False
        self.number = before
        self.trouble: CannotMeasure | None = None

    def begin(self, cause: str) -> None:
        """A boot begins: give it the next number, and its place in the console."""
        with self._changed:
            self.number += 1
            self._record.write(BootBegan(self.number, self._console.size, cause))
            self._changed.notify_all()

    def ready(self, boot_id: str) -> None:
        """The guest of this boot takes commands."""
        self._record.write(BootReady(self.number, boot_id))

    def on_event(self, event: MachineEvent) -> None:
        """Take an event of QEMU's, in the monitor's thread."""
        self._record.write(MachineSaid(event.name, {key: str(value) for key, value in event.data.items()}))
        match event.name:
            case "RESET":
                self._reset(by_guest=bool(event.data.get("guest")))
            case "GUEST_PANICKED" if self._panic_expected:
                self._note_panic()
            case "GUEST_PANICKED":
                self.fail(GuestFailed(f"{_PANICKED} (it said so through pvpanic)"))
            case "SHUTDOWN" if event.data.get("reason") != "host-qmp-quit":
                self._switched_off()

    def _reset(self, *, by_guest: bool) -> None:
        how = "the guest reset itself" if by_guest else "the host reset it"
        self._record.write(BootEnded(self.number, how))
        if not self._end_expected:
            # A panic that pvpanic did not tell of ends in a reset (panic=-1), and says so before.
            alone = GuestFailed(f"the guest reset itself in boot {self.number} although no step asked for it")
            self.fail(self._fatal_line() or alone)
        self.begin(how)

    def _switched_off(self) -> None:
        self._record.write(BootEnded(self.number, "the guest switched itself off"))
        if not self._end_expected:
            self.fail(GuestFailed("the guest switched itself off"))

    def stopped(self) -> None:
        """The host ended this boot as by a reset, and starts no other one on this machine."""
        self._record.write(BootEnded(self.number, "the host reset it, and left it switched off"))

    def cut(self, how: str) -> None:
        """The host ended this boot together with its QEMU, and starts another one."""
        self._record.write(BootEnded(self.number, how))
        self.begin(how)

    @contextmanager
    def expected(self, *, panic: bool = False) -> Iterator[None]:
        """Within the block the end of the boot, or a panic that ends it, is what the plan asked for."""
        with self._reading:
            self._end_expected, self._panic_expected, self._panicked = True, panic, False
        try:
            yield
        finally:
            self._fatal_line()
            with self._reading:
                self._end_expected = self._panic_expected = False

    def panicked(self, since: int, deadline: Deadline) -> bool:
        """Wait for the panic that the plan asked for: whether the guest stands still in it.

        Where nothing tells QEMU of a panic, the guest resets itself, and a boot after `since` has begun.
        Raises the trouble that came instead, and TimedOut.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._panicked or self.number > since or self.trouble, _seconds(deadline)
            )
            if self.trouble:
                raise self.trouble
            if not self._panicked and self.number == since:
                raise TimedOut("cannot make the guest's kernel panic: it runs on after an NMI")
            return self._panicked

    def _note_panic(self) -> None:
        with self._changed:
            self._panicked = True
            self._changed.notify_all()

    def changed(self, since: int, deadline: Deadline) -> bool:
        """Wait until a boot after number `since` has begun; False when the deadline passed first.

        Raises the trouble that came instead.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.number > since or self.trouble, _seconds(deadline))
            if self.trouble:
                raise self.trouble
            return self.number > since

    def fail(self, trouble: CannotMeasure) -> None:
        """Keep the first trouble, and end every wait with it."""
        with self._changed:
            if self.trouble is not None:
                return
            self.trouble = trouble
            self._changed.notify_all()
        self._on_trouble(trouble)

    @contextmanager
    def watching(
        self, death: Callable[[], CannotMeasure | None], on_trouble: Callable[[CannotMeasure], None]
    ) -> Iterator[None]:
        """Within the block a fatal console line, or QEMU's `death`, ends every wait."""
        self._on_trouble = on_trouble
        stop = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stop, death), name="boot-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _watch(self, stop: threading.Event, death: Callable[[], CannotMeasure | None]) -> None:
        while not stop.wait(_CONSOLE_EVERY) and self.trouble is None:
            if dead := death():
                self.fail(dead)
            if fatal := self._fatal_line():
                self.fail(fatal)

    def _fatal_line(self) -> GuestFailed | None:
        """The first line on the console, among those not read yet, after which nothing will come."""
        with self._reading:
            seen = list(self._console.new_troubles())
            if self._panic_expected:
                return None
        return next((_end_told_by(one) for one in seen if one.trouble.severity is Severity.FATAL), None)


def _end_told_by(seen: SeenTrouble) -> GuestFailed:
    cause = f"{_PANICKED}; " if seen.trouble.name == "panic" else ""
    return GuestFailed(f"{cause}the console says: {seen.line.text.strip()}")


def _seconds(deadline: Deadline) -> float | None:
    return None if deadline.remaining == float("inf") else deadline.remaining
