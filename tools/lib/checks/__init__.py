# SPDX-License-Identifier: GPL-2.0
"""Checks of the series, of a topic or of a patch, a module each.

A module's text says what is checked.  SCOPE is "series", "topic" or "patch",
WHEN the first of tools/check's modes that has it, and check(at, subject) yields
Faults; @at has what all share (tools/lib/check.py).
"""
