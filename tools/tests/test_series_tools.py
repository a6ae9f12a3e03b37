# SPDX-License-Identifier: GPL-2.0
"""Tests of fetch, apply, refresh, export and setup on a tiny "kernel".

Nothing here needs the network or the real tree:
    python3 -m unittest discover tools/tests
"""

import contextlib
import hashlib
import http.server
import mailbox
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent
TARBALL = 'linux_7.2.6.orig.tar.xz'
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

MAKEFILE = 'VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = {}\nEXTRAVERSION =\n'
SOURCE = 'int f(void)\n{\n' + ''.join(f'\tx{n}();\n' for n in range(40)) + '}\n'
TREE = {'Makefile': MAKEFILE.format(6), 'mm/a.c': SOURCE, 'lib/b.c': SOURCE,
        '.gitignore': '*.o\n', 'lib/blob.o': 'ignored, yet upstream\n',
        '.gitattributes': '*.[ch] diff=cpp\n'}
SERIES = ('# About the whole.\n\n'
          '# queue: lib: add a queue\n# A remark.\n\n'
          '# pool (needs queue): lib: add a pool\n\n'
          '# zs: mm: speed up zs\n')

# What a user's configuration could do to patches.
HOSTILE = '''[user]
\tname = Someone Else
\temail = else@example.net
[diff]
\tnoprefix = true
\tcontext = 9
\talgorithm = patience
\tmnemonicPrefix = true
\trenames = copies
[format]
\tsignature = hello
\tnumbered = true
\tthread = true
\tsignOff = true
\tsubjectPrefix = OOPS
[commit]
\tgpgSign = true
[core]
\tautocrlf = true
\tabbrev = 5
'''

SCRATCH = None      # set up once: a repository with applied topics


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def tar(tree, path):
    subprocess.run(['tar', '-cJf', path, '-C', tree.parent, tree.name],
                   check=True)


