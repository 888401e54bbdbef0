# SPDX-License-Identifier: GPL-3.0-only
"""The type of what is said and answered (WIRE.md).

`typing` is for those who check types: in this package annotations are not evaluated, and in an emulated guest
its import alone costs some tenths of a second. mypy takes any TYPE_CHECKING for true.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    JSON = dict[str, Any]
else:
    JSON = dict
