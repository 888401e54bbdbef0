# SPDX-License-Identifier: GPL-3.0-only
"""The fingerprint catalogue: what cores were found to make, in the store, by all that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from harness.errors import HostLacks
from harness.image.digest import key_of
from harness.image.snapfile import SnapFile
from harness.image.store import MIB, Store
from harness.model import codec
from harness.model.fingerprint import Fingerprint

# Raised when fingerprints are taken in another way, or say something else.
FINGERPRINT_FORMAT = 1
KIND = "fingerprints"
_FILE = "fingerprint.json"


def fingerprint_key(
    core: SnapFile, image_key: str, snaps: Iterable[SnapFile], connections: Iterable[str]
) -> str:
    """The key of a core's fingerprint on an image with these snaps; their order does not matter."""
    return key_of(
        kind="fingerprint",
        fingerprint=FINGERPRINT_FORMAT,
        core=core.sha256,
        image=image_key,
        snaps=sorted(snap.sha256 for snap in snaps),
        connections=sorted(connections),
    )


def find_fingerprint(key: str, store: Store) -> Fingerprint | None:
    """The fingerprint under a key, None when it was never taken.

    :raise HostLacks: what lies there cannot be read.
    """
    place = store.has(KIND, key)
    return _read(place) if place else None


def obtain_fingerprint(key: str, take: Callable[[], Fingerprint], store: Store) -> Fingerprint:
    """The fingerprint under a key, taken by `take` unless it is there; raises what `take` raises.

    :raise HostLacks: there is no room, or what lies there cannot be read.
    """

    def make(directory: Path) -> None:
        (directory / _FILE).write_text(codec.dumps(take()) + "\n", encoding="ascii")

    return _read(store.obtain(KIND, key, make, needs=MIB))


def _read(place: Path) -> Fingerprint:
    try:
        found: Fingerprint = codec.loads(Fingerprint, (place / _FILE).read_bytes())
    except (OSError, codec.Undecodable) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise HostLacks(
            f"cannot read the fingerprint in {place}: {why}",
            hint="remove that directory; `harness fingerprint SCENARIO` takes it again",
        ) from error
    return found
