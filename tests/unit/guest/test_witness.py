# SPDX-License-Identifier: GPL-3.0-only
"""The host's side of the witness, against guests that lie, stammer and die."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import CannotMeasure, GuestFailed, HostLacks, InstanceDied, TimedOut
from harness.guest.boots import BootId, await_first_boot, await_new_boot
from harness.guest.witness import Witness
from harness.host.deadline import Deadline
from harness.model import codec
from harness.model.clock import GuestTime, HostTime, WallTime
from harness.model.observation import Look, UnitSeen
from harness.model.occurrence import Executed, Occurrence
from harness.model.wire import (
    LONGEST_LINE,
    Heard,
    Hello,
    Looked,
    LookRequest,
    Occurred,
    Ready,
    Released,
    Said,
    Trouble,
)

UNIT = UnitSeen(
    name="snapd.service", load_state="loaded", active_state="active", sub_state="running", result="success"
)
LOOK = Look(
    boot_id="b1", number=1, reason="r", at=GuestTime(1), boot_wall=WallTime(2), unsettled=(), snapd=None,
    snapd_unit=UNIT, system_key=None, files=(), profiles=(), services=(),
)  # fmt: skip


def soon() -> Deadline:
    return Deadline.after(30)


class Guest:
    """The other end of the channel."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self._lines = channel.makefile("rb")

    def say(self, *said: Said) -> None:
        for each in said:
            self.write(codec.dumps(each).encode() + b"\n")

    def write(self, raw: bytes) -> None:
        self.channel.sendall(raw)

    def request(self) -> dict[str, object]:
        asked: dict[str, object] = json.loads(self._lines.readline())
        return asked

    def die(self) -> None:
        self._lines.close()
        self.channel.close()


@contextmanager
def a_witness(boot: int = 1) -> Iterator[tuple[Witness, Guest, list[Heard]]]:
    ours, theirs = socket.socketpair()
    heard: list[Heard] = []
    guest = Guest(theirs)
    with Witness(ours, heard.append, lambda: boot, lambda: HostTime(5)) as witness:
        yield witness, guest, heard
    guest.die()


def answering(guest: Guest, *answers: Said) -> threading.Thread:
    def answer() -> None:
        for each in answers:
            number = guest.request()["request"]
            guest.say(
                replace(each, request=number) if isinstance(each, Looked | Trouble | Released) else each
            )

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_what_is_said_is_heard_and_kept_as_it_came() -> None:
    with a_witness(boot=3) as (witness, guest, heard):
        guest.say(Hello("b1", "f00", GuestTime(1), "6.12"), Ready("b1", GuestTime(2)))
        assert witness.await_hello(None, soon()).kernel == "6.12"
        assert witness.await_ready(None, soon()).at == 2
        assert [(h.boot, h.at) for h in heard] == [(3, 5), (3, 5)]
        assert codec.loads(Said, heard[1].said) == Ready("b1", GuestTime(2))


def test_a_look_is_asked_for_and_comes_back() -> None:
    with a_witness() as (witness, guest, _):
        thread = answering(guest, Looked(0, LOOK))
        assert witness.look("r", 1.0, soon()) == LOOK
        thread.join()


def test_the_request_says_how_long_to_wait_and_never_longer_than_the_deadline() -> None:
    with a_witness() as (witness, guest, _):
        with pytest.raises(TimedOut, match=r"a look \(why\)"):
            witness.look("why", 100.0, Deadline.after(0.2))
        asked = guest.request()
    assert asked["reason"] == "why"
    assert 0 < float(str(asked["settle"])) <= 0.2


def test_a_release_is_asked_for_and_confirmed() -> None:
    with a_witness() as (witness, guest, _):
        thread = answering(guest, Released(0))
        witness.release(7, soon())
        thread.join()


def test_a_release_names_its_hold() -> None:
    with a_witness() as (witness, guest, _):
        with pytest.raises(TimedOut, match=r"the release of hold 7"):
            witness.release(7, Deadline.after(0.2))
        assert guest.request() == {"type": "release-request", "request": 1, "hold": 7}


@pytest.mark.parametrize("answer", [Trouble(0, "no such hold"), Looked(0, LOOK)])
def test_a_release_that_is_not_confirmed_is_told(answer: Said) -> None:
    with a_witness() as (witness, guest, _):
        thread = answering(guest, answer)
        with pytest.raises(GuestFailed, match=r"cannot release hold 7: its witness says (no such|'looked')"):
            witness.release(7, soon())
        thread.join()


