# SPDX-License-Identifier: GPL-2.0
"""sparse (C=2) says nothing new about the files touched."""

from checks.builder import needs_build, new_warnings

SCOPE, WHEN = 'patch', 'ci'


def check(at, patch):
    builder = at.builder
    needs_build(builder, patch)
    yield from new_warnings(builder, patch, builder.arches[0], 'sparse')