def package(path, tree, name, changed=()):
    """A tree as Debian packs it, some files changed."""
    source = path / 'deb/usr/src/linux-source-7.2'
    shutil.copytree(path / tree, source)
    for file in source.rglob('*'):
        os.utime(file, (1000, 1000))
    for file in changed:
        os.utime(source / file, (2000, 2000))
    tar(source, source.with_suffix('.2.tar.xz'))
    shutil.rmtree(source)
    write(path / 'deb', {'DEBIAN/control': 'Package: x\nVersion: 1\n'
                         'Architecture: all\nMaintainer: x\n'
                         'Description: x\n'})
    subprocess.run(['dpkg-deb', '-b', path / 'deb', path / name], check=True,
                   stdout=subprocess.DEVNULL)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Box:
    """A directory with everything a tool sees: repository, cache, home."""

    def __init__(self, path):
        self.path = path
        self.root, self.cache = path / 'repo', path / 'cache/mm-series'
        self.linux = self.root / 'build/linux'
        self.bin = path / 'bin'
        self.env = dict(
            os.environ, MM_SERIES_ROOT=str(self.root), HOME=str(path),
            XDG_CACHE_HOME=str(path / 'cache'),
            GIT_CONFIG_GLOBAL=str(path / 'gitconfig'),
            GIT_CONFIG_NOSYSTEM='1', PATH=f'{self.bin}:{os.environ["PATH"]}')
        for name in list(self.env):
            if name.lower().endswith('_proxy') or name.startswith(
                    ('GIT_AUTHOR', 'GIT_COMMITTER', 'MM_SERIES_TREE',
                     'MM_SERIES_BASE')):
                del self.env[name]

    def tool(self, name, *args):
        """Run a tool: (status, everything it said)."""
        r = subprocess.run([TOOLS / name, *map(str, args)], env=self.env,
                           stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return r.returncode, r.stdout

    def git(self, *args, cwd=None, check=True, **env):
        """Run git as an ordinary user without any configuration."""
        who = {f'GIT_{role}_{what}': value for role in ('AUTHOR', 'COMMITTER')
               for what, value in (('NAME', 'U'), ('EMAIL', 'u@example.net'))}
        env = {**self.env, **who, 'GIT_CONFIG_GLOBAL': os.devnull,
               'GIT_EDITOR': 'true', **env}
        r = subprocess.run(['git', *map(str, args)], cwd=cwd or self.linux,
                           env=env, text=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and r.returncode:
            raise AssertionError(f'git {args}: {r.stdout}')
        return r.stdout.strip()

    def git_path(self, name):
        return self.linux / self.git('rev-parse', '--git-path', name)

    def commit(self, message, files, *args):
        write(self.linux, files)
        self.git('add', '-A')
        self.git('commit', '-q', '-m', message, *args)

    def program(self, name, script):
        """Put a script before the machine's programs."""
        self.bin.mkdir(exist_ok=True)
        (self.bin / name).write_text('#!/bin/sh\n' + script)
        (self.bin / name).chmod(0o755)

    def patches(self):
        """All patch files and series: path -> content."""
        files = [*self.root.glob('patches/**/*.patch'), self.root / 'series']
        return {str(p.relative_to(self.root)): p.read_bytes() for p in files}

    def times(self):
        return {str(p.relative_to(self.linux)): p.stat().st_mtime_ns
                for p in self.linux.rglob('*')
                if p.is_file() and '.git' not in p.parts}

    def state(self):
        """All that apply must leave alone when it fails."""
        return (self.git('for-each-ref'), self.git('status', '--porcelain'),
                self.git('rev-parse', '--symbolic-full-name', 'HEAD'),
                self.git('worktree', 'list'), self.times())


def new_box(path):
    """A repository without patches; a tarball; no network."""
    box = Box(path)
    upstream = path / 'linux-7.2.6'
    write(upstream, TREE)
    tar(upstream, path / TARBALL)
    shutil.copytree(upstream, path / 'expected')
    expected = path / 'expected'
    box.git('init', '-q', '-b', 'base', cwd=expected)
    box.git('add', '-fA', cwd=expected)
    box.git('commit', '-q', '-m', 'Linux 7.2.6', cwd=expected,
            GIT_AUTHOR_NAME='mm-series', GIT_COMMITTER_NAME='mm-series',
            GIT_AUTHOR_EMAIL='mm-series@example.org',
            GIT_COMMITTER_EMAIL='mm-series@example.org',
            GIT_AUTHOR_DATE='@0 +0000', GIT_COMMITTER_DATE='@0 +0000')
    base = {'version': '7.2.6', 'tag': 'v7.2.6', 'suite': 'some-suite',
            'file': TARBALL, 'sha256': sha256(path / TARBALL),
            'root': box.git('rev-parse', 'HEAD', cwd=expected),
            'git': 'file:///nowhere/linux.git',
            'web': 'http://127.0.0.1:9/v7.x'}
    write(box.root, {'series': SERIES, 'patches/base': ''.join(
        f'{k} = {v}\n' for k, v in base.items())})
    (path / 'gitconfig').write_text(HOSTILE)
    box.program('apt-get', 'exit 100\n')
    return box


def setUpModule():
    global SCRATCH
    SCRATCH = tempfile.TemporaryDirectory(prefix='mm-series-test-')
    top = pathlib.Path(SCRATCH.name)
    new_box(top / 'empty')
    shutil.copytree(top / 'empty', top / 'full')
    box = Box(top / 'full')
    must(box.tool('fetch', '--from', box.path / TARBALL))
    box.git('checkout', '-q', '-b', 'queue')
    box.commit('lib: add a queue\n\nWith a body.\n\nCc: x@example.net',
               {'lib/queue.c': 'int q;\n'})
    box.commit('lib: use the queue\n\nBody.',
               {'lib/b.c': SOURCE.replace('x20', 'q20'),
                'lib/queue.c': 'int q, r;\n'})
    box.git('checkout', '-q', '-b', 'pool')
    box.commit('lib: add a pool\n\nNon-ASCII: ä.', {'lib/pool.c': 'int p;\n'})
    box.git('checkout', '-q', '-b', 'zs', 'base')
    box.commit('mm: speed up zs\n\nBody.',
               {'mm/a.c': SOURCE.replace('x20', 'z20')})
    must(box.tool('refresh'))
    must(box.tool('apply'))


def tearDownModule():
    SCRATCH.cleanup()


def must(result):
    if result[0]:
        raise AssertionError(result[1])


class Case(unittest.TestCase):
    template = 'full'

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix='mm-series-test-')
        self.addCleanup(tmp.cleanup)
        self.path = pathlib.Path(tmp.name) / 'box'
        subprocess.run(['cp', '-a', f'{SCRATCH.name}/{self.template}',
                        self.path], check=True)
        self.box = Box(self.path)
        must(self.box.tool('list'))     # it finds the copied tree

    def ok(self, *command):
        rc, out = self.box.tool(*command)
        self.assertEqual(rc, 0, out)
        return out

    def fails(self, *command, says=()):
        rc, out = self.box.tool(*command)
        self.assertEqual(rc, 1, out)
        self.assertNotIn('Traceback', out)
        for text in says:
            self.assertIn(text, out)
        return out

    def patch(self, topic, start):
        return next((self.box.root / 'patches' / topic).glob(f'{start}*'))


class Refresh(Case):
    def test_files(self):
        names = [n for n in self.box.patches() if n.startswith('patches/queue')]
        self.assertEqual(sorted(names), [
            'patches/queue/0000-cover-letter.patch',
            'patches/queue/0001-lib-add-a-queue.patch',
            'patches/queue/0002-lib-use-the-queue.patch'])
        text = self.patch('queue', '0002').read_text()
        self.assertTrue(text.startswith(
            f'From {"0" * 40} Mon Sep 17 00:00:00 2001\n'
            'From: mm-series <mm-series@example.org>\nDate: '), text)
        self.assertIn('\nSubject: [PATCH] lib: use the queue\n', text)
        self.assertIn('--- a/lib/b.c\n+++ b/lib/b.c\n', text)
        self.assertIn('int f(void)\n \tx17();\n', text)
        self.assertRegex(text, r'(?m)^index [0-9a-f]{40}\.\.[0-9a-f]{40} ')
        self.assertIn('\n \tx23();\ndiff --git', text)
        self.assertTrue(text.endswith('\n+int q, r;\n'), text[-60:])
        for gone in 'Signed-off-by', 'Message-', 'hello', 'OOPS':
            self.assertNotIn(gone, text)

    def test_series_keeps_headings_and_comments(self):
        self.assertEqual((self.box.root / 'series').read_text(), (
            '# About the whole.\n\n'
            '# queue: lib: add a queue\n# A remark.\n'
            'patches/queue/0001-lib-add-a-queue.patch\n'
            'patches/queue/0002-lib-use-the-queue.patch\n\n'
            '# pool (needs queue): lib: add a pool\n'
            'patches/pool/0001-lib-add-a-pool.patch\n\n'
            '# zs: mm: speed up zs\n'
            'patches/zs/0001-mm-speed-up-zs.patch\n'))

    def test_drops_stale_files(self):
        self.box.git('checkout', '-q', 'queue')
        self.box.git('reset', '-q', '--hard', 'HEAD~1')
        self.assertIn('0002-lib-use-the-queue.patch (dropped)\n',
                      self.ok('refresh', '--topic', 'queue'))
        self.assertFalse(list(self.box.root.glob('patches/queue/0002*')))
        series = (self.box.root / 'series').read_text()
        self.assertNotIn('0002', series)
        self.assertIn('# A remark.\npatches/queue/0001', series)
        cover = self.patch('queue', '0000').read_text()
        self.assertIn('Subject: [PATCH 0/1] ', cover)
        self.assertIn('mm-series (1):', cover)

    def test_cover_letter_text_is_kept(self):
        cover = self.patch('queue', '0000')
        mine = cover.read_text().replace('Lib: add a queue.\n',
                                         'My text.\n\nItem (1):\n  x\n')
        self.assertIn('My text', mine)
        cover.write_text(mine)
        self.assertIn('up to date', self.ok('refresh'))
        self.assertEqual(cover.read_text(), mine)
        self.box.git('checkout', '-q', 'queue')
        self.box.commit('lib: more\n\nBody.', {'lib/more.c': '1\n'})
        self.ok('refresh', '--topic', 'queue')
        new = cover.read_text()
        self.assertEqual(new.partition('mm-series (')[0].replace('0/3', '0/2'),
                         mine.partition('mm-series (')[0])
        self.assertIn('mm-series (3):\n  lib: add a queue\n  lib: use the '
                      'queue\n  lib: more\n\n', new)
        self.assertIn(' lib/more.c  | 1 +\n', new)

    def test_text_below_the_figures_is_not_dropped(self):
        cover = self.patch('queue', '0000')
        cover.write_text(cover.read_text() + 'P.S.\n')
        self.fails('refresh', says=['0000-cover-letter.patch', 'move it'])
        self.assertTrue(cover.read_text().endswith('P.S.\n'))

    def test_check_writes_nothing(self):
        self.assertEqual(self.ok('refresh', '--check'), '')
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: more\n\nBody.', {'mm/more.c': '1\n'})
        before = self.box.patches()
        self.fails('refresh', '--check',
                   says=['patches/zs/0002-mm-more.patch', 'series'])
        self.assertEqual(self.box.patches(), before)

    def test_refuses_what_cannot_be_a_patch(self):
        for message, args, says in (
                ('fixup! mm: speed up zs', [], 'autosquash'),
                ('squash! mm: speed up zs', [], 'autosquash'),
                ('mm: nothing', ['--allow-empty'], 'changes nothing'),
                ('mm: cut\n\nBefore.\n---\nAfter.', [], 'git am stops at')):
            with self.subTest(message):
                self.box.git('checkout', '-q', 'zs')
                self.box.commit(message, {} if args else {
                    'mm/new.c': f'{message}\n'}, *args)
                before = self.box.patches()
                self.fails('refresh', '--topic', 'zs',
                           says=[message.split('\n')[0], says])
                self.assertEqual(self.box.patches(), before)
                self.box.git('reset', '-q', '--hard', 'HEAD~1')

    def test_refuses_a_topic_whose_ground_moved(self):
        self.box.git('checkout', '-q', 'queue')
        self.box.commit('lib: b\n\nBody.', {'lib/c.c': '1\n'}, '--amend')
        self.ok('refresh', '--topic', 'queue')
        out = self.fails('refresh', '--topic', 'pool', says=['queue'])
        command = shlex.split(re.search('git -C (.*)', out)[0])
        self.assertIn('--onto', command)
        subprocess.run(command, check=True, capture_output=True,
                       cwd=self.box.root,
                       env=dict(self.box.env, GIT_CONFIG_GLOBAL=os.devnull,
                                GIT_COMMITTER_NAME='U',
                                GIT_COMMITTER_EMAIL='u@example.net'))
        self.assertEqual(self.box.git('log', '--format=%s', 'base..pool'),
                         'lib: add a pool\nlib: b\nlib: add a queue')
        self.ok('refresh')
        self.ok('apply')

    def test_does_not_replace_newer_patch_files(self):
        patch = self.patch('zs', '0001')
        patch.write_text(patch.read_text().replace('Body.', 'New body.'))
        self.fails('refresh', says=['zs changed since', '--force'])
        self.assertIn('New body.', patch.read_text())
        self.ok('refresh', '--force')
        self.assertNotIn('New body.', patch.read_text())

    def test_refuses_other_versions(self):
        makefile = MAKEFILE.format(9)
        other = self.path / 'linux-7.2.9'
        write(other, dict(TREE, Makefile=makefile))
        self.ok('fetch', '--version', '7.2.9', '--from', other)
        self.box.env['MM_SERIES_TREE'] = 'linux-7.2.9'
        self.ok('apply')
        self.fails('refresh', says=['Linux 7.2.9', 'Linux 7.2.6'])


    def test_an_edit_that_would_be_lost_is_refused(self):
        for edit, says in (
                (lambda: (self.box.linux / 'mm/a.c').write_text('mine\n'),
                 'uncommitted changes:\n M mm/a.c'),
                (lambda: self.box.commit('mm: x\n\nBody.', {'mm/a.c': '1\n'}),
                 'branch series holds commits'),
                (lambda: self.box.git('checkout', '-q', '--detach'), None),
                (lambda: self.box.commit('mm: y\n\nBody.', {'mm/a.c': '2\n'}),
                 'on no branch')):
            edit()
            if says:
                self.fails('refresh', says=[says, 'tools/apply --topic'])
                self.fails('refresh', '--check', says=[says])
                self.ok('apply', '--force')

    def test_full_disk_does_not_cut_the_cover_letter(self):
        cover = self.patch('zs', '0000')
        text = cover.read_text().replace('\n\n', '\n\nMine.\n' * 9000, 1)
        cover.write_text(text)
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: more\n\nBody.', {'mm/more.c': '1\n'})
        r = subprocess.run(
            ['bash', '-c', f'ulimit -f 40; {TOOLS}/refresh --topic zs'],
            env=self.box.env, text=True, capture_output=True)
        self.assertEqual(r.returncode, 1, r.stdout)
        self.assertIn('File too large', r.stderr)
        self.assertEqual(cover.read_text(), text)
        self.ok('refresh')
        self.assertEqual(len(list(cover.parent.iterdir())), 3)

    def test_what_no_patch_has_is_named(self):
        self.box.git('checkout', '-q', '-b', 'mine', 'zs')
        self.box.commit('mm: mine\n\nBody.', {'mm/mine.c': '1\n'})
        write(self.box.linux, {'mm/new.c': '1\n', 'mm/new.o': '1\n'})
        stray = self.box.root / 'patches/zs/0002-mm-another.patch'
        stray.write_text('from a mail\n')
        out = self.ok('refresh')
        self.assertIn('0002-mm-another.patch is not in series\n', out)
        self.assertEqual(stray.read_text(), 'from a mail\n')
        stray.unlink()
        self.assertIn('not written: mm/new.c is in no commit', out)
        self.assertIn('"mm: mine" is on no topic\'s branch\n', out)
        self.assertNotIn('new.o', out)
        self.box.git('checkout', '-q', 'zs')
        self.box.git('merge', '-q', 'mine')
        (self.box.linux / 'mm/new.c').unlink()
        self.assertNotIn('not written', self.ok('refresh'))

    def test_what_a_killed_run_left(self):
        self.box.git('worktree', 'add', '-q', '--detach',
                     self.box.root / 'build/linux.am', 'base')
        lock = self.box.root / 'build/linux.git/worktrees/linux.am/index.lock'
        lock.write_text('')
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: z\n\nBody.', {'mm/z.c': '1\n'})
        self.ok('refresh')
        self.ok('apply')


class Apply(Case):
    def test_round_trip(self):
        before = self.box.patches()
        for branch in 'queue', 'pool', 'zs', 'series':
            self.box.git('checkout', '-q', 'base')
            self.box.git('branch', '-D', branch)
        (self.box.git_path('mm-series.json')).unlink()
        self.ok('apply')
        self.assertIn('up to date', self.ok('refresh', '--force'))
        self.assertEqual(self.box.patches(), before)

    def test_local_configuration_does_not_show(self):
        config = self.box.root / 'build/linux.git/config'
        config.write_text(config.read_text() + HOSTILE
                          + '[am]\n\tkeepcr = true\n\tmessageid = true\n')
        before = self.box.patches()
        self.assertIn('up to date', self.ok('refresh', '--force'))
        self.assertEqual(self.box.patches(), before)
        first = self.box.git('log', '--format=%B%T', 'series')
        patch = self.patch('queue', '0002')
        patch.write_text(patch.read_text().replace('Body.', 'Body 2.'))
        self.ok('apply')
        self.assertEqual(self.box.git('log', '--format=%B%T', 'series'),
                         first.replace('queue\n\nBody.', 'queue\n\nBody 2.'))
        self.ok('refresh', '--check')

    def test_commits_are_the_same_everywhere(self):
        other = self.path / 'other'
        shutil.copytree(self.box.root, other, ignore=lambda *_: ['build'])
        self.box.env['TZ'] = 'Asia/Tokyo'
        self.ok('apply', '--force')     # the first box's were made by hand
        first = self.box.git('rev-parse', 'series')
        self.box.env['MM_SERIES_ROOT'] = str(other)
        (self.box.cache).mkdir(parents=True)
        shutil.copy(self.path / TARBALL, self.box.cache)
        (self.path / 'gitconfig').write_text('')
        self.box.env['TZ'] = 'America/New_York'
        self.ok('apply')
        self.assertEqual(self.box.git('rev-parse', 'series',
                                      cwd=other / 'build/linux'), first)

    def test_after_a_move(self):
        other = self.path / 'elsewhere'
        self.box.root.rename(other)
        self.box.env['MM_SERIES_ROOT'] = str(other)
        self.assertIn('up to date', self.ok('apply'))

    def test_noop_leaves_times(self):
        before = self.box.times()
        self.assertIn('up to date', self.ok('apply'))
        self.assertEqual(self.box.times(), before)

    def test_touches_only_what_changes(self):
        patch = self.patch('zs', '0001')
        patch.write_text(patch.read_text().replace('z20', 'y20'))
        before = self.box.times()
        self.assertIn('new: zs, series', self.ok('apply'))
        after = self.box.times()
        self.assertEqual({f for f in after if after[f] != before[f]},
                         {'mm/a.c'})
        self.assertIn('y20', (self.box.linux / 'mm/a.c').read_text())

    def test_topic_brings_what_it_needs_and_no_more(self):
        self.box.git('checkout', '-q', 'base')
        for branch in 'queue', 'pool', 'zs', 'series':
            self.box.git('branch', '-D', branch)
        (self.box.git_path('mm-series.json')).unlink()
        self.ok('apply', '--topic', 'pool')
        self.assertEqual(self.box.git('branch', '--format=%(refname:short)'),
                         'base\npool\nqueue')
        self.assertEqual(self.box.git('symbolic-ref', '--short', 'HEAD'),
                         'pool')
        self.assertEqual(self.box.git('rev-parse', 'pool~1'),
                         self.box.git('rev-parse', 'queue'))
        self.assertTrue((self.box.linux / 'lib/pool.c').exists())
        self.assertNotIn('z20', (self.box.linux / 'mm/a.c').read_text())

    def test_series_is_all_topics_in_order(self):
        self.assertEqual(
            self.box.git('log', '--reverse', '--format=%s', 'base..series'),
            'lib: add a queue\nlib: use the queue\nlib: add a pool\n'
            'mm: speed up zs')

    def test_conflict_names_patch_and_file(self):
        patch = self.patch('queue', '0002')
        patch.write_text(patch.read_text().replace('x21', 'gone21'))
        before = self.box.state()
        out = self.fails('apply', says=[
            'patches/queue/0002-lib-use-the-queue.patch', 'lib/b.c'])
        self.assertNotIn('lib/queue.c', out.partition('log:')[0])
        self.assertEqual(self.box.state(), before)
        self.assertFalse(self.box.git_path('rebase-apply').exists())
        self.assertEqual([p.name for p in self.box.linux.parent.iterdir()
                          if p.name.startswith('linux.am')], [])

    def test_dirty_tree_is_refused(self):
        file = self.box.linux / 'mm/a.c'
        file.write_text('mine\n')
        before = self.box.state()
        self.fails('apply', '--topic', 'zs', says=['mm/a.c', '--force'])
        self.assertEqual(self.box.state(), before)
        self.ok('apply', '--topic', 'zs', '--force')
        self.assertNotEqual(file.read_text(), 'mine\n')
        self.assertEqual(self.box.git('show', 'backup/worktree-1:mm/a.c'),
                         'mine')

    def test_unrefreshed_branch_is_refused(self):
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: mine\n\nBody.', {'mm/mine.c': '1\n'})
        mine, before = self.box.git('rev-parse', 'zs'), self.box.state()
        self.fails('apply', says=['patches/zs/0002-mm-mine.patch',
                                  'tools/refresh', '--force'])
        self.assertEqual(self.box.state(), before)
        self.ok('apply', '--force')
        self.assertEqual(self.box.git('rev-parse', 'backup/zs-1'), mine)
        self.assertEqual(self.box.git('rev-list', '--count', 'base..zs'), '1')

    def test_backups_are_numbered(self):
        for n in 1, 2:
            self.box.git('checkout', '-q', 'zs')
            self.box.commit(f'mm: mine {n}\n\nBody.', {'mm/mine.c': f'{n}\n'})
            self.ok('apply', '--force')
        self.assertEqual(self.box.git('show', 'backup/zs-1:mm/mine.c'), '1')
        self.assertEqual(self.box.git('show', 'backup/zs-2:mm/mine.c'), '2')

    def test_series_edits_and_loose_commits_are_refused(self):
        self.box.commit('mm: stray\n\nBody.', {'mm/stray.c': '1\n'})
        self.fails('apply', says=['branch series holds commits'])
        self.box.git('checkout', '-q', '--detach', 'base')
        self.box.commit('mm: loose\n\nBody.', {'mm/loose.c': '1\n'})
        self.fails('apply', '--topic', 'zs', says=['commits on no branch'])

    def test_unfinished_rebase_is_refused(self):
        self.box.git('checkout', '-q', 'zs')
        self.box.git('rebase', '-i', '--exec', 'false', 'base', check=False)
        self.fails('apply', '--force', says=['rebase is under way'])

    def test_refreshed_edits_are_current(self):
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: mine\n\nBody.', {'mm/mine.c': '1\n'})
        mine = self.box.git('rev-parse', 'zs')
        self.ok('refresh')
        self.ok('apply')
        self.assertEqual(self.box.git('rev-parse', 'zs'), mine)
        self.assertTrue((self.box.linux / 'mm/mine.c').exists())
        self.ok('refresh', '--check')

    def test_second_run_at_once_is_refused(self):
        code = ('import fcntl, subprocess, sys\n'
                'f = open(sys.argv[1], "w")\n'
                'fcntl.flock(f, fcntl.LOCK_EX)\n'
                'sys.exit(subprocess.run(sys.argv[2]).returncode)\n')
        r = subprocess.run(
            ['python3', '-c', code, self.box.git_path('mm-series.lock'),
             TOOLS / 'apply'], env=self.box.env, capture_output=True, text=True)
        self.assertEqual(r.returncode, 1)
        self.assertIn('another tool is at work', r.stderr)

    def test_a_file_that_is_no_patch(self):
        before = self.box.state()
        for junk in '', 'junk\n':
            self.patch('queue', '0001').write_text(junk)
            out = self.fails('apply', says=[
                'patches/queue/0001-lib-add-a-queue.patch is no patch'])
            self.assertNotIn('xfuncname', out)
            self.assertEqual(self.box.state(), before)

    @unittest.skipIf(os.getuid(), 'only root can give files away')
    def test_tree_of_another_user(self):
        subprocess.run(['chown', '-R', '1:1', self.box.linux], check=True)
        for tool in 'apply', 'refresh', 'fetch':
            self.fails(tool, says=['belongs to another user', 'chown'])

    def test_in_a_hook_of_another_repository(self):
        other = self.path / 'other'
        self.box.git('init', '-q', other, cwd=self.path)
        self.box.env.update(GIT_DIR=str(other / '.git'), GIT_DIFF_OPTS='-u9',
                            GIT_INDEX_FILE=str(other / '.git/index'))
        self.assertIn('up to date', self.ok('apply'))
        self.assertIn('up to date', self.ok('refresh'))

    def test_base_that_is_not_what_fetch_made(self):
        tips = self.box.git('for-each-ref', 'refs/heads/zs')
        self.box.git('checkout', '-q', 'base')
        self.box.commit('mm: mine\n\nBody.', {'mm/mine.c': '1\n'})
        for args in ('apply',), ('apply', '--force'), ('refresh',):
            out = self.fails(*args, says=['branch base holds commits'])
        self.assertEqual(self.box.git('for-each-ref', 'refs/heads/zs'), tips)
        self.box.git('checkout', '-q', '-b', 'mine')
        subprocess.run(shlex.split(re.search('git -C .*', out)[0]), check=True)
        self.ok('apply')
        self.box.git('branch', '-D', 'base')
        for tool in 'apply', 'refresh':
            self.fails(tool, says=['no branch base', 'tools/apply'])

    def test_what_is_no_tree(self):
        self.box.git('init', '-q', cwd=self.box.root)
        self.box.git('commit', '-q', '--allow-empty', '-m', 'Linux 7.2.6',
                     cwd=self.box.root)
        shutil.rmtree(self.box.linux)
        self.box.linux.mkdir()
        self.fails('apply', says=['move it away'])
        self.fails('refresh', says=['no git repository', 'tools/apply'])
        self.fails('build', 'x86_64', says=['no kernel', 'tools/apply'])
        self.fails('port', self.box.linux, says=['no git repository'])

    def test_unknown_topic_and_missing_file(self):
        self.fails('apply', '--topic', 'no', says=['queue, pool, zs'])
        self.patch('zs', '0001').unlink()
        for tool in ['apply'], ['list', 'zs']:
            self.fails(*tool, says=['patches/zs/0001-mm-speed-up-zs.patch'])
        (self.box.root / 'series').write_text('')
        self.fails('apply', says=['series is empty'])

    def test_am_3way_on_another_base(self):
        """Full blob ids let git am merge where the context has changed."""
        clone = self.path / 'clone'
        self.box.git('clone', '-q', '-b', 'base', self.box.linux, clone)
        other = SOURCE.replace('x18', 'other18')
        (clone / 'mm/a.c').write_text(other)
        self.box.git('commit', '-qam', 'elsewhere', cwd=clone)
        patch = self.patch('zs', '0001')
        self.box.git('am', patch, cwd=clone, check=False)
        self.assertTrue((clone / '.git/rebase-apply').exists())
        self.box.git('am', '--abort', cwd=clone)
        self.box.git('am', '-3', patch, cwd=clone)
        self.assertEqual((clone / 'mm/a.c').read_text(),
                         other.replace('x20', 'z20'))


class Overlay(Case):
    """A second base: patches/7.1, on a tree where two patches differ."""

    def setUp(self):
        super().setUp()
        pin = (self.box.root / 'patches/base').read_text()
        tree = self.path / 'linux-7.1.3'
        write(tree, dict(TREE, Makefile=MAKEFILE.format(3).replace(
            'PATCHLEVEL = 2', 'PATCHLEVEL = 1'), **{
                'mm/a.c': SOURCE.replace('x18', 'other18')}))
        write(self.box.root, {
            'patches/7.1/base': re.sub('root = .*', 'root = None', pin.replace(
                '7.2.6', '7.1.3')).replace('root = None\n', ''),
            'patches/7.1/series': SERIES.replace('# zs: mm: speed up zs',
                '# fix: mm: what 7.2 has\n\n# zs (needs fix): mm: zs')})
        self.ok('fetch', '--base', '7.1', '--from', tree)
        self.linux = self.box.root / 'build/linux-7.1'

    def branches(self):
        """Topics as somebody would port them; "pool" is not."""
        self.box.linux = self.linux
        self.box.git('checkout', '-q', '-b', '7.1/queue', '7.1/base')
        self.box.git('cherry-pick', 'queue~2..queue')
        self.box.git('checkout', '-q', '-b', '7.1/fix', '7.1/base')
        self.box.commit('lib: what 7.2 has\n\nBody.', {'lib/fix.c': 'x\n'})
        self.box.git('checkout', '-q', '-b', '7.1/zs')
        self.box.git('cherry-pick', '-Xtheirs', 'zs')

    def test_holds_what_differs(self):
        self.branches()
        self.ok('refresh', '--base', '7.1')
        there = {str(p.relative_to(self.box.root)) for p in
                 (self.box.root / 'patches/7.1').rglob('*.patch')}
        self.assertEqual(there, {'patches/7.1/fix/0001-lib-what-7.2-has.patch',
                                 'patches/7.1/zs/0001-mm-speed-up-zs.patch'})
        series = (self.box.root / 'patches/7.1/series').read_text()
        self.assertIn('\npatches/queue/0001-lib-add-a-queue.patch\n', series)
        self.assertIn('\npatches/7.1/zs/0001-mm-speed-up-zs.patch\n', series)
        self.assertIn('up to date', self.ok('refresh', '--base=7.1'))

    def test_round_trip(self):
        self.branches()
        self.ok('refresh', '--base', '7.1')
        before = self.box.patches()
        # The branches are in build/linux, and a tree is made from them again.
        shutil.rmtree(self.linux)
        self.assertIn('again', self.ok('fetch', '--base', '7.1'))
        self.ok('apply', '--base', '7.1')
        shutil.rmtree(self.box.root / 'build')
        self.ok('fetch', '--from', self.path / TARBALL)
        self.ok('fetch', '--base', '7.1', '--from', self.path / 'linux-7.1.3')
        self.ok('apply')
        self.ok('apply', '--base', '7.1')
        self.assertIn('up to date', self.ok('refresh', '--base', '7.1'))
        self.assertEqual(self.box.patches(), before)
        # The main base is as it was.
        self.assertIn('up to date', self.ok('refresh'))

    def test_port_takes_what_differs_from_it(self):
        self.branches()
        self.ok('refresh', '--base', '7.1')
        out = self.ok('port', '--text', '7.1.3')
        rows = [re.split('  +', line) for line in
                out[out.index('topic '):].splitlines()[1:]]
        self.assertEqual(rows, [
            ['queue', '2 of 2', 'not tried', '-'],
            ['pool', '1 of 1', 'not tried', '-'],
            ['fix', '1 of 1', 'not tried', '-'],
            ['zs', '1 of 1, 1 with -3', 'not tried, with patches/7.1', '-']])

    def test_broken_series_and_record(self):
        series = self.box.root / 'series'
        text = series.read_text()
        for bad, says in (
                (text + '# zs: mm: again\n', 'another "zs"'),
                (text.replace('# zs: mm', '#zs: mm'), 'heading of pool'),
                (text.replace('# zs: mm', '# base: mm'), 'another "base"'),
                (text.replace('# zs: mm', '# queue/x: mm'), 'heading')):
            series.write_text(bad)
            self.fails('apply', says=['series:', says])
        series.write_text(text)
        for bad in '', '[]', '{':
            self.box.git_path('mm-series.json').write_text(bad)
            self.ok('apply')

    def test_unknown_base(self):
        for tool in ('apply', ('build', 'x'), ('boot', 'x'), ('port', '7.1.3'),
                     'check', 'test', 'readme'):
            tool = [tool] if isinstance(tool, str) else tool
            self.fails(*tool, '--base', '6.1', says=['no base "6.1"', '7.1'])
        self.fails('list', '--base', '..', says=['no base ".."'])
        self.assertEqual(self.box.tool('list', '--bas', '7.1')[0], 2)
        # Its tables are of all bases.
        self.assertEqual(self.box.tool('readme', '--base', '7.1')[0], 2)

    def test_hints_name_the_base(self):
        self.fails('boot', '--base', '7.1', 'x86_64',
                   says=['tools/build --base 7.1 x86_64\n'])
        shutil.rmtree(self.linux)
        self.fails('build', '--base', '7.1', 'x86_64',
                   says=['run tools/apply --base 7.1 first\n'])
        (self.box.root / 'patches/7.1/series').unlink()
        self.fails('list', '--base', '7.1', says=['tools/port --to 7.1'])


class Port(Case):
    def port(self, files):
        """Rows of tools/port on a clone with other files: topic -> row."""
        clone = self.path / 'clone'
        self.box.git('clone', '-q', '-b', 'base', self.box.linux, clone)
        write(clone, files)
        self.box.git('add', '-A', cwd=clone)
        self.box.git('commit', '-qm', 'elsewhere', cwd=clone)
        head = self.box.git('rev-parse', 'HEAD', cwd=clone)
        self.status, out = self.box.tool('port', '--text', clone)
        lines = out[out.index('topic '):].splitlines()
        self.assertEqual(self.box.git('rev-parse', 'HEAD', cwd=clone), head)
        self.assertEqual(self.box.git('status', '--porcelain', cwd=clone), '')
        return {name: re.split('  +', row) for name, row in (
            line.split(maxsplit=1) for line in lines[1:])}

    def test_clean_and_merged(self):
        rows = self.port({'mm/a.c': SOURCE.replace('x18', 'other18')})
        self.assertEqual(rows, {
            'queue': ['2 of 2', 'not tried', '-'],
            'pool': ['1 of 1', 'not tried', '-'],
            'zs': ['1 of 1, 1 with -3', 'not tried', '-']})
        self.assertEqual(self.status, 0)

    def test_goes_on_behind_a_conflict(self):
        rows = self.port({'lib/b.c': SOURCE.replace('x20', 'other20')})
        self.assertEqual(rows, {
            'queue': ['1 of 2', 'no: not all applies',
                      '2: lib/b.c'],
            'pool': ['1 of 1', 'no: needs queue', '-'],
            'zs': ['1 of 1', 'not tried', '-']})
        self.assertEqual(self.status, 1)

    def row_of_list(self, name, ours, theirs):
        """The row of zs if it makes one list of a file, a clone another."""
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: a list\n\nBody.', {name: ours})
        self.ok('refresh')
        self.ok('apply')
        return self.port({name: theirs})['zs']

    def test_lists_are_merged_by_union(self):
        row = self.row_of_list('mm/Kconfig', 'config ZS\n', 'config OTHER\n')
        self.assertEqual(row, ['2 of 2, 1 with -3', 'not tried', '-'])

    def test_a_union_takes_no_line_that_the_tree_lacks(self):
        row = self.row_of_list('.gitignore', '*.o\n*.zs\n', '*.a\n')
        self.assertEqual(row, ['2 of 2, 1 with -3', 'not tried', '-'])

    def test_a_tree_that_has_the_patches(self):
        rows = self.port({'mm/a.c': SOURCE.replace('x20', 'z20')})
        self.assertEqual(rows['zs'], ['0 of 1, 1 already there',
                                      'already there', '-'])
        self.assertEqual(self.status, 0)

    def test_what_is_neither_clone_nor_version(self):
        self.fails('port', 'no-such', says=['neither'])
        self.fails('port', self.path / 'linux-7.2.6', says=['no git'])


class PortTo(Case):
    """tools/port --to 7.1, a base whose tree has other files in places."""

    def elsewhere(self, name='mm/a.c', old='x20', new='x20', **files):
        """Make patches/7.1/base and the tree that it says; a file differs."""
        pin = (self.box.root / 'patches/base').read_text()
        files[name] = SOURCE.replace(old, new)
        tree = self.path / 'linux-7.1.3'
        write(tree, dict(TREE, Makefile=MAKEFILE.format(3).replace(
            'PATCHLEVEL = 2', 'PATCHLEVEL = 1'), **files))
        write(self.box.root, {'patches/7.1/base': re.sub(
            'root = .*\n', '', pin.replace('7.2.6', '7.1.3'))})
        self.ok('fetch', '--base', '7.1', '--from', tree)
        self.box.linux = self.box.root / 'build/linux-7.1'

    def rows(self, out):
        return {line.split()[0]: line.split()[1:] for line in
                out[out.index('topic  '):].splitlines()[1:4]}

    def go_on(self, *args):
        """What becomes of each topic; all that is written is fresh."""
        out = self.ok('port', '--to', '7.1', *args)
        self.assertEqual(self.ok('refresh', '--base', '7.1', '--check'), '')
        self.assertIn('already up to date',
                      self.ok('apply', '--base', '7.1', '--force'))
        self.fails('port', '--to', '7.1', '--continue', says=['under way'])
        self.fails('port', '--to', '7.1', says=['there already'])
        self.series = (self.box.root / 'patches/7.1/series').read_text()
        return self.rows(out)

    def own(self):
        return sorted(p.name for p in (self.box.root / 'patches/7.1').rglob(
            '*.patch'))

    def stops(self, *args, says=('patches/queue/0002-lib-use-the-queue.patch',
                                 'conflict in lib/b.c', '--continue')):
        return self.fails('port', '--to', '7.1', *args, says=says)

    def resolve(self):
        write(self.box.linux, {'lib/b.c': SOURCE.replace('x20', 'qother')})
        self.box.git('add', 'lib/b.c')

    def test_as_they_are(self):
        self.elsewhere()
        self.assertEqual(self.go_on(), {
            'queue': ['2', '2', '-', '-', '-', '-'],
            'pool': ['1', '1', '-', '-', '-', '-'],
            'zs': ['1', '1', '-', '-', '-', '-']})
        self.assertEqual(self.own(), [])
        self.assertEqual(self.series.partition('# queue')[2],
                         (self.box.root / 'series').read_text().partition(
                             '# queue')[2])

    def test_parts_stay_parts(self):
        series = self.box.root / 'series'
        text = series.read_text().replace('# queue:', '# queue/fixes:')
        text = text.replace('patches/queue/0002', '# queue: more\n'
                            'patches/queue/0002')
        series.write_text(text)
        self.elsewhere()
        self.go_on()
        self.assertEqual(self.series.partition('# queue')[2],
                         text.partition('# queue')[2])

    def test_merged(self):
        self.elsewhere('mm/a.c', 'x18', 'other18')
        self.assertEqual(self.go_on()['zs'], ['1', '-', '1', '-', '-', '-'])
        self.assertEqual(self.own(), ['0001-mm-speed-up-zs.patch'])
        self.assertIn('other18', self.patch('7.1/zs', '0001').read_text())

    def test_conflict(self):
        self.elsewhere('lib/b.c', new='other')
        self.stops()
        self.fails('port', '--to', '7.1', says=['under way'])
        self.stops('--continue', says=['not resolved: lib/b.c'])
        self.resolve()
        self.assertEqual(self.go_on('--continue')['queue'],
                         ['2', '1', '-', '1', '-', '-'])
        self.assertEqual(self.own(), ['0002-lib-use-the-queue.patch'])
        # The next time git knows how that is resolved.
        shutil.rmtree(self.box.root / 'patches/7.1/queue')
        (self.box.root / 'patches/7.1/series').unlink()
        self.assertEqual(self.go_on()['queue'], ['2', '1', '1', '-', '-', '-'])

    def test_conflict_beside_a_list(self):
        """The union has no line that is not the patch's, here neither."""
        self.box.git('checkout', '-q', 'zs')
        self.box.commit('mm: a list\n\nBody.', {
            '.gitignore': '*.o\n*.zs\n',
            'mm/a.c': SOURCE.replace('x20', 'z20').replace('x5(', 'z5(')})
        self.ok('refresh')
        self.ok('apply')
        self.elsewhere('mm/a.c', 'x5(', 'other(', **{'.gitignore': '*.a\n'})
        self.stops(says=['zs/0002', 'conflict in mm/a.c'])
        self.box.git('checkout', '--theirs', 'mm/a.c')
        self.box.git('add', 'mm/a.c')
        self.assertEqual(self.go_on('--continue')['zs'],
                         ['2', '1', '-', '1', '-', '-'])
        self.assertEqual((self.box.linux / '.gitignore').read_text(),
                         '*.a\n*.zs\n')

    def test_the_user_ends_git_am(self):
        self.elsewhere('lib/b.c', new='other')
        self.stops()
        self.resolve()
        self.box.git('am', '--continue')
        write(self.box.linux, {'lib/b.c': 'edited\n'})
        self.stops('--continue', says=['uncommitted changes', 'lib/b.c'])
        self.box.git('reset', '-q', '--hard')
        self.assertEqual(self.go_on('--continue')['queue'],
                         ['2', '1', '-', '1', '-', '-'])

    def test_skipped(self):
        self.elsewhere('lib/b.c', new='other')
        self.stops()
        self.box.git('am', '--skip')
        self.assertEqual(self.go_on('--continue')['queue'],
                         ['2', '1', '-', '-', '-', '1'])
        self.assertIn('# 2 is left out: (say why)\n', self.series)

    def test_there_already(self):
        self.elsewhere(new='z20')
        self.assertEqual(self.go_on()['zs'], ['1', '-', '-', '-', '1', '-'])
        self.assertIn('# zs: mm: speed up zs\n# 1 is left out: this kernel '
                      'has it.\n', self.series)

    def test_without(self):
        self.elsewhere('lib/b.c', new='other')
        self.fails('port', '--to', '7.1', '--without', 'no',
                   says=['no topic "no"', 'queue, pool, zs'])
        self.stops()
        # What needs it goes, too.
        self.assertEqual(self.go_on('--continue', '--without', 'queue'), {
            'queue': ['2', '-', '-', '-', '-', '2'],
            'pool': ['1', '-', '-', '-', '-', '1'],
            'zs': ['1', '1', '-', '-', '-', '-']})
        self.assertIn('# queue is left out: (say why)\n\n# pool is left out: '
                      '(say why)\n\n# zs: ', self.series)

    def test_from_an_overlay(self):
        self.test_conflict()
        write(self.box.root, {'patches/7.0/base': (
            self.box.root / 'patches/7.1/base').read_text().replace(
                '7.1.3', '7.0.9')})
        tree = self.path / 'linux-7.1.3'
        write(tree, {'Makefile': MAKEFILE.format(9).replace(
            'PATCHLEVEL = 2', 'PATCHLEVEL = 0')})
        self.ok('fetch', '--version', '7.0.9', '--from', tree)
        out = self.ok('port', '--base', '7.1', '--to', '7.0')
        self.assertEqual(self.rows(out)['queue'],
                         ['2', '2', '-', '-', '-', '-'])
        self.assertEqual(self.ok('refresh', '--base', '7.0', '--check'), '')

    def test_killed(self):
        """Each git command may be the last one; what follows goes on."""
        self.elsewhere(new='z20')
        real = shutil.which('git')
        for n in range(9, 60, 8):
            count = self.path / 'count'
            count.write_text('')
            self.box.program('git', f'printf . >>{count}\n{real} "$@"\nrc=$?\n'
                             f'[ $(wc -c <{count}) = {n} ] && kill -9 $PPID\n'
                             f'exit $rc\n')
            rc, out = self.box.tool('port', '--to', '7.1')
            (self.box.bin / 'git').unlink()
            with self.subTest(n):
                self.assertNotIn('Traceback', out)
                rc, more = self.box.tool('port', '--to', '7.1', '--continue')
                if 'no port to' in more:        # it had not begun, or was done
                    continue
                self.assertEqual(rc, 0, out + more)
                self.assertEqual(self.rows(more)['queue'],
                                 ['2', '2', '-', '-', '-', '-'])
                self.assertEqual(self.rows(more)['zs'],
                                 ['1', '-', '-', '-', '1', '-'])
            (self.box.root / 'patches/7.1/series').unlink()

    def test_killed_with_edits(self):
        """They are kept."""
        self.elsewhere('lib/b.c', new='other')
        self.stops()
        state = self.box.git_path('mm-series-port.json')
        state.write_text(state.read_text().replace(
            '"0002-lib-use-the-queue.patch"\n', 'null\n'))
        self.stops('--continue')
        self.box.git('am', '--skip')
        state.write_text(re.sub('"stopped": .*', '"stopped": null',
                                state.read_text()))
        write(self.box.linux, {'lib/b.c': 'edited\n'})
        self.stops('--continue', says=['7.1/backup/worktree-1'])

    @unittest.skipUnless(shutil.which('dpkg-deb') and os.path.exists(KEYRING),
                         'no Debian')
    def test_package_of_another_version(self):
        """Its pin is written, and makes the same tree elsewhere."""
        write(self.path / 'linux-7.2.13', dict(TREE, Makefile=MAKEFILE.format(
            13), **{'mm/a.c': SOURCE.replace('x18', 'other18')}))
        deb = 'linux-source-7.2_7.2.13-1_all.deb'
        package(self.path, 'linux-7.2.13', deb, ['mm/a.c'])
        digest, pool = sha256(self.path / deb), 'pool/updates/main/l/linux-7.2'
        (self.path / 'index').write_text(''.join(
            f'Package: linux-source-7.2\nVersion: {v}-1\nFilename: {pool}/'
            f'linux-source-7.2_{v}-1_all.deb\nSize: 1\nSHA256: {digest}\n\n'
            for v in ('7.2.13', '7.2.12')))
        self.box.program('apt-cache', f"""case "$*" in
            *pkgnames*) echo linux-source-7.2;;
            *show\\ *) cat {self.path}/index;; esac\n""")
        with serving({f'/debian/{pool}/{deb}': (self.path / deb).read_bytes()
                      }) as server:
            self.box.program('apt-get', 'case "$*" in *indextargets*) for s '
                             'in some some-security; do echo main $s '
                             f'{server.url}/debian/; done;; esac\n')
            out = self.ok('port', '--to', '7.2.13')
            self.assertIn('some-suite has 7.2.12 7.2.13', out)
            self.fails('fetch', '--version', '7.2.12', says=['404'])
        self.assertEqual(self.rows(out)['zs'], ['1', '-', '1', '-', '-', '-'])
        self.assertIn(f'\nsuite = some-suite\npool = {pool}\n'
                      f'file = {deb}\nsha256 = {digest}\nroot = ', (
                          self.box.root / 'patches/7.2.13/base').read_text())
        shutil.rmtree(self.box.root / 'build')
        self.ok('fetch', '--from', self.path / TARBALL)
        self.ok('fetch', '--base', '7.2.13')
        self.ok('apply', '--base', '7.2.13')
        self.assertEqual(self.ok('refresh', '--base', '7.2.13', '--check'), '')
        changed = self.box.root / 'build/linux.git/mm-series-7.2.13-changed'
        self.assertEqual(changed.read_text(), 'mm/a.c\n')

    def test_refusals(self):
        for args, says in ((['--to', 'x'], 'no version'),
                           (['--to', '7.2.6'], 'a base already'),
                           (['--to', '7.1', '--continue'], 'no base "7.1"')):
            self.fails('port', *args, says=[says])
        for args in [], ['x', '--to', '7.1'], ['x', '--continue'], \
                ['--text', '--to', '7.1']:
            self.assertEqual(self.box.tool('port', *args)[0], 2)
        self.elsewhere()
        write(self.box.linux, {'mm/a.c': 'edited\n'})
        self.stops(says=['uncommitted changes', 'mm/a.c'])
        self.box.git('reset', '-q', '--hard')
        self.stops('--continue', says=['no port to 7.1 is under way'])
        self.fails('port', '--base', '7.1', '--to', '7.0.1', says=['series'])
        self.box.git('branch', '-D', 'pool')
        self.stops(says=['no branch pool', 'tools/apply makes it'])


class Server(http.server.BaseHTTPRequestHandler):
    """Serves server.files; can cut replies short and ignore ranges."""

    def do_GET(self):
        server = self.server
        data = server.files.get(self.path)
        server.seen.append((self.path, self.headers.get('Range')))
        if data is None:
            return self.send_error(404)
        start = 0
        if server.ranges and self.headers.get('Range'):
            start = int(self.headers['Range'][6:-1])
            if start >= len(data):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header('Content-Range',
                             f'bytes {start}-{len(data) - 1}/{len(data)}')
        self.send_header('Content-Length', str(len(data) - start))
        self.end_headers()
        end = start + server.cut.pop(0) if server.cut else len(data)
        self.wfile.write(data[start:end])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(files, ranges=True, cut=()):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Server)
    server.files, server.ranges, server.cut = files, ranges, list(cut)
    server.seen = []
    server.url = f'http://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Fetch(Case):
    template = 'empty'
    pool = f'/debian/pool/main/l/linux/{TARBALL}'

    def setUp(self):
        super().setUp()
        self.tarball = self.path / TARBALL
        self.root = re.search(r'root = (\w+)', (
            self.box.root / 'patches/base').read_text())[1]

    def assert_fetched(self):
        self.assertEqual(self.box.git('rev-parse', 'base'), self.root)
        self.assertEqual(self.box.git('status', '--porcelain'), '')
        self.assertIn('lib/blob.o', self.box.git('ls-files'))

    def archive(self, server):
        self.box.program('apt-get', f'case "$*" in *indextargets*) '
                         f'echo main suite {server.url}/debian/;; '
                         '*) exit 100;; esac\n')

    def test_tarball_becomes_the_recorded_root(self):
        self.ok('fetch', '--from', self.tarball)
        self.assert_fetched()
        before = self.box.times()
        self.assertIn('already', self.ok('fetch'))
        self.assertEqual(self.box.times(), before)

    def test_tree_and_clone(self):
        tree = self.path / 'linux-7.2.6'
        self.ok('fetch', '--from', tree)
        self.assert_fetched()
        shutil.rmtree(self.box.root / 'build')
        clone = self.path / 'expected'
        self.box.git('tag', 'v7.2.6', cwd=clone)
        write(clone, {'mm/a.c': 'not in the tag\n', 'new.o': 'x'})
        self.ok('fetch', '--from', clone)
        self.assert_fetched()

    def package(self, changed=()):
        package(self.path, 'linux-7.2.6', 'source.deb', changed)
        self.set_base('file', 'source.deb')
        self.set_base('sha256', sha256(self.path / 'source.deb'))
        self.changed = self.box.root / 'build/linux.git/mm-series-changed'

    @unittest.skipUnless(shutil.which('dpkg-deb'), 'no dpkg-deb')
    def test_package(self):
        self.package(['mm/a.c'])
        deb = (self.path / 'source.deb').read_bytes()
        with serving({'/debian/pool/main/l/linux/source.deb': deb}) as server:
            self.archive(server)
            self.assertIn('source: Debian', self.ok('fetch'))
        self.assert_fetched()
        self.assertEqual(self.changed.read_text(), 'mm/a.c\n')

    @unittest.skipUnless(shutil.which('dpkg-deb'), 'no dpkg-deb')
    def test_package_without_changes(self):
        self.package()
        self.ok('fetch', '--from', self.path / 'source.deb')
        self.assertEqual(self.changed.read_text(), '')

    def test_other_files_change_the_root_and_are_reported(self):
        write(self.path / 'linux-7.2.6', {'extra': 'x\n'})
        out = self.ok('fetch', '--from', self.path / 'linux-7.2.6')
        self.assertIn('not those of the recorded source', out)

    def test_wrong_from(self):
        junk = self.path / 'junk'
        junk.mkdir()
        self.fails('fetch', '--from', junk, says=['junk', 'neither'])
        self.fails('fetch', '--from', self.path / 'no', says=['no such file'])
        write(junk, {'Makefile': MAKEFILE.format(5)})
        self.fails('fetch', '--from', junk, says=['Linux 7.2.5', '7.2.6'])
        write(junk, {'Makefile': MAKEFILE.format(6), '.config': ''})
        self.fails('fetch', '--from', junk, says=['built in', 'mrproper'])
        self.assertFalse(self.box.linux.exists())

    def test_corrupt_from_is_refused(self):
        self.tarball.write_bytes(self.tarball.read_bytes() + b'x')
        self.fails('fetch', '--from', self.tarball,
                   says=[str(self.tarball), 'corrupt'])
        self.assertFalse(self.box.linux.exists())

    def test_corrupt_cache_is_refused_and_replaced(self):
        self.box.cache.mkdir(parents=True)
        cached = self.box.cache / TARBALL
        cached.write_bytes(b'junk')
        self.fails('fetch', says=[str(cached), 'corrupt'])
        self.assertFalse(self.box.linux.exists())
        with serving({self.pool: self.tarball.read_bytes()}) as server:
            self.archive(server)
            self.assertIn(f'{cached} is corrupt', self.ok('fetch'))
        self.assert_fetched()
        self.assertEqual(cached.read_bytes(), self.tarball.read_bytes())

    def test_cut_download_resumes(self):
        data = self.tarball.read_bytes()
        with serving({self.pool: data}, cut=[100, 50]) as server:
            self.archive(server)
            self.ok('fetch')
            self.assertEqual(server.seen, [(self.pool, None),
                                           (self.pool, 'bytes=100-'),
                                           (self.pool, 'bytes=150-')])
        self.assert_fetched()
        self.assertEqual([p.name for p in self.box.cache.iterdir()], [TARBALL])

    def test_cut_download_restarts(self):
        with serving({self.pool: self.tarball.read_bytes()}, ranges=False,
                     cut=[100]) as server:
            self.archive(server)
            self.ok('fetch')
            # the end of the first, which is refused, and all of it
            self.assertEqual([r for _, r in server.seen],
                             [None, 'bytes=100-', None])
        self.assert_fetched()

    def test_wrong_beginning_is_dropped(self):
        self.box.cache.mkdir(parents=True)
        part = self.box.cache / f'{TARBALL}.part'
        for junk in b'junk', b'j' * 100000:
            part.write_bytes(junk)
            with serving({self.pool: self.tarball.read_bytes()}) as server:
                self.archive(server)
                self.ok('fetch')
            self.assert_fetched()
            shutil.rmtree(self.box.root / 'build')
            (self.box.cache / TARBALL).unlink()

    def test_corrupt_download_is_refused(self):
        with serving({self.pool: b'junk'}) as server:
            self.archive(server)
            self.fails('fetch', says=[self.pool, 'SHA-256 is wrong'])
        self.assertEqual(list(self.box.cache.glob('linux*')), [])
        self.assertFalse(self.box.linux.exists())

    def test_no_source_lists_what_was_tried(self):
        out = self.fails('fetch', says=['--from PATH', '--nearest'])
        tried = out.partition('Tried:')[2].splitlines()[1:5]
        for line, name in zip(tried, ('the cache', 'Debian',
                                      'upstream\'s tag',
                                      'upstream\'s tarball'), strict=True):
            self.assertRegex(line, f'^  {name}: .+')

    def set_base(self, name, value):
        base = self.box.root / 'patches/base'
        base.write_text(re.sub(rf'(?m)^{name} = .*', f'{name} = {value}',
                               base.read_text()))

    def test_upstream_tag(self):
        upstream = self.path / 'expected'
        self.box.git('tag', '-a', '-m', 'x', 'v7.2.6', cwd=upstream)
        self.set_base('git', upstream.as_uri())
        self.assertIn('source: upstream\'s tag', self.ok('fetch'))
        self.assert_fetched()
        self.assertFalse((self.box.root / 'build/upstream.tmp').exists())

    def test_upstream_tarball(self):
        data, name = self.tarball.read_bytes(), 'linux-7.2.6.tar.xz'
        sums = f'{hashlib.sha256(data).hexdigest()}  {name}\n'
        files = {f'/v7.x/{name}': data,
                 '/v7.x/sha256sums.asc': sums.encode()}
        with serving(files) as server:
            self.set_base('web', f'{server.url}/v7.x')
            self.ok('fetch')
            self.assert_fetched()
            shutil.rmtree(self.box.root / 'build')
            (self.box.cache / name).unlink()
            files[f'/v7.x/{name}'] = b'junk'
            self.fails('fetch', says=[name, 'SHA-256 is wrong'])

    def test_interrupted_import_starts_over(self):
        write(self.box.root, {'build/linux.tmp/mm/stray.c': 'part\n'})
        self.ok('fetch', '--from', self.tarball)
        self.assert_fetched()
        self.assertFalse((self.box.root / 'build/linux.tmp').exists())

    def test_something_else_in_the_place(self):
        write(self.box.linux, {'mine': 'x\n'})
        self.fails('fetch', '--from', self.tarball, says=['move it away'])
        self.assertTrue((self.box.linux / 'mine').exists())

    @unittest.skipUnless(os.path.exists(KEYRING), 'no Debian keyring')
    def test_nearest(self):
        tree = self.path / 'linux-7.2.12'
        write(tree, dict(TREE, Makefile=MAKEFILE.format(12)))
        tar(tree, self.path / 'near.tar.xz')
        data = (self.path / 'near.tar.xz').read_bytes()
        index = ''.join(
            f'Package: linux\nVersion: {v}-1\nChecksums-Sha256:\n {digest} 1 '
            f'linux_{v}.orig.tar.xz\nDirectory: pool/main/l/linux\n\n'
            for v, digest in (('7.2.9', '0' * 64), ('7.3.1', '0' * 64),
                              ('7.2.12', hashlib.sha256(data).hexdigest()),
                              # listed, but not on this server:
                              ('7.2.13', '0' * 64)))
        (self.path / 'index').write_text(index)
        files = {'/debian/pool/main/l/linux/linux_7.2.12.orig.tar.xz': data}
        with serving(files) as server:
            self.box.program('apt-get', f'case "$*" in *indextargets*) '
                             f'echo main suite {server.url}/debian/;; esac\n')
            self.box.program('apt-cache', f'cat {self.path}/index\n')
            self.assertIn('7.2.13', self.ok('fetch', '--nearest'))
            self.assertEqual(
                self.box.git('log', '--format=%s', '7.2.12/base',
                             cwd=self.box.root / 'build/linux-7.2.12'),
                'Linux 7.2.12')
            self.assertIn('already', self.ok('fetch', '--nearest'))
            self.fails('fetch', '--version', '7.2.10',
                       says=['7.2.9 7.2.12 7.2.13 7.3.1'])
            out = self.fails('fetch', says=['Debian lists: 7.2.9 7.2.12'])
            self.assertNotIn('7.3.1', out)


