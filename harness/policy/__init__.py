# SPDX-License-Identifier: GPL-3.0-only
"""The guest's security policy: who made each item of it, and which of it a process really has. Pure."""
