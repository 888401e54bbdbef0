# SPDX-License-Identifier: GPL-3.0-only
"""A verdict on what was seen to happen never gets better for knowing less, whatever is missing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import judge, judge_directory
from harness.model import codec
from harness.model.observation import PolicyKind
from harness.model.occurrence import Lost, Occurrence, UnitChanged
from harness.model.plan import PlannedInvariant
from harness.model.scenario import RebootHow
from harness.model.timeline import BootRecord, SeenOccurrence, Timeline
from harness.model.verdict import Outcome, Verdict
from harness.record import WITNESS, read_timeline
from tests.unit.builders import (
    BLUEZ,
    NEW,
    NEWER,
    OLD,
    POLICY,
    SPAN,
    Guest,
    begun,
    digest,
    fresh_revert,
    key_put_back,
    stale_seccomp,
)

RULES = (PlannedInvariant(POLICY, {}, SPAN), PlannedInvariant("snapd-is-who-it-should-be", {}, SPAN))
STRICT = (PlannedInvariant(POLICY, {"strict": ("ordering",)}, SPAN),)
MOUNTS = (PlannedInvariant("mounts-match-profile", {}, SPAN),)
ORDER = (PlannedInvariant("services-after-policy", {}, SPAN),)


def one_service(rules: tuple[PlannedInvariant, ...] = RULES) -> Guest:
    return begun(streams=True, tags=(BLUEZ,), invariants=rules)


def twice() -> Guest:
    """Stale at first and fresh when started again: the looks see nothing wrong."""
    guest = one_service().install(NEW).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    guest.revert(OLD, start=False)
    guest.reboot(RebootHow.RESET).start_service(BLUEZ)
    return guest.start_snapd().start_service(BLUEZ, restarts=1).look()


def broken() -> Guest:
    guest = Guest(streams=True, tags=(BLUEZ,), core=NEW, invariants=RULES).power_on().install(NEW)
    guest.start_services().look()
    guest.install(NEWER).look(boot_end=False).revert(NEW, start=False)
    guest.reboot(RebootHow.RESET).fail_launch(BLUEZ, sub="auto-restart")
    return guest.start_snapd().start_service(BLUEZ, restarts=1).look()


def between_changes() -> Guest:
    """A service started under the policy of a snapd that ran only between two others."""
    guest = one_service().install(NEW).start_service(BLUEZ)
    guest.revert(OLD, start=False)
    guest.start_service(BLUEZ)
    return guest.start_snapd().start_service(BLUEZ).look()


def dead() -> Guest:
    guest = one_service().reboot().start_snapd().fail_launch(BLUEZ, sub="auto-restart")
    return guest.start_service(BLUEZ, restarts=1).look()


def early(rules: tuple[PlannedInvariant, ...]) -> Guest:
    guest = one_service(rules)
    guest.key = None
    guest.stream.key(guest.stream.runs("/usr/bin/rm", 800), "")
    guest.look(boot_end=False)
    return guest.reboot().start_services().start_snapd().look()


def put_by_hand() -> Guest:
    guest = one_service().reboot().start_snapd()
    put = digest("put there")
    guest.write(PolicyKind.SECCOMP_BIN, BLUEZ, put, {"whole": put})
    return guest.start_services().look()


def other_mounts() -> Guest:
    """A mount profile that no snapd wrote."""
    core = replace(OLD, mounts="old")
    guest = Guest(streams=True, tags=(BLUEZ,), invariants=MOUNTS).power_on().install(core)
    guest.start_services().look()
    guest.write(PolicyKind.MOUNT, "snap.bluez", digest("put there"))
    guest.look()
    return guest.reboot(RebootHow.RESET).start_services().start_snapd().look()


RED: dict[str, Timeline] = {
    "control": key_put_back(streams=True, tags=(BLUEZ,), invariants=RULES).timeline(),
    "stale": stale_seccomp(streams=True, tags=(BLUEZ,), invariants=RULES).timeline(),
    "twice": twice().timeline(),
    "broken": broken().timeline(),
    "between": between_changes().timeline(),
    "dead": dead().timeline(),
    "strict": early(STRICT).timeline(),
    "order": early(ORDER).timeline(),
    "by hand": put_by_hand().timeline(),
    "mounts": other_mounts().timeline(),
}
GREEN = fresh_revert(streams=True, tags=(BLUEZ,), invariants=RULES)


def test_the_runs_come_out_as_they_must() -> None:
    assert {name: judge(timeline).outcome for name, timeline in RED.items()} == {
        "control": Outcome.VIOLATED,
        "stale": Outcome.VIOLATED,
        "twice": Outcome.VIOLATED,
        "broken": Outcome.VIOLATED,
        "between": Outcome.VIOLATED,
        "dead": Outcome.UNPROVEN,
        "strict": Outcome.VIOLATED,
        "order": Outcome.VIOLATED,
        "by hand": Outcome.UNPROVEN,
        "mounts": Outcome.VIOLATED,
    }
    assert judge(GREEN.timeline()).outcome == Outcome.HELD


# -- knowing less


def with_occurrences(timeline: Timeline, keep: Callable[[int, int], bool]) -> Timeline:
    def of(boot: BootRecord) -> BootRecord:
        kept = (one for number, one in enumerate(boot.occurrences) if keep(boot.number, number))
        return replace(boot, occurrences=tuple(kept))

    return replace(timeline, boots=tuple(map(of, timeline.boots)))


@pytest.mark.parametrize("name", sorted(RED))
def test_without_any_one_occurrence_a_red_run_is_never_held(name: str) -> None:
    for boot in RED[name].boots:
        for number, seen in enumerate(boot.occurrences):
            there = boot.number, number
            less = with_occurrences(RED[name], lambda *place, there=there: place != there)
            assert judge(less).outcome != Outcome.HELD, seen


@pytest.mark.parametrize("name", sorted(RED))
def test_without_all_of_one_kind_in_a_boot_a_red_run_is_never_held(name: str) -> None:
    for boot in RED[name].boots:
        kinds = [type(seen.occurrence) for seen in boot.occurrences]
        for kind in set(kinds):

            def keep(of: int, number: int, there: int = boot.number, kind: type = kind) -> bool:
                return of != there or kinds[number] is not kind  # noqa: B023

            assert judge(with_occurrences(RED[name], keep)).outcome != Outcome.HELD, kind


@pytest.mark.parametrize("name", sorted(RED))
def test_without_any_one_look_a_red_run_is_never_held(name: str) -> None:
    timeline = RED[name]
    for boot in timeline.boots:
        for gone in boot.looks:
            kept = replace(boot, looks=tuple(seen for seen in boot.looks if seen is not gone))
            boots = tuple(kept if one is boot else one for one in timeline.boots)
            assert judge(replace(timeline, boots=boots)).outcome != Outcome.HELD


@pytest.mark.parametrize("make", [twice, broken, dead])
def test_without_any_one_line_a_red_record_is_never_held(tmp_path: Path, make: Callable[[], Guest]) -> None:
    run = make().record(tmp_path)
    lines = (run / WITNESS).read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):
        (run / WITNESS).write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        assert judge(read_timeline(run)).outcome != Outcome.HELD


@pytest.fixture(scope="module")
def twice_recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twice().record(tmp_path_factory.mktemp("twice"))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers())
def test_without_some_lines_a_red_record_is_never_held(twice_recorded: Path, seed: int) -> None:
    whole = (twice_recorded / WITNESS).read_bytes()
    where = random.Random(seed)
    share = where.random()
    kept = [line for line in whole.splitlines(keepends=True) if where.random() < share]
    try:
        (twice_recorded / WITNESS).write_bytes(b"".join(kept))
        assert judge(read_timeline(twice_recorded)).outcome != Outcome.HELD
    finally:
        (twice_recorded / WITNESS).write_bytes(whole)


def test_without_any_one_line_of_what_happened_a_green_record_is_not_held(tmp_path: Path) -> None:
    run = GREEN.record(tmp_path)
    lines = (run / WITNESS).read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if b"occurred" in line:
            (run / WITNESS).write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            assert judge(read_timeline(run)).outcome != Outcome.HELD


# -- order


def key_of(one: Occurrence) -> object:
    return one.unit.name if isinstance(one, UnitChanged) else getattr(one, "pid", type(one).__name__)


@pytest.mark.parametrize("name", [*sorted(RED), "green"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers())
def test_the_order_of_what_has_nothing_to_do_with_each_other_does_not_matter(name: str, seed: int) -> None:
    timeline = GREEN.timeline() if name == "green" else RED[name]
    first = random.Random(seed)
    order = {key_of(o.occurrence): first.random() for boot in timeline.boots for o in boot.occurrences}

    def mixed(boot: BootRecord) -> BootRecord:
        def place(seen: SeenOccurrence) -> tuple[int, float]:
            return seen.occurrence.at, order[key_of(seen.occurrence)]

        return replace(boot, occurrences=tuple(sorted(boot.occurrences, key=place)))

    shuffled = replace(timeline, boots=tuple(map(mixed, timeline.boots)))
    assert told(judge(shuffled)) == told(judge(timeline))


def told(verdict: Verdict) -> list[tuple[object, ...]]:
    return [
        (f.invariant, f.boot, f.subject, f.kind, f.outcome, f.author, f.summary, f.known_by)
        for f in verdict.findings
    ]


def test_judging_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    run = twice().record(tmp_path)
    assert codec.dumps(judge_directory(run)) == codec.dumps(judge_directory(run))
    assert codec.dumps(judge(twice().timeline())) == codec.dumps(judge_directory(run))


def test_a_loss_that_the_witness_tells_of_is_never_held() -> None:
    guest = one_service()
    for source in ("execs", "starts", "files"):
        guest.stream.told.append((2, codec.decode(Lost, {"at": 9, "source": source, "since": 0, "why": "x"})))
        assert judge(guest.timeline()).outcome == Outcome.UNPROVEN
        guest.stream.told.pop()


# -- garbage

GARBAGE: list[Any] = [
    None,
    -1,
    10**400,
    -(10**400),
    "",
    "\ud800",
    "x" * 5000,
    [],
    {},
    [[]],
    True,
    1.5,
    "snap.",
]


def replaced(value: Any, where: random.Random) -> Any:
    """The same JSON with one value in it exchanged."""
    if isinstance(value, dict) and value and where.random() < 0.9:
        key = where.choice(sorted(value))
        return {**value, key: replaced(value[key], where)}
    if isinstance(value, list) and value and where.random() < 0.9:
        number = where.randrange(len(value))
        return [*value[:number], replaced(value[number], where), *value[number + 1 :]]
    return where.choice(GARBAGE)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    guest = begun(streams=True, tags=(BLUEZ,), invariants=(*RULES, *ORDER, *MOUNTS))
    return guest.record(tmp_path_factory.mktemp("garbage"))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers())
def test_whatever_a_witness_says_there_is_a_verdict(recorded: Path, seed: int) -> None:
    whole = (recorded / WITNESS).read_bytes()
    where = random.Random(seed)
    lines = whole.splitlines()
    for number in where.sample(range(len(lines)), 3):
        heard = json.loads(lines[number])
        heard["said"] = json.dumps(replaced(json.loads(heard["said"]), where))
        lines[number] = json.dumps(heard).encode()
    lines.insert(where.randrange(len(lines)), where.randbytes(where.randrange(40)))
    try:
        (recorded / WITNESS).write_bytes(b"\n".join(lines) + b"\n")
        assert judge_directory(recorded).outcome in Outcome
    finally:
        (recorded / WITNESS).write_bytes(whole)
