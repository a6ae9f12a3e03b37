# SPDX-License-Identifier: GPL-2.0
"""checkpatch.pl --strict without a remark (but on spelling)."""

import collections
import re

from checks.core import CHECKPATCH_IGNORE, TREE, Fault, excerpt, version
from common import Failure, log_path, output

SCOPE, WHEN = 'patch', 'fast'


def checkpatch_blocks(series, patch):
    """What checkpatch.pl says: (level, type, text) of each remark."""
    command = ['scripts/checkpatch.pl', '--strict', '--codespell',
               '--max-line-length=80', f'--ignore={CHECKPATCH_IGNORE}',
               '--no-signoff', '--show-types', '--no-color']
    key = ('checkpatch', series.base, patch.path.read_bytes(), command,
           version('codespell', '--version'))

    def ask():
        log = log_path(f'check checkpatch {patch.name}')
        text = output(command + [str(patch.path)], check=False, cwd=TREE)
        log.write_text(text)
        if 'total:' not in text:
            raise Failure('checkpatch.pl came to no end', log)
        return [[*m.groups(), block.strip()] for block in text.split('\n\n')
                if (m := re.match(r'\s*(ERROR|WARNING|CHECK):(\w+):', block))]
    return series.cache.of(key, ask)


def is_tracepoint_layout(kind, text):
    """Is this about the form that all of TRACE_EVENT()'s users have?"""
    return (kind in ('OPEN_ENDED_LINE', 'PARENTHESIS_ALIGNMENT')
            and 'FILE: include/trace/events/' in text)


def check(at, patch):
    series = at.series
    blocks = [b for b in checkpatch_blocks(series, patch)
              if not b[1].startswith('TYPO_SPELLING')
              and not is_tracepoint_layout(b[1], b[2])]
    count = collections.Counter(level.lower() for level, _, _ in blocks)
    if blocks:
        yield Fault(', '.join(f'{n} {level}{"s" * (n > 1)}'
                              for level, n in count.items()) + '\n'
                    + excerpt('\n'.join(text for *_, text in blocks), 40))