def test_an_answer_to_another_request_is_not_taken_for_ours() -> None:
    with a_witness() as (witness, guest, _):
        guest.say(Looked(999, LOOK))
        with pytest.raises(TimedOut):
            witness.look("r", 0.0, Deadline.after(0.2))


def test_a_witness_in_trouble_says_so() -> None:
    with a_witness() as (witness, guest, _):
        thread = answering(guest, Trouble(0, "no room\x1b[2J"))
        with pytest.raises(GuestFailed, match=r"no room\\x1b"):
            witness.look("r", 0.0, soon())
        thread.join()


def test_a_reboot_is_another_boot_id() -> None:
    with a_witness() as (witness, guest, _):
        guest.say(Ready("b1", GuestTime(1)))
        first = await_first_boot(witness, soon())
        with pytest.raises(TimedOut, match="accept ssh"):
            await_new_boot(witness, first, Deadline.after(0.2))
        guest.say(Ready("b2", GuestTime(1)))
        assert await_new_boot(witness, first, soon()) == BootId("b2")


def test_a_time_out_tells_the_last_words_in_a_form_that_is_safe_to_show() -> None:
    with a_witness() as (witness, guest, _):
        guest.write(b"\x1b[31mgarbage\n")
        guest.say(Ready("b1", GuestTime(1)))
        witness.await_ready(None, soon())
        guest.write(b'{"type":"ready"}\x07\n')
        with pytest.raises(TimedOut, match=r"ready.*\\x07.*not understood"):
            witness.await_hello(None, Deadline.after(0.5))


def test_a_line_torn_by_a_reset_spoils_only_itself() -> None:
    with a_witness() as (witness, guest, heard):
        guest.write(codec.dumps(Looked(1, LOOK)).encode()[:70])
        guest.write(b"\n")
        guest.say(Ready("b2", GuestTime(1)))
        assert witness.await_ready("b1", soon()).boot_id == "b2"
        assert witness.undecodable == 1
        assert len(heard) == 2


def test_an_endless_line_is_cut_and_what_follows_is_heard() -> None:
    with a_witness() as (witness, guest, heard):
        guest.write(b"x" * (LONGEST_LINE + (1 << 17)) + b"\n")
        guest.say(Ready("b1", GuestTime(1)))
        assert witness.await_ready(None, soon()).boot_id == "b1"
        assert max(len(h.said) for h in heard) <= LONGEST_LINE + (1 << 16)


@given(st.lists(st.binary(max_size=60), max_size=8))
@settings(max_examples=50, deadline=None)
def test_no_bytes_keep_a_true_line_from_being_heard(noise: list[bytes]) -> None:
    with a_witness() as (witness, guest, heard):
        for each in noise:
            guest.write(each)
        guest.write(b"\n")
        guest.say(Ready("true", GuestTime(1)))
        assert witness.await_ready(None, soon()).boot_id == "true"
        codec.loads(Heard, codec.dumps(heard[-1]))
        lines = [line for line in b"".join(noise).split(b"\n") if line.strip()]
        assert [h.said for h in heard[:-1]] == [line.decode("utf-8", "backslashreplace") for line in lines]


def test_a_machine_that_closes_the_channel_ends_the_wait() -> None:
    with a_witness() as (witness, guest, _):
        guest.die()
        with pytest.raises(GuestFailed, match="closed its channel"):
            witness.await_ready(None, soon())


def test_the_first_failure_ends_every_wait_and_stays_the_cause() -> None:
    with a_witness() as (witness, _, _):
        threading.Timer(0.1, witness.fail, (InstanceDied("qemu is gone"),)).start()
        with pytest.raises(InstanceDied, match="qemu is gone"):
            witness.await_ready(None, soon())
        witness.fail(CannotMeasure("later"))
        with pytest.raises(InstanceDied, match="qemu is gone"):
            witness.look("r", 0.0, soon())


def test_a_record_that_cannot_be_written_ends_every_wait() -> None:
    def full(_heard: Heard) -> None:
        raise HostLacks("cannot write the record: no space")

    ours, theirs = socket.socketpair()
    guest = Guest(theirs)
    with Witness(ours, full, lambda: 1, lambda: HostTime(0)) as witness:
        guest.write(b"anything\n")
        with pytest.raises(HostLacks, match="no space"):
            witness.await_ready(None, soon())
    guest.die()


