# SPDX-License-Identifier: GPL-2.0
"""Show what the series does: from nothing to one table.

Fetches the pinned tree, applies the series, builds x86-64 kernels without and
with it, boots them under QEMU and prints, topic by topic, what upstream has
beside what the patches add, from work that was done in the guests.

  tools/demo            everything; minutes, most of them for the first build
  tools/demo --save     also keep the table in Documentation/results

Where a row says instructions, the guest's clock counted them (-icount): such
figures are the same at every run.
"""

import json
import re

import kbuild
import vm
from common import (BUILD, LINUX, ROOT, Failure, Steps, base, git, parser, run,
                    run_tool, topics)

RESULTS = ROOT / 'Documentation' / 'results'
# As build/linux and build/out lie to each other: so ccache knows the objects.
BASE = BUILD / 'base' / 'linux'
COLUMNS = 'topic', 'what', 'upstream', 'patched', 'ratio'


def row(topic, what, upstream, patched, ratio=''):
    return dict(zip(COLUMNS, (topic, what, upstream, patched, ratio)))


def bench_figures(boot):
    """{(batch, queue): nanoseconds} of the suite alf_queue_bench."""
    return {(int(m[1]), m[2]): float(m[3]) for line in boot.lines if
            (m := re.search(r'batch (\d+), (.*): ([\d.]+) ns', line))}


def base_tree():
    """The pinned tree without a patch."""
    if not (BASE / '.git').exists():
        git('worktree', 'prune')
        git('worktree', 'add', '-q', '--detach', BASE, 'base')
    git('checkout', '-q', '-f', '--detach', 'base', cwd=BASE)
    return BASE


def alf_queue(arch, _, image):
    """The queue's tests, and its cost beside the best that upstream has."""
    suites = vm.boot(arch, image, name='demo alf_queue',
                     cmdline='kunit.filter_glob=alf_queue*')
    results = suites.results()
    passed = sum(v == 'ok' for _, v in results)
    pointers = sum(int(m[1]) for line in suites.lines
                   if (m := re.search(r'consumers, (\d+) pointers', line)))
    bench = bench_figures(vm.boot(
        arch, image, name='demo alf_queue instructions', icount=True, smp=1,
        cmdline='kunit.filter_glob=alf_queue_bench'))
    if not passed or not pointers or not bench:
        raise Failure('alf_queue: its suites did not run', suites.log)

    peers = {q for _, q in bench if not q.startswith('alf_queue')}
    rows = []
    for batch in sorted({b for b, _ in bench}, key=lambda b: (b == 1, b)):
        peer = min(peers, key=lambda q: bench[batch, q])
        theirs, ours = bench[batch, peer], bench[batch, 'alf_queue mp/mc']
        rows.append(row('alf-queue', 'instructions to pass a pointer, '
                        f'batch of {batch}', f'{theirs:.1f} ({peer})',
                        f'{ours:.1f}', f'{theirs / ours:.2f}'))
    rows.append(row('alf-queue', 'stress on 2 CPUs: pointers passed, none '
                    'lost or out of order', '-', f'{pointers:,}'))
    rows.append(row('alf-queue', 'KUnit tests passed', '-',
                    f'{passed} of {len(results)}'))
    return rows


def folio_split_costs(arch, image, name):
    """{work: (folios left, instructions)} of kunit/guest/folio_split_cost."""
    program = vm.guest_program(arch, 'folio_split_cost')
    result = vm.boot(arch, image, name=f'demo folio-split {name}', icount=True,
                     smp=1, cmdline='kunit.enable=0',
                     commands=['/folio_split_cost'],
                     files={'/folio_split_cost': program})
    costs = {m[1]: (int(m[2]), int(m[3])) for line in result.lines if (
        m := re.match(r'# cost: (.*): (\d+) folios, (\d+) ns', line))}
    if 'punch' not in costs:
        raise Failure(f'folio-split: nothing measured, {name}', result.log)
    return costs


def folio_split(arch, upstream, patched):
    """Pages 16 to 31 out of a folio of 512: folios left, and the cost."""
    before = folio_split_costs(arch, upstream, 'upstream')['punch']
    costs = folio_split_costs(arch, patched, 'patched')
    after = costs['punch']

    def compare(what, theirs, ours):
        return row('folio-split', what, f'{theirs:,}', f'{ours:,}',
                   f'{theirs / ours:.2f}')
    rows = [compare('folios left of 512 pages in tmpfs, 16 punched out',
                    before[0], after[0]),
            compare('instructions of that fallocate()', before[1], after[1])]
    for kind in 'file', 'anon':
        ours = costs[f'range {kind}'][1]
        for peer, name in (('twice', 'two folio_split()'),
                           ('uniform', 'uniform split')):
            theirs = costs[f'{peer} {kind}'][1]
            rows.append(row(
                'folio-split', f'instructions to split 16 pages off, {kind}',
                f'{theirs:,} ({name})', f'{ours:,}', f'{theirs / ours:.2f}'))
    return rows


# What is shown of a topic, once it is in the series.
SHOWN = {'alf-queue': alf_queue, 'folio-split': folio_split}


def table(rows):
    """Plain text, a line a row, columns as wide as they need."""
    shown = [dict(zip(COLUMNS, COLUMNS))] + rows
    widths = [max(len(r[c]) for r in shown) for c in COLUMNS]
    lines = ['  '.join(f'{r[c]:{w}}' for c, w in zip(COLUMNS, widths)).rstrip()
             for r in shown]
    lines.insert(1, '  '.join('-' * w for w in widths))
    return '\n'.join(lines) + '\n'


def main(argv):
    p = parser(__doc__)
    p.add_argument('--save', action='store_true',
                   help='keep the rows in Documentation/results/demo.json')
    options = p.parse_args(argv)
    shown = [t for t in topics() if t in SHOWN]
    step = Steps(3 + len(shown))
    step(f'Linux {base()["version"]}: fetch, and apply the series')
    run([str(ROOT / 'tools' / 'apply')], 'apply')
    step('build it for x86-64 (the first time takes minutes)')
    arch = kbuild.arch('x86_64')
    patched = kbuild.build(arch, LINUX)
    step('build it without the series')
    upstream = kbuild.build(arch, base_tree(),
                            out=BASE.parent / 'out' / arch.name)
    rows = []
    for topic in shown:
        step(f'{topic}: {SHOWN[topic].__doc__}')
        rows += SHOWN[topic](arch, upstream, patched)
    print()
    print(table(rows), end='')
    if options.save:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / 'demo.json').write_text(json.dumps(rows, indent=1) + '\n')


if __name__ == '__main__':
    run_tool(main)
