# SPDX-License-Identifier: GPL-3.0-only
"""`sweep` in scenarios: what is asked for, what cannot be, and the plan of the boot after each cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Mistake
from harness.model import codec
from harness.model.catalogue import Catalogue
from harness.model.plan import Boot, Check, Look, Plan
from harness.model.sweep import Cut, CutOf, DistinctState, PlannedSweep
from harness.planning_repeat import Again, repeated
from harness.scenario import source
from harness.scenario.after_cut import after_cut
from harness.scenario.alone import alone, cores_of
from harness.scenario.compile import compile_scenario
from harness.scenario.decode import decode
from harness.scenario.explain import explain
from harness.scenario.source import Problems
from tests.unit.scenario.conftest import GOOD

Plans = Callable[[str], tuple[Plan, ...]]
Told = Callable[[str], list[str]]
SWEPT = "sweep: {cut: every-flush, during: revert}\n"
STATE = DistinctState("d1", Cut(17, 203), 12, (), key="abc")


@pytest.mark.parametrize(
    ("written", "sweep"),
    [
        ("{cut: every-flush, during: revert}", PlannedSweep("12", 0, False, 1800.0)),
        ("{cut: 20, during: revert, lose: one-write}", PlannedSweep("12", 20, True, 1800.0)),
        ("{cut: 2, during: refresh, budget: 1 h}", PlannedSweep("8", 2, False, 3600.0)),
    ],
)
def test_it_is_read_with_the_number_of_its_step(plans: Plans, written: str, sweep: PlannedSweep) -> None:
    (plan,) = plans(f"{GOOD}sweep: {written}\n")
    assert plan.sweep
    step = next(step for step in plan.steps if step.number == plan.sweep.step)
    assert step.title.startswith("revert core" if "revert" in written else "refresh core")
    assert plan.sweep == replace(sweep, step=step.number)
    assert codec.loads(Plan, codec.dumps(plan)) == plan


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ("every-flush", "12:8", "'sweep' is 'every-flush'; expected a mapping with cut, during, lose"),
        ("{during: revert}", "12:8", "'sweep' lacks 'cut'"),
        ("{cut: every-flush}", "12:8", "'sweep' lacks 'during'"),
        ("{cut: every-write, during: revert}", "12:14", "expected every-flush, or how many cuts"),
        ("{cut: 1, during: revert}", "12:14", "'cut' is '1'; expected a whole number from 2 to 100000"),
        ("{cut: [2], during: revert}", "12:14", "'cut' is a list; expected every-flush"),
        ("{cut: 2, during: revrt}", "12:25", "unknown verb 'revrt'"),
        ("{cut: 2, during: reboot}", "12:25", "unknown verb 'reboot'; expected one of connect, disconnect"),
        ("{cut: 2, during: [revert]}", "12:25", "'during' is a list; expected one of"),
        ("{cut: 2, during: revert, lose: all}", "12:39", "unknown loss 'all'; expected one of one-write"),
        ("{cut: 2, during: revert, budget: 30}", "12:41", "'30' has no unit"),
        ("{cut: 2, during: revert, for: 3 s}", "12:33", "unknown key in 'sweep' 'for'"),
        ("{cut: 2, during: remove}", "12:25", "no step is 'remove'; expected the verb of exactly one step"),
    ],
)
def test_mistakes_of_form(mistakes: Told, written: str, place: str, says: str) -> None:
    (line,) = mistakes(f"{GOOD}sweep: {written}\n")
    assert line.startswith(f"s.yaml:{place}: ")
    assert says in line


def steps(*lines: str) -> str:
    """The good scenario with other steps, and a sweep over its revert."""
    head, _, rest = GOOD.partition("steps:\n")
    body = "".join(f"  {line}\n" for line in lines)
    return f"{head}steps:\n{body}hold:{rest.partition('hold:')[2]}{SWEPT}"


REFRESH = '- refresh: {core: "2.68.3"}'


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (
            steps(REFRESH, "- revert: core", REFRESH, "- revert: core"),
            ["13:35: 2 steps are 'revert', in lines 8 and 10; expected the verb of exactly one step"],
        ),
        (
            steps(REFRESH, "- reboot: kill", "- revert: core"),
            ["8:5: 'reboot: kill' begins a new log of writes, and a sweep is over one; a sweep has all"],
        ),
        (
            steps(REFRESH, "- revert: core", "- reboot: power-cut"),
            ["9:5: 'reboot: power-cut' begins a new log of writes"],
        ),
        (
            steps(REFRESH, "- during: {revert: core}", "  do: [run: ls]"),
            ["8:14: 'revert' is under way here while other steps are done; a sweep is over a step that"],
        ),
        (f"{GOOD}{SWEPT}repeat: 3\n", ["13:9: a sweep is not repeated: it is over the cuts of one run"]),
        (
            GOOD.replace("policy-from-running-snapd", "snapd-is-who-it-should-be") + SWEPT,
            ["12:8: nothing can be judged after a cut: snapd-is-who-it-should-be is not to be told from"],
        ),
    ],
)
def test_what_cannot_be_swept_over(mistakes: Told, text: str, places: list[str]) -> None:
    found = mistakes(text)
    assert len(found) == len(places)
    for line, place in zip(found, places, strict=True):
        assert line.startswith(f"s.yaml:{place}")


def test_a_step_that_cannot_be_read_is_not_missed_twice(mistakes: Told) -> None:
    (line,) = mistakes(steps(REFRESH, "- revert: []"))
    assert line.startswith("s.yaml:8:13: 'revert' is a list")


def test_what_is_no_life_s_end_of_qemu_may_come_before(plans: Plans) -> None:
    for how in ("clean", "reset", "panic"):
        assert plans(steps(REFRESH, f"- reboot: {how}", "- revert: core"))[0].sweep


def test_a_step_within_a_fault_can_be_swept_over(plans: Plans) -> None:
    (plan,) = plans(steps(REFRESH, "- fault: {slow-disk: {iops: 40}}", "  do: [revert: core]"))
    assert plan.sweep
    assert "." in plan.sweep.step


def test_it_is_not_repeated_by_the_command_line_either(plans: Plans) -> None:
    with pytest.raises(Mistake, match="a sweep is not repeated"):
        repeated(plans(GOOD + SWEPT), Again(times=2))


def test_a_control_can_be_a_sweep(plans: Plans) -> None:
    (plan,) = plans(GOOD + SWEPT + "control: {violates: policy-from-running-snapd}\n")
    assert plan.controls
    assert not after_cut(plan, "r", STATE).controls


def test_control_boots_are_not_swept_over(plans: Plans) -> None:
    (plan,) = plans(GOOD + SWEPT)
    assert alone(plan, cores_of(plan)[0]).sweep is None


# -- the boot after a cut

HELD = """\
  - services-after-policy
  - twin-agrees
  - revert-restores-policy
  - snapd-is-who-it-should-be
  - network-managed
  - bluetooth-managed
