# SPDX-License-Identifier: GPL-3.0-only
"""Every kind of mistake in a scenario file: the place, what was expected, and what was meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Told = Callable[[str], list[str]]


def change(good: str, old: str, new: str) -> str:
    assert good.count(old) == 1, old
    return good.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "says"),
    [
        # the document
        ("summary:", "sumary:", 1, 1, "unknown key in the scenario 'sumary'; expected one of"),
        ("summary:", "sumary:", 1, 1, "did you mean summary?"),
        ("summary: a core is refreshed and reverted\n", "", 1, 1, "the scenario lacks 'summary'"),
        (
            "summary: a core is refreshed and reverted",
            "summary:",
            1,
            9,
            "'summary' is nothing; expected one line",
        ),
        (
            "summary: a core is",
            "report: forum\nsummary: a core is",
            1,
            9,
            "'report' is 'forum'; expected a link",
        ),
        (
            "trixie-snapd-2.57.6",
            "trixie-snapd-2.57.5",
            2,
            8,
            "unknown image 'trixie-snapd-2.57.5'; expected one of",
        ),
        ("trixie-snapd-2.57.6", "[a]", 2, 8, "'image' is a list; expected an image of the catalogue"),
        # start
        ('core: "2.57.6"\n', 'cores: "2.57.6"\n', 4, 3, "unknown key in 'start' 'cores'"),
        ('  core: "2.57.6"\n', "", 4, 3, "'start' lacks 'core'; expected the core to begin with"),
        ('core: "2.57.6"', 'core: "2.57.7"', 4, 9, "unknown core '2.57.7'"),
        ('core: "2.57.6"', 'core: "2.57.7"', 4, 9, "did you mean 2.57.6?"),
        (
            'core: "2.57.6"',
            'core: "2.55"',
            4,
            9,
            "does not re-execute into a core older than the image's deb (2.57.6)",
        ),
        ('core: "2.57.6"', 'core: "2.55"', 4, 9, "use the image trixie-snapd-2.49"),
        ('core: "2.57.6"', 'core: "2.45"', 4, 9, "use an image with an older deb"),
        (
            'refresh: {core: "2.68.3"}',
            'refresh: {core: "2.55"}',
            7,
            5,
            "the core '2.55' (2.55) would not run",
        ),
        ("[network-manager, witness]", "[network-manger]", 5, 11, "did you mean network-manager?"),
        ("[network-manager, witness]", "network-manager", 5, 10, "expected a list (items begin with '- ')"),
        (
            "[network-manager, witness]",
            "[witness, witness]",
            5,
            20,
            "'witness' is given twice, first at s.yaml:5:11",
        ),
        ("[network-manager, witness]", "[witness, core]", 5, 20, "'core' is not installed as a service snap"),
        (
            "witness]\n",
            'witness]\n  connections: ["bluez:x"]\n',
            6,
            17,
            "cannot connect a plug or slot of 'bluez'",
        ),
        (
            "witness]\n",
            "witness]\n  connections: [bluez]\n",
            6,
            17,
            "expected 'snap:plug' or 'snap:plug snap:slot'",
        ),
        # steps
        ("  - reboot: clean", "  - rebot: clean", 8, 5, "unknown step 'rebot'; expected one of"),
        ("  - reboot: clean", "  - rebot: clean", 8, 5, "did you mean reboot?"),
        ("  - reboot: clean", "  - reboot", 8, 5, "did you mean 'reboot: …'?"),
        ("  - reboot: clean", "  - {}", 8, 5, "an item of 'steps' is empty; expected one of install"),
        ("  - reboot: clean", "  -", 8, 4, "an item of 'steps' is nothing"),
        (
            "reboot: clean",
            "reboot: cleam",
            8,
            13,
            "unknown kind of reboot 'cleam'; expected one of clean, kill, panic, power-cut, reset; did",
        ),
        ("reboot: clean", "reboot: {}", 8, 13, "'reboot' is a mapping; expected one of clean, reset, kill"),
        (
            "  - reboot: clean",
            "  - reboot: clean\n    run: ls",
            9,
            5,
            "has 'reboot' and 'run'; expected one step to",
        ),
        (
            "  - reboot: clean",
            "  - reboot: clean\n    within: 5 s",
            9,
            5,
            "unknown key in the step 'reboot' 'within'",
        ),
        ("  - reboot: clean", "  - run:", 8, 9, "'run' is nothing; expected a shell command"),
        ("  - reboot: clean", "  - wait: done", 8, 11, "expected settled, {until: COMMAND}, {unit:"),
        ("  - reboot: clean", "  - wait: {until: ls, within: 5}", 8, 31, "'5' has no unit"),
        ("  - reboot: clean", "  - wait: {until: ls, unit: a.service}", 8, 11, "has both 'until' and 'unit'"),
        (
            "  - reboot: clean",
            "  - wait: {held: a.service, unit: b.service}",
            8,
            11,
            "both 'unit' and 'held'",
        ),
        ("  - reboot: clean", "  - wait: {unit: a.service}", 8, 11, "wait lacks 'state'"),
        ("  - reboot: clean", "  - wait: {unit: a, state: active}", 8, 18, "expected a unit's name"),
        ("  - reboot: clean", "  - wait: {unit: a.service, state: up}", 8, 36, "unknown state 'up'"),
        (
            "  - reboot: clean",
            "  - wait: {unit: snap.a.b.service, state: active}",
            8,
            5,
            "unknown unit 'snap.a.b.serv",
        ),
        ('refresh: {core: "2.68.3"}', 'refresh: {core: "2.68.4"}', 7, 5, "unknown core '2.68.4'"),
        (
            'refresh: {core: "2.68.3"}',
            "refresh: core",
            7,
            14,
            "'refresh' is 'core'; expected a mapping from the name",
        ),
        ('refresh: {core: "2.68.3"}', "refresh: {}", 7, 14, "'refresh' names 0 snaps; expected one snap"),
        ('refresh: {core: "2.68.3"}', "refresh: {core: a, b: c}", 7, 14, "'refresh' names 2 snaps"),
        (
            'refresh: {core: "2.68.3"}',
            "refresh: {network-manager: bullsey}",
            7,
            5,
            "unknown variant of network-manager",
        ),
        (
            "  - reboot: clean",
            "  - install: bluz",
            8,
            5,
            "unknown snap 'bluz'; expected one of bluez, network-manager",
        ),
        ("  - reboot: clean", "  - install: core", 8, 5, "'core' is not installed as a service snap"),
    ],
)
def test_a_mistake(good: str, mistakes: Told, old: str, new: str, line: int, column: int, says: str) -> None:
    told = mistakes(change(good, old, new))
    assert any(each.startswith(f"s.yaml:{line}:{column}: ") and says in each for each in told), told


def test_one_mistake_is_told_once(good: str, mistakes: Told) -> None:
    assert len(mistakes(change(good, "reboot: clean", "install: bluz"))) == 1
    assert len(mistakes(change(good, "reboot: clean", "remove: bluz"))) == 1


def test_unknown_snaps_do_not_make_their_services_unknown(good: str, mistakes: Told) -> None:
    text = change(good, "[network-manager, witness]", "[blues]").replace("trixie-snapd-2.57.6", "trixie")
    text += "  - units-healthy: {units: [snap.bluez.bluez.service]}\n  - console-clean: {allow: [opps]}\n"
    assert [each.split(": ")[0] for each in mistakes(text)] == ["s.yaml:2:8", "s.yaml:5:11", "s.yaml:13:29"]


def test_all_mistakes_of_form_and_name_at_once_in_order(good: str, mistakes: Told) -> None:
    text = change(good, "reboot: clean", "reboot: cleam")
    text = change(text, 'core: "2.68.3"', 'core: "2.68.4"')
    text = change(text, "trixie-snapd-2.57.6", "trixie")
    text = change(text, "policy-from-running-snapd", "policy")
    assert [each.split(": ")[0] for each in mistakes(text)] == [
        "s.yaml:2:8",
        "s.yaml:7:5",
        "s.yaml:8:13",
        "s.yaml:11:5",
    ]


def test_variants_with_the_same_mistake_tell_it_once(good: str, mistakes: Told) -> None:
    text = change(good, "steps:", "vary: {how: [clean, reset]}\nsteps:")
    text = change(text, "reboot: clean", "reboot: ${how}")
    assert len(mistakes(change(text, "revert: core", "revert: cor"))) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "s.yaml:1:1: the file is empty"),
        ("- a", "s.yaml:1:1: the file is a list; expected a mapping with summary, report"),
        ("a: [", "s.yaml:1:5: not valid YAML"),
        ("a: 1\na: 2", "s.yaml:2:1: 'a' is given twice"),
        ("a: &x 1\nb: *x", "s.yaml:1:4: aliases (*name) are not supported"),
        ("a: !!python/object:os.system 1", "unknown key in the scenario 'a'"),
        ("summary: a\n---\nsummary: b", "not valid YAML"),
    ],
)
def test_not_a_scenario_at_all(mistakes: Told, text: str, says: str) -> None:
    assert any(says in each for each in mistakes(text))
