# SPDX-License-Identifier: GPL-3.0-only
"""The replicas' daemon: what it plans, the units it writes, the policy it makes, and what it answers."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.probe import daemon as probe

PROGRAMS = Path(__file__).resolve().parents[2] / "images" / "replica" / "programs"

Program = Callable[[str], ModuleType]
Table = Callable[..., Any]

APP = {"daemon": "simple", "command": "x", "slots": ["service"], "plugs": ["network", "bluetooth-control"]}
META = {
    "name": "bluez",
    "apps": {"bluez": APP},
    "slots": {"service": "bluez"},
    "plugs": {"network": "network", "bluetooth-control": "bluetooth-control"},
    "layout": {"/var/lib/bluetooth": {"bind": "$SNAP_COMMON/lib"}, "/x": {"bind": "$SNAP/y"}},
}


def state_with(**snaps: list[str]) -> SimpleNamespace:
    known = {name: {"current": revisions[-1], "sequence": revisions} for name, revisions in snaps.items()}
    return SimpleNamespace(snaps=known, connections=["bluez:network"], changes={})


def unit(program: Program, table: Any) -> dict[str, str]:
    text: str = program("units").service_text(table, "bluez", "x1", "bluez", APP)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.mark.parametrize("release", ["2.24", "2.26.4", "2.29", "2.32"])
def test_no_release_ordered_services_after_snapd(program: Program, table: Table, release: str) -> None:
    found = unit(program, table(release))
    assert found["After"] == "snap-bluez-x1.mount network-online.target"
    assert found["Requires"] == "snap-bluez-x1.mount"
    assert found["Wants"] == "network-online.target"
    assert found["ExecStart"] == "/usr/bin/snap run bluez.bluez"
    assert f"replica-{release}" in found["Description"]


def test_designs_of_order_do(program: Program, table: Table) -> None:
    assert unit(program, table("2.25", "after-snapd"))["After"].split()[-1] == "snapd.service"
    assert "snapd.service" not in unit(program, table("2.25", "after-snapd"))["Wants"]
    assert unit(program, table("2.25", "wants-snapd"))["Wants"].split()[-1] == "snapd.service"


def test_snaps_are_mounted_before_snapd_from_2_29_on(program: Program, table: Table) -> None:
    text = program("units").mount_text
    assert "Before=snapd.service" not in text(table("2.28"), "bluez", "x1")
    assert "Before=snapd.service\n" in text(table("2.29"), "bluez", "x1")


def test_names_of_mount_units(program: Program) -> None:
    assert program("units").mount_unit("network-manager", "x1") == "snap-network\\x2dmanager-x1.mount"


def test_rules_of_slots_come_before_those_of_connected_plugs(program: Program, table: Table) -> None:
    text = program("policy").seccomp_text(table("2.26.4"), ["bluez:network"], META, APP)
    rules = text.splitlines()
    netlink = [rule.split("NETLINK_")[1] for rule in rules if "NETLINK_" in rule]
    assert netlink == ["KOBJECT_UEVENT", "ROUTE"]
    assert rules[: len(table("2.26.4").seccomp.template)] == table("2.26.4").seccomp.template


def test_a_plug_that_is_not_connected_gives_nothing(program: Program, table: Table) -> None:
    text = program("policy").seccomp_text(table("2.26.4"), [], META, APP)
    assert "NETLINK_ROUTE" not in text


def test_layouts_are_bind_mounts_at_any_release(program: Program) -> None:
    assert program("policy").mount_text(META) == (
        "/var/snap/bluez/common/lib /var/lib/bluetooth none bind,rw 0 0\n"
        "/snap/bluez/current/y /x none bind,rw 0 0\n"
    )


def test_a_profile_is_of_its_snap_alone(program: Program, table: Table) -> None:
    text = program("policy").apparmor_text(table("2.24"), META, "bluez")
    assert text.startswith("profile snap.bluez.bluez flags=(")
    assert "/var/snap/bluez/{,**}" in text
    assert "@SNAP@" not in text


def test_a_revert_goes_one_revision_back(program: Program) -> None:
    planned = program("tasks").planned
    summary, steps = planned(state_with(core=["x1", "x2"]), "revert", ["core"])
    assert (summary, steps) == ('Revert "core" snap', [["link-core", "x1"]])
    _, steps = planned(state_with(bluez=["x1", "x2"]), "revert", ["bluez"])
    assert [step[0] for step in steps] == [
        "stop-services", "auto-connect", "setup-profiles", "link-snap", "start-services",
    ]  # fmt: skip
    assert {step[-1] for step in steps[1:]} == {"x1"}


@pytest.mark.parametrize(
    ("action", "names", "says"),
    [
        ("revert", ["core"], 'cannot revert "core": no revision to revert to'),
        ("revert", ["other"], 'snap "other" is not installed'),
        ("connect", ["other:plug"], 'snap "other" is not installed'),
    ],
)
def test_what_cannot_be_done_is_said(program: Program, action: str, names: list[str], says: str) -> None:
    tasks = program("tasks")
    with pytest.raises(tasks.CannotChange, match=says):
        tasks.planned(state_with(core=["x1"]), action, names)


def test_question_and_answer(program: Program, tmp_path: Path) -> None:
    api = program("api")
    api.SOCKET = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(api.SOCKET)
        listening.listen()

        def echo(method: str, path: str, body: Any) -> tuple[int, Any]:
            return 200, {"told": [method, path, body]}

        server = threading.Thread(target=lambda: api.serve_one(listening.accept()[0], echo))
        server.start()
        assert api.ask("POST", "/v2/snaps", {"a": 1}) == {"told": ["POST", "/v2/snaps", {"a": 1}]}
        server.join()


def test_the_witness_understands_the_daemon(program: Program, table: Table, tmp_path: Path) -> None:
    """Its question of changes under way, over the same socket."""
    snapd = program("snapd_main")
    state = state_with()
    state.changes = {
        "1": {"id": "1", "kind": "x", "summary": "s", "status": "Doing", "ready": False, "tasks": []},
        "2": {"id": "2", "kind": "x", "summary": "t", "status": "Done", "ready": True, "tasks": []},
    }
    daemon = snapd.Daemon(table("2.27"), state)
    place = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(place)
        listening.listen()
        server = threading.Thread(target=lambda: daemon._answer(listening.accept()[0]))
        server.start()
        answer = probe.ask("/v2/changes?select=in-progress", place)
        server.join()
    assert b'"id": "1"' in answer
    assert b'"id": "2"' not in answer


def test_versions_decide_who_hands_over(program: Program, tmp_path: Path) -> None:
    reexec = program("reexec")
    info = tmp_path / "usr/lib/snapd/info"
    info.parent.mkdir(parents=True)
    for text, expected in (("VERSION=2.26.4+replica\n", (2, 26, 4)), ("VERSION=2.24\n", (2, 24)), ("", ())):
        info.write_text(text)
        assert reexec.version(str(tmp_path)) == expected


@pytest.mark.parametrize(
    ("release", "told", "seconds"),
    [("2.24", "7", 0), ("2.26.5", "7", 7), ("2.26.5", "x", 120), ("2.27", "", 120), ("2.27", "9", 9)],
)
def test_how_long_a_launcher_waits(
    program: Program, table: Table, monkeypatch: pytest.MonkeyPatch, release: str, told: str, seconds: int
) -> None:
    monkeypatch.setenv("SNAP_CONFINE_MAX_PROFILE_WAIT", told)
    assert program("seccomp_reader")._seconds(table(release).seccomp) == seconds


def test_2_27_and_later_want_a_number_of_at_most_an_hour(
    program: Program, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for told in ("x", "0", "3601"):
        monkeypatch.setenv("SNAP_CONFINE_MAX_PROFILE_WAIT", told)
        with pytest.raises(SystemExit):
            program("seccomp_reader")._seconds(table("2.27").seccomp)


@pytest.mark.parametrize("name", ["snap_confine_main", "namespace", "seccomp_reader", "filters", "words"])
def test_a_launcher_needs_nothing_more_of_its_library_once_the_root_is_another(name: str) -> None:
    """Encodings are imported when they are first used, and a core has not the image's Python."""
    text = (PROGRAMS / f"{name}.py").read_text()
    assert set(re.findall(r'encoding="([^"]*)"', text)) <= {"utf-8"}
    assert '.encode("' not in text
