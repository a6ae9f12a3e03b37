# SPDX-License-Identifier: GPL-2.0
"""Write the tables of README and Documentation from series and the results.

Below a line that ends with ", by tools/readme NAME:" stands what this tool
writes, indented.  --check writes nothing and ends with 1 if one is stale.
"""

import json
import re
import textwrap

from common import (BASE, PATCHES, RESULTS, ROOT, Failure, aligned, base,
                    bases, parsed, parser, rows_of, topics)
from demo import COLUMNS, table

FILES = [ROOT / 'README', *sorted((ROOT / 'Documentation').glob('*.md'))]
MARK = re.compile(r'(?m)^.*, by tools/readme (\w+):\n((?: .*\n|\n)*)')


def results(pattern):
    """The rows that were kept: of the demo, and of topics' own benchmarks."""
    for path in sorted(RESULTS.glob(pattern)):
        kept = parsed(path, json.loads, (list, dict))
        if isinstance(kept, list):
            yield from rows_of(path, kept, *COLUMNS)
            continue
        rows_of(path, kept, 'machine', 'rows')
        linux = rows_of(path, kept['machine'], 'linux')['linux']
        for row in rows_of(path, kept['rows'], *COLUMNS[1:]):
            if linux != base()['version']:
                row['what'] += f', Linux {linux}'
            yield row


def extremes(rows, where=''):
    """The rows by which a topic gains most, and least."""
    rows = [r for r in rows if r['ratio']]
    if not rows:
        return
    for word, choose in ('best', max), ('worst', min):
        r = choose(rows, key=lambda r: float(r['ratio']))
        yield (f'{where}{word}: {r["ratio"]} times upstream; {r["what"]}: '
               f'{r["patched"]} {r["unit"]}, upstream {r["upstream"]}')


def all_extremes(topic):
    """The same of the demo, and of programs of Debian."""
    def of(name):
        return [r for r in results(name) if r['topic'] == topic]
    yield from extremes([*of('demo.json'), *results(f'{topic}-*.json')])
    yield from extremes(of('real.json'), 'Debian\'s programs, ')


def options(topic):
    """The Kconfig symbols that a topic adds, but for those of its tests."""
    found = [name for path in topic.patches for name in re.findall(
        r'(?m)^\+config (\w+)', path.read_text())]
    return [n for n in found if not re.search(
        '_(KUNIT_TEST|STRESS_TEST|TEST_HOOK|BENCHMARK)$', n)]


def wrapped(text, indent):
    return textwrap.wrap(text, 75, initial_indent=indent,
                         subsequent_indent=indent + '    ',
                         break_on_hyphens=False)


def topics_text():
    """A paragraph a topic."""
    lines = []
    for t in topics().values():
        about = [f'{len(t.patches)} patches'] if t.patches else ['to come']
        about += [f'needs {t.needs}'] if t.needs else []
        about += [' '.join(f'CONFIG_{n}' for n in options(t))]
        lines += wrapped(f'{t.name}: {t.title}', '')
        for text in '; '.join(filter(None, about)), *all_extremes(t.name):
            lines += wrapped(text, '    ')
        lines.append('')
    return lines[:-1]


def demo_text():
    return table(list(results('demo.json'))).splitlines()


def real_text():
    return table(list(results('real.json'))).splitlines()


def port_text():
    """How far each topic gets on other kernels, as tools/port kept it."""
    cells = [('kernel', 'topic', 'applies', 'builds, passes its tests')]
    kept = {path.stem.removeprefix('port-'): rows_of(
        path, parsed(path, json.loads, list), 'topic', 'applies', 'built')
        for path in RESULTS.glob('port-*.json')}
    for version in sorted(kept, reverse=True, key=lambda v: [
            int(n) for n in re.findall(r'\d+', v)]):
        cells += [(version, r['topic'], r['applies'], r['built'])
                  for r in kept[version]]
    return aligned(cells)


def came_to(kept, topic):
    """What a topic's tests came to, as --save kept it, and when."""
    found, dates = [], {'-'}
    for stage in 'x86_64', 'arm64':
        *_, date, of_topics = kept.get(stage, [None, {}])
        passed, failed, skipped = of_topics.get(topic, (0, 0, 0))
        found.append(f'{passed}' + (f', {failed} failed' if failed else '')
                     + (f', {skipped} skipped' if skipped else '')
                     if passed or failed else '-')
        dates.add(date if topic in of_topics else '-')
    return *found, max(dates)


