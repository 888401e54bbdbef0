# SPDX-License-Identifier: GPL-3.0-only
"""Boots are told by what the machine says: where one ends, and when waiting has become useless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.boot_watch import BootWatch
from harness.errors import CannotMeasure, GuestFailed, InstanceDied, TimedOut
from harness.host.deadline import Deadline
from harness.model.clock import HostTime
from harness.qemu.console import ConsoleFollower
from harness.qemu.events import MachineEvent
from harness.record_writing import Recorder


@pytest.fixture
def console(tmp_path: Path) -> Path:
    return tmp_path / "console.log"


@pytest.fixture
def watch(tmp_path: Path, console: Path) -> Iterator[BootWatch]:
    with Recorder(tmp_path, lambda: HostTime(0)) as record:
        made = BootWatch(record, ConsoleFollower(console))
        made.begin("the machine was started")
        yield made


def said(name: str, **data: object) -> MachineEvent:
    return MachineEvent(name, data, 0)


def recorded(tmp_path: Path) -> str:
    return (tmp_path / "events.jsonl").read_text()


def test_an_expected_reset_begins_the_next_boot(watch: BootWatch, tmp_path: Path, console: Path) -> None:
    console.write_text("eight by")
    with watch.expected():
        watch.on_event(said("RESET", guest=True))
        assert watch.changed(1, Deadline.after(5))
    assert watch.number == 2
    assert watch.trouble is None
    assert '"how":"the guest reset itself","type":"boot-ended"' in recorded(tmp_path)
    assert '"boot":2,"cause":"the guest reset itself","console_offset":8' in recorded(tmp_path)


def test_a_boot_that_does_not_end_is_not_called_changed(watch: BootWatch) -> None:
    assert not watch.changed(1, Deadline.after(0))


def test_a_reset_that_no_step_asked_for_ends_every_wait(watch: BootWatch) -> None:
    told: list[CannotMeasure] = []
    with watch.watching(lambda: None, told.append):
        watch.on_event(said("RESET", guest=True))
        with pytest.raises(GuestFailed, match="no step asked"):
            watch.changed(2, Deadline.after(5))
    assert told == [watch.trouble]


def test_a_reset_after_a_panic_is_told_as_the_panic(watch: BootWatch, console: Path) -> None:
    console.write_text("[ 9.0] Kernel panic - not syncing: sysrq triggered crash\n")
    watch.on_event(said("RESET", guest=True))
    assert "sysrq triggered crash" in str(watch.trouble)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (said("GUEST_PANICKED"), "panicked"),
        (said("SHUTDOWN", guest=True, reason="guest-shutdown"), "switched itself off"),
    ],
)
def test_a_guest_that_is_over_is_named(watch: BootWatch, event: MachineEvent, words: str) -> None:
    watch.on_event(event)
    with pytest.raises(GuestFailed, match=words):
        watch.changed(1, Deadline.after(5))


def test_a_guest_that_is_to_switch_itself_off_may(watch: BootWatch, tmp_path: Path) -> None:
    with watch.expected():
        watch.on_event(said("SHUTDOWN", guest=True, reason="guest-shutdown"))
    assert watch.trouble is None
    assert '"boot":1,"how":"the guest switched itself off","type":"boot-ended"' in recorded(tmp_path)


def test_a_later_machine_counts_on(tmp_path: Path, console: Path) -> None:
    with Recorder(tmp_path, lambda: HostTime(0)) as record:
        watch = BootWatch(record, ConsoleFollower(console), before=1)
        watch.begin("the machine was started")
    assert watch.number == 2
    assert '"boot":2,' in recorded(tmp_path)


def test_our_own_end_of_the_machine_is_no_trouble(watch: BootWatch) -> None:
    watch.on_event(said("SHUTDOWN", guest=False, reason="host-qmp-quit"))
    assert watch.trouble is None


def test_the_first_trouble_is_kept(watch: BootWatch) -> None:
    watch.fail(GuestFailed("first"))
    watch.on_event(said("GUEST_PANICKED"))
    assert str(watch.trouble) == "first"


def test_a_panic_on_the_console_ends_every_wait(watch: BootWatch, console: Path) -> None:
    with watch.watching(lambda: None, lambda _: None):
        console.write_text("[ 1.0] Kernel panic - not syncing: no init\n")
        with pytest.raises(GuestFailed, match=r"kernel panicked; the console says: .*no init"):
            watch.changed(1, Deadline.after(20))


def test_a_dead_qemu_ends_every_wait(watch: BootWatch) -> None:
    death = watch.watching(lambda: InstanceDied("killed by SIGKILL"), lambda _: None)
    with death, pytest.raises(InstanceDied, match="SIGKILL"):
        watch.changed(1, Deadline.after(20))


def test_trouble_that_is_not_fatal_is_left_to_the_judge(watch: BootWatch, console: Path) -> None:
    console.write_text("a.out[1]: segfault at 0 ip 0 sp 0 error 4\n")
    with watch.watching(lambda: None, lambda _: None):
        assert not watch.changed(1, Deadline.after(1))
    assert watch.trouble is None


PANIC = "[ 9.0] Kernel panic - not syncing: NMI: Not continuing\n"


def test_a_panic_that_was_asked_for_is_no_trouble(watch: BootWatch, console: Path) -> None:
    with watch.watching(lambda: None, lambda _: None):
        with watch.expected(panic=True):
            console.write_text(PANIC)
            watch.on_event(said("GUEST_PANICKED"))
            assert watch.panicked(1, Deadline.after(5))
            watch.on_event(said("RESET", guest=False))
            assert watch.changed(1, Deadline.after(5))
        console.write_text(PANIC + "what comes after it\n")
        assert not watch.changed(2, Deadline.after(0.6))
    assert watch.trouble is None


def test_one_that_qemu_is_not_told_of_ends_in_the_guests_own_reset(watch: BootWatch, console: Path) -> None:
    with watch.expected(panic=True):
        console.write_text(PANIC)
        watch.on_event(said("RESET", guest=True))
        assert not watch.panicked(1, Deadline.after(5))
    assert (watch.number, watch.trouble) == (2, None)


def test_a_guest_that_does_not_panic_is_named(watch: BootWatch) -> None:
    with watch.expected(panic=True), pytest.raises(TimedOut, match="runs on after an NMI"):
        watch.panicked(1, Deadline.after(0))


def panic_as_asked(watch: BootWatch) -> None:
    with watch.expected(panic=True):
        watch.on_event(said("GUEST_PANICKED"))
        watch.on_event(said("RESET", guest=False))


def test_the_next_panic_is_trouble_again(watch: BootWatch) -> None:
    panic_as_asked(watch)
    watch.on_event(said("GUEST_PANICKED"))
    with pytest.raises(GuestFailed, match="panicked"):
        watch.changed(2, Deadline.after(5))


def test_where_another_end_is_asked_for_a_panic_is_trouble(watch: BootWatch) -> None:
    panic_as_asked(watch)
    with watch.expected():
        watch.on_event(said("GUEST_PANICKED"))
    with pytest.raises(GuestFailed, match="panicked"):
        watch.changed(2, Deadline.after(5))


def test_a_boot_that_ends_with_its_qemu(watch: BootWatch, tmp_path: Path, console: Path) -> None:
    console.write_text("eight by")
    watch.cut("the power was cut")
    assert (watch.number, watch.trouble) == (2, None)
    assert '"boot":1,"how":"the power was cut","type":"boot-ended"' in recorded(tmp_path)
    assert '"boot":2,"cause":"the power was cut","console_offset":8' in recorded(tmp_path)
