# SPDX-License-Identifier: GPL-3.0-only
"""The witness's life at its port, from hello to its end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.model import codec
from harness.model.wire import (
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
from harness.probe import agent, files, signals
from harness.probe.holds import Holds
from harness.probe.look import Looker, launching
from harness.probe.marker import Marker
from harness.probe.watch import SECOND, Slot, Watch
from tests.unit.probe.fake_units import SERVICE, FakeUnits

END = b"end of the test"


class StopLife(BaseException):
    """Passes the agent's `except Exception`."""


class MortalPort(agent.Port):
    """A port whose agent ends when the host says END."""

    def lines(self) -> list[bytes]:
        found = super().lines()
        if END in found:
            raise StopLife
        return found


class Life:
    """An agent at the other end of a socket pair, for as long as its port is open."""

    def __init__(self, tmp_path: Path, units: FakeUnits) -> None:
        self.host, self._guest = socket.socketpair()
        self.host.settimeout(30)
        self._marker = tmp_path / "sshd.pid"
        life = self.agent = agent.Agent(MortalPort(self._guest.fileno()), Marker(str(self._marker)), [])
        answers = life.answers()
        answers._holds = Holds(str(tmp_path))
        answers._units = units  # type: ignore[assignment]
        answers._looker = Looker(units, files.FileReader("/nowhere"))  # type: ignore[arg-type]
        life.hello()
        self._received = self.host.makefile("rb")
        self._thread = threading.Thread(target=self._live, args=(life,), daemon=True)
        self._thread.start()

    def _live(self, life: agent.Agent) -> None:
        with contextlib.suppress(StopLife):
            life.live()

    def end(self) -> None:
        """Ask for what makes the agent leave its endless loop."""
        self.host.sendall(END + b"\n")
        self._thread.join(30)
        self._received.close()
        self.host.close()
        self._guest.close()

    def ready(self) -> None:
        self._marker.write_text("1\n")

    def ask(self, line: bytes) -> None:
        self.host.sendall(line)

    def said(self) -> Said:
        line = self._received.readline()
        return codec.loads(Said, line)  # type: ignore[no-any-return]

    def skip_empty_line(self) -> None:
        assert self._received.readline() == b"\n"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    born = Life(tmp_path, FakeUnits())
    born.skip_empty_line()
    yield born
    born.end()


def test_the_agent_says_hello_then_ready_then_answers(life: Life) -> None:
    hello = life.said()
    assert isinstance(hello, Hello)
    life.ready()
    ready = life.said()
    assert isinstance(ready, Ready)
    assert (ready.boot_id, ready.at > hello.at) == (hello.boot_id, True)
    life.ask(codec.dumps(LookRequest(7, "end of boot", 1.0)).encode() + b"\n")
    looked = life.said()
    assert isinstance(looked, Looked)
    assert (looked.request, looked.look.reason, looked.look.number) == (7, "end of boot", 1)


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"{}\n", b"\xff\x00\n", b'{"request": 3, "settle": "soon"}\n']
)
def test_what_it_cannot_do_is_trouble_and_not_its_end(life: Life, line: bytes) -> None:
    life.said()
    life.ask(line)
    assert isinstance(life.said(), Trouble)
    life.ask(b'{"request": 4, "reason": "", "settle": 0}\n')
    looked = life.said()
    assert isinstance(looked, Looked)
    assert looked.request == 4


def test_a_request_in_pieces_is_one_request(life: Life) -> None:
    life.said()
    line = codec.dumps(LookRequest(5, "pieces", 0.0)).encode() + b"\n"
    for byte in line:
        life.ask(bytes((byte,)))
    looked = life.said()
    assert isinstance(looked, Looked)
    assert looked.request == 5


def test_a_release_is_answered(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "3.fifo")
    reader = os.open(tmp_path / "3.fifo", os.O_RDONLY | os.O_NONBLOCK)
    life = Life(tmp_path, FakeUnits())
    life.skip_empty_line()
    life.said()
    life.ask(codec.dumps(ReleaseRequest(8, 3)).encode() + b"\n")
    assert life.said() == Released(8)
    life.ask(codec.dumps(ReleaseRequest(9, 4)).encode() + b"\n")
    trouble = life.said()
    life.end()
    assert isinstance(trouble, Trouble)
    assert (trouble.request, "4.fifo" in trouble.message) == (9, True)
    assert os.read(reader, 100).endswith(b"\n")
    os.close(reader)