def bases_text():
    """What each base has of each topic, and how much of that is its own."""
    main = topics(ROOT / 'series')
    cells = [('kernel', 'topic', 'patches', 'its own', 'KiB', 'left out',
              'x86-64', 'arm64', 'date')]
    for name in bases():
        kept = parsed(RESULTS / 'tests.json', json.loads).get(
            base(name)['version'], {})
        series = (PATCHES / name if name else ROOT) / 'series'
        # Where tools/port --to is at work there is none yet.
        for t in topics(series).values() if series.exists() else ():
            own = [p for p in t.patches if p.parent.parent.name == name]
            theirs = main[t.name].patches if t.name in main else t.patches
            size = sum(p.stat().st_size for p in own)
            if t.patches or theirs:
                cells.append((base(name)['version'], t.name,
                              f'{len(t.patches)}',
                              *((f'{len(own)}', f'{size >> 10}',
                                 f'{len(theirs) - len(t.patches)}')
                                if name else ('-', '-', '-')),
                              *came_to(kept, t.name)))
    return aligned(cells)


def tests_text():
    """What the stages of tools/test came to, as --save kept it."""
    cells = [('kernel', 'stage', 'passed', 'failed', 'skipped', 'date')]
    kept = parsed(RESULTS / 'tests.json', json.loads)
    for name in bases():
        version = base(name)['version']
        cells += [(version, stage, *map(str, row[:4]))
                  for stage, row in sorted(kept.get(version, {}).items())]
    return aligned(cells)


def headlines_text():
    """The best and the worst row of each topic on the older bases."""
    lines = []
    for name in bases()[1:]:
        rows = list(results(f'{name}/demo.json'))
        for topic in dict.fromkeys(r['topic'] for r in rows):
            lines += wrapped(f'{base(name)["version"]}, {topic}', '')
            for text in extremes([r for r in rows if r['topic'] == topic]):
                lines += wrapped(text, '    ')
    return lines


def picture():
    """Which topic stands on which."""
    every = topics()
    lines = [f'Linux {base()["version"]}']

    def below(parent, indent):
        children = [t for t in every.values() if t.needs == parent]
        for t in children:
            last = t is children[-1]
            lines.append(indent + '|')
            lines.append(f'{indent}+-- {t.name} ({len(t.patches)} patches)')
            deeper = indent + ('    ' if last else '|   ')
            lines.append(f'{deeper}{t.title}')
            below(t.name, deeper)

    below(None, '  ')
    return lines


SECTIONS = {'topics': topics_text, 'demo': demo_text, 'real': real_text,
            'port': port_text, 'picture': picture, 'bases': bases_text,
            'headlines': headlines_text, 'tests': tests_text}


def filled(text):
    """A text with all of its tables written anew."""
    def write(mark):
        if mark[1] not in SECTIONS:
            raise Failure(f'there is no table "{mark[1]}"',
                          hint='there are: ' + ', '.join(SECTIONS))
        lines = [f'    {line}'.rstrip() for line in SECTIONS[mark[1]]()]
        head = mark[0].partition('\n')[0]
        return '\n'.join([head, '', *lines, '', ''])
    return MARK.sub(write, text)


def main(argv):
    p = parser(__doc__)
    p.add_argument('--check', action='store_true',
                   help='write nothing; end with 1 if a table is stale')
    args = p.parse_args(argv)
    if BASE:
        p.error('the tables are of all bases: without --base')
    texts = {path: path.read_text() for path in FILES}
    found = [m[1] for text in texts.values() for m in MARK.finditer(text)]
    if missing := [name for name in SECTIONS if name not in found]:
        raise Failure('no file has the tables: ' + ' '.join(missing),
                      hint='a line that ends with ", by tools/readme NAME:" '
                      'says where one is to be')
    stale = {path: new for path, old in texts.items()
             if (new := filled(old)) != old}
    for path, text in stale.items():
        if args.check:
            raise Failure(f'{path.name} is stale',
                          hint='tools/readme writes it anew')
        path.write_text(text)
