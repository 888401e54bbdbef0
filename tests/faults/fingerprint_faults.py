# SPDX-License-Identifier: GPL-3.0-only
"""Faults in taking fingerprints, and in what is made of them."""

from __future__ import annotations

from tests.faults.fault import POLICY, TAKEN, Fault

FINGERPRINT_FAULTS = (
    Fault(
        "policy/control_boots.py",
        "what changes from boot to boot is kept",
        "        if one != other:\n",
        "        if one.lacks != other.lacks:\n",
        POLICY,
    ),
    Fault(
        "policy/control_boots.py",
        "policy that lay there before the boots is this core's",
        "if file.changed <= first.at + first.boot_wall]",
        "if file.changed <= first.boot_wall]",
        POLICY,
    ),
    Fault(
        "policy/control_boots.py",
        "any snapd will do for a core's fingerprint",
        "if look.snapd is None or look.snapd.build_id != build:",
        "if look.snapd is None:",
        POLICY,
    ),
    Fault(
        "policy/control_boots.py",
        "a boot that had not settled gives a fingerprint",
        "if doubts := (*look.unsettled, *look.problems):",
        "if doubts := look.problems:",
        POLICY,
    ),
    Fault(
        "policy/control_boots.py",
        "the filter that snapds have in common is one's own",
        "own = {one.sha256 for one in main.filters} - {GLOBAL_PROGRAM}",
        "own = {one.sha256 for one in main.filters}",
        POLICY,
    ),
    Fault(
        "policy/references.py",
        "what two builds make alike names one of them",
        "for key, claims in makers.items() if len(claims) == 1}",
        "for key, claims in makers.items() if len(claims) >= 1}",
        POLICY,
    ),
    Fault(
        "policy/references.py",
        "a fingerprint of another image counts",
        "if one.image in images and (one.core_sha256, one.build) in cores:",
        "if images and (one.core_sha256, one.build) in cores:",
        POLICY,
    ),
    Fault(
        "policy/references.py",
        "a fingerprint of another core file counts",
        "if one.image in images and (one.core_sha256, one.build) in cores:",
        "if one.image in images and one.build in {build for _, build in cores}:",
        POLICY,
    ),
    Fault(
        "policy/contradiction.py",
        "a fingerprint that names another build contradicts nothing",
        "if not makers or set(named) & set(makers):",
        "if not makers or set(named) != set(makers):",
        POLICY,
    ),
    Fault(
        "policy/contradiction.py",
        "a fingerprint is compared with itself",
        "learnt = replace(known.authors, references=NO_REFERENCES)",
        "learnt = known.authors",
        POLICY,
    ),
    Fault(
        "scenario/alone.py",
        "the second boot loads once more what the first one did",
        '    for boot in (3, 4):\n        yield "make all policy anew", RunCommand(MAKE_ANEW), times.step\n',
        '    yield "make all policy anew", RunCommand(MAKE_ANEW), times.step\n    for boot in (3, 4):\n',
        ("tests/unit/scenario/test_alone.py",),
    ),
    Fault(
        "engine.py",
        "a record leaves out the fingerprints that were there",
        "(*prepared.artifacts(), *fingerprints)",
        "(*prepared.artifacts(), *fingerprints[:0])",
        TAKEN,
    ),
    Fault(
        "image/fingerprints.py",
        "a fingerprint with other connections is the same",
        "        connections=sorted(connections),\n",
        "        connections=sorted(connections)[:0],\n",
        (*TAKEN, "tests/unit/image/test_fingerprints.py"),
    ),
)
