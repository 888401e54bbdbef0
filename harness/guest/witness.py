# SPDX-License-Identifier: GPL-3.0-only
"""The host's side of the witness: hears what the guest says, and asks it for looks.

The channel belongs to QEMU and lives over every reset of the guest. A boot that was cut off leaves half a
line in it, and a broken guest may write anything, so nothing here trusts a line: what fits harness.model.wire
is used, and all of it is handed on as it came.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from harness.errors import CannotMeasure, GuestFailed, TimedOut
from harness.host.deadline import Deadline
from harness.model import codec
from harness.model.clock import HostTime
from harness.model.observation import Look
from harness.model.occurrence import Occurrence
from harness.model.wire import (
    LONGEST_LINE,
    Heard,
    Hello,
    Looked,
    LookRequest,
    Occurred,
    Ready,
    Released,
    ReleaseRequest,
    Said,
    Trouble,
)

T = TypeVar("T")
Answer = Looked | Trouble | Released

_CHUNK = 1 << 16
_SHOWN = 120
_LONGEST_SETTLE = 86400.0


class Witness:
    """Listens in a thread of its own from `start` (or entering a `with`) until `close`.

    `heard` is called in that thread with every line, whatever is in it, stamped with `boot`'s number and
    `clock`'s time. `wanted` says which occurrences can be waited for. Waits end early when `fail` is called,
    or when QEMU closes the channel.
    """

    def __init__(
        self,
        channel: socket.socket,
        heard: Callable[[Heard], None],
        boot: Callable[[], int],
        clock: Callable[[], HostTime],
        wanted: Callable[[Occurrence], bool] = lambda _: False,
    ) -> None:
        self._channel = channel
        self._heard = heard
        self._boot = boot
        self._clock = clock
        self._wanted = wanted
        self._occurred: list[Occurrence] = []
        self._forgotten = 0
        self._cut_expected = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name="witness", daemon=True)
        self._requests = 0
        self._hello: Hello | None = None
        self._ready: Ready | None = None
        self._answers: dict[int, Answer] = {}
        self._last_words = "nothing"
        self._undecodable = 0
        self._failure: CannotMeasure | None = None

    def __enter__(self) -> Witness:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening and close the channel."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        self._channel.close()

    @property
    def undecodable(self) -> int:
        """How many lines so far were not the witness's."""
        return self._undecodable

    @property
    def last_words(self) -> str:
        """The last line heard, cut to what fits a message and safe to show."""
        return self._last_words

    def fail(self, cause: CannotMeasure) -> None:
        """Make every wait, also a later one, raise `cause`: the machine will not answer any more."""
        with self._changed:
            self._failure = self._failure or cause
            self._changed.notify_all()

    def await_hello(self, not_boot_id: str | None, deadline: Deadline) -> Hello:
        """The first words of the witness of a boot other than `not_boot_id`; raises as `await_ready` does."""

        def hello() -> Hello | None:
            return self._hello if self._hello is not None and self._hello.boot_id != not_boot_id else None

        return self._await(hello, deadline, "the witness in the guest to start")

    def await_ready(self, not_boot_id: str | None, deadline: Deadline) -> Ready:
        """The guest takes commands, in a boot other than `not_boot_id` (None: in whichever).

        Raises TimedOut or GuestFailed.
        """

        def ready() -> Ready | None:
            return self._ready if self._ready is not None and self._ready.boot_id != not_boot_id else None

        return self._await(ready, deadline, "the guest to accept ssh connections")

    @property
    def occurred(self) -> int:
        """How many of the wanted occurrences have been heard so far, of earlier boots too."""
        with self._changed:
            return self._forgotten + len(self._occurred)

    def await_occurrence(
        self, matches: Callable[[Occurrence], bool], since: int, deadline: Deadline
    ) -> int | None:
        """The number of the first wanted occurrence of this boot that matches, after number `since`.

        Numbers are those of `occurred`. None when the deadline has passed. Raises GuestFailed when the
        machine is gone.
        """

        def found() -> int | None:
            numbered = enumerate(self._occurred, self._forgotten + 1)
            return next((number for number, one in numbered if number > since and matches(one)), None)

        try:
            return self._await(found, deadline, "a point of the run")
        except TimedOut:
            if self._failure is not None:
                raise
            return None

    def look(self, reason: str, settle: float, deadline: Deadline, *, twins: bool = False) -> Look:
        """A reading of the guest, taken when it is calm or `settle` seconds have passed.

        A look takes seconds itself, so the deadline lies beyond `settle`. Raises TimedOut, and GuestFailed
        when the witness could not look or the machine is gone.
        """
        longest = min(settle, deadline.remaining, _LONGEST_SETTLE)
        request = LookRequest(self._next_request(), reason, longest, twins)
        answer = self._ask(request, deadline, f"a look ({reason})")
        if not isinstance(answer, Looked):
            raise GuestFailed(f"cannot look into the guest ({reason}): {_instead(answer)}")
        return answer.look

    def release(self, hold: int, deadline: Deadline) -> None:
        """End the hold of this number in the boot that runs.

        Raises TimedOut, and GuestFailed when there is no such hold in the guest or the machine is gone.
        """
        request = ReleaseRequest(self._next_request(), hold)
        answer = self._ask(request, deadline, f"the release of hold {hold}")
        if not isinstance(answer, Released):
            raise GuestFailed(f"cannot release hold {hold}: {_instead(answer)}")

    def expect_cut(self) -> None:
        """QEMU is about to be killed: a line that it leaves unfinished is not one of the witness's."""
        self._cut_expected = True

    def _next_request(self) -> int:
        with self._changed:
            self._requests += 1
            return self._requests

    def _ask(self, request: LookRequest | ReleaseRequest, deadline: Deadline, what: str) -> Answer:
        self._send(request, what)
        self._await(lambda: request.request in self._answers or None, deadline, what)
        return self._answers.pop(request.request)

    def _send(self, request: LookRequest | ReleaseRequest, what: str) -> None:
        line = codec.dumps(request).encode() + b"\n"
        try:
            sent = self._channel.send(line, socket.MSG_DONTWAIT)
        except OSError as error:
            raise GuestFailed(f"cannot ask the witness for {what}: {error.strerror}") from error
        if sent != len(line):
            raise GuestFailed(f"cannot ask the witness for {what}: it has stopped to read its port")

    def _await(self, found: Callable[[], T | None], deadline: Deadline, what: str) -> T:
        with self._changed:
            while (answer := found()) is None:
                if self._failure is not None:
                    raise self._failure
                if not self._changed.wait(_finite(deadline.remaining)) and deadline.expired:
                    raise TimedOut(
                        f"cannot wait longer for {what}; the witness last said: {self._last_words}",
                        hint="the console says what the guest is doing",
                    )
            return answer

    def _listen(self) -> None:
        pending = b""
        while chunk := self._receive():
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            if len(pending) > LONGEST_LINE:
                self._take(pending)
                pending = b""
        if pending and not self._cut_expected:
            self._take(pending)
        self.fail(GuestFailed("cannot hear the witness any more: the machine closed its channel"))

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(_CHUNK)
        except OSError:
            return b""

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        text = line.decode("utf-8", "backslashreplace")
        try:
            self._heard(Heard(self._clock(), self._boot(), text))
        except CannotMeasure as error:
            self.fail(error)
        said, misfit = _understood(text)
        with self._changed:
            self._last_words = _shown(text) + (f" (not understood: {_shown(misfit)})" if misfit else "")
            self._note(said)
            self._changed.notify_all()

    def _note(self, said: Said | None) -> None:
        match said:
            case None:
                self._undecodable += 1
            case Hello():
                self._begin_boot(said)
            case Ready():
                self._ready = said
            case Occurred():
                self._occurred += filter(self._wanted, said.occurrences)
            case Looked() | Trouble() | Released():
                self._answers[said.request] = said

    def _begin_boot(self, hello: Hello) -> None:
        """Nothing of an earlier boot counts for this one; a witness may also start again within a boot."""
        if self._hello is not None and self._hello.boot_id != hello.boot_id:
            self._ready = None
            self._forgotten += len(self._occurred)
            self._occurred.clear()
        self._hello = hello


def _understood(text: str) -> tuple[Said | None, str]:
    try:
        return codec.loads(Said, text), ""
    except codec.Undecodable as error:
        return None, str(error)


def _instead(answer: Answer) -> str:
    """What was said in the place of what was asked for."""
    words = _shown(answer.message) if isinstance(answer, Trouble) else f"'{codec.tag_of(type(answer))}'"
    return f"its witness says {words}"


def _shown(text: str) -> str:
    """Text of the guest, one line long and without anything that a terminal obeys."""
    cut = text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cut)


def _finite(seconds: float) -> float | None:
    return None if seconds == float("inf") else seconds
