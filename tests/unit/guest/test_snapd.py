# SPDX-License-Identifier: GPL-3.0-only
"""snapd's verbs: what is asked of the guest, and what is made of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from harness.errors import CannotMeasure
from harness.guest.keys import RunKeys
from harness.guest.shell import Shell
from harness.guest.snapd import ChangeFailed, InstalledSnap, Snapd
from harness.host.deadline import Deadline
from tests.unit.guest.ssh_server import Command, SshServer, ssh_server

KEYS = RunKeys.generate()
DONE = {"status": "Done", "summary": 'Install "x" snap', "err": "", "ready": True}
LIST = """\
Name  Version  Rev  Tracking  Publisher  Notes
core  2.57.6   x1   -         -          core
core  2.68.3   x2   -         -          core,disabled
"""

Answers = Mapping[str, tuple[int, str, str]]


def soon() -> Deadline:
    return Deadline.after(30)


def of(answers: Answers) -> Callable[[Command], None]:
    """A guest that answers the first entry whose words are in the command line."""

    def behave(command: Command) -> None:
        status, out, err = next(answer for words, answer in answers.items() if words in command.line)
        command.channel.sendall(out.encode())
        command.channel.sendall_stderr(err.encode())
        command.end(status)

    return behave


@contextmanager
def a_guest(answers: Answers) -> Iterator[tuple[Snapd, SshServer]]:
    with (
        ssh_server(KEYS, of(answers)) as server,
        Shell.connect("127.0.0.1", server.port, KEYS, soon()) as shell,
    ):
        yield Snapd(shell), server


def test_a_change_is_begun_without_waiting_and_then_waited_for() -> None:
    with a_guest({"--no-wait": (0, "7\n", ""), "change 7": (0, json.dumps(DONE), "")}) as (snapd, server):
        begun = snapd.install("/p/it's.snap", soon())
        assert snapd.await_change(begun, soon()) == 'change 7: Install "x" snap'
    assert server.lines[0].endswith("""snap install --dangerous --no-wait '/p/it'"'"'s.snap'""")
    assert len(server.lines) == 2


def test_each_verb_is_the_snap_commands_own() -> None:
    with a_guest({"--no-wait": (0, "7\n", "")}) as (snapd, server):
        snapd.revert("core", soon())
        snapd.remove("x", soon())
        snapd.connect("x:plug", "", soon())
        snapd.disconnect("x:plug", "y:slot", soon())
    assert [line.rpartition("&& ")[2] for line in server.lines] == [
        "snap revert --no-wait core",
        "snap remove --no-wait x",
        "snap connect --no-wait x:plug",
        "snap disconnect --no-wait x:plug y:slot",
    ]


def test_a_change_that_failed_is_told_in_snapds_words() -> None:
    failed = {**DONE, "status": "Error", "err": "cannot perform the following tasks:\n- Mount\x1b snap"}
    with (
        a_guest({"change 7": (0, json.dumps(failed), "")}) as (snapd, _),
        pytest.raises(ChangeFailed, match=r'change 7: Install "x" snap: cannot perform[^\x1b]*\\x1b snap'),
    ):
        snapd.await_change("7", soon())


@pytest.mark.parametrize(
    ("status", "out", "err"),
    [
        (1, "", 'error: no revision to revert to for snap "core"'),
        (0, "", ""),
        (0, "not one word\n", ""),
        (0, "$(id)\n", ""),
    ],
    ids=["refused", "silent", "talkative", "strange"],
)
def test_an_answer_without_a_change_is_shown_with_command_and_status(status: int, out: str, err: str) -> None:
    with (
        a_guest({"snap revert": (status, out, err)}) as (snapd, _),
        pytest.raises(CannotMeasure, match=rf"`snap revert --no-wait core` \(status {status}\)") as caught,
    ):
        snapd.revert("core", soon())
    assert (err or out.strip() or "it said nothing") in str(caught.value)


@pytest.mark.parametrize("out", ["", "[]", "Traceback (most recent call last):\n", '{"status": "Doing"}'])
def test_a_change_that_cannot_be_read_is_an_error(out: str) -> None:
    with a_guest({"change 7": (1, out, "")}) as (snapd, _), pytest.raises(CannotMeasure):
        snapd.await_change("7", soon())


def test_installed_revisions_are_listed() -> None:
    with a_guest({"snap list": (0, LIST, "")}) as (snapd, _):
        assert snapd.installed(soon()) == (
            InstalledSnap("core", "2.57.6", "x1", current=True),
            InstalledSnap("core", "2.68.3", "x2", current=False),
        )


def test_no_snaps_is_none_and_a_strange_list_an_error() -> None:
    with a_guest({"snap list": (0, "", "No snaps are installed yet.")}) as (snapd, _):
        assert snapd.installed(soon()) == ()
    with (
        a_guest({"snap list": (0, "Name\nodd\n", "")}) as (snapd, _),
        pytest.raises(CannotMeasure, match="odd"),
    ):
        snapd.installed(soon())


def test_changes_under_way_are_told() -> None:
    with a_guest({"witness changes": (0, '{"changes": ["snap change 3"]}', "")}) as (snapd, _):
        assert snapd.changes(soon()) == ("snap change 3",)
