# SPDX-License-Identifier: GPL-3.0-only
"""SHA-256 without `hashlib`, which sets up all of OpenSSL: in an emulated guest half a second of CPU time."""

from __future__ import annotations

from .wire import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _own() -> Callable[[bytes], Any]:
    """Python's own; its module is called so since 3.12, and was before."""
    for name in ("_sha2", "_sha256"):
        try:
            return __import__(name).sha256  # type: ignore[no-any-return]
        except ImportError:
            continue
    from hashlib import sha256  # noqa: PLC0415

    return sha256


sha256 = _own()


def hex_of(raw: bytes) -> str:
    """The digest in hex."""
    return str(sha256(raw).hexdigest())
