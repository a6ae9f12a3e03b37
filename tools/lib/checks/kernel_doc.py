# SPDX-License-Identifier: GPL-2.0
"""kernel-doc -Wall says nothing new; what is exported is described."""

import os
import re

from checks.core import (TREE, Fault, blob, blob_ids, exists, extracted,
                         new_lines)
from common import git, output

SCOPE, WHEN = 'patch', 'fast'


def complaints(commit, names):
    """What kernel-doc says about files of a commit."""
    with extracted(commit, names) as where:
        env = {'PYTHONDONTWRITEBYTECODE': '1'}
        text = output(['sh', '-c', 'exec "$@" 2>&1', 'sh',
                       str(TREE / 'scripts/kernel-doc'), '-none', '-Wall',
                       *names], check=False, cwd=where, env=env)
    return sorted(set(re.findall(r'(?m)^(?:Warning|Error): (.*)', text)))


def kernel_doc_text(series, commit, names):
    key = ('kernel-doc -Wall', series.base, blob_ids(commit, *names))
    return series.cache.of(key, lambda: complaints(commit, names))


def documented(text, name):
    return re.search(rf'/\*\*\n[ \t]*\*[ \t]+(?:\w+ )?{name}(\(\))?'
                     r'[ \t]*(-|:|\n)', text)


def macro_for(text, name):
    """A documented macro that is the way to call an exported function."""
    for macro, body in re.findall(
            r'(?m)^#\s*define\s+(\w+)\(((?:.*\\\n)*.*)', text):
        if re.search(rf'\b{name}\b', body) and documented(text, macro):
            return macro
    return None


def without_line(text):
    return re.sub(r':\d+(:\d+)?', '', text)


def undocumented(patch, names):
    # What is exported to its tests only has no other reader.
    export = re.compile(r'EXPORT_SYMBOL(?:_(?!IF_KUNIT)\w+)?\((\w+)')
    for name in names:
        for line in patch.added.get(name, ()):
            symbol = export.match(line)
            if not symbol:
                continue
            text = '\n'.join(blob(patch.commit, n) for n in around(patch,
                                                                   name))
            if not documented(text, symbol[1]) and not macro_for(text,
                                                                 symbol[1]):
                yield Fault(f'{name}: {symbol[1]} is exported and has no '
                            'kernel-doc')


def around(patch, name):
    """A file and the headers it includes that are in the tree."""
    text = blob(patch.commit, name)
    headers = [f'include/{h}' for h in re.findall(
        r'(?m)^#include <([\w/.-]+)>', text)]
    headers += [os.path.normpath(os.path.join(os.path.dirname(name), h))
                for h in re.findall(r'(?m)^#include "([\w/.-]+)"', text)]
    return [name] + git('ls-tree', '--name-only', patch.commit, '--',
                        *headers).splitlines() * bool(headers)


def check(at, patch):
    series = at.series
    names = [n for n in patch.files if n.endswith(('.c', '.h'))
             and not n.startswith('tools/')]
    if not names:
        return
    found = kernel_doc_text(series, patch.commit, names)
    before = [n for n in names if exists(patch.parent, n)] if found else []
    old = kernel_doc_text(series, patch.parent, before) if before else []
    for text in new_lines(found, old, without_line):
        yield Fault(text)
    yield from undocumented(patch, names)
