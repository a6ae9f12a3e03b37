# SPDX-License-Identifier: GPL-2.0
"""Show what the series does: from nothing to one table.

Fetches the pinned tree, applies the series, builds x86-64 kernels without and
with it, boots them under QEMU and prints, topic by topic, what upstream has
beside what the patches add, from work that was done in the guests, or by
programs made from the trees' files.

  tools/demo            everything; minutes, most of them for the first build
  tools/demo --topic T  what one topic does
  tools/demo --real     with programs of Debian, in kernels with what Debian's
                        have on: real.toml instead of demo.toml; an hour
  tools/demo --save     also keep the table in Documentation/results

Instructions are counted by the guest's clock (-icount): such figures repeat
within a percent.  What is shown of a topic is in kunit/TOPIC/demo.toml.
"""

import json
import re
import statistics
import tomllib

import common
import kbuild
import vm
from common import (BUILD, LINUX, RESULTS, TOOLS, Failure, Steps, aligned,
                    base, git, output, parsed, parser, put, ref, rows_of, run)

# As build/linux and build/out lie to each other: so ccache knows the objects.
UPSTREAM = BUILD / 'base' / LINUX.name
COLUMNS = 'topic', 'what', 'unit', 'upstream', 'patched', 'ratio'


def base_tree():
    """The pinned tree without a patch."""
    commit = git('rev-parse', ref('base'))
    common.need_work_tree(UPSTREAM, commit)
    git('checkout', '-q', '-f', '--detach', commit, cwd=UPSTREAM)
    return UPSTREAM


# The rows' source, kunit/TOPIC/KIND.toml, and their kernels' configuration.
kind, configs = 'demo', ()


def boots(topic):
    """What demo.toml or real.toml of a topic has:

    kunit, program   the suites, or the program, that count; or both
    native           or, without a boot, a program of kunit/TOPIC/native
    arguments        of the program, with the series
    before           also boot the kernel without the series
    main           true where only the main base has what it is made of
    icount           false where what is counted needs two CPUs
    memory           of the guest, "4G"
    runs             how often, where figures vary: medians are shown
    figures          expressions that match what is printed, each group a unit
    key              what names a figure, made of such groups
    row              what is shown: the unit; "patched", a key; "peers", an
                     expression for the keys of which the best is compared
                     (else the same key without the series); "less", a key
                     whose figure is no part of others; "better", less or more
    """
    path = kbuild.KUNIT / topic / f'{kind}.toml'
    if not path.exists():
        return []
    found = rows_of(path, parsed(path, tomllib.loads).get('boot', []),
                    'figures', 'key', 'row')
    for wanted in found:
        rows_of(path, wanted['row'], 'what', 'unit', 'patched')
        try:
            for each in wanted['row']:
                re.compile(each.get('peers', ''))
            for figure in wanted['figures']:
                wanted['key'].format(**re.compile(figure).groupindex)
        except (re.error, LookupError, ValueError) as e:
            raise Failure(f'{path}: key "{wanted["key"]}" or expressions: {e}')
    return [wanted for wanted in found
            if not (common.BASE and wanted.get('main'))]


def native(topic, wanted, series):
    """What a program prints that is made from files of a tree."""
    out = BUILD / 'native' / f'{topic}-{"patched" if series else "upstream"}'
    program, *arguments = wanted['native'].split()
    run(['make', '-C', kbuild.KUNIT / topic / 'native', f'O={out}',
         f'KSRC={LINUX if series else base_tree()}', out / program], 'native')
    return output([str(out / program), *arguments]).splitlines(), None


def booted(arch, image, topic, wanted, series):
    """What a kernel prints, and the log."""
    program = wanted.get('program', '')
    if program and series:
        program += ' ' + wanted.get('arguments', '')
    icount = wanted.get('icount', True)
    result = vm.boot(
        arch, image, icount=icount, smp=1 if icount else 2,
        timeout=3600 if kind == 'real' else 600,
        memory=wanted.get('memory', '2G'),
        name=f'{kind} {topic} {"patched" if series else "upstream"}',
        cmdline=f'kunit.filter_glob={wanted["kunit"]}' if 'kunit' in wanted
        else 'kunit.enable=0', **vm.programs(arch, LINUX, program.strip()))
    return result.lines, result.log


def once(arch, image, topic, wanted, series):
    """Boot a kernel, or run a program: key -> {unit: figure}."""
    lines, log = (native(topic, wanted, series) if 'native' in wanted
                  else booted(arch, image, topic, wanted, series))
    found = {}
    for line in lines:
        for figure in wanted['figures']:
            if m := re.search(figure, line):
                found[wanted['key'].format(**m.groupdict())] = m.groupdict()
    if not found:
        raise Failure(f'{topic}: nothing was measured', log)
    return found


