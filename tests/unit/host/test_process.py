# SPDX-License-Identifier: GPL-3.0-only
"""Processes: what comes back, what is raised, and that none is left."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from harness.errors import HostLacks, TimedOut
from harness.host.deadline import Deadline, wait_until
from harness.host.process import CommandFailed, describe_status, run, spawn

SOON = 20.0


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_gone(pid: int) -> None:
    wait_until(lambda: not is_running(pid), Deadline.after(SOON), what=f"process {pid} to end")


def test_output_streams_are_kept_apart() -> None:
    done = run(["sh", "-c", "cat; echo oops >&2"], input=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"in", b"oops\n")


def test_more_output_and_input_than_a_pipe_holds() -> None:
    big = b"x" * 3_000_000
    assert run(["cat"], input=big).stdout == big


def test_arguments_are_passed_as_they_are() -> None:
    words = ["a b", "", "$HOME", "'\"", "-n", "*"]
    assert run(["printf", r"%s\n", *words]).stdout.decode().splitlines() == words


def test_failure_carries_status_command_and_the_end_of_stderr() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "seq 100 >&2; exit 3"])
    error = caught.value
    assert error.returncode == 3
    assert error.argv[0] == "sh"
    assert "with status 3" in str(error)
    assert str(error).endswith("| 100")
    assert "| 50" not in str(error)


def test_a_signal_is_named() -> None:
    with pytest.raises(CommandFailed, match="by signal SIGKILL"):
        run(["sh", "-c", "kill -9 $$"])
    assert describe_status(-250) == "by signal 250"


def test_unchecked_failure_is_a_status() -> None:
    assert run(["false"], check=False).returncode == 1


def test_a_missing_program_names_its_package(tmp_path: Path) -> None:
    with pytest.raises(HostLacks, match="apt-get install qemu-utils"):
        run([tmp_path / "qemu-img"])
    with pytest.raises(HostLacks, match="cannot run no-such-program"):
        run(["no-such-program"])


def test_programs_are_found_in_sbin_too() -> None:
    assert run(["ldconfig", "--version"], env={"PATH": "/usr/bin"}).returncode == 0


def test_environment_and_directory(tmp_path: Path) -> None:
    done = run(["sh", "-c", "pwd; echo $A"], cwd=tmp_path, env={"A": "1", "PATH": os.environ["PATH"]})
    assert done.stdout.decode().split() == [str(tmp_path), "1"]


def test_output_file_is_appended_to_and_quoted_in_the_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with pytest.raises(CommandFailed, match=r"\| broken"):
        run(["sh", "-c", "echo out; echo broken >&2; exit 1"], output=log)
    assert log.read_text() == "before\nout\nbroken\n"


def test_time_out_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(TimedOut, match="still runs"):
        run(["sh", "-c", f"sleep 300 & echo $$ $! >{pids}; wait"], timeout=0.5)
    for pid in pids.read_text().split():
        wait_gone(int(pid))


def test_nothing_of_the_group_stays_after_the_leader() -> None:
    left_behind = int(run(["sh", "-c", "sleep 300 & echo $!"]).stdout)
    wait_gone(left_behind)


def test_a_block_left_by_an_error_ends_a_child_that_ignores_sigterm(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; sleep 300"
    with suppress(ZeroDivisionError), spawn(["sh", "-c", script], grace=0.1) as child:
        wait_until(ready.exists, Deadline.after(SOON), what="the child's trap")
        raise ZeroDivisionError
    assert child.poll() == -signal.SIGKILL
    wait_gone(child.pid)


def test_a_child_is_told_politely_first(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 7' TERM; touch {ready}; while :; do sleep 0.01; done"
    with spawn(["sh", "-c", script]) as child:
        wait_until(ready.exists, Deadline.after(SOON), what="the child's trap")
    assert child.poll() == 7


def test_waiting_for_a_child_that_runs_on_times_out_and_leaves_it_alone() -> None:
    with spawn(["sleep", "300"]) as child:
        with pytest.raises(TimedOut, match="sleep 300"):
            child.wait(Deadline.after(0.05))
        assert child.poll() is None
        child.signal(signal.SIGTERM)
        assert child.wait(Deadline.after(SOON)) == -signal.SIGTERM


def test_only_passed_descriptors_are_inherited() -> None:
    read_end, write_end = os.pipe()
    write_to_it = [sys.executable, "-c", f"import os; os.write({write_end}, b'hello')"]
    try:
        run(write_to_it, pass_fds=[write_end])
        assert os.read(read_end, 100) == b"hello"
        assert b"Bad file descriptor" in run(write_to_it, check=False).stderr
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_child_is_not_in_our_process_group() -> None:
    pid, group = run(["sh", "-c", "ps -o pid=,pgid= $$"]).stdout.split()
    assert pid == group


PARENT = """
import sys
from harness.host.process import spawn
with spawn(["sleep", "300"]) as child:
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_killing_the_harness_kills_its_children(tmp_path: Path) -> None:
    output = tmp_path / "pid"
    read_end, write_end = os.pipe()
    with (
        os.fdopen(read_end, "rb") as stdin,
        os.fdopen(write_end, "wb"),
        output.open("wb") as stdout,
        spawn([sys.executable, "-c", PARENT], stdin=stdin, stdout=stdout) as parent,
    ):
        pid = int(wait_until(lambda: output.read_text() or None, Deadline.after(SOON), what="a pid"))
        assert is_running(pid)
        parent.signal(signal.SIGKILL)
        wait_gone(pid)
