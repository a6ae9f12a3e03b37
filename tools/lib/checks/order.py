# SPDX-License-Identifier: GPL-2.0
"""All topics in series order, and in reverse order, give the same tree."""

from checks.core import Fault, Skip, am_tree, excerpt
from common import git

SCOPE, WHEN = 'series', 'fast'


def reverse(series):
    """The topics last first, but each behind what it needs."""
    return list({t.name: t for last in reversed(series.all.values())
                 for t in series.chain(last)}.values())


def check(at, _):
    series = at.series
    if series.partial:
        raise Skip('it is about all topics')

    def tree(topics):
        patches = [p for t in topics for p in t.patches]
        with am_tree(patches) as amtree:
            return git('rev-parse', amtree.am('all', series.base, patches)
                       + '^{tree}')

    def trees():
        return [tree(list(series.all.values())), tree(reverse(series))]

    key = ('order', series.base, [(t.name, [p.read_bytes() for p in t.patches])
                                  for t in series.all.values()])
    one, other = series.cache.of(key, trees)
    if one != other:
        yield Fault('the order makes a difference\n' + excerpt(
            git('diff', '--stat', one, other), 30))