def test_a_look_that_meets_a_service_on_its_way_is_not_settled() -> None:
    on_its_way = {
        "unit": {"name": SERVICE},
        "processes": [{"main": True, "exe": "/snap/core/x1/usr/bin/snap", "started": 0}],
    }
    there = {"unit": {"name": SERVICE}, "processes": [{"main": True, "exe": "/snap/bluez/x1/bluetoothd"}]}
    helper = {"unit": {"name": SERVICE}, "processes": [{"main": False, "exe": "/snap/core/x1/usr/bin/snap"}]}
    assert launching([on_its_way, there, helper], 0) == [f"{SERVICE} waits in snap"]


@pytest.mark.parametrize(
    ("restarts", "seconds", "settled"), [(0, 600, False), (1, 29, False), (1, 30, True), (7, 600, True)]
)
def test_a_launcher_that_waits_once_more_after_one_gave_up_is_all_there_will_be(
    restarts: int, seconds: int, settled: bool
) -> None:
    main = {"main": True, "exe": "/snap/core/x1/usr/lib/snapd/snap-confine", "started": 5 * SECOND}
    service = {"unit": {"name": SERVICE, "restarts": restarts}, "processes": [main]}
    found = launching([service], (5 + seconds) * SECOND)
    assert found == ([] if settled else [f"{SERVICE} waits in snap-confine"])


def test_before_a_look_is_answered_all_that_happened_is_told(tmp_path: Path) -> None:
    life = Life(tmp_path, FakeUnits())
    life.skip_empty_line()
    life.said()
    resting = Slot("x", lambda: None)
    resting.read = lambda: [{"type": "executed", "at": 1, "pid": 1, "exe": "/x"}]  # type: ignore[method-assign]
    life.agent._watch._slots.append(resting)
    life.ask(codec.dumps(LookRequest(6, "", 0.0)).encode() + b"\n")
    occurred, looked = life.said(), life.said()
    life.end()
    assert isinstance(occurred, Occurred)
    assert isinstance(looked, Looked)
    assert (len(occurred.occurrences), looked.occurred) == (1, occurred.number)


def test_ended_by_systemd_it_tells_of_all_there_is(tmp_path: Path) -> None:
    host, guest = socket.socketpair()
    source = {"type": "executed", "at": 1, "pid": 1, "exe": "/x"}
    with host, guest:
        ended = agent.Agent(agent.Port(guest.fileno()), Marker(str(tmp_path / "sshd.pid")), [])
        monkey = Slot("x", lambda: None)
        monkey.read = lambda: [source]  # type: ignore[method-assign]
        ended._watch = Watch(ended._port.say, [monkey])
        ended.end()
        empty, line, _ = host.recv(1 << 16).split(b"\n")
    occurred = codec.loads(Said, line)
    assert empty == b""
    assert isinstance(occurred, Occurred)
    assert len(occurred.occurrences) == 1


class HastyUnits(FakeUnits):
    """A service that waits in the launcher for the first looks."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def read_service(self, unit: str) -> dict[str, Any]:
        self.looks += 1
        service = super().read_service(unit)
        if self.looks < 3:
            service["processes"][0]["exe"] = "/usr/lib/snapd/snap-confine"
        return service


def test_a_look_is_taken_again_until_it_is_calm_itself(tmp_path: Path) -> None:
    life = Life(tmp_path, HastyUnits())
    life.skip_empty_line()
    life.said()
    life.ask(codec.dumps(LookRequest(1, "", 60.0)).encode() + b"\n")
    looked = life.said()
    life.ask(codec.dumps(LookRequest(2, "", 0.0)).encode() + b"\n")
    life.said()
    life.end()
    assert isinstance(looked, Looked)
    assert (looked.look.unsettled, looked.look.number) == ((), 3)


def test_a_look_that_must_not_wait_is_given_as_it_is(tmp_path: Path) -> None:
    life = Life(tmp_path, HastyUnits())
    life.skip_empty_line()
    life.said()
    life.ask(codec.dumps(LookRequest(1, "", 0.0)).encode() + b"\n")
    looked = life.said()
    life.end()
    assert isinstance(looked, Looked)
    assert looked.look.unsettled == (f"{SERVICE} waits in snap-confine",)


def test_who_is_eager_never_rests_for_longer_than_it_may() -> None:
    units = signals.UnitOpener(agent.guest_time)
    calm, eager = (agent.slots(units, is_eager=one) for one in (False, True))
    most = int(agent.EAGER_SECONDS * SECOND)
    assert all(slot._later <= most and slot._soon <= most for slot in eager[1:])
    assert all(slot._later > most for slot in calm[1:])
