# SPDX-License-Identifier: GPL-2.0
"""Checks of one patch that need no compiler."""

import collections
import os
import re
import tempfile

from checks.core import (CHECKPATCH_IGNORE, TREE, Fault, blob, blob_ids,
                         excerpt, exists, extracted, new_lines, version)
from common import Failure, git, log_path, output

PEOPLE = ('Signed-off-by', 'Reviewed-by', 'Acked-by', 'Tested-by',
          'Co-developed-by', 'Ack', 'Reviewed')
WIDTH = 75


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


def checkpatch(series, patch):
    """checkpatch.pl --strict without a remark (but on spelling)."""
    blocks = [b for b in checkpatch_blocks(series, patch)
              if not b[1].startswith('TYPO_SPELLING')
              and not is_tracepoint_layout(b[1], b[2])]
    count = collections.Counter(level.lower() for level, _, _ in blocks)
    if blocks:
        yield Fault(', '.join(f'{n} {level}{"s" * (n > 1)}'
                              for level, n in count.items()) + '\n'
                    + excerpt('\n'.join(text for *_, text in blocks), 40))


def codespell(series, patch):
    """No misspelt word in the message and the lines added."""
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


def tags(series, patch):
    """Nobody's approval is claimed; who posts signs off."""
    for line in patch.message.splitlines():
        if re.match(rf'({"|".join(PEOPLE)}): ', line, re.I):
            yield Fault(f'has "{line}"')


def may_be_long(line):
    """Quoted output, tables, links and trailers keep their length."""
    return (line.startswith((' ', '\t', '>', '|')) or '://' in line
            or ' ' not in line or re.match(r'[A-Z][a-z]+(-[a-z]+)*: ', line))


def message(series, patch):
    """Subject, body, width and Fixes: as mailing lists want them."""
    subject, _, body = patch.message.partition('\n')
    if not re.match(r'[\w/.,*-]+(, [\w/.-]+)*(: [\w/.,*-]+)*: \S', subject):
        yield Fault(f'the subject names no area: "{subject}"')
    if len(subject) > WIDTH:
        yield Fault(f'the subject has {len(subject)} characters')
    if subject.endswith('.'):
        yield Fault('the subject ends with a full stop')
    text = [line for line in body.splitlines()
            if line.strip() and not re.match(r'[A-Z][\w-]+: ', line)]
    if body and not body.startswith('\n'):
        yield Fault('no empty line below the subject')
    if not text:
        yield Fault('no body: say why')
    for line in body.splitlines():
        if len(line) > WIDTH and not may_be_long(line):
            yield Fault(f'a line of {len(line)} characters: {line[:40]}...')
        if re.match(r'\s*fixes:', line, re.I) and not re.fullmatch(
                r'Fixes: [0-9a-f]{12} \("[^"].*"\)', line):
            yield Fault(f'not as Fixes: 12-digits ("subject"): {line}')


def complaints(commit, names):
    """What kernel-doc says about files of a commit."""
    with extracted(commit, names) as where:
        env = {'PYTHONDONTWRITEBYTECODE': '1'}
        text = output(['sh', '-c', 'exec "$@" 2>&1', 'sh',
                       str(TREE / 'scripts/kernel-doc'), '-none', '-Wall',
                       *names], check=False, cwd=where, env=env)
    return sorted(set(re.findall(r'(?m)^(?:Warning|Error): (.*)', text)))


def kernel_doc_text(series, commit, names):
    key = ('kernel-doc', series.base, blob_ids(commit, *names))
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


def kernel_doc(series, patch):
    """kernel-doc -Wall says nothing new; what is exported is described."""
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