class Export(Case):
    def setUp(self):
        super().setUp()
        self.to = self.path / 'out'
        (self.path / 'gitconfig').write_text(
            '[user]\nname = Zoë Poster\nemail = zoe@example.net\n')

    def test_refuses_without_identity(self):
        for text, key in (('', 'user.name'),
                          ('[user]\nname = Zoë\n', 'user.email')):
            (self.path / 'gitconfig').write_text(text)
            self.fails('export', '--to', self.to, says=[key])
        self.assertFalse(self.to.exists())

    def test_refuses_a_directory_in_use(self):
        write(self.to, {'x': ''})
        self.fails('export', '--to', self.to, says=['not an empty directory'])
        self.assertEqual([p.name for p in self.to.iterdir()], ['x'])

    def test_all_or_nothing(self):
        cover = self.patch('zs', '0000')
        for file in cover, self.patch('zs', '0001'):
            text = file.read_text()
            file.unlink()
            self.fails('export', '--to', self.to, says=[f'zs/{file.name}'])
            file.write_text(text)
        self.assertFalse(self.to.exists())

    def test_patches_apply(self):
        self.ok('export', '--to', self.to, '--topic', 'queue')
        self.box.git('checkout', '-q', 'base')
        self.box.git('am', *sorted(self.to.glob('*-lib-*.patch')))
        self.assertEqual(self.box.git('diff', 'queue', 'HEAD'), '')
        self.assertEqual(
            self.box.git('log', '-1', '--format=%an <%ae>|%s|%b', 'HEAD~1'),
            'Zoë Poster <zoe@example.net>|lib: add a queue|With a body.\n\n'
            'Cc: x@example.net\nSigned-off-by: Zoë Poster <zoe@example.net>')

    def test_numbers_versions_and_cover(self):
        for args, subjects in (
                ([], ['[PATCH 0/2]', '[PATCH 1/2]', '[PATCH 2/2]']),
                (['--version', '3'], ['[PATCH v3 0/2]', '[PATCH v3 1/2]',
                                      '[PATCH v3 2/2]']),
                (['--rfc'], ['[RFC PATCH 0/2]', '[RFC PATCH 1/2]',
                             '[RFC PATCH 2/2]'])):
            with self.subTest(args):
                self.ok('export', '--to', self.to, '--topic', 'queue', *args)
                files = [p.read_text() for p in sorted(self.to.iterdir())]
                found = [re.search(r'(?m)^Subject: (\[.*?\])', t)[1]
                         for t in files]
                self.assertEqual(found, subjects)
                self.assertNotIn('mm-series', ''.join(files))
                self.assertIn('\n\nLib: add a queue.\n\nBased on v7.2.6.\n\n'
                              'Zoë Poster (2):\n', files[0])
                shutil.rmtree(self.to)

    def test_all_topics_each_in_its_directory(self):
        self.ok('export', '--to', self.to)
        self.assertEqual(sorted(p.name for p in self.to.iterdir()),
                         ['pool', 'queue', 'zs'])
        cover = (self.to / 'pool/0000-cover-letter.patch').read_text()
        self.assertIn('Based on v7.2.6 and the series "lib: add a queue".',
                      cover)
        self.assertEqual(cover.count('prerequisite-patch-id: '), 2)

    def test_base_commit_is_upstreams(self):
        self.assertIn('no base-commit', self.ok('export', '--to', self.to))
        self.assertNotIn('base-commit', (
            self.to / 'zs/0000-cover-letter.patch').read_text())
        self.box.git('tag', 'v7.2.6', 'base')
        shutil.rmtree(self.to)
        self.ok('export', '--to', self.to, '--topic', 'zs')
        self.assertIn(f'base-commit: {self.box.git("rev-parse", "base")}\n', (
            self.to / '0000-cover-letter.patch').read_text())

    def test_range_diff_to_the_last_tag(self):
        self.assertIn('no tag', self.ok('export', '--to', self.to,
                                        '--topic', 'zs', '--version', '2'))
        for command in (['init', '-q'], ['add', 'series', 'patches'],
                        ['commit', '-qm', 'x'], ['tag', 'v1']):
            self.box.git(*command, cwd=self.box.root)
        patch = self.patch('zs', '0001')
        patch.write_text(patch.read_text().replace('z20', 'y20'))
        shutil.rmtree(self.to)
        self.ok('export', '--to', self.to, '--topic', 'zs', '--version', '2')
        cover = (self.to / 'v2-0000-cover-letter.patch').read_text()
        self.assertIn('\nRange-diff against v1:\n1:  ', cover)
        self.fails('export', '--to', self.path / 'n', '--version', '2',
                   '--since', 'no', says=['no tag "no"', 'git tag'])
        self.assertEqual(self.box.tool('export', '--to', self.path / 'n',
                                       '--since', 'v1')[0], 2)
        series = self.box.root / 'series'
        # What the tag lacks has none, and the others go on.
        text, head = series.read_text(), '# zs: mm: speed up zs\n'
        series.write_text(text.replace(head, '# zs/new: mm: x\n') + head)
        self.assertIn('no range-diff: v1 has no zs/new', self.ok(
            'export', '--to', self.path / 'n', '--version', '2', '--topic',
            'zs/new'))
        self.assertRegex(cover, r'(?m)^ +-\+\tz20\(\);\n +\+\+\ty20\(\);$')

    def test_part(self):
        series = self.box.root / 'series'
        series.write_text(series.read_text().replace(
            '# queue: lib: add a queue', '# queue/fixes: lib: first').replace(
            'patches/queue/0002', '# queue: lib: add a queue\n'
            'patches/queue/0002'))
        self.assertIn('queue/fixes  1 patches', self.ok('list'))
        self.assertEqual(len(self.ok('list', 'queue/fixes', 'queue')
                             .splitlines()), 2)
        self.assertIn('up to date', self.ok('refresh'))
        self.ok('export', '--to', self.to, '--topic', 'queue/fixes')
        self.assertEqual([p.name for p in sorted(self.to.iterdir())],
                         ['0000-cover-letter.patch',
                          '0001-lib-add-a-queue.patch'])
        cover = (self.to / '0000-cover-letter.patch').read_text()
        self.assertIn('Subject: [PATCH 0/1] lib: first\n', cover)
        self.fails('apply', '--topic', 'queue/fixes', says=['part of queue'])
        self.box.git('checkout', '-q', 'queue')
        self.box.commit('lib: more\n\nBody.', {'lib/more.c': '1\n'})
        self.ok('refresh', '--topic', 'queue')
        self.assertIn('lib: first\n# A remark.\npatches/queue/0001-lib-add-a-'
                      'queue.patch\n# queue: lib: add a queue\npatches/queue/'
                      '0002-lib-use-the-queue.patch\npatches/queue/0003-lib-'
                      'more.patch\n', series.read_text())

    def test_recipients_and_mbox(self):
        write(self.box.linux, {'scripts/get_maintainer.pl': """#!/bin/sh
            case "$*" in *--nol*) echo 'M <m@example.net>';;
            *queue*) echo 'r@example.net'; echo 'list@example.net';; esac
        """})
        (self.box.linux / 'scripts/get_maintainer.pl').chmod(0o755)
        self.ok('export', '--to', self.to, '--topic', 'queue', '--mbox')
        self.fails('export', '--to', self.path / 'n', '--version', '0',
                   says=['no version 0'])
        mbox = mailbox.mbox(self.to / 'queue.mbox')
        for mail in mbox:
            self.assertEqual(mail['To'], 'M <m@example.net>')
            self.assertEqual(mail['Cc'].split(),
                             ['r@example.net,', 'list@example.net'])
        self.assertEqual(len(mbox), 3)
        mbox.close()
        self.box.git('checkout', '-q', 'base')
        self.box.git('am', '--empty=drop', self.to / 'queue.mbox')
        self.assertEqual(self.box.git('diff', 'queue', 'HEAD'), '')

    def test_send_email(self):
        self.ok('export', '--to', self.to, '--topic', 'pool')
        files = sorted(map(str, self.to.iterdir()))
        r = subprocess.run(
            ['git', 'send-email', '--dry-run', '--to=list@example.net',
             '--confirm=never', '--smtp-server=/bin/false', *files],
            env=dict(self.box.env, HOME=str(self.path)), text=True,
            cwd=self.path, capture_output=True)
        if 'Mail::Address' in r.stderr or 'is not a git command' in r.stderr:
            self.skipTest('git send-email is not installed')
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout.count('Result: OK'), 2, r.stdout)
        self.assertRegex(r.stdout, r'(?m)^From: .*<zoe@example.net>$')
        self.assertIn('Subject: [PATCH 1/1] lib: add a pool', r.stdout)


