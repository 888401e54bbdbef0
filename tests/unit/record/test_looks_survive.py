# SPDX-License-Identifier: GPL-3.0-only
"""Whatever a witness can say fits on a line and comes back the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model import codec
from harness.model.clock import HostTime
from harness.model.observation import Look
from harness.model.wire import Heard, Looked, Said
from harness.record import read_timeline
from harness.record_writing import Recorder
from tests.unit.builders import begun

texts = st.text(max_size=12)


@settings(max_examples=50, deadline=None)
@given(st.from_type(Look))
def test_any_look_survives_the_codec(look: Look) -> None:
    line = codec.dumps(Looked(1, look))
    assert "\n" not in line
    assert codec.loads(Said, line) == Looked(1, look)


@settings(max_examples=20, deadline=None)
@given(st.lists(texts, max_size=5))
def test_any_words_of_a_witness_can_be_recorded_and_read(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        guest = begun()
        directory = Path(name)
        ticks = HostTime(0)
        with Recorder(directory, lambda: ticks) as recorder:
            recorder.write_plan(guest.plan())
            for said in words:
                recorder.hear(Heard(ticks, 1, said))
            for event in guest.all_events():
                recorder.write(event)
        gaps = read_timeline(directory).gaps
        assert sum("witness.jsonl:" in gap for gap in gaps) == len(words)
