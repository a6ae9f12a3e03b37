# SPDX-License-Identifier: GPL-2.0
"""Each new file has an entry, each patch a mailing list to go to."""

import glob
import pathlib
import re

from checks.core import TREE, Fault, blob, exists
from common import git, output

SCOPE, WHEN = 'topic', 'fast'


def sections(text):
    """MAINTAINERS' entries: title -> lines."""
    found = {}
    for entry in re.split(r'\n\s*\n', text):
        lines = entry.strip('\n').splitlines()
        if len(lines) > 1 and all(re.match(r'[A-Z]:\t', x) for x in lines[1:]):
            found[lines[0]] = lines[1:]
    return found


def new_sections(series, topic):
    """The entries that a topic adds to MAINTAINERS."""
    old = sections(blob(series.onto(topic), 'MAINTAINERS'))
    new = sections(blob(series.tip(topic), 'MAINTAINERS'))
    return {title: lines for title, lines in new.items() if title not in old}


def responsible(cache, tip_, tree, arguments):
    """The entries get_maintainer.pl finds, less THE REST: title -> lines."""
    def ask():
        tree.checkout(tip_)
        text = output(['scripts/get_maintainer.pl', '--no-git', '--sections',
                       '--no-git-fallback', *arguments], cwd=TREE)
        return sections(text)
    content = [pathlib.Path(a).read_bytes() for a in arguments
               if a.startswith('/')]
    key = ('maintainers', git('rev-parse', f'{tip_}:MAINTAINERS'), arguments,
           content)
    found = cache.of(key, ask)
    return {t: lines for t, lines in found.items() if t != 'THE REST'}


def check(at, topic):
    series = at.series
    tree = at.tree
    patches = series.applied(topic)
    end = series.tip(topic)
    new = {f for p in patches for f, how in p.status.items() if how == 'A'}
    for name in sorted(new):
        if exists(end, name) and not responsible(series.cache, end, tree,
                                                 ['-f', name]):
            yield Fault(f'{name} has no entry in MAINTAINERS')
    for patch in patches:
        found = responsible(series.cache, end, tree, [str(patch.path)])
        lists = [x for lines in found.values() for x in lines if x[0] == 'L']
        if not lists and list(patch.status) != ['MAINTAINERS']:
            yield Fault(f'{patch.name}: get_maintainer.pl finds no list '
                        'of its own')
    for title, lines in new_sections(series, topic).items():
        tree.checkout(end)
        for name in [x[3:].strip() for x in lines if x[0] == 'F']:
            if not glob.glob(str(TREE / name)):
                yield Fault(f'MAINTAINERS: {title}: nothing matches {name}')
