# SPDX-License-Identifier: GPL-2.0
"""Subject, body, width and Fixes: as mailing lists want them."""

import re

from checks.core import Fault

SCOPE, WHEN = 'patch', 'fast'
WIDTH = 75


def may_be_long(line):
    """Quoted output, tables, links and trailers keep their length."""
    return (line.startswith((' ', '\t', '>', '|')) or '://' in line
            or ' ' not in line or re.match(r'[A-Z][a-z]+(-[a-z]+)*: ', line))


def check(at, patch):
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
