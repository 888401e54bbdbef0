# SPDX-License-Identifier: GPL-3.0-only
"""The pytest plugin: scenario files are items, one per variant and repetition; Python tests get a `lab`."""

from harness.pytest_plugin.collection import pytest_collect_file as pytest_collect_file
from harness.pytest_plugin.fixtures import lab as lab
from harness.pytest_plugin.options import pytest_addhooks as pytest_addhooks
from harness.pytest_plugin.options import pytest_addoption as pytest_addoption
from harness.pytest_plugin.runners import pytest_revert_safety_runner as pytest_revert_safety_runner
