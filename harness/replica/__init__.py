# SPDX-License-Identifier: GPL-3.0-only
"""What the replicas of 2017's releases are: tables, from facts, and nothing that runs."""
