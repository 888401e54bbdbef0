# SPDX-License-Identifier: GPL-3.0-only
"""The page for a browser: it needs nothing else, says what the verdict says, and can be read by everybody."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from harness.judge import judge
from harness.model.repeat import Perturbation
from harness.model.scenario import Control
from harness.model.timeline import Timeline
from harness.model.verdict import Evidence, Finding, Outcome, Verdict
from harness.report.html import render
from tests.unit.builders import BLUEZ, POLICY, SPAN, Guest, fresh_revert, key_put_back
from tests.unit.report.reader import Node, read
from tests.unit.report.story import judged, stale_start


def page(guest: Guest | Timeline, verdict: Verdict | None = None) -> Node:
    timeline = guest if isinstance(guest, Timeline) else guest.timeline()
    return read(render(timeline, verdict or judge(timeline)))


@pytest.fixture(scope="module")
def story() -> Node:
    timeline = stale_start().timeline()
    return page(timeline, judged(timeline))


def word(root: Node) -> str:
    return next(root.all("h1")).content[0].text  # type: ignore[union-attr]


def test_it_needs_nothing_but_itself(story: Node) -> None:
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & {n.tag for n in story.all()}
    policy = next(n for n in story.all("meta") if n.attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.attributes["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    addresses = {v for n in story.all() for k, v in n.attributes.items() if k in ("href", "src", "action")}
    assert [address for address in addresses if not address.startswith("#")] == [
        "https://forum.snapcraft.io/t/722"
    ]
    assert not any(name.startswith("on") for node in story.all() for name in node.attributes)
    assert "url(http" not in next(story.all("style")).text
    assert "@import" not in next(story.all("style")).text


def test_everybody_can_find_their_way(story: Node) -> None:
    assert next(story.all("html")).attributes["lang"] == "en"
    assert next(story.all("title")).text == "VIOLATED core-revert/2.68.3-2.77.1-2.68.3"
    levels = [int(n.tag[1]) for n in story.all() if re.fullmatch("h[1-6]", n.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(cell.attributes.get("scope") in ("row", "col") for cell in story.all("th"))
    assert all(any(table.all("caption")) for table in story.all("table"))


def test_every_picture_has_a_text_and_no_link_inside(story: Node) -> None:
    pictures = [node for node in story.all("svg") if node.attributes.get("role") == "img"]
    assert len(pictures) == 3
    for picture in pictures:
        names = picture.attributes["aria-labelledby"].split()
        assert [any(n.attributes.get("id") == name for n in picture.all()) for name in names] == [True, True]
        assert not list(picture.all("a"))
    inside = {id(node) for picture in pictures for node in picture.all("svg")}
    rest = [node for node in story.all("svg") if id(node) not in inside]
    assert all(node.attributes.get("aria-hidden") == "true" for node in rest)


def test_every_link_leads_somewhere_and_every_id_is_one_of_a_kind(story: Node) -> None:
    ids = [node.attributes["id"] for node in story.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[a-z]+(-[a-z0-9]+)*|[a-z][0-9]+(e[0-9]+)?", name) for name in ids)
    targets = [n.attributes["href"][1:] for n in story.all() if n.attributes.get("href", "").startswith("#")]
    assert set(targets) <= set(ids)


@pytest.mark.parametrize(
    ("guest", "outcome"),
    [
        (fresh_revert(), "HELD"),
        (key_put_back(), "VIOLATED"),
        (fresh_revert().look(snapd=None), "UNPROVEN"),
        (key_put_back().fail("cannot reboot: QEMU died"), "ERROR"),
    ],
)
def test_the_outcome_is_the_first_word(guest: Guest, outcome: str) -> None:
    root = page(guest)
    assert word(root) == outcome
    assert next(root.all("header")).attributes["class"] == outcome


def test_an_error_is_told_with_the_consoles_last_lines() -> None:
    guest = key_put_back()
    guest.say("[   12.000000] the last words")
    header = next(page(guest.fail("cannot reboot: it hangs\n  wait longer")).all("header")).text
    assert "TimedOut: cannot reboot: it hangs\n  wait longer\n" in header
    assert "the last words" in header
    told = page(key_put_back().fail("cannot go on: a panic\n  console| Kernel panic"))
    assert next(told.all("header")).text.count("console| Kernel panic") == 1


def test_a_control_and_replicas_are_told() -> None:
    expected = Control(SPAN, POLICY, (BLUEZ,), "2.68.3", "stale")
    assert "came out as it must" in page(key_put_back(control=expected)).text
    blind = fresh_revert(control=expected).timeline()
    header = next(page(blind, replace(judge(blind), replicas=("2.24",))).all("header")).text
    assert "did NOT come out as it must" in header
    assert f"was not VIOLATED for {BLUEZ}" in header
    assert "2.24: they re-create a release and are not it" in header


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://bugs.launchpad.net/bugs/1", True),
        ("http://forum.snapcraft.io/t/722", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("https:", False),
        ("//evil", False),
        ("https://[", False),
        ("https://a\u202e.b", False),
        (" https://a.b", False),
    ],
)
def test_only_web_addresses_become_links(address: str, linked: bool) -> None:
    timeline = fresh_revert().timeline()
    root = page(replace(timeline, plan=replace(timeline.plan, report=address)))
    assert any(node.attributes.get("href") == address for node in root.all("a")) == linked


def test_findings_stand_worst_first_and_held_ones_are_folded(story: Node) -> None:
    cards = story.of_class("finding")
    words = [card.of_class("word")[0].text for card in cards]
    assert words == sorted(words, key=["VIOLATED", "UNPROVEN", "HELD"].index)
    (folded,) = (n for n in story.all("details") if "HELD" in next(n.all("summary")).text)
    assert next(folded.all("summary")).text.startswith(f"{words.count('HELD')} HELD")
    assert len(folded.of_class("finding")) == words.count("HELD")


def test_a_finding_has_its_author_boot_and_evidence(story: Node) -> None:
    card = next(c for c in story.of_class("finding") if "before snapd" in c.text and BLUEZ in c.text)
    assert "policy made by 2.77.1" in card.text
    assert any(link.attributes["href"] == "#b3" for link in card.all("a"))
    (item,) = card.all("li")
    place, quoted = next(item.all("code")).text, item.of_class("q")[0].text
    assert re.fullmatch(r"witness\.jsonl:\d+", place)
    assert quoted.startswith(f"{BLUEZ}: process 1000 executed")
    row = story.one(next(item.all("a")).attributes["href"][1:])
    assert place in row.text


def test_what_repeats_itself_is_folded_and_counted() -> None:
    timeline = fresh_revert().timeline()
    many = tuple(
        Finding(POLICY, Outcome.UNPROVEN, "unseen", f"thing {n}", 0, f"nothing {n}") for n in range(500)
    )
    root = page(timeline, replace(judge(timeline), findings=many, outcome=Outcome.UNPROVEN))
    assert "497 more UNPROVEN like these" in root.text
    assert "297 more are in verdict.json" in root.text


def test_a_finding_about_the_run_has_no_boot_to_link_to() -> None:
    timeline = fresh_revert().timeline()
    lonely = Finding(POLICY, Outcome.UNPROVEN, "unseen", "plan", 0, "nothing", evidence=())
    card = page(timeline, replace(judge(timeline), findings=(lonely,))).of_class("finding")[0]
    assert "the whole run" in card.text
    assert "there is no line to show" in card.text


def test_a_boot_that_never_came_is_no_link() -> None:
    timeline = fresh_revert().timeline()
    never = Finding(POLICY, Outcome.UNPROVEN, "unseen", "boot 9", 9, "there was no such boot")
    card = page(timeline, replace(judge(timeline), findings=(never,))).of_class("finding")[0]
    assert "boot 9" in card.text
    assert not list(card.all("a"))


def test_the_boots_at_a_glance_name_the_snapds_that_ran(story: Node) -> None:
    chips = [
        chip.text for chip in next(n for n in story.all("ol") if n.attributes.get("class") == "run").all("li")
    ]
    assert chips == [
        "Boot 1 HELDsnapd 2.68.3, then 2.77.1",
        "Boot 2 HELDsnapd 2.77.1",
        "Boot 3 VIOLATEDsnapd 2.68.3",
    ]


def test_evidence_that_the_page_does_not_show_elsewhere_is_no_link() -> None:
    timeline = fresh_revert().timeline()
    proof = (Evidence("../../etc/passwd", 1, "x"), Evidence("witness.jsonl", 99999, "y"))
    one = Finding(POLICY, Outcome.VIOLATED, "stale", "thing", 0, "it is", evidence=proof)
    card = page(timeline, replace(judge(timeline), findings=(one,))).of_class("finding")[0]
    assert not list(card.all("a"))


def test_the_broken_edge_differs_by_colour_dash_and_label(story: Node) -> None:
    boot = story.one("b3")
    broken = [line for line in boot.all("line") if "broken" in line.attributes["class"].split()]
    assert len(broken) == 4
    assert all(line.attributes["marker-end"] == "url(#head-broken)" for line in broken)
    labels = [label.text for label in boot.of_class("says")]
    assert any(re.match(r"stale: seccomp [0-9a-f]{8} of 2\.77\.1, from boot 1", label) for label in labels)
    style = next(story.all("style")).text
    assert re.search(r"\.edge\.broken\{[^}]*color:var\(--violated\)[^}]*stroke-dasharray", style)


def test_a_boot_is_told_in_words_too(story: Node) -> None:
    boot = story.one("b3")
    rows = [row.text for row in next(boot.all("table")).all("tr")]
    assert any(BLUEZ in row and "stale" in row and "process 1000" in row for row in rows)
    assert any(BLUEZ in row and "fresh" in row and "process 1100" in row for row in rows)
    words = next(n for n in boot.all("details") if "in words" in n.text).text
    for said in ("snapd said READY", "waits for snapd", "check network-managed not passed"):
        assert said in words


def test_steps_plan_and_versions_are_told(story: Node) -> None:
    text = story.text
    done = ("11 steps began, 11 ended", "install core 2.77.1", "policy-from-running-snapd")
    made_with = ("QEMU emulator version 10.0", "no /dev/kvm", "QEMU 1171 MiB", "harness 58 MiB")
    assert [said for said in (*done, *made_with) if said not in text] == []


def test_a_repetition_says_what_is_different_in_it() -> None:
    timeline = fresh_revert().timeline()
    one = Perturbation(7, 3, 4, {"snapd.service": 1200})
    text = page(replace(timeline, plan=replace(timeline.plan, perturbation=one))).text
    assert "3 of seed 7: 4 CPUs, snapd.service 1.2 s late" in text


def test_a_variant_is_told() -> None:
    timeline = fresh_revert().timeline()
    text = page(replace(timeline, plan=replace(timeline.plan, variant={"to": "2.77.1"}))).text
    assert "to = 2.77.1" in text


def test_a_step_that_did_not_end_is_told() -> None:
    guest = fresh_revert()
    guest.run("sleep infinity").events.pop()
    assert "not ended" in page(guest.fail("cut off")).text


def test_a_run_that_never_booted_has_a_page() -> None:
    root = page(replace(fresh_revert().timeline(), boots=(), events=(), artifacts=(), gaps=("all",)))
    assert word(root) == "UNPROVEN"
    assert "The machine never started." in root.text
    assert "No step began." in root.text


def test_gaps_of_the_record_are_told() -> None:
    timeline = replace(fresh_revert().timeline(), gaps=("witness.jsonl:3 cannot be read",))
    assert "witness.jsonl:3 cannot be read" in page(timeline).text