class Common(Case):
    def test_old_python(self):
        launch = TOOLS / 'lib/launch.py'
        code = ('import runpy, sys; sys.version_info = (3, 10); '
                f'runpy.run_path({str(launch)!r}, run_name="__main__")')
        r = subprocess.run([sys.executable, '-c', code, 'list'], text=True,
                           env=self.box.env, capture_output=True)
        self.assertEqual(r.returncode, 1)
        self.assertTrue(r.stderr.startswith('The tools need Python 3.11'),
                        r.stderr)

    def test_damaged_base(self):
        base = self.box.root / 'patches/base'
        text = base.read_text()
        for damaged in (text.replace('version', '# version'), 'junk\n', None):
            base.unlink()
            if damaged:
                base.write_text(damaged)
            for tool in 'fetch', 'refresh':
                self.fails(tool, says=['patches/base lacks version'])
            base.write_text(text)

    def test_a_failed_command(self):
        code = ('import common; common.run_tool(lambda _: common.run('
                '["sh", "-c", "echo why\\nexit 3"], "the step"))')
        r = subprocess.run([sys.executable, '-c', code], text=True,
                           env=dict(self.box.env, PYTHONPATH=TOOLS / 'lib'),
                           capture_output=True)
        log = self.box.root / 'build/logs/the-step.log'
        self.assertEqual(r.stderr, '-c: the step failed (3)\n'
                         f'  log: {log}; its end:\n  | why\n')
        command = log.read_text().splitlines()[0].removeprefix('$ ')
        r = subprocess.run(['bash', '-c', command], capture_output=True)
        self.assertEqual((r.returncode, r.stdout), (3, b'why\n'))

    def test_a_killed_command_has_no_result(self):
        code = ('import common; common.run_tool(lambda _: common.{}'
                '(["sh", "-c", "kill -9 $$"], {}check=False))')
        for what, name in ('output', ''), ('run', '"the step", '):
            r = subprocess.run([sys.executable, '-c', code.format(what, name)],
                               env=dict(self.box.env, PYTHONPATH=TOOLS / 'lib'),
                               text=True, capture_output=True)
            self.assertEqual(r.returncode, 1)
            self.assertIn('failed (-9)', r.stderr)

    def test_a_symbol_that_cannot_be_had(self):
        write(self.box.linux, {'scripts/kconfig/merge_config.sh': '''#!/bin/sh
            echo 'WARNING: Value requested for CONFIG_A not in final .config'
            echo 'Requested value: CONFIG_A=y'
            echo 'Actual value:    '
            seq 30'''})
        (self.box.linux / 'scripts/kconfig/merge_config.sh').chmod(0o755)
        for name in 'common', 'x86_64', 'arm64':
            write(self.box.root, {f'configs/{name}.config': ''})
        self.box.commit('x', {'Kconfig': 'config A\n'})
        self.fails('build', 'x86_64', says=[
            f'log: {self.box.root}/build/logs/build-x86_64.log\n',
            'as requested: CONFIG_A\n', '| wanted CONFIG_A=y, is not there\n'])
        self.fails('build', 'x86_64', 'arm64', says=['one architecture'])

    def test_files_that_cannot_be_parsed(self):
        names = re.findall("'(\\w+)': \\w+_text|'(picture)'", (
            TOOLS / 'lib/readme.py').read_text())
        readme = ''.join(f'a, by tools/readme {"".join(n)}:\n' for n in names)
        demo, tests, port = (f'Documentation/results/{name}.json' for name in
                             ('demo', 'tests', 'port-7.1'))
        write(self.box.root, {'README': readme, tests: '{}'})
        for name, *texts in ((demo, '[', '3', '{}', '[{}]'), (port, '[{}]'),
                             (tests, '', '[]')):
            for text in texts:
                write(self.box.root, {name: text})
                self.fails('readme', '--check', says=[f'{name}', 'git checkout'])
                if name == tests:
                    self.fails('test', '--save', says=[f'{name}'])
            (self.box.root / name).unlink()
        self.assertEqual((self.box.root / 'README').read_text(), readme)
        name = 'kunit/zs/demo.toml'
        for text in '[[x', 'boot = 3', '[[boot]]\nkey = ""':
            write(self.box.root, {name: text})
            self.fails('demo', '--topic', 'queue', says=[f'{name}: '])
        write(self.box.root, {name: ''})
        self.fails('demo', '--topic', 'zs', says=['zs has no demo.toml'])

    def test_what_cannot_be_kept_is_not_begun(self):
        write(self.box.root, {'Documentation/results': 'a file',
                              'kunit/zs/demo.toml': ''})
        for tool in 'demo', 'test', ('port', '7.1'):
            out = self.fails(*[tool] if tool in ('demo', 'test') else tool,
                             '--save', says=['Documentation/results'])
            self.assertNotIn('[1/', out)

    def test_readme_writes_all_or_nothing(self):
        write(self.box.root, {'README': 'a, by tools/readme topics:\n',
                              'Documentation/x.md': 'a, by tools/readme x:\n'})
        self.fails('readme', says=['no file has the tables: demo real'])
        readme = self.box.root / 'README'
        self.assertEqual(readme.read_text(), 'a, by tools/readme topics:\n')
        self.assertEqual(self.box.tool('readme', '--base', '')[0], 1)

    def test_only_nothing(self):
        for tool in 'test', 'check':
            self.fails(tool, '--only', '', says=['no ', '""', '--list'])

    def test_text_is_utf_8(self):
        self.box.env.update(LC_ALL='C', PYTHONUTF8='0',
                            PYTHONCOERCECLOCALE='0')
        series = self.box.root / 'series'
        text = series.read_text()
        series.write_text(text.replace('queue: lib:', 'queue: über:'))
        self.assertIn('über', self.ok('list'))
        series.write_text(text + '# über\n', encoding='latin-1')
        self.fails('list', says=["is not UTF-8: b'# \\xfc"])

    def test_boot_options(self):
        for option in '--smp=0', '--timeout=-5', '--memory=lots':
            rc, out = self.box.tool('boot', 'x86_64', option)
            self.assertEqual(rc, 2, out)
            self.assertIn(option.partition('=')[0], out.splitlines()[-1])

    def test_what_is_no_tool(self):
        self.fails('launch', says=['launch is no tool'])
        link = self.path / 'mm-list'
        link.symlink_to(TOOLS / 'list')
        self.fails(link, says=['mm-list is no tool; a link'])

    def test_user_without_home(self):
        for name in 'HOME', 'XDG_CACHE_HOME':
            del self.box.env[name]
        code = ('import os, pwd, sys; os.getuid = lambda: 54321; '
                'pwd.getpwuid = lambda uid: {}[uid]; import common; '
                'print(common.CACHE)')
        env = dict(self.box.env, PYTHONPATH=str(TOOLS / 'lib'))
        out = subprocess.run([sys.executable, '-c', code], env=env, text=True,
                             check=True, capture_output=True).stdout
        self.assertEqual(out, f'{self.box.root}/build/cache\n')


