# SPDX-License-Identifier: GPL-2.0
"""MAINTAINERS-snippet holds the entries that the patches add."""

import re

from checks.core import Fault, blob
from checks.maintainers import new_sections, sections
from common import ROOT

SCOPE, WHEN = 'series', 'fast'


def check(at, _):
    series = at.series
    added = {}
    for topic in series.topics:
        series.applied(topic)
        # A later topic may add files to an earlier one's entry.
        tip_sections = sections(blob(series.tip(topic), 'MAINTAINERS'))
        added.update(new_sections(series, topic))
        added.update({t: tip_sections[t] for t in added if t in tip_sections})
    path = ROOT / 'MAINTAINERS-snippet'
    text = path.read_text() if path.exists() else ''
    there = sections(re.sub(r'(?m)^#.*\n', '', text))
    for title, lines in added.items():
        if there.get(title) != lines:
            yield Fault(f'MAINTAINERS-snippet: {title} '
                        + ('differs' if title in there else 'is missing'))
    for title in there if not series.partial else ():
        if title not in added:
            yield Fault(f'MAINTAINERS-snippet: no patch adds {title}')
