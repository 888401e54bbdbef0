# SPDX-License-Identifier: GPL-3.0-only
"""Each replica does what the real release did, cell by cell; the tables that were verified are printed.

What the releases did was measured with their real binaries of 2017: which launcher took whose profile for
which snap, and the steps of a revert. Filters are loaded here as there, by libseccomp into the kernel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest

from harness.replica.releases import RELEASES
from tests.replica.stages import (
    KILLED,
    MAKE_REGULAR_FILE,
    NETLINK_SOCKET,
    PUSH_TO_TERMINAL,
    SNAPS,
    Launched,
    core,
    current,
    launch,
    launch_all,
    launches,
    snap,
    snapd,
    table,
)

TEXT = ("2.24", "2.25", "2.26.4")
BPF = ("2.26.5", "2.27", "2.28", "2.29~edge", "2.29", "2.31", "2.32")
ALL = (*TEXT, *BPF)

FILE_TYPES = "hsearch_r failed for |S_IFREG: No such process\n"
UEVENT = "hsearch_r failed for NETLINK_KOBJECT_UEVENT: No such process\n"
ROUTE = "hsearch_r failed for NETLINK_ROUTE: No such process\n"
CANNOT_OPEN = (
    "Can not open /var/lib/snapd/seccomp/profiles//snap.{0}.{0} (No such file or directory)\n"
    "aborting: No such file or directory\n"
)
CANNOT_STAT = "cannot stat /var/lib/snapd/seccomp/bpf/snap.{0}.{0}.bin: No such file or directory\n"


def facts(reader: str, writer: str, name: str) -> str:
    """What a launcher says of another release's profile before its own snapd has run; empty: it runs."""
    if (reader in TEXT) != (writer in TEXT):
        return (CANNOT_OPEN if reader in TEXT else CANNOT_STAT).format(name)
    if reader == "2.24" and writer == "2.25":
        return FILE_TYPES
    if reader in ("2.24", "2.25") and writer == "2.26.4":
        return {"plain": "", "net": ROUTE, "bluez": UEVENT}[name]
    return ""


