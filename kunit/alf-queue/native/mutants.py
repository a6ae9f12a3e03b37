#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""See whether the stress test finds what it is for.

Each mutant is lib/alf_queue.c with one thing wrong. The KUnit suite, the
stress test, or its thread sanitizer build for what x86 hardware hides, has to
fail on it or to hang. Barriers whose lack none of them can see are left to
the litmus tests. Prints TAP.
"""

import argparse
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True

HERE = pathlib.Path(__file__).resolve().parent
ARGS = {'unit': [], 'stress': ['-n', '400000', '-t', '5'],
        'stress-tsan': ['-n', '400000', '-t', '20']}

# What is wrong, the build that shows it, and how: an expression, its
# replacement, and how often it applies.
MUTANTS = [
    ('head moved by a plain store', 'stress',
     r'return atomic64_try_cmpxchg_release\(head, &expected, new\)',
     'return (void)expected, atomic64_set(head, new), true', 1),
    ('pointers of any lap', 'unit', r'return !\(\(u32\)index & size\);',
     'return 1;', 1),
    ('one index too many below the limit', 'unit',
     r'head \+ n > atomic64_read\(&q->prod\.limit\)\)\)',
     'head + n > atomic64_read(&q->prod.limit) + 1))', 1),
    ('one index too many above the limit', 'unit', r'min\(n, limit - head\)',
     'min(n, limit - head + 1)', 1),
    ('room without a free mark', 'unit',
     r'READ_ONCE\(\*alf_slot\(q, q->size, end\)\) ==\s+'
     r'alf_free_mark\(q->size, end\)', 'true', 1),
    ('the last slot without its mark', 'unit',
     r'(\blimit,) end\);', r'\1 end + 1);', 1),
    ('no look at the consumers\' head', 'unit',
     r'return clamp\([^;]*;', 'return limit;', 1),
    ('chunks that are not freed', 'unit', r'alf_free_chunks\(q, [^;]*;', ';',
     1),
    ('chunks freed before the claim', 'unit',
     r'(alf_hook\(q, ALF_QUEUE_DEQUEUE_COPIED\);)',
     r'alf_free_chunks(q, size, head, got); \1', 2),
    ('chunks freed that were not taken', 'unit', r'end - head < n; end',
     'end - head <= n; end', 1),
    ('slots that are copied though not full', 'unit',
     r'if \(unlikely\(seen & 1\)\)', 'if (0)', 1),
    ('bulks that take less', 'unit', r'return burst \? i : 0;', 'return i;',
     1),
    ('bulks that enqueue less', 'unit', r'if \(got < n && !burst\)', 'if (0)',
     1),
    ('bursts that claim what they do not write', 'unit',
     r'head \+ got, shared\)\);\n\n\t/\*\n', r'head + n, shared));\n\n\t/*\n',
     1),
    ('a lap bit that is not turned at the end', 'unit',
     r'\(unsigned long\)ptrs\[i\] \| alf_lap\(size, head \+ i\)',
     '(unsigned long)ptrs[i] | alf_lap(size, head)', 1),
    ('failure at an old head', 'unit',
     r'return atomic64_read\(head\) == old;', 'return true;', 1),
    ('NULL and odd pointers', 'unit', r'if \(WARN_ONCE\(', 'if (0 && (', 1),
    ('no write barrier before the slots', 'stress-tsan', r'\tsmp_wmb\(\);',
     '\t;', 1),
    ('no acquire after the slots', 'stress-tsan',
     r'smp_acquire__after_ctrl_dep\(\);', ';', 1),
]


def mutate(text, how, to, count):
    text, n = re.subn(how, to, text)
    if n != count:
        raise LookupError(f'it applies {n} times')
    return text


def run(args):
    source = (args.linux / 'lib/alf_queue.c').read_text()
    tests, failed = list(enumerate(MUTANTS, 1)), 0
    print(f'TAP version 13\n1..{len(tests)}')
    for number, (name, target, *change) in tests:
        out = args.build / f'mutant-{number}'
        out.mkdir(parents=True, exist_ok=True)
        try:
            (out / 'alf_queue.c').write_text(mutate(source, *change))
            subprocess.run(['make', '-s', '-C', HERE, out / target,
                            f'KSRC={args.linux}', f'O={out}',
                            f'CC={args.cc}', f'ALF={out}/alf_queue.c'],
                           check=True, capture_output=True, text=True)
            r = subprocess.run([out / target, *ARGS[target]],
                               capture_output=True, text=True, timeout=60)
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
