# SPDX-License-Identifier: GPL-3.0-only
"""The shell against a real ssh server, whose commands do what guests in trouble do."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.errors import CannotMeasure, GuestFailed, InstanceDied, TimedOut
from harness.guest.keys import RunKeys
from harness.guest.shell import MOST_OUTPUT, CommandFailed, Shell
from harness.host.deadline import Deadline
from tests.unit.guest.ssh_server import Behaviour, Command, SshServer, ssh_server

KEYS = RunKeys.generate()


def soon() -> Deadline:
    return Deadline.after(30)


@contextmanager
def a_shell(behaviour: Behaviour) -> Iterator[tuple[Shell, SshServer]]:
    with (
        ssh_server(KEYS, behaviour) as server,
        Shell.connect("127.0.0.1", server.port, KEYS, soon()) as shell,
    ):
        yield shell, server


def says(stdout: bytes = b"", stderr: bytes = b"", status: int = 0) -> Behaviour:
    def behave(command: Command) -> None:
        command.channel.sendall(stdout)
        command.channel.sendall_stderr(stderr)
        command.end(status)

    return behave


def dies(command: Command) -> None:
    command.channel.sendall(b"half an ans")
    command.transport.close()


def test_a_command_comes_back_with_its_status_and_both_streams() -> None:
    with a_shell(says(b"out", b"err", 3)) as (shell, server):
        result = shell.run("do it", soon(), check=False)
    assert (result.status, result.stdout, result.stderr) == (3, "out", "err")
    assert server.lines == ["do it"]


def test_one_connection_carries_many_commands_at_once() -> None:
    both = threading.Barrier(2)

    def meets(command: Command) -> None:
        both.wait(30)
        says(command.line.encode())(command)

    with a_shell(meets) as (shell, _):
        other = threading.Thread(target=shell.run, args=("one", soon()))
        other.start()
        assert shell.run("two", soon()).stdout == "two"
        other.join()


def test_a_failing_command_is_an_error_in_its_own_words() -> None:
    with (
        a_shell(says(b"", b"no such snap \x1b[31m", 1)) as (shell, _),
        pytest.raises(
            CommandFailed, match=r"`snap revert x` ended with status 1: no such snap \\x1b"
        ) as caught,
    ):
        shell.run("snap revert x", soon())
    assert isinstance(caught.value, CannotMeasure)


def test_huge_output_on_both_streams_neither_blocks_nor_is_kept_whole() -> None:
    with a_shell(says(b"o" * (3 << 20), b"e" * (3 << 20))) as (shell, _):
        result = shell.run("yes", soon())
    assert result.stdout.startswith("o" * MOST_OUTPUT)
    assert len(result.stdout) < MOST_OUTPUT + 100
    assert "cut" in result.stdout[-60:]
    assert "cut" in result.stderr[-60:]


def test_hostile_bytes_arrive_as_text_and_are_shown_escaped() -> None:
    with a_shell(says(b"\xff\x00\x1b]0;owned\x07\n\tfine \xc3\xa9\xe2\x80\xae")) as (shell, _):
        result = shell.run("cat evil", soon())
    assert "\x1b" in result.stdout
    assert result.shown == "\\xff\\x00\\x1b]0;owned\\x07\n\tfine é\\x202e"


def test_a_time_out_names_the_command_and_leaves_the_connection_usable() -> None:
    def hangs_once(command: Command) -> None:
        command.hang() if command.line == "hang" else says(b"ok")(command)

    with a_shell(hangs_once) as (shell, server):
        with pytest.raises(TimedOut, match="`hang`"):
            shell.run("hang", Deadline.after(0.3))
        assert shell.run("after", soon()).stdout == "ok"
    assert server.lines == ["hang", "after"]


def test_a_lost_connection_names_the_command_and_it_never_runs_again() -> None:
    with a_shell(dies) as (shell, server):
        with pytest.raises(GuestFailed, match=r"`snap revert core`.*lost while it ran") as caught:
            shell.run("snap revert core", soon())
        with pytest.raises(GuestFailed, match="connection is lost"):
            shell.run("snap list", soon())
    assert server.lines == ["snap revert core"]
    assert "second time" in str(caught.value)


def test_giving_up_ends_a_running_command_with_the_cause() -> None:
    begun = threading.Event()

    def begins_and_hangs(command: Command) -> None:
        begun.set()
        command.hang()

    with a_shell(begins_and_hangs) as (shell, _):
        watch = threading.Thread(
            target=lambda: begun.wait(30) and shell.give_up(InstanceDied("qemu is gone"))
        )
        watch.start()
        with pytest.raises(InstanceDied, match="qemu is gone"):
            shell.run("sleep 1000", soon())
        with pytest.raises(InstanceDied, match="qemu is gone"):
            shell.run("true", soon())
        watch.join()


def test_input_reaches_the_command_whole() -> None:
    got: list[bytes] = []

    def takes(command: Command) -> None:
        got.append(command.stdin)
        command.end()

    content = bytes(range(256)) * 20000
    with a_shell(takes) as (shell, server):
        shell.put(content, "/tmp/it's", soon())
    assert got == [content]
    assert server.lines == ["""cat > '/tmp/it'"'"'s.half' && mv -f '/tmp/it'"'"'s.half' '/tmp/it'"'"'s'"""]


def test_a_command_ended_by_a_signal_has_no_status_of_its_own() -> None:
    def killed(command: Command) -> None:
        command.channel.close()

    with a_shell(killed) as (shell, _):
        assert shell.run("kill -9 $$", soon(), check=False).status == -1


def test_a_server_with_another_host_key_is_not_talked_to() -> None:
    others = RunKeys(KEYS.client, RunKeys.generate().host)
    with ssh_server(others, says()) as server:
        with pytest.raises(GuestFailed, match="host key"):
            Shell.connect("127.0.0.1", server.port, KEYS, soon())
        assert server.lines == []


def test_a_server_that_does_not_know_our_key_is_named() -> None:
    others = RunKeys(RunKeys.generate().client, KEYS.host)
    with (
        ssh_server(others, says()) as server,
        pytest.raises(GuestFailed, match="cannot log in by ssh"),
    ):
        Shell.connect("127.0.0.1", server.port, KEYS, soon())


def test_a_port_that_never_speaks_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimedOut, match="let us in"):
        Shell.connect("127.0.0.1", silent.getsockname()[1], KEYS, Deadline.after(0.5))


def test_a_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(GuestFailed, match=rf"127.0.0.1:{port}: Connection refused"):
        Shell.connect("127.0.0.1", port, KEYS, soon())


def test_private_keys_are_in_no_representation() -> None:
    assert "PRIVATE" not in repr(KEYS)
    assert "PRIVATE" not in str(KEYS.client)


def test_paramikos_log_has_a_handler_so_that_python_does_not_print_it() -> None:
    assert any(isinstance(each, logging.NullHandler) for each in logging.getLogger("paramiko").handlers)
