# SPDX-License-Identifier: GPL-2.0
"""A topic more: patches/X, kunit/X and a heading in series, nothing else."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent
ROOT = TOOLS.parent
FILES = {
    'kunitconfig': 'CONFIG_SEVENTH_KUNIT_TEST=y\n',
    'debug.config': 'CONFIG_SEVENTH_DEBUG=y\n',
    'selftests': 'seventh /xfs\n',
    'seventh_cost.c': '#include "put.h"\nint main(void) { return 0; }\n',
    'demo.toml': '''
        [[boot]]
        program = "seventh_cost"
        before = true
        figures = ['# cost: (?P<pages>\\d+) pages of (?P<of>\\w+)']
        key = "{of}"

        [[boot.row]]
        what = "taken by one"
        unit = "pages"
        patched = "one"

        [[boot.row]]
        what = "taken by one, beside the best of the others"
        unit = "pages"
        better = "more"
        peers = "(two|three)"
        patched = "one"
        less = "none"
    ''',
    'native/Makefile': (
        '$(O)/seventh:\n\tmkdir -p $(O)\n'
        "\tprintf '#!/bin/sh\\necho >>$@.runs; "
        "echo `wc -l <$@.runs` of $(KSRC)\\n' >$@\n"
        '\tchmod +x $@\n'),
    'stress.toml': '[[boot]]\narch = "x86_64"\nappend = "kunit.enable=0"\n',
}
SEEN = '''
import demo, kbuild, vm
arch = kbuild.arch('x86_64')
print(*(p.relative_to(kbuild.KUNIT) for p in
        kbuild.topic_files(arch, kinds=['debug']) if 'seventh' in str(p)))
print(kbuild.topic_options(arch, {'SEVENTH_KUNIT_TEST'}).strip())
print(vm.guest_source('seventh_cost').name)
print(demo.measured(None, None, 'seventh', {
    'native': 'seventh one', 'key': '{of}', 'runs': 3, 'row': [{'unit': 'pages'}],
    'figures': ['(?P<pages>\\d+) of .*/(?P<of>\\w+)']}, True))
def measured(arch, image, topic, wanted, series):
    return {of: {'pages': float(n + series)} for n, of in
            enumerate(['none', 'one', 'two', 'three'])}
demo.measured = measured
for row in demo.rows(arch, 'seventh', None, None):
    print(*row.values(), sep='|')
'''
# A row of a native program that only the main base is made for, and rows that
# lack a figure on another.
MAIN = '''
    [[boot]]
    native = "seventh one"
    main = true
    figures = []
    key = "{of}"
    row = [{what = "native", unit = "pages", patched = "one", peers = "none"}]

    [[boot]]
    program = "seventh_cost"
    before = true
    figures = []
    key = "{of}"
    row = [{what = "new", unit = "pages", patched = "four"},
           {what = "gone", unit = "pages", patched = "two", peers = "one"}]
'''
DEMO = '''
import sys
import common, demo, kbuild
common.setup = demo.run = demo.base_tree = kbuild.build = lambda *_: None
def measured(arch, image, topic, wanted, series):
    has = ['none', 'one', 'two', 'three', 'four']
    if common.BASE:
        has = has[:2] + ['four'] * series
    return {of: {'pages': n + 1.0} for n, of in enumerate(has)}
demo.measured = measured
demo.main(sys.argv[1:])
'''
# What the console says of each command of the guest, or that it does not end.
STAGE = '''
import json, sys
import common, kbuild, test, vm
says, kbuild.build = json.loads(sys.argv[2]), lambda *_, **kw: None
test.base_tree = lambda: common.LINUX
vm.selftests = lambda *_: {'commands': list(says), 'files': {}}
vm.initramfs = lambda arch, image, where, commands, files: ','.join(commands)
vm.disks, vm.accelerator = lambda commands: {}, lambda *_: 'kvm'
def run(cmd, name, log, timeout):
    text = [says[c] for c in cmd[cmd.index('-initrd') + 1].split(',')]
    if None in text:
        raise common.Failure(f'{name}: no end after {timeout} s')
    log.write_text(''.join(text) + '# guest done')
vm.run = run
report = test.Report()
try:
    test.FULL[sys.argv[1]](report, None)
except common.Failure as e:
    print(e.what)
print(json.dumps([[*report.counts.values()], report.topics]))
'''
OWN = '''
import common, test
test.TOOLS = common.BUILD
test.run = lambda *_, env: print(repr(env['MM_SERIES_BASE']))
test.own(test.Report(), type('', (), {'mode': ''}))
'''
SUITES = '''
KTAP version 1
    # Subtest: sixth
        # Subtest: sizes
        ok 1 small
        ok 2 large # SKIP no memory
    # sizes: pass:1 fail:0 skip:1 total:2
    ok 1 sizes
    ok 2 other
ok 1 sixth
    # Subtest: seventh_stress
    ok 1 all # SKIP
ok 2 seventh_stress # SKIP
# run /seventh /xfs
ok 1 one
ok 2 two
ok 1 /seventh /xfs
'''


class Seventh(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.root = pathlib.Path(tmp.name)
        series = ('# sixth: mm: a topic\npatches/sixth/0001-a.patch\n\n'
                  '# seventh (needs sixth): mm: a seventh topic\n'
                  'patches/seventh/0001-b.patch\n')
        base = (ROOT / 'patches/base').read_text()
        self.version = re.search('version = (.*)', base)[1]
        self.write({'series': series, 'patches/base': base,
                    'patches/sixth/0001-a.patch':
                        '+config SIXTH\n+config SIXTH_KUNIT_TEST\n',
                    'patches/seventh/0001-b.patch': '',
                    'patches/1.0/series': series,
                    'patches/1.0/base': base.replace(self.version, '1.0.1')})
        for name in ROOT.joinpath('kunit').iterdir():
            (self.root / 'kunit').mkdir(exist_ok=True)
            (self.root / 'kunit' / name.name).symlink_to(name)
        self.write({f'kunit/seventh/{name}': text
                    for name, text in FILES.items()})

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run_in(self, *command, status=0):
        r = subprocess.run(
            command, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': str(TOOLS / 'lib'),
                 'MM_SERIES_ROOT': str(self.root), 'MM_SERIES_BASE': ''})
        self.assertEqual(r.returncode, status, r.stdout)
        return r.stdout

    def test_tools_find_what_it_wants(self):
        self.assertEqual(self.run_in(sys.executable, '-c', SEEN).splitlines(), [
            'seventh/kunitconfig seventh/debug.config',
            'CONFIG_SEVENTH_KUNIT_TEST=y',
            'seventh_cost.c',
            "{'linux': {'pages': 2.0}}",
            'seventh|taken by one|pages|1|2|0.50',
            'seventh|taken by one, beside the best of the others|pages|'
            '3 (three)|1|0.33'])

    def test_list(self):
        self.assertEqual(self.run_in(TOOLS / 'list', 'seventh').split(), [
            str(self.root / f'patches/{name}') for name in
            ('sixth/0001-a.patch', 'seventh/0001-b.patch')])
        self.assertIn('seventh', self.run_in(TOOLS / 'list'))

    def saved(self, base, *args):
        """What demo --save keeps of each topic, and what it passes over."""
        out = self.run_in(sys.executable, '-c', DEMO, '--save', '--base', base,
                          *args)
        rows = json.loads((self.root / 'Documentation/results' / base /
                           'demo.json').read_text())
        return ([f'{r["topic"]}: {r["what"]}' for r in rows],
                re.findall('(?m)^seventh: not on this base: (.*)$', out))

    def test_demo_keeps_what_a_base_has(self):
        self.write({'kunit/seventh/demo.toml':
                    FILES['demo.toml'] + MAIN})
        every = ['taken by one', 'taken by one, beside the best of the others',
                 'native', 'new', 'gone']
        self.assertEqual(self.saved(''), ([f'seventh: {w}' for w in every], []))
        self.assertEqual(self.saved('1.0'), (
            ['seventh: taken by one'], [every[1], 'new', 'gone']))

    def test_demo_keeps_what_other_topics_have(self):
        columns = 'topic', 'what', 'unit', 'upstream', 'patched', 'ratio'
        self.write({'Documentation/results/demo.json': json.dumps(
            [dict.fromkeys(columns, topic) for topic in
             ('seventh', 'gone', 'sixth')])})
        rows, _ = self.saved('', '--topic', 'seventh')
        self.assertEqual([rows[0], len(rows)], ['sixth: sixth', 3])

    def test_demo_that_cannot_be(self):
        good = FILES['demo.toml']
        for old, new, says in (
                ('+) pages', '+ pages', 'missing )'),
                ('{of}', '{no}', 'demo.toml: key "{no}"'),
                ('what = "taken by one"', '', 'each row must have what'),
                ('pages"', 'kg"', 'nothing was measured of "taken by one"'),
                ('= "one"', '= "ten"', 'measured of "taken by one"'),
                ('(two|three)', 'ten', 'beside the best of the others"'),
                ('"none"', '"ten"', 'beside the best of the others"')):
            self.assertIn(old, good)
            self.write({'kunit/seventh/demo.toml': good.replace(old, new)})
            self.assertIn('Failure: ', out := self.run_in(
                sys.executable, '-c', DEMO, status=1))
            self.assertIn(says, out)

    def stage(self, name, says):
        """What a stage counts, and of which topics; what it prints."""
        *lines, last = self.run_in(sys.executable, '-c', STAGE, name,
                                   json.dumps(says)).splitlines()
        return *json.loads(last), lines

    def test_topics_add_up(self):
        counts, topics, _ = self.stage('x86_64', {'/seventh /xfs': SUITES})
        self.assertEqual(topics, {'sixth': [2, 0, 1], 'seventh': [3, 0, 1]})
        self.assertEqual(counts, [sum(n) for n in zip(*topics.values())])

    def test_before(self):
        counts, _, lines = self.stage('before', {
            '/fails': '# run /fails\n  ok 1 x\n  not ok 2 y\nok 1 /fails\n',
            '/passes': '# run /passes\n  ok 1 x\nok 1 /passes\n',
            '/skips': '# run /skips\n  ok 1 x # SKIP\nok 1 /skips # SKIP\n',
            '/hangs': None})
        self.assertEqual(counts, [2, 0, 2])
        self.assertIn('  ok     before: /fails: 1 of 2 fail: y', lines)
        self.assertIn('  ok     before: /hangs: before: no end after 480 s',
                      lines)

    def test_before_does_not_count_a_splat(self):
        counts, _, lines = self.stage('before', {
            '/x': '# run /x\nnot ok 1 /x\nBUG: KASAN: x\n'})
        self.assertEqual((counts, lines),
                         ([0, 0, 0], ['before: BUG: KASAN: x']))

    def test_stress_that_cannot_be(self):
        for other in (self.root / 'kunit').glob('*/stress.toml'):
            if other.parent.is_symlink():
                other.parent.unlink()
        self.write({'kunit/seventh/stress.toml': '[[boot]]\n'})
        self.assertIn('each row must have arch, append',
                      self.stage('stress', {})[2][-1])

    def test_own_is_of_the_main_base(self):
        out = self.run_in(sys.executable, '-c', OWN, '--base', '1.0')
        self.assertEqual(out.splitlines()[0], "''")

    def test_readme(self):
        """Each table is written where its line stands, and --check sees it."""
        names = self.run_in(sys.executable, '-c', 'import readme; '
                            'print(*readme.SECTIONS)').split()
        series = (self.root / 'patches/1.0/series').read_text()
        self.write({
            'README': ''.join(f'{n}, by tools/readme {n}:\n\n    old\n\nText.\n'
                              for n in names),
            'patches/seventh/0002-c.patch': '',
            'series': series + 'patches/seventh/0002-c.patch\n',
            'patches/1.0/seventh/0001-b.patch': 'x' * 2048,
            'patches/1.0/series': series.replace('patches/seventh',
                                                 'patches/1.0/seventh'),
            # What a benchmark of a topic's own writes.
            'Documentation/results/sixth-native.json': json.dumps({
                'machine': {'linux': '1.0'}, 'rows': [
                    {'what': 'add', 'unit': 'ns', 'upstream': '6',
                     'patched': '3', 'ratio': '2.00'}]}),
            'Documentation/results/tests.json': json.dumps({
                self.version: {
                    'x86_64': [3, 1, 4, '2026-01-02',
                               {'sixth': [3, 1, 0], 'seventh': [0, 0, 4]}],
                    'arm64': [2, 0, 1, '2026-01-03', {'seventh': [2, 0, 1]}],
                    'rt': [7, 0, 0, '2026-01-01']},
                '1.0.1': {'arm64': [9, 0, 0, '2026-01-04', {}]}})})
        readme = self.root / 'README'
        before = readme.read_text()
        self.assertIn('README is stale',
                      self.run_in(TOOLS / 'readme', '--check', status=1))
        self.assertEqual(readme.read_text(), before)
        self.run_in(TOOLS / 'readme')
        self.run_in(TOOLS / 'readme', '--check')
        text = readme.read_text()
        self.assertNotIn('old', text)
        found = {name: [re.split('  +', line) for line in lines.split('\n    ')]
                 for name, lines in re.findall(
                     r'readme (\w+):\n\n    (.*(?:\n    .*)*)\n\nText', text)}
        self.assertEqual(found['bases'], [
            ['kernel', 'topic', 'patches', 'its own', 'KiB', 'left out',
             'x86-64', 'arm64', 'date'],
            [self.version, 'sixth', '1', '-', '-', '-', '3, 1 failed', '-',
             '2026-01-02'],
            [self.version, 'seventh', '2', '-', '-', '-', '-',
             '2, 1 skipped', '2026-01-03'],
            ['1.0.1', 'sixth', '1', '0', '0', '0', '-', '-', '-'],
            ['1.0.1', 'seventh', '1', '1', '2', '1', '-', '-', '-']])
        self.assertEqual(found['tests'][1:], [
            [self.version, 'arm64', '2', '0', '1', '2026-01-03'],
            [self.version, 'rt', '7', '0', '0', '2026-01-01'],
            [self.version, 'x86_64', '3', '1', '4', '2026-01-02'],
            ['1.0.1', 'arm64', '9', '0', '0', '2026-01-04']])
        self.assertIn('    sixth: mm: a topic\n'
                      '        1 patches; CONFIG_SIXTH\n'
                      '        best: 2.00 times upstream; add, Linux 1.0: 3 ns, '
                      'upstream 6\n', text)


if __name__ == '__main__':
    unittest.main()
