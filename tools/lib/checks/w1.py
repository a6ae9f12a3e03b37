# SPDX-License-Identifier: GPL-2.0
"""gcc with W=1 says nothing new about the files touched."""

from checks.builder import needs_build, new_warnings

SCOPE, WHEN = 'patch', 'ci'


def check(at, patch):
    builder = at.builder
    needs_build(builder, patch)
    topic = builder.topic(patch)
    builder.ensure([lambda a=a: builder.warnings(
        patch, patch.commit, a, builder.built(topic, patch, a))
        for a in builder.arches])
    for arch in builder.arches:
        yield from new_warnings(builder, patch, arch, 'gcc')
