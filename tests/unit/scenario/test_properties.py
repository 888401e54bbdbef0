# SPDX-License-Identifier: GPL-3.0-only
"""Whatever a file holds, reading it gives scenarios or Mistakes with places, never another error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Mistakes
from harness.model.catalogue import Catalogue
from harness.model.invariants import INVARIANTS
from harness.model.plan import Action, Look, RebootGuest
from harness.scenario import catalogue as catalogue_file
from harness.scenario import source
from harness.scenario.compile import compile_scenario
from harness.scenario.decode import DOCUMENT, decode
from harness.scenario.source import Problems
from harness.scenario.steps import STEP_KINDS

KEYS = [
    *DOCUMENT.fields, *catalogue_file.DOCUMENT.fields, "core", "snaps", "until", "unit", "state", "do",
    "within", "variants", "connect", "debs", "suite", *(kind.word for kind in STEP_KINDS), *INVARIANTS,
]  # fmt: skip
WORDS = [
    "2.57.6", "2.68.3", "bluez", "witness", "core", "clean", "reset", "settled", "60 s", "${a}", "${", "a:b",
    "trixie-snapd-2.57.6", "true", *INVARIANTS,
]  # fmt: skip
texts = st.sampled_from(WORDS) | st.text(max_size=8) | st.none() | st.integers() | st.booleans()
trees = st.recursive(
    texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=25,
)
documents = st.fixed_dictionaries({}, optional=dict.fromkeys(DOCUMENT.fields, trees))

changes = st.one_of(
    st.builds(lambda core: {"refresh": {"core": core}}, st.sampled_from(["2.57.6", "2.68.3", "2.77.1"])),
    st.builds(lambda snap: {"revert": snap}, st.sampled_from(["core", "witness", "bluez"])),
    st.builds(lambda snap: {"install": snap}, st.sampled_from(["witness", "bluez"])),
    st.builds(lambda snap: {"remove": snap}, st.sampled_from(["witness", "bluez"])),
)
steps = st.one_of(
    changes,
    st.builds(lambda how: {"reboot": how}, st.sampled_from(["clean", "reset"])),
    st.builds(lambda change: {"during": change, "do": [{"run": "sync"}, {"reboot": "reset"}]}, changes),
)


def read(data: Any, catalogue: Catalogue) -> None:
    problems = Problems()
    try:
        root = source.parse(yaml.safe_dump(data, allow_unicode=True).encode(), "f.yaml")
        scenarios = decode(root, "f", problems)
        problems.raise_if_any()
        for scenario in scenarios:
            compile_scenario(scenario, catalogue)
    except Mistakes as error:
        check_places(error)


def check_places(error: Mistakes) -> None:
    assert error.problems
    assert all(p.span.file == "f.yaml" and p.span.line >= 1 and p.span.column >= 1 for p in error.problems)
    assert list(error.problems) == sorted(error.problems, key=lambda p: p.span)
    assert all("\n" not in str(problem) for problem in error.problems)


@settings(deadline=None)
@given(data=trees)
def test_any_tree(catalogue: Catalogue, data: Any) -> None:
    read(data, catalogue)


@settings(deadline=None)
@given(data=documents)
def test_any_document(catalogue: Catalogue, data: Any) -> None:
    read(data, catalogue)


@settings(deadline=None)
@given(
    data=st.binary(max_size=200)
    | st.text("{}[]:-,&*!|>'\" \n\tab$#%@`?~\x00\x85", max_size=60).map(str.encode)
)
def test_any_bytes(data: bytes) -> None:
    problems = Problems()
    try:
        root = source.parse(data, "f.yaml")
        decode(root, "f", problems)
        catalogue_file.decode(root, Path("/"), problems)
        problems.raise_if_any()
    except Mistakes as error:
        check_places(error)


@settings(deadline=None)
@given(data=st.fixed_dictionaries({}, optional=dict.fromkeys(catalogue_file.DOCUMENT.fields, trees)))
def test_any_catalogue(data: Any) -> None:
    problems = Problems()
    try:
        catalogue_file.decode(source.parse(yaml.safe_dump(data).encode(), "f.yaml"), Path("/"), problems)
        problems.raise_if_any()
    except Mistakes as error:
        check_places(error)


def settled(action: Action) -> bool:
    return isinstance(action, Look) and action.boot_end


@settings(deadline=None)
@given(sequence=st.lists(steps, min_size=1, max_size=8))
def test_any_sequence_of_steps(catalogue: Catalogue, sequence: list[Any]) -> None:
    """Steps of the right form: either a mistake at one of them, or a plan whose every boot ends in a look."""
    data = {
        "summary": "s",
        "image": "trixie-snapd-2.57.6",
        "start": {"core": "2.57.6", "snaps": ["witness"]},
        "steps": sequence,
        "hold": ["policy-from-running-snapd"],
    }
    problems = Problems()
    root = source.parse(yaml.safe_dump(data, sort_keys=False).encode(), "f.yaml")
    (scenario,) = decode(root, "f", problems)
    assert not problems.found
    try:
        plan = compile_scenario(scenario, catalogue)
    except Mistakes as error:
        check_places(error)
        return
    actions = [step.action for step in plan.steps]
    assert settled(actions[-1])
    for at, action in enumerate(actions):
        if isinstance(action, RebootGuest) and "." not in plan.steps[at].number:
            assert settled(actions[at - 1]), "what the boot came to is seen before it ends"
            assert settled(actions[at + 1]), "what it started under is seen before anything changes"
    numbers = [tuple(map(int, step.number.split("."))) for step in plan.steps]
    assert numbers == sorted(set(numbers))
