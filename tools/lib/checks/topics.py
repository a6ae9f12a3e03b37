# SPDX-License-Identifier: GPL-2.0
"""Nothing in tools/ knows a topic: all of it is in patches/ and kunit/."""

import re

from checks.core import Fault
from checks.lint import own_files
from common import ROOT

SCOPE, WHEN = 'series', 'fast'


def check(at, _):
    names = '|'.join(name.split('-')[0] for name in at.series.all)
    for path, text in own_files():
        name = path.relative_to(ROOT)
        if name.parts[0] != 'tools':
            continue
        for n, line in enumerate(text.splitlines(), 1):
            if names and re.search(names, line):
                yield Fault(f'{name}:{n}: {line.strip()}')
