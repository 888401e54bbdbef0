# SPDX-License-Identifier: GPL-3.0-only
"""A real QEMU: it says what happens to it, dies by name, and leaves nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import CannotMeasure, HostLacks, InstanceDied, TimedOut
from harness.host.deadline import Deadline, wait_until
from harness.qemu.command import MachineSpec
from harness.qemu.events import MachineEvent
from harness.qemu.instance import Instance, State, start
from harness.qemu.monitor import CommandRefused
from tests.qemu.conftest import MakeSpec
from tests.qemu.tiny_kernel import HALT, PANIC, POWER_OFF, RESET, TRIPLE_FAULT, say

pytestmark = pytest.mark.qemu

SOON = 30.0


def soon() -> Deadline:
    return Deadline.after(SOON)


def wait_state(instance: Instance, state: State) -> None:
    wait_until(lambda: instance.state is state, soon(), what=f"the state {state.value}")


def test_nothing_is_left_after_success(make_spec: MakeSpec, tmp_path: Path) -> None:
    threads, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    with start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
        pid = instance.pid
        assert instance.alive
        wait_state(instance, State.RUNNING)
    assert not Path(f"/proc/{pid}").exists()
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert {path.name for path in tmp_path.iterdir()} == {"console.log", "kernel", "qemu.log", "witness.log"}
    assert instance.state is State.ENDED


def start_and(act: Callable[[Instance], object], spec: MachineSpec, log: Path) -> None:
    with start(spec, log, soon()) as instance:
        act(instance)


def kill_with(number: signal.Signals, instance: Instance) -> None:
    os.kill(instance.pid, number)


def test_nothing_is_left_after_a_failure(make_spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
        raise ZeroDivisionError
    assert not Path(f"/proc/{instance.pid}").exists()


def test_a_missing_qemu_is_what_the_host_lacks(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(program=str(tmp_path / "qemu-system-x86_64"))
    with pytest.raises(HostLacks, match="apt-get install qemu-system-x86"):
        start_and(Instance.cont, spec, tmp_path / "qemu.log")


def test_an_option_that_qemu_refuses_is_quoted(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(extra=("-device", "no-such-device"))
    with pytest.raises(InstanceDied, match=r"(?s)cannot start QEMU.*status 1.*no-such-device"):
        start_and(Instance.cont, spec, tmp_path / "qemu.log")


def use_killed(instance: Instance) -> None:
    kill_with(signal.SIGKILL, instance)
    instance.execute("query-status")


def wait_for_killed(instance: Instance) -> None:
    kill_with(signal.SIGSEGV, instance)
    instance.wait_for("NEVER", soon())


def fail_because_killed(instance: Instance) -> None:
    kill_with(signal.SIGABRT, instance)
    raise TimedOut("cannot wait longer for ssh")


def overlook_killed(instance: Instance) -> None:
    kill_with(signal.SIGBUS, instance)
    wait_until(lambda: not instance.alive, soon(), what="its end")


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (use_killed, "SIGKILL"),
        (wait_for_killed, "SIGSEGV"),
        (fail_because_killed, "SIGABRT"),
        (overlook_killed, "SIGBUS"),
    ],
)
def test_a_killed_qemu_is_named(
    make_spec: MakeSpec, tmp_path: Path, act: Callable[[Instance], None], name: str
) -> None:
    with pytest.raises(InstanceDied, match=f"ended by signal {name} although nobody asked it to"):
        start_and(act, make_spec(), tmp_path / "qemu.log")


def test_a_death_keeps_the_error_it_explains(make_spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(InstanceDied) as caught:
        start_and(fail_because_killed, make_spec(), tmp_path / "qemu.log")
    assert isinstance(caught.value.__cause__, TimedOut)


def test_ends_that_were_asked_for_are_no_accidents(make_spec: MakeSpec, tmp_path: Path) -> None:
    for end in (Instance.kill, Instance.quit):
        with start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
            end(instance)
            assert not instance.alive
            with pytest.raises(InstanceDied, match="ended before"):
                instance.reset()


def test_a_qemu_that_hangs_is_not_waited_for(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
        os.kill(instance.pid, signal.SIGSTOP)
        with pytest.raises(TimedOut, match=r"cannot query-status: QEMU does not answer"):
            instance.execute("query-status", deadline=Deadline.after(0.1))
    assert not Path(f"/proc/{instance.pid}").exists()


def test_a_refused_command_is_an_error_of_its_own(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(), tmp_path / "qemu.log", soon(), paused=True) as instance:
        with pytest.raises(CommandRefused, match="no-such-command"):
            instance.execute("no-such-command")
        with pytest.raises(CannotMeasure, match="cannot power the machine down: it is paused"):
            instance.powerdown()


def test_two_machines_get_two_ports(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec()
    with start(spec, tmp_path / "1", soon()) as one, start(spec, tmp_path / "2", soon()) as two:
        assert one.forwarded_port() != two.forwarded_port()
        with pytest.raises(CannotMeasure, match="guest's 80"):
            one.forwarded_port(80)


def test_the_only_listener_is_the_forwarded_port_of_the_loopback(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
        assert listeners(instance.pid) == {f"0100007F:{instance.forwarded_port():04X}"}


def listeners(pid: int) -> set[str]:
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


@pytest.mark.parametrize("code", [RESET, TRIPLE_FAULT], ids=["keyboard", "triple-fault"])
def test_a_reset_by_the_guest(make_spec: MakeSpec, tmp_path: Path, code: bytes) -> None:
    with start(make_spec(code), tmp_path / "qemu.log", soon()) as instance:
        event = instance.wait_for("RESET", soon())
    assert event.data["guest"] is True


def test_a_reset_by_the_host_and_the_console_that_goes_on(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(say("hello\n"), HALT)
    with start(spec, tmp_path / "qemu.log", soon()) as instance:
        wait_until(lambda: spec.console.read_text() == "hello\n", soon(), what="the first hello")
        seen = len(instance.events)
        instance.reset()
        assert instance.wait_for("RESET", soon(), since=seen).data["guest"] is False
        wait_until(lambda: spec.console.read_text() == "hello\nhello\n", soon(), what="the second")
        assert [event.name for event in instance.events[seen:]] == ["RESET"], "one boot, one RESET"


def test_a_panic_stops_the_machine(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(PANIC), tmp_path / "qemu.log", soon()) as instance:
        instance.wait_for("GUEST_PANICKED", soon())
        wait_state(instance, State.PANICKED)


def test_a_guest_that_switches_itself_off_leaves_qemu_there(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(POWER_OFF), tmp_path / "qemu.log", soon()) as instance:
        assert instance.wait_for("SHUTDOWN", soon()).data["guest"] is True
        wait_state(instance, State.SHUT_DOWN)
        assert instance.alive


def test_no_event_is_missed_from_the_first_instruction_on(make_spec: MakeSpec, tmp_path: Path) -> None:
    heard: list[MachineEvent] = []
    with start(make_spec(POWER_OFF), tmp_path / "qemu.log", soon(), on_event=heard.append) as instance:
        instance.wait_for("SHUTDOWN", soon())
        wait_state(instance, State.SHUT_DOWN)
        assert heard[0].name == "RESUME"
        times = [event.at_ns for event in instance.events]
    assert times == sorted(times)


def overlook_a_full_disk(spec: MachineSpec, log: Path) -> None:
    def full_disk(_: object) -> None:
        raise OSError("no space left on device")

    with start(spec, log, soon(), on_event=full_disk) as instance:
        wait_until(instance.raise_if_dead, soon(), what="the error")


def test_a_listener_that_fails_is_heard(make_spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no space"):
        overlook_a_full_disk(make_spec(), tmp_path / "qemu.log")


def test_the_channel_is_a_socket_with_a_log(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
        assert (tmp_path / "witness.log").exists()
        instance.kill()
        assert instance.channel("harness.witness").recv(1) == b""


def test_memory_is_known_while_it_lives(make_spec: MakeSpec, tmp_path: Path) -> None:
    with start(make_spec(), tmp_path / "qemu.log", soon()) as instance:
        memory = instance.resident_memory()
        assert memory is not None
        assert memory.peak_kib >= memory.now_kib > 1000
    assert instance.resident_memory() is None
