# SPDX-License-Identifier: GPL-2.0
"""Show what the series does: from nothing to one table.

Fetches the pinned tree, applies the series, builds x86-64 kernels without and
with it, boots them under QEMU and prints, topic by topic, what upstream has
beside what the patches add, from work that was done in the guests.

  tools/demo            everything; minutes, most of them for the first build
  tools/demo --save     also keep the table in Documentation/results

Where a row says instructions, the guest's clock counted them (-icount): such
figures repeat within a percent.
"""

import json
import re

import kbuild
import vm
from common import (BUILD, LINUX, RESULTS, ROOT, Failure, Steps, aligned, base,
                    git, parser, run, run_tool, topics)

# As build/linux and build/out lie to each other: so ccache knows the objects.
UPSTREAM = BUILD / 'base' / LINUX.name
COLUMNS = 'topic', 'what', 'upstream', 'patched', 'ratio'


def row(topic, what, upstream, patched, ratio=''):
    return dict(zip(COLUMNS, (topic, what, upstream, patched, ratio)))


def bench_figures(boot):
    """{(batch, queue): nanoseconds} of the suite alf_queue_bench."""
    return {(int(m[1]), m[2]): float(m[3]) for line in boot.lines if
            (m := re.search(r'batch (\d+), (.*): ([\d.]+) ns', line))}


def base_tree():
    """The pinned tree without a patch."""
    if not (UPSTREAM / '.git').exists():
        git('worktree', 'prune')
        git('worktree', 'add', '-q', '--detach', UPSTREAM, 'base')
    git('checkout', '-q', '-f', '--detach', 'base', cwd=UPSTREAM)
    return UPSTREAM


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


def guest_costs(arch, image, program, name):
    """What kunit/guest/PROGRAM.c measures: {work: (folios left, ns)}, console.

    With -icount, and on one CPU.
    """
    result = vm.boot(arch, image, name=f'demo {program} {name}', icount=True,
                     smp=1, cmdline='kunit.enable=0',
                     commands=[f'/{program}'],
                     files={f'/{program}': vm.guest_program(arch, program)})
    costs = {m[1]: (int(m[2]), int(m[3])) for line in result.lines if (
        m := re.match(r'# cost: (.*): (\d+) folios, (\d+) ns', line))}
    if not costs:
        raise Failure(f'{program}: nothing measured, {name}', result.log)
    return costs, result


def compared(topic, what, theirs, ours, peer=''):
    return row(topic, what, f'{theirs:,}' + (f' ({peer})' if peer else ''),
               f'{ours:,}', f'{theirs / ours:.2f}')


def folio_split(arch, upstream, patched):
    """Pages 16 to 31 out of a folio of 512: folios left, and the cost."""
    before, _ = guest_costs(arch, upstream, 'folio_split_cost', 'upstream')
    after, _ = guest_costs(arch, patched, 'folio_split_cost', 'patched')
    rows = [compared('folio-split', what, before['punch'][n],
                     after['punch'][n]) for n, what in enumerate((
                         'folios left of 512 pages in tmpfs, 16 punched out',
                         'instructions of that fallocate()'))]
    for kind in 'file', 'anon':
        rows += [compared(
            'folio-split', f'instructions to split 16 pages off, {kind}',
            after[f'{peer} {kind}'][1], after[f'range {kind}'][1], name)
            for peer, name in (('twice', 'two folio_split()'),
                               ('uniform', 'uniform split'))]
    return rows


def madvise(arch, upstream, patched):
    """Advice for pages 16 to 31 of a folio of 512, for all, and page by page."""
    before, out_before = guest_costs(arch, upstream, 'madvise_cost',
                                     'upstream')
    after, out_after = guest_costs(arch, patched, 'madvise_cost', 'patched')
    out = [int(m[1]) for result in (out_before, out_after)
           for line in result.lines if (m := re.match(r'# out: (\d+)', line))]
    rows = [row('madvise', 'pages of 16 that MADV_PAGEOUT takes out of a '
                'folio of tmpfs', *map(str, out)),
            compared('madvise', 'folios left after MADV_COLD for 16 of 512 '
                     'pages', before['cold part, pmd'][0],
                     after['cold part, pmd'][0])]
    for name, work in (('MADV_COLD for 16 pages', 'cold part, pmd'),
                       ('MADV_PAGEOUT for 16 pages', 'pageout part, pmd'),
                       ('MADV_COLD for the whole folio', 'cold by 512, pmd'),
                       ('MADV_COLD by 16 pages in 32 calls',
                        'cold by 16, pmd'),
                       ('MADV_COLD by pages in 512 calls',
                        'cold by 1, pmd')):
        rows.append(compared('madvise', f'instructions of {name}',
                             before[work][1], after[work][1]))
    return rows


