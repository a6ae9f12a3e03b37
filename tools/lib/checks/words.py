# SPDX-License-Identifier: GPL-2.0
"""White space and spelling of the repository's own texts."""

import re

from branches import COVER, relative
from checks.core import Fault, excerpt
from checks.lint import own_files
from common import ROOT, output

SCOPE, WHEN = 'series', 'fast'


def text_faults(name, text):
    for n, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield Fault(f'{name}:{n}: trailing white space')
        if re.search(' \t', line):
            yield Fault(f'{name}:{n}: a space before a tab')
        if name.endswith('.py') and '\t' in re.match(r'\s*', line)[0]:
            yield Fault(f'{name}:{n}: indented by a tab')
    if text and not text.endswith('\n'):
        yield Fault(f'{name}: no newline at the end')


def patch_faults(name, text):
    """The same in a patch's message and in the lines it adds."""
    message, _, diff = text.partition('\n---\n')
    yield from text_faults(name, message + '\n')
    for line in diff.splitlines():
        if line.startswith('+') and line != line.rstrip():
            yield Fault(f'{name}: trailing white space: {line.rstrip()}')


def check(at, _):
    files = list(own_files())
    for path, text in files:
        yield from text_faults(relative(path), text)
    covers = []
    for topic in at.series.topics:
        for path in topic.patches:
            if path.exists():
                yield from patch_faults(relative(path),
                                        path.read_text(errors='replace'))
        covers += [topic.dir / COVER] * (topic.dir / COVER).exists()
    paths = [p for p, _ in files] + covers
    text = output(['codespell', *map(relative, paths)], check=False, cwd=ROOT)
    if text.strip():
        yield Fault('misspelt\n' + excerpt(text, 30))