class Setup(Case):
    template = 'empty'

    def setUp(self):
        super().setUp()
        self.box.program('id', 'echo 1000\n')

    def query(self, missing=''):
        """Have dpkg know every package but one."""
        self.box.program('dpkg-query', 'shift 3; for p; do [ "$p" = '
                         f'"{missing}" ] || echo "ii  $p"; done\nexit 1\n')

    def test_unknown_option(self):
        rc, out = self.box.tool('setup', '--no')
        self.assertEqual((rc, out.splitlines()[-1]), (2, 'setup: no option --no'))

    def test_nothing_missing(self):
        self.query()
        self.assertIn('nothing is missing', self.ok('setup'))

    def test_missing_is_named_with_the_command(self):
        self.query('bc')
        out = self.fails('setup', says=['apt-get install'])
        self.assertTrue(out.endswith('--no-install-recommends bc\n'), out)

    def test_clang_is_an_option(self):
        self.query('lld-19')
        self.ok('setup')
        self.fails('setup', '--clang', says=['lld-19\n'])

    def test_root_installs(self):
        self.query('bc')
        self.box.program('id', 'echo 0\n')
        self.box.program('apt-get', f'echo "$*" >>{self.path}/apt; '
                         f'[ "$1" = update ] || grep -q ^update {self.path}'
                         '/apt\n')
        self.ok('setup')
        calls = (self.path / 'apt').read_text().splitlines()
        self.assertEqual([c.split()[0] for c in calls],
                         ['install', 'update', 'install'])
        self.assertTrue(calls[-1].endswith(' bc'), calls)

    @unittest.skipUnless(os.path.exists(KEYRING), 'no Debian')
    def test_cache_that_cannot_be(self):
        for home in '/dev/null', '/proc/no':
            self.box.env['XDG_CACHE_HOME'] = home
            self.fails('herd7', says=[home, 'XDG_CACHE_HOME=DIR'])

    def test_herd7_says_why_not(self):
        out = self.fails('herd7', says=['no herd7: '])
        self.assertEqual(out.count('\n'), 1)


if __name__ == '__main__':
    unittest.main()
