# SPDX-License-Identifier: GPL-3.0-only
"""Faults in telling which program a launcher made of which text, and where it looked for one."""

from __future__ import annotations

from tests.faults.fault import Fault

TEXTS = ("tests/unit/policy/test_text_profiles.py",)

TEXT_FAULTS = (
    Fault(
        "policy/knowledge.py",
        "a text that came later is blamed for a launcher's death",
        "        timeline = with_programs(timeline)\n",
        "",
        TEXTS,
    ),
    Fault(
        "judge.py",
        "where the program of a text lies by now is not told",
        "    timeline = Knowledge.of(timeline).timeline\n",
        "",
        TEXTS,
    ),
    Fault(
        "policy/text_profiles.py",
        "any of several texts may be what a launcher read",
        "return fitting[0] if len(fitting) == 1 else None",
        "return min(reading.texts)",
        TEXTS,
    ),
    Fault(
        "policy/text_profiles.py",
        "whoever wrote the text that a launcher may have read, its program is the later's",
        "if len(hands) == 1 and all(hands) else",
        "if hands else",
        TEXTS,
    ),
    Fault(
        "policy/text_profiles.py",
        "the later of two texts has the program that the first is known to have",
        " and not any(one.program in made.get(text, ()) for text in one.texts)",
        "",
        TEXTS,
    ),
    Fault(
        "policy/looked_at.py",
        "a launcher looks at the profiles of every directory",
        "if not places or posixpath.dirname(file.path) in places",
        "if places or not places",
        TEXTS,
    ),
    Fault(
        "policy/text_profiles.py",
        "what was never read had no text",
        "waited = not before and disk.is_known((happened.boot, int(launcher.at)))",
        "waited = not before",
        TEXTS,
    ),
    Fault(
        "policy/text_profiles.py",
        "a core's launcher may have read what another core's snapd wrote elsewhere",
        "there = places.get(_core_of(launcher.exe), ())",
        "there = places.get(start.tag, ())",
        TEXTS,
    ),
    Fault(
        "policy/looked_at.py",
        "nobody is told by a pointer where to look",
        "    if pointers:\n",
        "    if not pointers and pointers:\n",
        TEXTS,
    ),
)
