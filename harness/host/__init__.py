# SPDX-License-Identifier: GPL-3.0-only
"""The host under the machines: processes, waiting, the asyncio thread, run directories, facts."""
