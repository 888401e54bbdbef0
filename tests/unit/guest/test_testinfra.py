# SPDX-License-Identifier: GPL-3.0-only
"""The checks read through testinfra, on a guest that answers from a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from harness.errors import CannotMeasure, GuestFailed
from harness.guest import testinfra
from harness.guest.keys import RunKeys
from harness.guest.shell import Shell
from harness.host.deadline import Deadline
from harness.model.invariants import INVARIANTS
from tests.unit.guest.ssh_server import Command, SshServer, ssh_server

KEYS = RunKeys.generate()
NETWORK = {
    "GetDeviceByIpIface": 'o "/org/freedesktop/NetworkManager/Devices/3"\n',
    "Managed State": "b true\nu 100\n",
    "ip -o address": "3: eth1    inet 10.0.3.15/24 brd 10.0.3.255 scope global eth1\\  valid_lft 9sec\n",
}
UNIT = "snap.bluez.bluez.service"
BLUETOOTH = {
    "GetConnectionUnixProcessID": "u 612\n",
    "/proc/612/cgroup": f"0::/system.slice/{UNIT}\n",
    "journalctl": "Starting SDP server\nBluetooth management interface 1.23 initialized\n",
}


def soon() -> Deadline:
    return Deadline.after(30)


@contextmanager
def a_guest(answers: Mapping[str, str]) -> Iterator[tuple[Shell, SshServer]]:
    """A guest in which every command fails that has no entry."""

    def behave(command: Command) -> None:
        answer = next((answer for words, answer in answers.items() if words in command.line), None)
        command.channel.sendall((answer or "").encode())
        command.channel.sendall_stderr(b"" if answer else b"Unknown object")
        command.end(0 if answer is not None else 1)

    with (
        ssh_server(KEYS, behave) as server,
        Shell.connect("127.0.0.1", server.port, KEYS, Deadline.after(30)) as shell,
    ):
        yield shell, server


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testinfra, "CALM_SECONDS", 0.0)


def check(name: str, answers: Mapping[str, str]) -> tuple[bool, str]:
    with a_guest(answers) as (shell, _):
        return testinfra.CHECKS[name](testinfra.host_of(shell), {"interface": "eth1"})


def test_an_interface_that_is_managed_and_activated_passes() -> None:
    assert check("network-managed", NETWORK) == (
        True,
        "eth1: managed b true, state u 100, addresses 10.0.3.15/24",
    )


@pytest.mark.parametrize(
    ("words", "answer", "seen"),
    [
        ("Managed State", "b false\nu 10\n", "managed b false, state u 10"),
        ("Managed State", "b true\nu 70\n", "state u 70"),
        ("ip -o address", "\n", "addresses none"),
    ],
)
def test_an_interface_that_is_not_does_not_and_says_what_was_seen(words: str, answer: str, seen: str) -> None:
    passed, said = check("network-managed", {**NETWORK, words: answer})
    assert not passed
    assert seen in said


def test_no_networkmanager_is_a_no_in_the_buss_words() -> None:
    assert check("network-managed", {}) == (False, "eth1: NetworkManager says Unknown object")


@pytest.mark.parametrize("name", ["network-managed", "bluetooth-managed"])
def test_a_service_that_was_given_up_is_not_waited_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testinfra, "CALM_SECONDS", 3600.0)
    passed, seen = check(name, {"systemctl is-failed": "failed\n"})
    assert not passed
    assert "Unknown object" in seen


def test_a_bluez_service_with_its_management_interface_passes() -> None:
    passed, said = check("bluetooth-managed", BLUETOOTH)
    assert passed
    assert "process 612" in said
    assert "1.23 initialized" in said


@pytest.mark.parametrize(
    ("words", "answer", "seen"),
    [
        ("/proc/612/cgroup", "0::/system.slice/bluetooth.service\n", "process 612 of bluetooth.service"),
        ("journalctl", "Failed to access management interface\n", "no management interface yet"),
    ],
)
def test_another_owner_or_no_interface_does_not(words: str, answer: str, seen: str) -> None:
    passed, said = check("bluetooth-managed", {**BLUETOOTH, words: answer})
    assert not passed
    assert seen in said


def test_a_lost_connection_is_an_error_and_nothing_runs_twice() -> None:
    def dies(command: Command) -> None:
        command.transport.close()

    with (
        ssh_server(KEYS, dies) as server,
        Shell.connect("127.0.0.1", server.port, KEYS, Deadline.after(30)) as shell,
    ):
        host = testinfra.host_of(shell)
        with pytest.raises(GuestFailed):
            host.run("snap revert %s", "core")
        assert server.lines == ["snap revert core"]


def test_a_host_is_never_shared() -> None:
    with a_guest({}) as (shell, _):
        assert testinfra.host_of(shell) is not testinfra.host_of(shell)


def test_every_check_that_an_invariant_rests_on_is_there() -> None:
    assert {spec.check for spec in INVARIANTS.values() if spec.check} == set(testinfra.CHECKS)


def test_an_answer_of_another_form_is_an_error_and_not_a_no() -> None:
    with pytest.raises(CannotMeasure, match="cannot read the guest's state"):
        check("network-managed", {**NETWORK, "GetDeviceByIpIface": "o\n"})


@pytest.mark.parametrize(
    ("told", "passed", "words"),
    [
        ("snap.a.b same\nsnap.c.d same\n", True, "snap.c.d is what its source gives"),
        ("snap.a.b same\nsnap.c.d other\n", False, "snap.c.d is not what its source gives"),
        ("snap.a.b uncompilable\n", False, "snap.a.b is uncompilable"),
        ("", False, "no snap has a service"),
    ],
)
def test_filters_are_what_their_sources_give(told: str, passed: bool, words: str) -> None:
    found, said = check("filters-match-source", {"snap-seccomp": told})
    assert found is passed
    assert words in said


def test_filters_that_were_not_compiled_are_not_read() -> None:
    with pytest.raises(CannotMeasure, match="Unknown object"):
        check("filters-match-source", {})