def khugepaged_wakes(arch, image, name, policy=''):
    """{others: wake-ups} of kunit/guest/khugepaged_wakes."""
    program = vm.guest_program(arch, 'khugepaged_wakes')
    result = vm.boot(arch, image, name=f'demo khugepaged {name}',
                     cmdline='kunit.enable=0',
                     commands=[f'/khugepaged_wakes {policy}'.strip()],
                     files={'/khugepaged_wakes': program})
    wakes = {m[1]: int(m[2]) for line in result.lines if (
        m := re.match(r'# wakes: 200 (\w+): (\d+), huge 4 of 4', line))}
    if {'idle', 'barren'} - set(wakes):
        raise Failure(f'khugepaged: nothing measured, {name}', result.log)
    return wakes


def khugepaged(arch, upstream, patched):
    """Wake-ups until a busy process behind 200 others has huge pages."""
    before = khugepaged_wakes(arch, upstream, 'upstream')
    after = khugepaged_wakes(arch, patched, 'patched', 'mm-aware')
    return [row('khugepaged', 'wake-ups until a busy process behind 200 '
                f'{others} ones has huge pages', str(before[others]),
                str(after[others]), f'{before[others] / after[others]:.2f}')
            for others in ('idle', 'barren')]


def zsmalloc(arch, _, image):
    """What is copied for a page when a tenth is wanted, and not all."""
    bench = vm.boot(arch, image, name='demo zsmalloc', smp=1, icount=True,
                    timeout=600, cmdline='kunit.filter_glob=zsmalloc_bench')
    copied = {(m[1], m[2]): int(m[3]) for line in bench.lines if (
        m := re.search(r'(\w+), (full|shrinker 10%).*bytes/page (\d+)', line))}
    if not copied:
        raise Failure('zsmalloc: the benchmark did not run', bench.log)
    # Asked for a tenth, upstream's shrinker compacts all; so does "full".
    return [compared('zsmalloc', f'bytes copied per page freed, a tenth: {p}',
                     copied[p, 'full'], copied[p, 'shrinker 10%'],
                     'full compaction') for p in ('random', 'owners', 'sizes')]


def qmempool(arch, _, image):
    """The pool's cost beside SLUB's own caches, in the test kernel."""
    bench = vm.boot(arch, image, name='demo qmempool', icount=True, smp=1,
                    cmdline='kunit.filter_glob=qmempool_bench')
    cost = {(int(m[1]), m[2]): float(m[3]) for line in bench.lines if
            (m := re.search(r': N (\d+), (.*): ([\d.]+) ns', line))}
    if not cost:
        raise Failure('qmempool: the benchmark did not run', bench.log)
    rows = []
    for n in 1, 256, 4096:
        # Less the loop and its calls; failslab makes SLUB dearer, by about 28
        # and by 65 in softirq, so the best of all is what a pool is held to.
        net = {q: cost[m, q] - cost[m, 'nothing'] for m, q in cost if m == n}
        slub = [q for q in net if q.startswith('SLUB')]
        for what, pool in (('softirq', 'qmempool, BH'),
                           ('task', 'qmempool, task'),
                           ('any context', 'qmempool, ANY')):
            peer = min(slub, key=net.get)
            rows.append(row('qmempool', f'instructions for an object, {what}, '
                            f'{n} at a time, with CONFIG_FAILSLAB',
                            f'{net[peer]:.1f} ({peer})', f'{net[pool]:.1f}',
                            f'{net[peer] / net[pool]:.2f}'))
    return rows


# What is shown of a topic, once it is in the series.
SHOWN = {'alf-queue': alf_queue, 'folio-split': folio_split,
         'madvise': madvise, 'khugepaged': khugepaged, 'zsmalloc': zsmalloc,
         'qmempool': qmempool}


def table(rows):
    """Plain text, a line a row."""
    cells = [COLUMNS] + [[r[c] for c in COLUMNS] for r in rows]
    cells.insert(1, ['-' * max(map(len, column)) for column in zip(*cells)])
    return '\n'.join(aligned(cells)) + '\n'


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
    upstream = kbuild.build(arch, base_tree())

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
