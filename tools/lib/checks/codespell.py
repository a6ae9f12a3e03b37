# SPDX-License-Identifier: GPL-2.0
"""No misspelt word in the message and the lines added."""

import tempfile

from checks.checkpatch import checkpatch_blocks
from checks.core import Fault, excerpt, version
from common import output

SCOPE, WHEN = 'patch', 'fast'


def check(at, patch):
    series = at.series
    for _, kind, text in checkpatch_blocks(series, patch):
        if kind.startswith('TYPO_SPELLING'):
            yield Fault(text)
    added = [line for lines in patch.added.values() for line in lines]
    text = '\n'.join([patch.message, *added])

    def ask():
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as f:
            f.write(text)
            f.flush()
            return output(['codespell', f.name], check=False).replace(
                f.name, 'line')
    found = series.cache.of(
        ('codespell', version('codespell', '--version'), text), ask)
    if found.strip():
        yield Fault('misspelt, in the message and the lines added\n'
                    + excerpt(found))
