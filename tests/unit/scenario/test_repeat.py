# SPDX-License-Identifier: GPL-3.0-only
"""`repeat` in scenarios and on the command line, and what is different in each repetition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Mistake
from harness.model import codec
from harness.model.plan import Plan
from harness.model.repeat import Perturb, Perturbation, Repeat, Stop
from harness.planning_repeat import Again, repeated
from harness.scenario.explain import explain
from harness.scenario.perturb import describe, perturbation, repetitions

Plans = Callable[[str], tuple[Plan, ...]]
UNITS = ("snapd.service", "snap.bluez.bluez.service")
EVERYTHING = tuple(Perturb)


@pytest.mark.parametrize(
    ("written", "repeat"),
    [
        ("20", Repeat(20)),
        ("{times: 20, seed: 7}", Repeat(20, 7)),
        ("{times: 20, stop: never, perturb: [cpus]}", Repeat(20, 1, Stop.NEVER, (Perturb.CPUS,))),
        ("{times: 2, perturb: []}", Repeat(2, perturb=())),
        ("{until: 5 %}", Repeat(59, until=0.05)),
        ("{until: 5%, times: 70}", Repeat(70, until=0.05)),
    ],
)
def test_it_is_read(plans: Plans, good: str, written: str, repeat: Repeat) -> None:
    (plan,) = plans(f"{good}repeat: {written}\n")
    assert plan.repeat == repeat
    assert plan.perturbation is None
    assert codec.loads(Plan, codec.dumps(plan)) == plan


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ("0", "12:9", "'repeat' is '0'; expected a whole number from 1 to 1000"),
        ("many", "12:9", "'repeat' is 'many'; expected a whole number"),
        ("1001", "12:9", "from 1 to 1000"),
        ("{seed: 1}", "12:9", "'repeat': says neither 'times' nor 'until'"),
        ("{times: 2, seed: -1}", "12:26", "'seed' is '-1'; expected a whole number from 0"),
        ("{time: 2}", "12:10", "did you mean times?"),
        ("{times: 2, stop: nver}", "12:26", "did you mean never?"),
        ("{times: 2, perturb: [cpu]}", "12:30", "did you mean cpus?"),
        ("{times: 2, perturb: [throttle]}", "12:30", "unknown perturbation 'throttle'"),
        ("{until: 5}", "12:17", "'until' is '5'; expected per cent, such as 5 %"),
        ("{until: 0 %}", "12:17", "'until' is '0 %'"),
        ("{until: 5 %, times: 58}", "12:9", "'below 5 %' is shown by 59 repetitions, not by 58"),
        ("{until: 0.1 %}", "12:9", "'until' needs 2995 repetitions; more than 1000 are not done"),
        ("{until: 5 %, stop: never}", "12:9", "a rate is only shown by a number fixed beforehand"),
    ],
)
def test_mistakes(
    mistakes: Callable[[str], list[str]], good: str, written: str, place: str, says: str
) -> None:
    (line,) = mistakes(f"{good}repeat: {written}\n")
    assert line.startswith(f"s.yaml:{place}: ")
    assert says in line


def test_a_control_is_not_repeated(mistakes: Callable[[str], list[str]], plans: Plans, good: str) -> None:
    control = good + "control: {violates: policy-from-running-snapd}\n"
    (line,) = mistakes(control + "repeat: 2\n")
    assert line.startswith("s.yaml:13:9: a control is not repeated")
    with pytest.raises(Mistake, match="a control is not repeated"):
        repeated(plans(control), Again(times=2))


def test_the_command_line_says_otherwise(plans: Plans, good: str) -> None:
    said = plans(f"{good}repeat: {{times: 20, seed: 7, stop: never}}\n")
    assert repeated(said, Again()) == said
    assert repeated(said, Again(3, 8))[0].repeat == Repeat(3, 8, Stop.NEVER)
    assert repeated(plans(good), Again(3))[0].repeat == Repeat(3)


@pytest.mark.parametrize(
    ("repeat", "again", "says"),
    [
        ("", Again(seed=1), "is not repeated"),
        ("", Again(only=1), "is not repeated"),
        ("repeat: 3\n", Again(only=4), "has repetitions 1 to 3, not 4"),
        ("repeat: 3\n", Again(only=0), "has repetitions 1 to 3, not 0"),
        ("", Again(times=0), "cannot repeat 0 times"),
        ("", Again(times=1001), "cannot repeat 1001 times"),
        ("", Again(times=1, seed=-1), "cannot use the seed -1"),
        ("repeat: {until: 5 %}\n", Again(times=58), "is shown by 59 repetitions"),
    ],
)
def test_what_the_command_line_cannot_ask_for(
    plans: Plans, good: str, repeat: str, again: Again, says: str
) -> None:
    with pytest.raises(Mistake, match=says):
        repeated(plans(good + repeat), again)


def test_one_repetition_alone_is_what_it_is_among_all(plans: Plans, good: str) -> None:
    (plan,) = plans(f"{good}repeat: {{times: 9, seed: 7}}\n")
    (alone,) = repeated([plan], Again(only=5))
    assert alone == repetitions(plan)[4]
    assert repetitions(alone) == (alone,)
    assert alone.title == f"{plan.title}#5"
    assert codec.loads(Plan, codec.dumps(alone)) == alone


def test_a_plan_that_is_not_repeated_is_itself(plans: Plans, good: str) -> None:
    (plan,) = plans(good)
    assert repetitions(plan) == (plan,)


def test_a_seed_reproduces_what_is_different() -> None:
    """These are for good: a seed written down in a bug report must give the same next year."""
    assert [perturbation(Repeat(3, 7), number, UNITS) for number in (1, 2, 4)] == [
        Perturbation(7, 1, 1, {"snapd.service": 500}),
        Perturbation(
            7, 2, 3, {"snapd.service": 2700, "snap.bluez.bluez.service": 1600},
            ("random.trust_cpu=off", "random.trust_bootloader=off"),
        ),
        Perturbation(7, 4, 4, {}, ("random.trust_cpu=off", "random.trust_bootloader=off")),
    ]  # fmt: skip


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(1, 1000))
def test_what_is_different_stays_within_what_is_documented(seed: int, number: int) -> None:
    one = perturbation(Repeat(1000, seed), number, UNITS)
    assert one == perturbation(Repeat(number, seed), number, UNITS)
    assert 1 <= one.cpus <= 4
    assert set(one.delays) <= set(UNITS)
    assert all(100 <= late <= 3000 and late % 100 == 0 for late in one.delays.values())


def test_every_difference_is_met_sooner_or_later() -> None:
    ones = [perturbation(Repeat(100), number, UNITS) for number in range(1, 101)]
    assert {one.cpus for one in ones} == {1, 2, 3, 4}
    assert {tuple(one.delays) for one in ones} == {(), UNITS[:1], UNITS[1:], UNITS}
    assert {bool(one.kernel) for one in ones} == {True, False}
    assert len({late for one in ones for late in one.delays.values()}) > 20
    assert len({describe(one) for one in ones}) > 60


@pytest.mark.parametrize("left_out", Perturb)
def test_only_what_is_asked_for_is_different(left_out: Perturb) -> None:
    others = tuple(each for each in Perturb if each is not left_out)
    for number in range(1, 20):
        one = perturbation(Repeat(20, perturb=others), number, UNITS)
        whole = perturbation(Repeat(20), number, UNITS)
        nothing = {Perturb.CPUS: {"cpus": 0}, Perturb.DELAYS: {"delays": {}}, Perturb.ENTROPY: {"kernel": ()}}
        assert one == replace(whole, **nothing[left_out])  # type: ignore[arg-type]


def test_a_plan_on_paper_tells_of_it(plans: Plans, good: str) -> None:
    (plan,) = plans(f"{good}repeat: {{until: 40 %, seed: 7}}\n")
    text = explain(plan)
    assert "repeated   6 times, until fewer than 40 % are shown to be VIOLATED, ending at the first" in text
    listed = text.partition("\nrepetitions\n")[2].splitlines()
    assert listed[0] == "      1  1 CPU, snapd.service 500 ms late"
    assert [line.split()[0] for line in listed if line[:7].strip()] == list("123456")
    assert all(len(line) <= 110 for line in listed)
    assert "repetition 1 of seed 7: 1 CPU, snapd.service 500 ms late" in explain(repetitions(plan)[0])


def test_a_number_of_cpus_that_the_plan_sets_is_not_made_different(plans: Plans, good: str) -> None:
    (plan,) = repeated(plans(f"{good}machine: {{cpus: 2}}\n"), Again(times=9))
    assert {each.perturbation.cpus for each in repetitions(plan) if each.perturbation} == {0}
    (plain,) = repeated(plans(good), Again(times=9))
    assert len({each.perturbation.cpus for each in repetitions(plain) if each.perturbation}) > 1
