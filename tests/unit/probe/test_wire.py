# SPDX-License-Identifier: GPL-3.0-only
"""The contract: what the probe writes is what the model reads, without one key too many or too few."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.model import codec
from harness.model.observation import (
    FilterSeen,
    Look,
    PolicyFile,
    PolicyKind,
    ProcessSeen,
    ServiceSeen,
    SnapdSeen,
    SystemKey,
    UnitSeen,
)
from harness.model.wire import (
    LONGEST_LINE,
    WITNESS_PORT,
)
from harness.probe import agent, daemon, files
from harness.probe.look import Looker
from tests.unit.probe.fake_units import SERVICE, FakeUnits


def take_look(units: FakeUnits) -> dict[str, Any]:
    return Looker(units, files.FileReader("/nowhere")).look("why", [])  # type: ignore[arg-type]


def keys(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_a_look_has_every_field_and_decodes() -> None:
    raw = take_look(FakeUnits())
    assert set(raw) == keys(Look)
    look = codec.loads(Look, json.dumps(raw))
    assert [s.tag for s in look.services] == ["snap.bluez.bluez"]
    assert look.services[0].processes[0].pid == os.getpid()
    assert [u.name for u in look.failed_units] == ["broken.mount"]
    assert look.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_systemd_that_does_not_answer_is_a_problem_and_a_look_all_the_same() -> None:
    look = codec.loads(Look, json.dumps(take_look(FakeUnits(broken=True))))
    assert look.services == ()
    assert look.snapd_unit.active_state == "unknown"
    assert any("systemd does not answer" in problem for problem in look.problems)


def test_parts_of_a_look_have_their_types_fields() -> None:
    service = FakeUnits().read_service(SERVICE)
    assert set(service) == keys(ServiceSeen)
    assert set(service["unit"]) == keys(UnitSeen)
    assert set(service["processes"][0]) == keys(ProcessSeen)


def test_policy_files_decode(tmp_path: Path) -> None:
    file = tmp_path / "var/lib/snapd/seccomp/bpf/snap.a.b.src"
    file.parent.mkdir(parents=True)
    file.write_text("read\n")
    (raw,) = files.FileReader(str(tmp_path)).read_all([])
    assert set(raw) == keys(PolicyFile)
    assert codec.decode(PolicyFile, raw).kind is PolicyKind.SECCOMP_SOURCE


def test_every_kind_of_file_is_the_models() -> None:
    assert {kind.kind for kind in files.KINDS} == {str(kind) for kind in PolicyKind}


def test_a_system_key_decodes_where_it_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "system-key"
    path.write_text('{"version": 10, "build-id": "abc"}')
    raw = daemon.read_system_key([], str(path))
    assert raw is not None
    assert set(raw) - {"type"} == keys(SystemKey)
    key = codec.decode(SystemKey | None, raw)
    assert (key.build_id, key.version) == ("abc", 10)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 10}', '{"version": "x", "build-id": ""}'])
def test_a_damaged_system_key_is_a_problem(tmp_path: Path, content: str) -> None:
    path = tmp_path / "system-key"
    path.write_text(content)
    problems: list[str] = []
    assert daemon.read_system_key(problems, str(path)) is None
    assert len(problems) == 1


def test_a_running_snapd_decodes_where_it_may_be_absent() -> None:
    raw = daemon.read_snapd(os.getpid(), [])
    assert raw is not None
    assert set(raw) - {"type"} == keys(SnapdSeen)
    assert codec.decode(SnapdSeen | None, raw).exe == str(Path("/proc/self/exe").resolve())


def test_filters_decode() -> None:
    assert keys(FilterSeen) == {"index", "sha256", "length"}


def test_constants_are_the_models() -> None:
    assert (agent.PORT, agent.LONGEST_LINE) == (WITNESS_PORT, LONGEST_LINE)
