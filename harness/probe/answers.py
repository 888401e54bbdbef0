# SPDX-License-Identifier: GPL-3.0-only
"""Answers the host's requests. Imported for the first of them: until then a boot does not pay for it."""

from __future__ import annotations

import json
import time

from .bus import Bus
from .calm import await_calm
from .files import FileReader
from .holds import Holds
from .look import Looker
from .units import Units, has_failed
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Answers:
    """What there is to answer with. `wait` lets time pass and tells of what happens meanwhile.

    `is_starting` says of snapd that it is on its way, without asking anybody.
    """

    def __init__(self, wait: Callable[[float], None], is_starting: Callable[[], bool]) -> None:
        self._wait = wait
        self._is_starting = is_starting
        self._bus = Bus()
        self._units = Units(self._bus)
        self._looker = Looker(self._units, FileReader(), lambda: wait(0.0))
        self._holds = Holds()

    def to(self, line: bytes, occurred: Callable[[], int]) -> JSON:
        """What to say to a request; `occurred` is how many lines told of something before."""
        request = 0
        try:
            asked = json.loads(line)
            request = int(asked["request"])
            if asked.get("type") == "release-request":
                self._holds.release(int(asked["hold"]))
                return {"type": "released", "request": request}
            look = self._look(asked)
            return {"type": "looked", "request": request, "look": look, "occurred": occurred()}
        except Exception as error:  # whatever it is, the host must hear of it
            return {"type": "trouble", "request": request, "message": f"{type(error).__name__}: {error}"}
        finally:
            self._bus.close()

    def _look(self, asked: JSON) -> JSON:
        look = self._calm_look(str(asked["reason"]), float(asked["settle"]))
        # Both take `subprocess` along: imported when something failed, or once a boot has settled.
        failed = [service for service in look["services"] if has_failed(service["unit"])]
        if failed:
            from .words import read_words  # noqa: PLC0415

            look["words"] = read_words(failed)
        if asked.get("twins"):
            from .twin import read_twins  # noqa: PLC0415

            look["twins"] = read_twins([service["tag"] for service in look["services"]], self._pause)
        return look

    def _calm_look(self, reason: str, settle: float) -> JSON:
        """A look at a calm guest. A service that fails again and again can start between calm and look."""
        ends = time.monotonic() + settle
        while True:
            left = await_calm(self._units, ends - time.monotonic(), self._pause, self._is_starting)
            look = self._looker.look(reason, left)
            if not look["unsettled"] or time.monotonic() >= ends:
                return look

    def _pause(self, seconds: float) -> None:
        """Let time pass; requests stay in the port."""
        self._bus.close()  # while it is open, PID 1 sends every signal there too
        self._wait(seconds)