def test_a_guest_that_does_not_read_is_named_and_does_not_hang_us() -> None:
    def ask_for_good(witness: Witness) -> None:
        while True:
            witness._send(LookRequest(1, "x" * 10000, 0.0), "a look")

    with a_witness() as (witness, _, _), pytest.raises(GuestFailed, match="ask the witness"):
        ask_for_good(witness)


def occurred(number: int, *programs: str, boot_id: str = "b1") -> Occurred:
    execs = tuple(Executed(at=GuestTime(1), pid=1, exe=program) for program in programs)
    return Occurred(boot_id, number, execs)


def hello(boot_id: str) -> Hello:
    return Hello(boot_id, "sha", GuestTime(1), "6.12")


@contextmanager
def a_listener() -> Iterator[tuple[Witness, Guest]]:
    """A witness of which programs other than /dull can be waited for."""
    ours, theirs = socket.socketpair()
    guest = Guest(theirs)

    def wanted(one: Occurrence) -> bool:
        return isinstance(one, Executed) and one.exe != "/dull"

    with Witness(ours, lambda _: None, lambda: 1, lambda: HostTime(5), wanted) as witness:
        yield witness, guest
    guest.die()


def executed(program: str) -> Callable[[Occurrence], bool]:
    return lambda one: isinstance(one, Executed) and one.exe == program


def test_what_can_be_waited_for_is_found_in_its_order_and_once() -> None:
    with a_listener() as (witness, guest):
        guest.say(hello("b1"), occurred(1, "/a", "/dull", "/b"), occurred(2, "/a"))
        first = witness.await_occurrence(executed("/a"), 0, soon())
        assert first == 1
        assert witness.await_occurrence(executed("/a"), first, soon()) == 3
        assert witness.await_occurrence(executed("/b"), 0, soon()) == 2
        assert witness.occurred == 3
        assert witness.await_occurrence(executed("/b"), 2, Deadline.after(0.05)) is None
        assert witness.await_occurrence(executed("/dull"), 0, Deadline.after(0.05)) is None


def test_what_comes_later_ends_the_wait() -> None:
    with a_listener() as (witness, guest):
        threading.Timer(0.05, lambda: guest.say(occurred(1, "/a"))).start()
        assert witness.await_occurrence(executed("/a"), 0, soon()) == 1


def test_what_another_boot_did_is_not_waited_for() -> None:
    with a_listener() as (witness, guest):
        guest.say(hello("b1"), occurred(1, "/a"), Ready("b1", GuestTime(2)))
        assert witness.await_occurrence(executed("/a"), 0, soon()) == 1
        guest.say(hello("b2"), occurred(1, "/b", boot_id="b2"))
        assert witness.await_occurrence(executed("/b"), 0, soon()) == 2
        assert witness.await_occurrence(executed("/a"), 0, Deadline.after(0.05)) is None
        with pytest.raises(TimedOut):
            witness.await_ready(None, Deadline.after(0.05))


def test_a_witness_that_starts_again_in_its_boot_takes_nothing_back() -> None:
    with a_listener() as (witness, guest):
        guest.say(hello("b1"), Ready("b1", GuestTime(2)), occurred(1, "/a"), hello("b1"), occurred(1, "/b"))
        assert witness.await_occurrence(executed("/b"), 0, soon()) == 2
        assert witness.await_occurrence(executed("/a"), 0, soon()) == 1
        assert witness.await_ready(None, soon()).boot_id == "b1"


def test_a_machine_that_is_gone_ends_a_wait_for_what_it_would_do() -> None:
    with a_listener() as (witness, guest):
        guest.die()
        with pytest.raises(GuestFailed, match="closed its channel"):
            witness.await_occurrence(executed("/a"), 0, soon())


@pytest.mark.parametrize(("cut", "lines"), [(True, 0), (False, 1)])
def test_a_line_that_a_cut_left_unfinished_is_not_the_witness_s(cut: bool, lines: int) -> None:
    with a_witness() as (witness, guest, heard):
        if cut:
            witness.expect_cut()
        guest.write(b'{"type":"hel')
        guest.die()
        with pytest.raises(GuestFailed):
            witness.await_hello(None, soon())
    assert len(heard) == lines
