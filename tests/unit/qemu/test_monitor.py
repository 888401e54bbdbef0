# SPDX-License-Identifier: GPL-3.0-only
"""A monitor whose peer hangs up, at moments that a real QEMU meets only when it dies in them."""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Callable

import pytest

from harness.host.deadline import Deadline
from harness.qemu.monitor import MonitorLost, connected

GREETING = {"QMP": {"version": {"qemu": {"major": 10, "minor": 0, "micro": 2}}, "capabilities": []}}
SHUTDOWN = {"event": "SHUTDOWN", "timestamp": {"seconds": 1, "microseconds": 2}, "data": {"guest": True}}
ATTEMPTS = 40

Peer = Callable[[socket.socket], None]


def send(ours: socket.socket, message: object) -> None:
    ours.sendall(json.dumps(message).encode() + b"\r\n")


def shake_hands(ours: socket.socket) -> None:
    send(ours, GREETING)
    asked = json.loads(ours.recv(4096))
    send(ours, {"return": {}, "id": asked["id"]} if "id" in asked else {"return": {}})


def leaves(ours: socket.socket) -> None:
    shake_hands(ours)


def leaves_with_an_event(ours: socket.socket) -> None:
    shake_hands(ours)
    send(ours, SHUTDOWN)


def leaves_with_an_oath(ours: socket.socket) -> None:
    shake_hands(ours)
    ours.sendall(b"qemu-system-x86_64: Bus error\r\n")


def attempt(peer: Peer) -> None:
    """Connect to a peer that goes at once, and ask it something."""
    ours, its = socket.socketpair()

    def play() -> None:
        with its:
            peer(its)

    thread = threading.Thread(target=play)
    with ours:
        thread.start()
        try:
            with connected(ours, Deadline.after(20), lambda _: None) as monitor:
                monitor.execute("query-status", deadline=Deadline.after(20))
        finally:
            thread.join()


@pytest.mark.parametrize("peer", [leaves, leaves_with_an_event, leaves_with_an_oath])
def test_a_peer_that_hangs_up_is_lost_and_nothing_else(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(ATTEMPTS):
        with pytest.raises(MonitorLost):
            attempt(peer)
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_what_it_said_last_is_delivered_before_it_is_lost() -> None:
    names: list[str] = []
    ours, its = socket.socketpair()
    thread = threading.Thread(target=leaves_with_an_event, args=(its,))
    with ours, its:
        thread.start()
        with connected(ours, Deadline.after(20), lambda event: names.append(event.name)):
            thread.join()
    assert names == ["SHUTDOWN"]