def measured(*args):
    """The same of as many runs as are wanted: the median of each figure."""
    wanted = args[3]
    runs = [once(*args) for _ in range(wanted.get('runs', 1))]
    units = {r['unit'] for r in wanted['row']}
    return {key: {unit: statistics.median(float(found[key][unit])
                                          for found in runs)
                  for unit in units & runs[0][key].keys()}
            for key in runs[0]}


def shown(figure):
    return f'{figure:,.1f}' if figure % 1 else f'{figure:,.0f}'


def row(topic, wanted, before, after):
    """A row of the table."""
    unit, key = wanted['unit'], wanted['patched']
    better = max if wanted.get('better') == 'more' else min

    def of(found, name):
        less = wanted.get('less')
        return found[name][unit] - (found[less][unit] if less else 0)
    peer = ''
    if 'peers' in wanted:
        peers = {k: m for k in after if (m := re.fullmatch(wanted['peers'],
                                                           k))}
        best = better(peers, key=lambda k: of(after, k))
        theirs = of(after, best)
        peer = ''.join(f' ({name})' for name in peers[best].groups())
    else:
        theirs = of(before, key)
    ours = of(after, key)
    over, under = (theirs, ours) if better is min else (ours, theirs)
    ratio = over / under if under else 0
    return dict(zip(COLUMNS, (
        topic, wanted['what'], unit, shown(theirs) + peer, shown(ours),
        f'{ratio:.2f}' if ratio else '')))


def is_there(wanted, before, after):
    """Whether a row's figures are: an older base may lack what it is about."""
    ours = [wanted[k] for k in ('patched', 'less') if k in wanted]
    theirs = [(before, k) for k in ours]
    if 'peers' in wanted:
        theirs = [(after, k) for k in after if re.fullmatch(wanted['peers'], k)]
    return theirs and all(
        wanted['unit'] in found.get(key, ())
        for found, key in [*theirs, *((after, k) for k in ours)])


def rows(arch, topic, upstream, patched):
    for wanted in boots(topic):
        before = {}
        if wanted.get('before'):
            before = measured(arch, upstream, topic, wanted, False)
        after = measured(arch, patched, topic, wanted, True)
        for each in wanted['row']:
            if is_there(each, before, after):
                yield row(topic, each, before, after)
            elif common.BASE:
                print(f'{topic}: not on this base: {each["what"]}')
            else:
                raise Failure(f'{topic}: nothing was measured of '
                              f'"{each["what"]}"')


def table(every):
    """Plain text, a line a row."""
    cells = [COLUMNS] + [[r[c] for c in COLUMNS] for r in every]
    cells.insert(1, ['-' * max(map(len, column)) for column in zip(*cells)])
    return '\n'.join(aligned(cells)) + '\n'


def kept(path):
    """The rows that --save kept."""
    return rows_of(path, parsed(path, json.loads, list), *COLUMNS) \
        if path.exists() else []


def main(argv):
    p = parser(__doc__)
    p.add_argument('--topic', help='this topic only')
    p.add_argument('--save', action='store_true',
                   help='keep the rows in Documentation/results, for '
                   'another base in the folder of its name; '
                   'with --topic, beside those of the others')
    p.add_argument('--real', action='store_true',
                   help='what programs of Debian get from it')
    options = p.parse_args(argv)
    if options.real:
        global kind, configs
        kind, configs = 'real', ('distro',)
        common.setup('--debian')
    names = [t for t in common.topics() if boots(t)]
    if options.topic:
        common.with_branches(options.topic)
        if options.topic not in names:
            raise Failure(f'{options.topic} has no {kind}.toml for this base')
        names = [options.topic]
    path = RESULTS / common.BASE / f'{kind}.json'
    if options.save:
        common.must_be_writable(path)
        kept(path)
    common.setup()
    step = Steps(3 + len(names))
    step(f'Linux {base()["version"]}: fetch, and apply the series')
    run([TOOLS / 'apply'], 'apply')
    step('build it for x86-64 (the first time takes minutes)')
    arch = kbuild.arch('x86_64')
    patched = kbuild.build(arch, LINUX, configs)
    step('build it without the series')
    needed = any(w.get('before') and 'native' not in w
                 for name in names for w in boots(name))
    upstream = (kbuild.build(arch, base_tree(), configs) if needed
                else None)

    found = []
    for name in names:
        step(name)
        found += rows(arch, name, upstream, patched)
    print()
    print(table(found), end='')
    if options.save:
        order = list(common.topics())
        if options.topic:
            found += [r for r in kept(path)
                      if r['topic'] in {*order} - {*names}]
            found.sort(key=lambda r: order.index(r['topic']))
        put(path, json.dumps(found, indent=1) + '\n')
