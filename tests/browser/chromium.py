# SPDX-License-Identifier: GPL-3.0-only
"""A headless Chromium for tests, driven by its DevTools protocol over a pair of pipes.

The protocol's messages are JSON, each ended by a zero byte; the browser reads them from its descriptor 3
and answers on 4 (`--remote-debugging-pipe`), so no port is opened and nothing is polled.
"""

from __future__ import annotations

import base64
import json
import os
import select
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import TimedOut
from harness.host.deadline import Deadline
from harness.host.process import spawn

PROGRAM = "chromium"

_FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, whom Chromium gives no sandbox; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_PATIENCE = 120.0


class PageBroken(AssertionError):
    """The browser could not do what was asked of it."""


@dataclass(slots=True)
class Pipe:
    """Commands to the browser and what it answers; events pile up in `events`."""

    to_browser: int
    from_browser: int
    events: list[Mapping[str, Any]] = field(default_factory=list)
    _sent: int = 0
    _rest: bytes = b""

    def ask(self, method: str, session: str = "", **parameters: object) -> Mapping[str, Any]:
        """Send a command and wait for its result."""
        self._sent += 1
        message: dict[str, object] = {"id": self._sent, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise PageBroken(f"{method}: {answer['error']}")
                result: Mapping[str, Any] = answer["result"]
                return result
            self.events.append(answer)
        raise AssertionError("messages never end")

    def await_event(self, method: str) -> None:
        """Wait until an event of this name has come since the list was last cleared."""
        messages = self._messages()
        while not any(event.get("method") == method for event in self.events):
            self.events.append(next(messages))

    def _messages(self) -> Iterator[Mapping[str, Any]]:
        deadline = Deadline.after(_PATIENCE)
        poll = select.poll()
        poll.register(self.from_browser, select.POLLIN)
        while True:
            while b"\0" not in self._rest:
                if not poll.poll(deadline.remaining * 1000):
                    raise TimedOut("cannot wait longer for the browser's answer")
                more = os.read(self.from_browser, 1 << 20)
                if not more:
                    raise PageBroken("the browser ended")
                self._rest += more
            line, _, self._rest = self._rest.partition(b"\0")
            yield json.loads(line)


@dataclass(slots=True)
class Tab:
    """A page that is open, at a width in CSS pixels and in a colour scheme."""

    pipe: Pipe
    session: str

    def show(self, page: Path, *, width: int, scheme: str, height: int = 900) -> None:
        """Open a file; everything said of the page before is forgotten."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._ask("Emulation.setEmulatedMedia", media="", features=features)
        self.pipe.events.clear()
        self._ask("Page.navigate", url=page.resolve().as_uri())
        self.pipe.await_event("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to on the page."""
        found = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise PageBroken(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def complaints(self) -> list[str]:
        """What the browser's console said of the page: errors, refused loads, dialogues."""
        said = (
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Page.javascriptDialogOpening",
        )
        self.value("1")
        return [json.dumps(event["params"]) for event in self.pipe.events if event.get("method") in said]

    def picture(self) -> bytes:
        """What is in the window, as PNG."""
        found = self._ask("Page.captureScreenshot", format="png")
        return base64.b64decode(found["data"])

    def print(self) -> bytes:
        """The page as PDF, as it would be printed."""
        return base64.b64decode(self._ask("Page.printToPDF", printBackground=True)["data"])

    def _ask(self, method: str, **parameters: object) -> Mapping[str, Any]:
        return self.pipe.ask(method, self.session, **parameters)


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """A browser with one tab; `profile` is a new empty directory.

    :raise HostLacks: there is no Chromium.
    """
    with ExitStack() as stack:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        log = stack.enter_context((profile / "log").open("wb"))
        inherited = (theirs_in, theirs_out)
        # bash, because dash's redirections know descriptors of one digit only.
        shell = ("bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash")
        argv = (*shell, PROGRAM, *_FLAGS, f"--user-data-dir={profile / 'data'}", "about:blank")
        stack.enter_context(spawn(argv, stdout=log, stderr=log, pass_fds=inherited))
        for descriptor in inherited:
            os.close(descriptor)
        stack.callback(os.close, ours_in)
        stack.callback(os.close, ours_out)
        yield _open_tab(Pipe(ours_out, ours_in))


def _open_tab(pipe: Pipe) -> Tab:
    target = pipe.ask("Target.createTarget", url="about:blank")["targetId"]
    session = pipe.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
        pipe.ask(f"{domain}.enable", session)
    return Tab(pipe, session)
