# SPDX-License-Identifier: GPL-2.0
"""The litmus tests that the patches add, under the kernel's memory model.

Each test names its expected result.  For one that is never to happen, every
barrier in it is then weakened in turn, and the result must flip: a test that
holds without its barrier does not guard it.
"""

import re
import tempfile

from common import Failure, git, output, ref

WEAKER = {
    'smp_load_acquire(': 'READ_ONCE(*',
    'smp_store_release(': 'WRITE_ONCE(*',
    'cmpxchg_release(': 'cmpxchg_relaxed(',
    'smp_wmb();': '',
    'smp_rmb();': '',
}
BARRIER = re.compile('|'.join(map(re.escape, WEAKER)))


def added_tests(tree):
    """The litmus tests which the tree has and base has not."""
    names = git('diff', '--name-only', '--diff-filter=A', ref('base'), '--',
                '*.litmus', cwd=tree).splitlines()
    return [tree / n for n in names]


def observe(herd7, tree, text):
    """What herd7 says of a test: Never, Sometimes or Always."""
    with tempfile.NamedTemporaryFile('w', suffix='.litmus') as f:
        f.write(text)
        f.flush()
        said = output([herd7, '-conf', 'linux-kernel.cfg', f.name],
                      cwd=tree / 'tools' / 'memory-model')
    m = re.search(r'^Observation \S+ (\w+)', said, re.MULTILINE)
    if not m:
        raise Failure(f'herd7 gave no observation:\n{said}')
    return m[1]


def mutants(text):
    """(barrier and line, text without it) for every barrier of a test."""
    for m in BARRIER.finditer(text):
        line = text.count('\n', 0, m.start()) + 1
        yield (f'{m[0][:-1]} in line {line}',
               text[:m.start()] + WEAKER[m[0]] + text[m.end():])


def check(herd7, tree, path):
    """Run one test and its mutants; raise Failure for a wrong result."""
    text = path.read_text()
    expected = re.search(r'Result: (\w+)', text)
    if not expected:
        raise Failure(f'{path.name}: no "Result:" line')
    seen = observe(herd7, tree, text)
    if seen != expected[1]:
        raise Failure(f'{path.name}: {seen}, expected {expected[1]}')
    if seen != 'Never':
        return
    for barrier, mutant in mutants(text):
        if observe(herd7, tree, mutant) == 'Never':
            raise Failure(f'{path.name}: still Never without the {barrier}')
