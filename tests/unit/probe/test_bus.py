# SPDX-License-Identifier: GPL-3.0-only
"""D-Bus as systemd's private socket speaks it, against a server of its own here."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probe import bus, calm
from harness.probe.bus import object_path
from harness.probe.units import Units

# ListJobs' answer with one job, as PID 1 of systemd 257 gave it: a(usssoo).
JOB = struct.pack("<I", 7)
JOB += b"\x05\0\0\0a.mou\0\0\0" + b"\x05\0\0\0start\0\0\0" + b"\x07\0\0\0waiting\0"
JOB += b"\x04\0\0\0/job\0\0\0\0" + b"\x05\0\0\0/unit\0"


def answer(serial: int, signature: str, body: bytes, *, kind: int = bus.METHOD_RETURN) -> bytes:
    fields = bytes((bus.REPLY_SERIAL, 1, ord("u"), 0)) + struct.pack("<I", serial)
    fields += bytes((bus.SIGNATURE, 1, ord("g"), 0, len(signature))) + signature.encode() + b"\0"
    head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), 99, len(fields))
    return head + fields + bytes(-len(head + fields) % 8) + body


class Server:
    """Answers each connection's calls with the next of `answers`, then hangs up."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        self.calls: list[bytes] = []
        self._answers = answers
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, self._listening:
            hello = connection.recv(4096)
            assert hello == b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"
            connection.sendall(b"DATA\r\nOK 0123\r\n")
            for each in self._answers:
                self.calls.append(connection.recv(4096))
                connection.sendall(each)

    def end(self) -> None:
        self._thread.join(10)


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode() + b"\0"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "private"


def test_jobs_are_read_from_an_array_of_structs(path: Path) -> None:
    server = Server(path, answer(1, "a(usssoo)", struct.pack("<II", len(JOB), 0) + JOB))
    assert Units(bus.Bus(str(path))).jobs() == ["a.mou/start"]
    server.end()
    assert b"ListJobs" in server.calls[0]


def test_a_variant_is_unwrapped_and_answers_to_others_are_passed_over(path: Path) -> None:
    other = answer(77, "s", text("not ours"))
    server = Server(path, other + answer(1, "v", b"\x01u\0\0" + struct.pack("<I", 42)))
    assert Units(bus.Bus(str(path))).main_pid("a.service") == 42
    server.end()


def test_an_error_is_named(path: Path) -> None:
    server = Server(path, answer(1, "s", text("no such unit"), kind=bus.ERROR))
    with pytest.raises(bus.BusError, match="no such unit"):
        Units(bus.Bus(str(path))).jobs()
    server.end()


def test_a_server_that_hangs_up_is_an_error_and_the_next_call_connects_again(path: Path) -> None:
    server = Server(path, b"")
    client = bus.Bus(str(path))
    with pytest.raises(bus.BusError):
        client.call("/a", "b.c", "D")
    server.end()
    path.unlink()
    server = Server(path, answer(2, "s", text("here")))
    assert client.call("/a", "b.c", "D") == ["here"]
    server.end()


def test_no_systemd_is_an_error_and_never_calm(path: Path) -> None:
    units = Units(bus.Bus(str(path)))
    with pytest.raises(bus.BusError):
        units.jobs()
    assert calm.await_calm(units, 0.0) == [
        "systemd: systemd does not answer ListJobs: [Errno 2] No such file or directory"
    ]


@settings(deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["s", "a(usssoo)", "v", "a{sv}", "as", "(yv)", "aas", "at"]))
def test_no_bytes_make_the_reader_do_worse_than_refuse(raw: bytes, signature: str) -> None:
    with contextlib.suppress(ValueError, IndexError, struct.error, RecursionError):
        bus.Reader(raw).values(signature)


@pytest.mark.parametrize(
    ("signature", "first", "rest"),
    [
        ("a(usssoo)s", "a(usssoo)", "s"),
        ("aa{sv}u", "aa{sv}", "u"),
        ("((i)s)", "((i)s)", ""),
        ("yv", "y", "v"),
    ],
)
def test_signatures_are_split_at_complete_types(signature: str, first: str, rest: str) -> None:
    assert bus.split_signature(signature) == (first, rest)


def test_object_paths_are_escaped_as_systemd_does() -> None:
    assert object_path("snap.a-b.c.service") == "/org/freedesktop/systemd1/unit/snap_2ea_2db_2ec_2eservice"
    assert object_path("1x.mount") == "/org/freedesktop/systemd1/unit/_31x_2emount"
