# SPDX-License-Identifier: GPL-2.0
"""No file of the series is one that the base's distribution changed."""

from amtree import touched
from branches import noted
from checks.core import Fault, Skip
from common import LINUX

SCOPE, WHEN = 'series', 'fast'


def check(at, _):
    path = noted('changed', LINUX)
    if not path.exists():
        raise Skip('the tree is from no tarball')
    changed = path.read_text().splitlines()
    patches = [p for t in at.series.topics for p in t.patches]
    for name in sorted({*touched(patches)}.intersection(changed)):
        yield Fault(f'{name} is not upstream\'s in what was fetched')
