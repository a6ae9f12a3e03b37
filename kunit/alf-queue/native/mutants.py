#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""See whether the stress test finds what it is for.

Each mutant is lib/alf_queue.c with one thing wrong. The stress test, or its
thread sanitizer build for what x86 hardware hides, has to fail on it or to
hang. Prints TAP.
"""

import argparse
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True

HERE = pathlib.Path(__file__).resolve().parent
CMPXCHG = r'!atomic64_try_cmpxchg_release\((&side->head), &old, (\w+)\)'
HANDOFF = r'smp_cond_load_relaxed\(&side->tail, VAL == first\);'
PUBLISH = r'smp_store_release\(&side->tail, first \+ n\)'


def early(text, op):
    """The tail of @op's side published before the copying, not after."""
    start = text.index(f'\nalf_{op}(struct alf_queue *q')
    end = text.index('\n}\n', start)
    body = text[start:end]
    call = re.search(r'\n\talf_publish\([^;]*;', body).group()
    body = body.replace(call, '')
    body, n = re.subn(r'(\tif \([^\n]*!n\)*\n\t\treturn 0;\n)',
                      lambda m: m.group() + call + '\n', body)
    return text[:start] + body + text[end:], n


# What is wrong, the build that shows it, and how: an expression and its
# replacement, or a function of the text.
MUTANTS = [
    ('head moved by a plain store', 'stress', CMPXCHG,
     r'(atomic64_set(\1, \2), 0)'),
    ('no wait for who reserved before', 'stress', HANDOFF, ';'),
    ('enqueue publishes before it copies', 'stress',
     lambda text: early(text, 'enqueue'), None),
    ('dequeue gives slots back before it copies', 'stress',
     lambda text: early(text, 'dequeue'), None),
    ('one more than the other side has published', 'stress',
     r'smp_load_acquire\(opposite\)', 'smp_load_acquire(opposite) + 1'),
    ('one more than the limit allows', 'stress',
     lambda text: re.subn(r'\(limit - head < n\)', '(limit - head + 1 < n)',
                          text, count=1), None),
    ('bulks that are satisfied with less', 'stress',
     r'if \(!got \|\| [^\n]*\)\n', 'if (!got)\n'),
    ('bursts that reserve what they do not use', 'stress',
     r'alf_pack\(head \+ got, limit\)', 'alf_pack(head + n, limit)'),
    ('tail published without release', 'stress-tsan', PUBLISH,
     'WRITE_ONCE(side->tail, first + n)'),
    ('opposite tail read without acquire', 'stress-tsan',
     r'smp_load_acquire\(opposite\)', 'READ_ONCE(*opposite)'),
    ('head read without acquire', 'stress-tsan',
     'atomic64_read_acquire', 'atomic64_read'),
]


def mutate(text, how, to):
    text, n = how(text) if callable(how) else re.subn(how, to, text)
    if n != 1:
        raise LookupError(f'it applies {n} times')
    return text


def run(args):
    source = (args.linux / 'lib/alf_queue.c').read_text()
    tests, failed = list(enumerate(MUTANTS, 1)), 0
    print(f'TAP version 13\n1..{len(tests)}')
    for number, (name, target, how, to) in tests:
        out = args.build / f'mutant-{number}'
        out.mkdir(parents=True, exist_ok=True)
        try:
            (out / 'alf_queue.c').write_text(mutate(source, how, to))
            subprocess.run(['make', '-s', '-C', HERE, out / target,
                            f'KSRC={args.linux}', f'O={out}',
                            f'CC={args.cc}', f'ALF={out}/alf_queue.c'],
                           check=True, capture_output=True, text=True)
            r = subprocess.run([out / target, '-n', '400000', '-t', '5'],
                               capture_output=True, text=True, timeout=120)
            seen, how = r.returncode != 0, 'survives'
        except LookupError as e:
            seen, how = False, str(e)
        except subprocess.CalledProcessError as e:
            seen, how = False, 'does not build: ' + e.stderr.strip()[-500:]
        except subprocess.TimeoutExpired:
            seen = True
        failed += not seen
        print(f'{"ok" if seen else "not ok"} {number} - {name}'
              + ('' if seen else f'\n# {how}'), flush=True)
    return failed


def main(argv):
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    root = HERE.parent.parent / 'build'
    p.add_argument('--linux', type=pathlib.Path, default=root / 'linux',
                   help='the patched kernel tree')
    p.add_argument('--build', type=pathlib.Path, default=root / 'native',
                   help='where to build')
    p.add_argument('--cc', default='gcc')
    args = p.parse_args(argv)
    args.linux, args.build = args.linux.resolve(), args.build.resolve()
    return 1 if run(args) else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
