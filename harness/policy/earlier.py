# SPDX-License-Identifier: GPL-3.0-only
"""What the run that was cut taught of who makes what, for the boot after the cut.

A claim is about content and not about time, so it holds whatever the cut left of the files. Its evidence
is in the copy of that run's record, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.policy.authorship import NO_REFERENCES, Authorship, Claim


def learnt_from(authors: Authorship, directory: str) -> Authorship:
    """The same, of a record in that directory of the run's; fingerprints are the run's own matter."""
    return Authorship(
        claims={item: _placed(claims, directory) for item, claims in authors.claims.items()},
        loaded={key: _placed(claims, directory) for key, claims in authors.loaded.items()},
        whole=authors.whole,
        made=authors.made,
        references=NO_REFERENCES,
    )


def _placed(claims: Iterable[Claim], directory: str) -> frozenset[Claim]:
    return frozenset(
        replace(claim, evidence=replace(claim.evidence, file=f"{directory}/{claim.evidence.file}"))
        for claim in claims
    )
