# SPDX-License-Identifier: GPL-3.0-only
"""AppArmor's audit records, as Linux 6.12 sent them and as nobody should."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import codec
from harness.model.occurrence import Lost, Occurrence, ProfileChange, ProfileChanged, Source
from harness.probe import audit

LOADED = (
    'audit(1795645434.940:7): apparmor="STATUS" operation="profile_load" profile="unconfined"'
    ' name="snap.witness.report" pid=258 comm="apparmor_parser"'
)
KEPT = (
    'audit(1795645435.1:8): apparmor="STATUS" operation="profile_replace"'
    ' info="same as current profile, skipping" profile="unconfined" name="snap.bluez.bluez" pid=9'
    ' comm="apparmor_parser"'
)
DENIED = (
    'audit(1795645452.900:8): apparmor="DENIED" operation="open" class="file" profile="snap.witness.report"'
    ' name="/proc/262/attr/current" pid=262 comm="report" requested_mask="r" denied_mask="r"'
)


def record(text: str, kind: int = audit.AUDIT_AVC) -> bytes:
    return struct.pack("<IHHII", 16 + len(text), kind, 0, 0, 0) + text.encode()


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, ours:
        yield kernel, ours


def watch(ours: socket.socket, lost: Callable[[], int] = lambda: 0) -> audit.ProfileWatch:
    profile = {"type": "loaded-profile", "name": "snap.witness.report", "mode": "enforce", "sha256": "ab"}
    clock = itertools.count(1)
    return audit.ProfileWatch(
        ours, lost, lambda: next(clock), lambda name: profile if name == profile["name"] else None
    )


def decoded(said: list[dict[str, Any]]) -> list[Occurrence]:
    return [codec.decode(Occurrence, one) for one in said]


def test_a_loaded_profile_is_told_with_what_the_kernel_holds(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    kernel, ours = sockets
    watching = watch(ours)
    kernel.send(record(LOADED))
    (change,) = decoded(watching.read())
    assert isinstance(change, ProfileChanged)
    assert (change.change, change.name, change.pid) == (ProfileChange.LOAD, "snap.witness.report", 258)
    assert (change.comm, change.unchanged) == ("apparmor_parser", False)
    assert change.profile is not None
    assert change.profile.sha256 == "ab"
    assert watching.read() == []


def test_a_profile_that_the_kernel_had_already_is_unchanged(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    kernel, ours = sockets
    watching = watch(ours)
    kernel.send(record(KEPT))
    (change,) = decoded(watching.read())
    assert isinstance(change, ProfileChanged)
    assert (change.unchanged, change.profile) == (True, None)


@pytest.mark.parametrize(
    "raw",
    [
        record(DENIED),
        record(LOADED, kind=1107),
        record(LOADED.replace("snap.", "")),
        record(LOADED.replace("258", "x")),
        record(LOADED.replace("258", "²")),
        record(LOADED.replace("profile_load", "profile_eat")),
        record(""),
        b"",
        b"\0" * 15,
    ],
)
def test_nothing_else_is_told(sockets: tuple[socket.socket, socket.socket], raw: bytes) -> None:
    kernel, ours = sockets
    watching = watch(ours)
    kernel.send(raw)
    assert watching.read() == []


def test_names_that_the_kernel_wrote_in_hex_are_read() -> None:
    text = LOADED.replace('"snap.witness.report"', b'snap "x"'.hex()).replace(
        '"apparmor_parser"', b'pid=1 name="snap.y"'.hex()
    )
    fields = audit.parse_record(record(text))
    assert fields is not None
    assert (fields["name"], fields["comm"], fields["pid"]) == ('snap "x"', 'pid=1 name="snap.y"', "258")


def test_records_that_the_kernel_threw_away_are_lost(sockets: tuple[socket.socket, socket.socket]) -> None:
    kernel, ours = sockets
    counts = iter([3, 3, 5])
    watching = watch(ours, lambda: next(counts))
    kernel.send(record(LOADED))
    assert [type(one) for one in decoded(watching.read())] == [ProfileChanged]
    kernel.send(record(DENIED))
    (lost,) = decoded(watching.read())
    assert isinstance(lost, Lost)
    assert lost.source is Source.PROFILES
    assert lost.since < lost.at


@given(st.binary(max_size=200))
def test_no_record_does_worse_than_to_be_passed_over(raw: bytes) -> None:
    audit.parse_record(raw)
    audit.parse_record(struct.pack("<IHHII", 0, audit.AUDIT_AVC, 0, 0, 0) + raw)
    audit.parse_record(record(LOADED) + raw)