def test_who_reads_whose_profile(capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for writer in ALL:
        for reader, outcomes in _read_by_all(writer).items():
            for name, outcome in outcomes.items():
                expected = facts(reader, writer, name)
                found = (outcome.status, outcome.stderr)
                assert found == (1 if expected else 0, expected), (reader, writer, name)
                if "cannot stat" in expected:
                    assert outcome.seconds >= 1, "it did not wait"
            rows.append([reader, writer, *(outcome.cell for outcome in outcomes.values())])
    with capsys.disabled():
        print(f"\n{table(['launcher', 'profile of', *SNAPS], sorted(rows, key=_in_order))}")


def _read_by_all(writer: str) -> dict[str, dict[str, Launched]]:
    cores = [core(name, name) for name in ALL]
    acts = [*cores, *(snap(name) for name in SNAPS), current(writer), snapd(), launch_all(*ALL)]
    return dict(zip(ALL, _by_snap(launches(*acts)), strict=True))


def _by_snap(outcomes: Iterable[Launched]) -> Iterator[dict[str, Launched]]:
    every = iter(outcomes)
    while found := list(itertools.islice(every, len(SNAPS))):
        yield dict(zip(SNAPS, found, strict=True))


def _in_order(row: list[str]) -> tuple[int, int]:
    return ALL.index(row[0]), ALL.index(row[1])


STEPS = {
    "A": "core 2.24, snaps run",
    "B": "core NEW, snaps run",
    "C": "core back to 2.24, snaps start before snapd",
    "D": "after snapd 2.24 has started",
    "F": "snap first installed under NEW, core back to 2.24, starts before snapd",
    "G": "after snapd 2.24 has started",
}


def step_facts(new: str, step: str, name: str) -> str:
    """What the launcher says at a step of the revert from NEW to 2.24; empty: the snap runs."""
    if step == "F" or (step == "C" and new in TEXT):
        return facts("2.24", new, name)
    return ""


def test_a_revert_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    rows: dict[tuple[str, str], list[str]] = {}
    for new in ALL[1:]:
        for step, outcomes in _steps(new).items():
            for name, outcome in outcomes.items():
                expected = step_facts(new, step, name)
                found = (outcome.status, outcome.stderr)
                assert found == (1 if expected else 0, expected), (new, step, name)
                rows.setdefault((step, name), [step, name]).append("ok" if not expected else "dies")
    with capsys.disabled():
        told = "".join(f"\n{step}  {what}" for step, what in STEPS.items())
        print(f"\n{told}\n{table(['step', 'snap', *ALL[1:]], list(rows.values()))}")


def _steps(new: str) -> dict[str, dict[str, Launched]]:
    cores, snaps = [core("x1", "2.24"), core("x2", new)], [snap(name) for name in SNAPS]
    back = launch_all("x1")
    known_before = launches(
        *cores, *snaps, current("x1"), snapd(), back, current("x2"), snapd(), launch_all("x2"),
        current("x1"), back, snapd(), back,
    )  # fmt: skip
    first_under_new = launches(
        *cores, current("x1"), snapd(), current("x2"), *snaps, snapd(), current("x1"), back, snapd(), back
    )
    return dict(zip(STEPS, _by_snap([*known_before, *first_under_new]), strict=True))


@pytest.mark.parametrize("release", ALL)
def test_filters_are_in_the_kernel_and_are_those_of_the_release(release: str) -> None:
    """A program is killed for what this release does not allow, and for nothing else."""
    acts = [core("x1", release), *(snap(name) for name in SNAPS), current("x1"), snapd()]
    file, push = launch("plain", MAKE_REGULAR_FILE), launch("plain", PUSH_TO_TERMINAL)
    route, uevent = [*NETLINK_SOCKET, 0], [*NETLINK_SOCKET, 15]
    sockets = [launch("net", route), launch("net", uevent), launch("bluez", uevent), launch("plain", route)]
    found = [outcome.status for outcome in launches(*acts, file, push, *sockets)]
    rules = set(RELEASES[release].seccomp.template)
    makes_files, any_ioctl = "mknod - |S_IFREG -" in rules, "ioctl" in rules
    any_socket = "socket" in rules
    may = [makes_files, any_ioctl, True, any_socket, True, any_socket]
    assert found == [0 if each else KILLED for each in may]


def test_templates_are_those_of_the_facts() -> None:
    rules = {name: set(release.seccomp.template) for name, release in RELEASES.items()}
    files = {name for name, lines in rules.items() if "mknodat - - |S_IFSOCK" in " ".join(lines)}
    assert files == {"2.25", *BPF[1:]}
    families = {name: sum(line.startswith("socket AF_") for line in lines) for name, lines in rules.items()}
    assert families == {name: 38 if name in BPF[1:] else 0 for name in ALL}
    assert {name for name, lines in rules.items() if "ioctl - !TIOCSTI" in lines} == files
    netlink = {
        name for name, release in RELEASES.items() if "NETLINK_KOBJECT_UEVENT" in str(release.seccomp.rules)
    }
    assert netlink == set(ALL) - {"2.24", "2.25"}


def test_all_interfaces_of_the_netlink_mediation_stop_the_older_launcher() -> None:
    """Bluez was the one that was seen; any snap with one of these had died."""
    rules = RELEASES["2.26.4"].seccomp.rules
    known = RELEASES["2.24"].seccomp.constants
    stopped = {
        side
        for side, lines in rules.items()
        if any(line.split()[-1].startswith("NETLINK_") and line.split()[-1] not in known for line in lines)
    }
    assert {"plug network", "plug network-bind", "slot bluez", "slot modem-manager", "slot ofono"} <= stopped
    assert "slot network-manager" not in stopped
