# SPDX-License-Identifier: GPL-3.0-only
"""All the bytes of a plan, built or found in the store, before there is a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import Mistake
from harness.image.build import Image, build_image
from harness.image.core import build_core
from harness.image.fingerprints import fingerprint_key
from harness.image.payload import build_payload
from harness.image.snapfile import SnapFile
from harness.image.snaps import build_snap
from harness.image.workshop import Workshop
from harness.lab_spec import Wants, first_order, wants_of
from harness.model.catalogue import Catalogue
from harness.model.event import ArtifactUsed
from harness.model.plan import Plan, SnapRef
from harness.scenario.alone import start_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """All the bytes that a plan needs, ready on disk; `snaps` by their file name on the payload disk.

    `orders` says that the guest is given some, which takes a disk; `wants` is what the plan wants of its
    machine.
    """

    image: Image
    snaps: Mapping[str, SnapFile]
    payload: Path
    names: Mapping[str, str] = field(default_factory=dict)
    orders: bool = False
    wants: Wants = field(default_factory=Wants)

    def artifacts(self) -> Iterator[ArtifactUsed]:
        """What goes into the record about these bytes."""
        yield ArtifactUsed("image", self.image.name, self.image.key)
        for file_name, snap in self.snaps.items():
            yield ArtifactUsed("snap", self.names[file_name], snap.sha256, snap.build_ids)

    def fingerprint_key(self, plan: Plan, core: SnapRef) -> str:
        """Where the fingerprint catalogue has this core with the plan's image, snaps and connections."""
        start = start_of(plan)
        snaps = (self.snaps[ref.file_name] for ref in start.snaps)
        connections = (f"{one.plug} {one.slot}" for one in start.connections)
        return fingerprint_key(self.snaps[core.file_name], self.image.key, snaps, connections)


def prepare(plan: Plan, catalogue: Catalogue, workshop: Workshop) -> Prepared:
    """Build what is not in the store yet; raises as `Lab.prepare` does."""
    image = build_image(catalogue.images[plan.image], workshop)
    order = first_order(plan)
    if order and not image.our_initrd:
        raise Mistake(
            f"cannot {order}: the image {image.name!r} boots with an initrd of its own,"
            " which does not read orders before systemd starts",
            hint="give its recipe `kernel:` and `init:` instead of an initrd",
        )
    snaps = {ref.file_name: _snap(ref, catalogue, workshop) for ref in plan.snaps}
    names = {ref.file_name: ref.entry for ref in plan.snaps}
    return Prepared(image, snaps, build_payload(snaps, workshop), names, bool(order), wants_of(plan))


def _snap(ref: SnapRef, catalogue: Catalogue, workshop: Workshop) -> SnapFile:
    if ref.is_core:
        return build_core(catalogue.cores[ref.entry], workshop)
    return build_snap(catalogue.snaps[ref.entry], ref.variant, workshop)
