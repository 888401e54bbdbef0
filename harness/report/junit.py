# SPDX-License-Identifier: GPL-3.0-only
"""Verdicts as JUnit XML, with the five ways a run can come out told apart.

Held is a pass; violated and unproven are failures of these types; a harness or host that failed and a
user's mistake are errors of these types. A control passes when it came out as it must; in a gate, one that
did not is an error: the harness cannot see. Every case has what was measured in its properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from harness.errors import HarnessError, Mistake
from harness.model.verdict import Finding, Outcome, Verdict
from harness.report.layout import safe

_SUITE = "revert-safety"

# Characters that XML 1.0 cannot hold, in no form.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario that was run, alone or in a gate: a verdict and where its record is, or why not."""

    title: str
    result: Verdict | HarnessError
    directory: str = ""
    of_gate: bool = False


def document(cases: Sequence[Case]) -> str:
    """The document, its cases in the order given."""
    elements = [_case(case) for case in cases]
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", name=_SUITE, tests=str(len(elements)))
    suite.set("failures", str(sum(element.find("failure") is not None for element in elements)))
    suite.set("errors", str(sum(element.find("error") is not None for element in elements)))
    suite.extend(elements)
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _case(case: Case) -> ElementTree.Element:
    if isinstance(case.result, Verdict):
        return _measured(case, case.result)
    word = "MISTAKE" if isinstance(case.result, Mistake) else "ERROR"
    element = _element(case.title, [("outcome", word.lower()), ("exit_code", str(case.result.exit_code))])
    _problem(element, "error", word, str(case.result).splitlines() or [word])
    return element


def _measured(case: Case, verdict: Verdict) -> ElementTree.Element:
    word = "ERROR" if verdict.error else verdict.outcome.value
    told = [
        ("outcome", word.lower()),
        ("exit_code", str(verdict.exit_code)),
        ("run_directory", case.directory),
    ]
    if verdict.control is not None:
        told.append(("control", "as expected" if verdict.control.as_expected else "not as expected"))
    element = _element(case.title, told)
    lines = list(_lines(verdict)) or ["nothing was proven"]
    if verdict.error:
        _problem(element, "error", word, lines)
    elif verdict.control is not None:
        if not verdict.control.as_expected and case.of_gate:
            _problem(element, "error", "ERROR", ["the harness cannot see", *lines])
        elif not verdict.control.as_expected:
            _problem(element, "failure", Outcome.VIOLATED.value, lines)
    elif verdict.outcome != Outcome.HELD:
        _problem(element, "failure", word, lines)
    return element


def _element(title: str, properties: Sequence[tuple[str, str]]) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_SUITE, name=_xml(title))
    parent = ElementTree.SubElement(case, "properties")
    for name, value in properties:
        ElementTree.SubElement(parent, "property", name=name, value=_xml(value))
    return case


def _problem(case: ElementTree.Element, kind: str, word: str, lines: Sequence[str]) -> None:
    element = ElementTree.SubElement(case, kind, type=word, message=_xml(lines[0]))
    element.text = _xml("\n".join(lines))


def _lines(verdict: Verdict) -> Iterator[str]:
    if verdict.error:
        yield from verdict.error.splitlines()
    if verdict.control is not None:
        yield from (f"control: {missing}" for missing in verdict.control.missing)
    for outcome in (Outcome.VIOLATED, Outcome.UNPROVEN):
        for finding in verdict.findings:
            if finding.outcome == outcome:
                yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield safe(f"{finding.outcome} {finding.invariant}: {finding.kind}: {finding.summary}")
    for evidence in finding.evidence:
        yield safe(f"    {evidence.file}:{evidence.line} {evidence.says}")


def _xml(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
