# SPDX-License-Identifier: GPL-2.0
"""apply and refresh, one after the other, change nothing."""

import refresh
from branches import (COVER, Record, differences, fork_point, formatted,
                      relative, tip)
from checks.core import Fault, Skip

SCOPE, WHEN = 'topic', 'fast'


def check(at, topic):
    series = at.series
    patches = series.applied(topic)
    if not patches:
        raise Skip('no patches')
    onto, end = series.onto(topic), patches[-1].commit
    new = formatted(onto, end)
    files = refresh.placed(topic, onto, end, new)
    for path in sorted(files.keys() ^ set(topic.patches)):
        yield Fault(f'{relative(path)}: refresh would '
                    + ('write' if path in files else 'drop') + ' it')
    for path, text in files.items():
        if text not in (None, path.exists() and path.read_bytes()):
            yield Fault(f'{relative(path)} is not what refresh would write')
    cover = topic.dir / COVER
    if cover.exists() and cover.read_bytes() != refresh.cover_letter(
            topic, onto, end, len(patches)):
        yield Fault(f'{relative(cover)}: stale diffstat or shortlog')
    branch = tip(topic.name)
    if branch and branch != end and list(differences(
            topic.name, new, formatted(fork_point(topic, Record()),
                                       branch))):
        yield Fault(f'branch {topic.name} holds edits that are not in the '
                    'patch files (tools/refresh)', 'warn')
