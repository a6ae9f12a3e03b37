# SPDX-License-Identifier: GPL-2.0
"""Every patch listed once, numbered, with a cover letter."""

import re

from branches import COVER, relative
from checks.core import Fault
from common import BASE, HEADING, OVERLAY, SERIES

SCOPE, WHEN = 'series', 'fast'
MOST_PATCHES = 15


def listing(series):
    listed = [p for t in series.all.values() for p in t.patches]
    names = [t.name for t in series.topics]
    there = {p for p in OVERLAY.glob('*/*.patch') if p.name != COVER
             and (p.parent.name in names or not series.partial)}
    for path in sorted(there - set(listed)):
        yield Fault(f'{relative(path)} is not listed in series')
    for path in listed:
        if not path.exists():
            yield Fault(f'series lists {relative(path)}, which is not there')
    for path in sorted({p for p in listed if listed.count(p) > 1}):
        yield Fault(f'series lists {relative(path)} more than once')


def topic_files(topic):
    if not topic.patches:
        yield Fault(f'{topic.name} has no patches yet', 'note')
        return
    sizes = [len(part.patches) for part in topic.parts]
    most = max(*sizes, len(topic.patches) - sum(sizes), 0)
    if most > MOST_PATCHES:
        yield Fault(f'{topic.name} has {most} patches in one part; at most '
                    f'{MOST_PATCHES} are read by anybody')
    if BASE:
        return
    for n, path in enumerate(topic.patches, 1):
        if path.parent != topic.dir or not path.name.startswith(f'{n:04}-'):
            yield Fault(f'{relative(path)} should be patches/{topic.name}/'
                        f'{n:04}-*.patch')
    cover = topic.dir / COVER
    if not cover.exists():
        yield Fault(f'{relative(cover)} is missing')
    elif re.search(r'\*\*\* (SUBJECT|BLURB) HERE', cover.read_text()):
        yield Fault(f'{relative(cover)} is not written yet')


def check(at, _):
    series = at.series
    text = SERIES.read_text()
    for n, line in enumerate(text.splitlines(), 1):
        if re.match(r'#\s*[\w/-]+\s*(\(.*\))?:', line) \
                and not HEADING.fullmatch(line):
            yield Fault(f'series:{n}: not a heading: {line}')
    yield from listing(series)
    for topic in series.topics:
        yield from topic_files(topic)
