# SPDX-License-Identifier: GPL-2.0
"""A topic more: patches/X, kunit/X and a heading in series, nothing else."""

import os
import pathlib
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


class Seventh(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.root = pathlib.Path(tmp.name)
        (self.root / 'patches').mkdir()
        (self.root / 'patches/base').write_text(
            (ROOT / 'patches/base').read_text())
        (self.root / 'series').write_text(
            '# sixth: mm: a topic\npatches/sixth/0001-a.patch\n\n'
            '# seventh (needs sixth): mm: a seventh topic\n'
            'patches/seventh/0001-b.patch\n')
        for name in ROOT.joinpath('kunit').iterdir():
            (self.root / 'kunit').mkdir(exist_ok=True)
            (self.root / 'kunit' / name.name).symlink_to(name)
        (self.root / 'kunit/seventh').mkdir()
        for name, text in FILES.items():
            path = self.root / 'kunit/seventh' / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def run_in(self, *command):
        return subprocess.run(
            command, text=True, check=True, stdout=subprocess.PIPE,
            env={**os.environ, 'PYTHONPATH': str(TOOLS / 'lib'),
                 'MM_SERIES_ROOT': str(self.root)}).stdout

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


if __name__ == '__main__':
    unittest.main()
