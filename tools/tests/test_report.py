# SPDX-License-Identifier: GPL-2.0
"""Tests of the page that tools/report makes of the kept results.

They run the tool on copies of the results in which something is changed.
"""

import html
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

TOOLS = pathlib.Path(__file__).resolve().parent.parent
KEPT = 'Documentation/results/'
DEMO, NATIVE = KEPT + 'demo.json', KEPT + 'alf-queue-native.json'


class Case(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix='mm-series-test-')
        self.addCleanup(tmp.cleanup)
        self.root = pathlib.Path(tmp.name)
        for name in DEMO, NATIVE, 'patches/base', 'kunit/guest/cost.h':
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text((TOOLS.parent / name).read_text())
        self.page = self.root / 'build/report.html'

    def tool(self, *args):
        r = subprocess.run(
            [TOOLS / 'report', *map(str, args)], text=True,
            env=dict(os.environ, MM_SERIES_ROOT=str(self.root)),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertNotIn('Traceback', r.stdout)
        return r.returncode, r.stdout

    def made(self):
        rc, out = self.tool()
        self.assertEqual(rc, 0, out)
        return self.page.read_text()

    def fails(self, says, *args):
        rc, out = self.tool(*args)
        self.assertEqual(rc, 1, out)
        self.assertIn(says, out)
        self.assertFalse(self.page.exists())

    def rows(self, name=DEMO):
        data = json.loads((self.root / name).read_text())
        return data if name == DEMO else data['rows']

    def change(self, start, **cells):
        """Change cells of the row that begins with @start, or drop it."""
        rows = self.rows()
        row = next(r for r in rows if r['what'].startswith(start))
        row.update(cells)
        if not cells:
            rows.remove(row)
        (self.root / DEMO).write_text(json.dumps(rows))

    def svgs(self, page):
        return [ElementTree.fromstring(s) for s in
                re.findall(r'(?s)<svg.*?</svg>', page)]

    def cells(self, page):
        """The tables, as lists of rows of plain text."""
        return [[[html.unescape(c) for c in
                  re.findall(r'<t[hd][^>]*>(.*?)</t[hd]>', row)]
                 for row in re.findall('<tr>(.*)</tr>', t)]
                for t in re.findall(r'(?s)<table>(.*?)</table>', page)]


class Kept(Case):
    def test_nothing_is_loaded(self):
        page = self.made()
        for text in 'http:', 'https:', 'src=', '@import', 'url(', '<script':
            self.assertNotIn(text, page)
        for link in re.findall('href="(.*?)"', page):
            self.assertIn(f'id="{link.removeprefix("#")}"', page)
        self.assertIn('prefers-color-scheme: dark', page)
        self.assertTrue(page.isascii())

    def test_every_plot_is_drawn(self):
        page = self.made()
        self.assertNotIn('left out', page)
        ids = re.findall(' id="(.*?)"', page)
        self.assertEqual(len(ids), len(set(ids)))
        for svg in self.svgs(page):
            title, says = svg.find('title'), svg.find('desc')
            self.assertTrue(title.text and says.text)
            self.assertEqual(svg.get('aria-labelledby').split(),
                             [title.get('id'), says.get('id')])

    def test_tables_have_all_that_is_kept_and_nothing_else(self):
        tables = self.cells(self.made())
        shown = [row for t in tables for row in t]
        demo = self.rows()
        for r in demo:
            ratio = r['ratio']
            if ratio and float(ratio) < 1:
                ratio += ': worse'
            row = [r['what'], r['upstream'], r['patched'], ratio]
            self.assertTrue(row in shown or [r['topic'], *row] in shown, row)
        said = str(demo)
        for r in self.rows(NATIVE):
            row = [r['shape'], r['mode'], r['batch'], *r['median'].values()]
            self.assertIn(list(map(str, row)), shown)
            said += str(r)
        for t in tables[1:]:
            for number in re.findall(r'\d[\d.,]*\d|\d', str(t)):
                self.assertIn(number, said)

    def test_version_is_that_of_the_base(self):
        base = self.root / 'patches/base'
        base.write_text(base.read_text().replace('7.3.4', '7.9.1'))
        self.assertIn('Upstream is Linux 7.9.1 (patches/base)', self.made())

    def test_pieces(self):
        table = [row for row in self.cells(self.made())[0][1:]]
        left = {who: [(int(r[1]), int(r[3])) for r in table if r[0] == who]
                for who in ('before', 'upstream', 'patched')}
        behind = [(64, 64), (128, 128), (256, 256)]
        self.assertEqual(left, {
            'before': [(0, 512)],
            'upstream': [(0, 16), (32, 1), (33, 1), (34, 2), (36, 4), (40, 8),
                         (48, 16)] + behind,
            'patched': [(0, 16), (32, 32)] + behind})


class Changed(Case):
    def test_worse_is_shown(self):
        self.change('wake-ups', upstream='3', patched='4', ratio='0.75')
        page = self.made()
        self.assertIn('worse in 1 of 2 comparisons, lowest ratio 0.75', page)
        self.assertIn('>patched, ratio 0.75: worse</text>', page)
        self.assertIn('<td class=worse>0.75: worse</td>', page)
        svg = next(s for s in self.svgs(page)
                   if s.find('title').text.startswith('Wake-ups'))
        widths = [r.get('width') for r in svg.iter('rect')
                  if r.get('class') != 'track']
        self.assertEqual(widths[:2], ['75.00%', '100.00%'])

    def test_nothing_is_worse_where_ratios_are_1(self):
        rows = [dict(r, ratio=r['ratio'] and '1.00') for r in self.rows()]
        (self.root / DEMO).write_text(json.dumps(rows))
        self.assertEqual(self.made().count('lowest ratio'), 2)  # the native

    def test_missing_row(self):
        self.change('bytes copied per page freed, a tenth: owners')
        page = self.made()
        self.assertIn('Bytes copied for a page freed: left out, as no row of '
                      'zsmalloc is', page)
        self.assertEqual(page.count('left out'), 1)

    def test_missing_topic(self):
        (self.root / DEMO).write_text('[]')
        self.assertEqual(len(self.svgs(self.made())), 1)

    def test_layout_that_is_not_the_measured_one(self):
        self.change('folios left of 512', upstream='11')
        self.assertIn('The folios: left out, as upstream has 11 folios, where '
                      'the rule gives 10,', self.made())

    def test_text_is_escaped(self):
        self.change('wake-ups', upstream='3 (<b>&")')
        page = self.made()
        self.assertNotIn('<b>', page)
        self.assertEqual(len(self.svgs(page)), len(re.findall('<svg', page)))

    def test_new_row_is_not_lost(self):
        self.change('KUnit tests', what='something <new>')
        self.assertIn('<td>something &lt;new&gt;</td>', self.made())

    def test_missing_file(self):
        for name in DEMO, NATIVE:
            text = (self.root / name).read_text()
            (self.root / name).unlink()
            self.fails(f'{name} cannot be read')
            (self.root / name).write_text(text)

    def test_broken_files(self):
        for text in '{', '[{}]', '[1]', '{"rows": []}':
            (self.root / NATIVE).write_text(text)
            self.fails('kept is not' if len(text) > 1 else 'cannot be read')

    def test_to(self):
        path = self.root / 'some/where.html'
        self.assertEqual(self.tool('--to', path), (0, f'{path}\n'))
        self.assertTrue(path.read_text().endswith('</html>\n'))
        self.fails('Is a directory', '--to', self.root)


if __name__ == '__main__':
    unittest.main()