"""


def test_the_boot_after_a_cut(plans: Plans) -> None:
    (plan,) = plans(GOOD + HELD + SWEPT)
    booted = after_cut(plan, "the-recording", STATE)
    assert booted.title == "s{cut at flush 17, write 203 lost}"
    assert booted.cut == CutOf("the-recording", Cut(17, 203), 12, "abc")
    assert booted.steps[0].action == Boot()
    (look,) = (step.action for step in booted.steps if isinstance(step.action, Look))
    assert (look.expects_core, look.boot_end, look.twins) == ("", True, True)
    # What no snap of the scenario provides comes with the image.
    assert look.checks == (Check("network-managed", {"interface": "eth1"}), Check("bluetooth-managed", {}))
    assert [each.name for each in booted.invariants] == [
        "policy-from-running-snapd",
        "services-after-policy",
        "twin-agrees",
        "network-managed",
        "bluetooth-managed",
    ]
    assert (booted.sweep, booted.start, booted.services) == (None, (), plan.services)
    assert codec.loads(Plan, codec.dumps(booted)) == booted


@pytest.mark.parametrize(
    ("lines", "verb", "unsure", "services"),
    [
        (["- install: bluez"], "install", ("bluez",), {"network-manager", "bluez", "witness"}),
        (["- remove: witness"], "remove", ("witness",), {"network-manager", "witness"}),
        (["- remove: witness", REFRESH], "refresh", (), {"network-manager"}),
        (["- run: ls", "- install: bluez"], "run", (), {"network-manager", "witness"}),
        (["- refresh: {network-manager: bullseye}"], "refresh", (), {"network-manager", "witness"}),
    ],
)
def test_snaps_that_a_cut_leaves_open(
    plans: Plans, lines: list[str], verb: str, unsure: tuple[str, ...], services: set[str]
) -> None:
    text = steps(*lines).replace("during: revert", f"during: {verb}")
    text = text.replace("hold:\n", "hold:\n  - bluetooth-managed\n")
    (plan,) = plans(text)
    booted = after_cut(plan, "r", STATE)
    assert booted.cut
    assert booted.cut.unsure == unsure
    assert {tag.split(".")[1] for tag in booted.services} == services
    (look,) = (step.action for step in booted.steps if isinstance(step.action, Look))
    # bluez is of the scenario where that installs it, and then not there for sure.
    assert bool(look.checks) == ("- install: bluez" not in lines)


def test_a_plan_on_paper_tells_of_it(plans: Plans) -> None:
    (plan,) = plans(f"{GOOD}{HELD}sweep: {{cut: 9, during: revert, lose: one-write, budget: 45 min}}\n")
    assert plan.sweep
    text = explain(plan)
    cuts = "cuts at 9 flushes at most, evenly spread, and with each write before one lost"
    assert f"swept      step {plan.sweep.step}: {cuts};" in text
    assert "45 min for the states" in " ".join(text.split())
    assert f"after each cut in step {plan.sweep.step} that leaves another policy, a run of its own" in text
    assert "expects whichever snapd runs" in text
    left = "not by revert-restores-policy, snapd-is-who-it-should-be: one boot alone cannot be judged by that"
    assert left in " ".join(text.split())
    booted = explain(after_cut(plan, "the-recording", STATE))
    assert "cut        cut at flush 17, write 203 lost of the-recording" in booted
    assert "swept" not in booted


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["install", "remove", "refresh", "revert", "connect", "disconnect", "run"]),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**9),
    st.text(max_size=5),
)
def test_whatever_is_swept_its_boots_are_plans(
    catalogue: Catalogue, verb: str, flush: int, dropped: int | None, key: str
) -> None:
    """One boot, with one look that it is judged by, of services that may be there."""
    text = steps(
        "- install: bluez", '- disconnect: "bluez:bluetooth-control"', '- connect: "bluez:bluetooth-control"',
        REFRESH, "- revert: core", "- run: ls", "- remove: witness",
    ).replace("during: revert", f"during: {verb}")  # fmt: skip
    problems = Problems()
    (scenario,) = decode(source.parse(text.encode(), "f.yaml"), "f", problems)
    assert not problems.found
    plan = compile_scenario(scenario, catalogue)
    booted = after_cut(plan, "r", replace(STATE, cut=Cut(flush, dropped), key=key))
    assert [type(step.action) for step in booted.steps] == [Boot, Look]
    assert set(booted.services) <= set(plan.services)
    assert booted.invariants
    assert codec.loads(Plan, codec.dumps(booted)) == booted
