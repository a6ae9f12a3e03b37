# SPDX-License-Identifier: GPL-2.0
"""quilt push -a without fuzz, the whole series in its order."""

import re

from amtree import touched
from branches import relative
from checks.core import Fault, Skip, extracted
from common import ROOT, log_path, run

SCOPE, WHEN = 'series', 'fast'


def quilt_push(tree, patches, log):
    (tree / 'series').write_text(
        ''.join(f'{relative(p)}\n' for p in patches))
    return run(['quilt', '--quiltrc', '-', 'push', '-a', '--fuzz=0'],
               'quilt push', log=log, check=False, cwd=tree,
               env={'QUILT_PATCHES': str(ROOT), 'QUILT_SERIES': 'series',
                    'QUILT_PC': '.pc', 'LC_ALL': 'C'})


def check(at, _):
    series = at.series
    topics = series.needed()
    for topic in topics:
        series.applied(topic)
    patches = [p for t in topics for p in t.patches]
    if not patches:
        raise Skip('no patches')
    log = log_path('check quilt')
    with extracted(series.base, touched(patches)) as tree:
        if quilt_push(tree, patches, log) == 0:
            if 'with fuzz' in log.read_text():
                yield Fault('applied with fuzz', log=log)
            return
    text = log.read_text()
    bad = re.findall(r'(?m)^Patch (\S+) does not apply', text)
    yield Fault(f'{bad[0] if bad else "a patch"} does not apply without fuzz '
                'where series has it\n' + '\n'.join(text.splitlines()[-8:]),
                log=log)
