# SPDX-License-Identifier: GPL-3.0-only
"""What every build needs: where to keep things, where packages come from, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.image.archive import Archive
from harness.image.host_apt import Mirror, host_mirror
from harness.image.store import Store, quiet


@dataclass(frozen=True, slots=True)
class Workshop:
    """`tell` gets one line of progress before each thing that takes seconds."""

    store: Store
    archive: Archive
    tell: Callable[[str], None]


def open_workshop(
    tell: Callable[[str], None] = quiet,
    *,
    root: Path | None = None,
    mirror: str = "",
    snapshot: str = "",
    snapshot_base: str = "",
    update: bool = False,
) -> Workshop:
    """A workshop on the default store, or the one at `root`.

    `mirror` and `snapshot` are the user's choices (see `host_mirror`); `update` asks the archive
    again for what an earlier build has resolved. The host's apt configuration is read only when
    something must be fetched.
    """

    @cache
    def source() -> Mirror:
        return host_mirror(mirror=mirror, snapshot=snapshot, snapshot_base=snapshot_base)

    store = Store(root, tell=tell)
    archive = Archive(store, source, snapshot=snapshot, tell=tell, update=update)
    return Workshop(store, archive, tell)
