# SPDX-License-Identifier: GPL-2.0
"""Every check of tools/check must be able to fail.

Small series with one fault each, generated on top of the real base, are
given to the real tool; the check that the fault is for must fail, and no
other.  They are patch files in a scratch directory; of build/linux only the
objects of git are shared, and the checkout and objects under build/check.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS / 'lib'))

import branches                         # noqa: E402
import common                           # noqa: E402
import refresh                          # noqa: E402

LINUX = TOOLS.parent / 'build' / 'linux'
CHECK = TOOLS.parent / 'build' / 'check'
C = '// SPDX-License-Identifier: GPL-2.0\n'
DOC = 'Documentation/core-api/kref.rst'
BODY = 'This patch exists to be looked at by the check that its fault is for.'


class Repository:
    """Commits made without a work tree, in the object store of build/linux."""

    def __init__(self, index):
        self.index = index
        self.base = common.git('rev-parse', 'base', cwd=LINUX)

    def git(self, *args, **kw):
        env = {'GIT_INDEX_FILE': str(self.index),
               'GIT_AUTHOR_DATE': '1700000000 +0000',
               'GIT_COMMITTER_DATE': '1700000000 +0000'}
        return common.git(*args, cwd=LINUX, env=env, **kw)

    def text(self, name, commit=None):
        return self.git('show', f'{commit or self.base}:{name}') + '\n'

    def commit(self, parent, message, files):
        self.git('read-tree', parent)
        for name, text in files.items():
            if callable(text):
                text = text(self.text(name, parent))
            with tempfile.NamedTemporaryFile('w') as f:
                f.write(text)
                f.flush()
                blob = self.git('hash-object', '-w', '--no-filters', f.name)
            self.git('update-index', '--add', '--cacheinfo',
                     f'100644,{blob},{name}')
        return self.git('commit-tree', '-p', parent, '-m', message,
                        self.git('write-tree'))


class Box:
    """A scratch series; what is in it is given to the real tools/check."""

    def __init__(self, tmp):
        self.root = tmp / 'repo'
        self.repository = Repository(tmp / 'index')
        (self.root / 'build').mkdir(parents=True)
        (self.root / 'patches').mkdir()
        (self.root / 'configs').symlink_to(TOOLS.parent / 'configs')
        write(self.root / 'kunit/claims/check',
              '#!/bin/sh\n! grep -r "One more" "$1"\n', 0o755)
        for path in (TOOLS.parent / 'kunit').iterdir():
            (self.root / 'kunit' / path.name).symlink_to(path)
        base = TOOLS.parent / 'patches/base'
        (self.root / 'patches/base').write_text(base.read_text())
        (self.root / 'series').write_text('# A series to try the checks on.\n')
        CHECK.mkdir(exist_ok=True)
        (self.root / 'build/check').symlink_to(CHECK)
        common.git('worktree', 'add', '-q', '--no-checkout', '--detach',
                   self.root / 'build/linux', 'base', cwd=LINUX)

    def close(self):
        common.git('worktree', 'remove', '--force', self.root / 'build/linux',
                   cwd=LINUX)

    def topic(self, name, *commits):
        """Add a topic: for each commit its files, or (message, files)."""
        base = end = self.repository.base
        for n, files in enumerate(commits, 1):
            message = f'lib/crc: seed {name} number {n}\n\n{BODY}\n'
            if isinstance(files, tuple):
                message, files = files
            end = self.repository.commit(end, message, files)
        topic = common.Topic(name, None, 'lib/crc: seed')
        topic.dir = self.root / 'patches' / name
        topic.dir.mkdir()
        files = branches.formatted(base, end)
        for file, text in files.items():
            (topic.dir / file).write_bytes(text)
        (topic.dir / branches.COVER).write_bytes(refresh.cover_letter(
            topic, base, end, len(commits)))
        with open(self.root / 'series', 'a') as f:
            f.write(f'\n# {name}: lib/crc: seed\n' + ''.join(
                f'patches/{name}/{file}\n' for file in files))
        return sorted(topic.dir.glob('*-seed-*'))

    def check(self, *args):
        """Run tools/check: status, {(check, topic): [what failed]}, output."""
        r = subprocess.run(
            [TOOLS / 'check', '-v', '--arch', 'x86_64', *args], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, MM_SERIES_ROOT=str(self.root)))
        failed = {}
        for check, subject, text in re.findall(
                r'(?m)^(?:fail|warn) +(\S+) +(\S+?)(?::? (.*))?$', r.stdout):
            topic, _, patch = subject.partition('/')
            failed.setdefault((topic, check), []).append(
                f'{patch[:4]} {text}'.strip())
        return r.returncode, failed, r.stdout


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def append(text):
    return lambda old: old + text


def replace(old, new):
    def edit(text):
        assert old in text, old
        return text.replace(old, new, 1)
    return edit


def edit_patch(path, old, new):
    path.write_text(replace(old, new)(path.read_text()))


def dedent(text):
    """An indented text; the tabs below that are meant are spaces by four."""
    lines = textwrap.dedent(text).lstrip('\n').splitlines()
    return ''.join(re.sub(r'^( {4})+', lambda m: '\t' * (len(m[0]) // 4), x)
                   + '\n' for x in lines)


GOOD = C + dedent('''
    /* A file that no check finds fault with. */
    #include <linux/crc_seed.h>
    #include <linux/export.h>

    /**
     * crc_seed() - Do what a seed does.
     * @value: What to add one to.
     *
     * Return: The sum.
     */
    int crc_seed(int value)
    {
        return value + 1;
    }
    EXPORT_SYMBOL_GPL(crc_seed);
''')
UNDOCUMENTED = re.sub(r'(?s)/\*\*.*\*/\n', '', GOOD).replace(
    '<linux/crc_seed.h>', '"seed.h"')
PLAIN = re.sub('EXPORT_.*\n|#include <.*\n', '', UNDOCUMENTED)
GOOD_HEADER = '/* SPDX-License-Identifier: GPL-2.0 */\n' + dedent('''
    #ifndef _LINUX_CRC_SEED_H
    #define _LINUX_CRC_SEED_H

    int crc_seed(int value);

    #endif /* _LINUX_CRC_SEED_H */
''')
GOOD_KCONFIG = dedent('''
    config CRC_SEED
        bool "A seed"
        depends on CRC32
        help
          This grows out of a seed, which costs a few bytes of memory and
          no time.  Nobody needs it, so nobody should enable it, but for
          those who want to see what tools/check says of it.

          If unsure, say N.

    config CRC16
''')
ENTRY = ('CRC SEED\nL:\tlinux-crypto@vger.kernel.org\nS:\tMaintained\n'
         'F:\tinclude/linux/crc_seed.h\n\n')


def in_maintainers(text):
    """Put the entry where the alphabet wants it."""
    at = re.search(r'(?m)^CREATIVE SB0540$|^CR[B-Z].*\n[A-Z]:\t', text).start()
    return text[:at] + ENTRY + text[at:]


def docs(text, message=None, name='kref'):
    files = {f'Documentation/core-api/{name}.rst': append(text + '\n')}
    return (message, files) if message else files


# topic: (the check that must fail, commits)
SEEDS = {
    'style': ('checkpatch', [{'tools/mm/seed.c': C + 'int seed( int a );\n'}]),
    'spelling': ('codespell', [docs('Teh' ' words are old.', None,
                                       'kobject')]),
    'signed': ('tags', [docs('Signed.', 'docs: kref: sign\n\n' + BODY +
                             '\n\nSigned-off-by: A <a@example.org>\n', 'idr')]),
    'subject': ('message', [docs('Say.', 'say something\n\n' + BODY + '\n',
                                 'rbtree')]),
    'fixes': ('message', [docs('Fix.', 'docs: kref: fix\n\n' + BODY +
                               '\n\nFixes: 123456 (subject)\n', 'xarray')]),
    'no-entry': ('maintainers', [{
        'include/linux/seed.h': GOOD_HEADER.replace('_CRC_', '_')}]),
    'symbol': ('kconfig', [{'tools/mm/seed.h': GOOD_HEADER.replace(
        'int crc', '#ifdef CONFIG_NO_SUCH_SEED\nint crc').replace(
            'value);\n', 'value);\n#endif\n')}]),
    'gate': ('kconfig', [{'lib/crc/Kconfig': replace(
        'config CRC16\n', GOOD_KCONFIG.replace('\tdep', '\tdefault y\n\tdep'))
    }]),
    'claims': ('own', [{
        'Documentation/core-api/list.rst': append('\nOne more line.\n')}]),
    'stale': ('refresh', [docs('A line that is edited by hand.')]),
    'fuzz-a': (None, [{DOC: replace('If you\nhave objects',
                                    'If you do\nhave objects')}]),
    'fuzz-b': (None, [{DOC: replace('If\nyou want refcounts',
                                    'If you\nwant refcounts')}]),
    'undocumented': ('kernel-doc', [{'lib/crc/seed.h': GOOD_HEADER,
                                     'lib/crc/seed.c': UNDOCUMENTED}]),
    'user': ('sparse', [{'lib/crc/seed.c': C + dedent('''
        #include <linux/compiler.h>
        #include "seed.h"

        int crc_seed(const int __user *value)
        {
            return *value;
        }
    '''), 'lib/crc/seed.h': GOOD_HEADER.replace(
        'int value', 'const int __user *value')}]),
    'unused': ('w1', [{'lib/crc/seed.c': C
                       + '\nstatic const int crc_seed = 1;\n'}]),
    'bisect': ('build', [
        {'lib/crc/seed.h': GOOD_HEADER,
         'lib/crc/seed.c': PLAIN.replace('+ 1', '+ CRC_SEED')},
        {'lib/crc/seed.h': replace('\nint', '\n#define CRC_SEED 1\n\nint')}]),
    'bloat': ('bloat', [{
        'lib/crc/seed.h': GOOD_HEADER, 'lib/crc/seed.c': PLAIN,
        'lib/crc/Makefile': append('obj-y += seed.o\n')}]),
    'good': (None, [{
        'lib/crc/seed.c': GOOD, 'include/linux/crc_seed.h': GOOD_HEADER,
        'lib/crc/Kconfig': replace('config CRC16\n', GOOD_KCONFIG),
        'lib/crc/Makefile': append('obj-$(CONFIG_CRC_SEED) += seed.o\n'),
        'MAINTAINERS': in_maintainers}]),
}
COMPILED = 'build', 'bloat', 'sparse', 'w1'


@unittest.skipUnless((LINUX / '.git').exists(), 'there is no build/linux')
class Case(unittest.TestCase):
    """Each test gets an empty series."""

    maxDiff = None

    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.box = Box(pathlib.Path(tmp.name).resolve())
        self.addCleanup(self.box.close)
        (self.box.root / 'MAINTAINERS-snippet').write_text('')

    def failed(self, *args):
        status, failed, text = self.box.check(*args)
        self.assertEqual(status, int(bool(failed)), text)
        return failed, text


class Seeds(Case):
    def test_each_fails_its_check_alone(self):
        for name, (_, commits) in SEEDS.items():
            patches = self.box.topic(name, *commits)
            if name == 'stale':
                edit_patch(patches[0], 'edited by hand', 'changed by hand')
        # A file that Debian changes; other sources are upstream's as they are.
        changed = branches.noted('changed', LINUX)
        from_debian = changed.exists() and 'mm/memtest.c' in changed.read_text()
        self.box.topic('distro', {'mm/memtest.c': append('\n/* seed */\n')})
        (self.box.root / 'MAINTAINERS-snippet').write_text(ENTRY.strip())
        quick = [name for name in re.findall(r'(?m)^([\w-]+)', self.names())
                 if name not in ('cocci', 'boot', 'lint', 'words', *COMPILED)]
        failed, text = self.failed('--only', ','.join(quick))
        compiled, more = self.failed('--only', ','.join(COMPILED), *[
            f'--topic={name}' for name, (check, _) in SEEDS.items()
            if check in COMPILED or name == 'good'])
        failed, text = {**failed, **compiled}, text + more
        expected = {(n, check) for n, (check, _) in SEEDS.items() if check}
        if from_debian:
            expected.add(('series', 'base'))
        self.assertEqual(set(failed), expected | {
            ('series', 'quilt'), ('series', 'order')}, text)
        self.assertEqual([x[:4] for x in failed['bisect', 'build']], ['0001'])
        self.assertIn('fuzz-b', failed['series', 'quilt'][0])
        for check in COMPILED:
            self.assertRegex(text, rf'(?m)^ok +{check} +good/0001', text)

    def test_ci(self):
        """Each patch is compiled, and the rest is seen of the series."""
        self.box.topic('bisect', *SEEDS['bisect'][1])
        self.box.topic('rest', {'lib/crc/rest.c': C + dedent('''
            #include <linux/compiler.h>

            static const int rest = 1;

            int rest_of(const int __user *value);

            int rest_of(const int __user *value)
            {
                return *value;
            }
        ''')})
        failed, text = self.failed('--ci', '--only', 'build,sparse,w1')
        self.assertEqual(set(failed), {
            ('bisect', 'build'), ('series', 'sparse'), ('series', 'w1')}, text)
        self.assertEqual([x[:4] for x in failed['bisect', 'build']], ['0001'])
        failed, text = self.failed('--ci', '--only', 'build', '--minutes', '0')
        self.assertEqual(failed, {})
        for patch in 'bisect/0001', 'bisect/0002', 'rest/0001':
            self.assertRegex(text, rf'(?m)^skip +build +{patch}.*no time left')

    def test_ci_without_options(self):
        self.box.topic('allno', {
            'lib/crc/seed.c': C + dedent('''
                #ifndef CONFIG_KUNIT
                #error
                #endif
            '''),
            'lib/crc/Makefile': append('obj-y += seed.o\n')})
        failed, text = self.failed('--ci', '--only', 'build')
        self.assertEqual(set(failed), {('series', 'build')}, text)

    @staticmethod
    def names():
        return subprocess.run([TOOLS / 'check', '--list'], text=True,
                              check=True, stdout=subprocess.PIPE).stdout

    def test_every_check_has_a_seed(self):
        failing = set(re.findall(r"\('\w+', '([\w-]+)'\)",
                                 pathlib.Path(__file__).read_text()))
        failing |= {check for check, _ in SEEDS.values()}
        self.assertLessEqual(set(re.findall(r'(?m)^([\w-]+)', self.names())),
                             failing)


class Files(Case):
    """Faults of the patch files and of the repository."""

    ONLY = '--only', 'series-file,git-am,refresh,quilt,snippet,lint,words'

    def test_fine(self):
        self.box.topic('fine', docs('A fine line.'))
        failed, text = self.failed(*self.ONLY)
        self.assertEqual(failed, {}, text)

    def test_unlisted(self):
        self.box.topic('fine', docs('A fine line.'))
        patch = self.box.root / 'patches/fine/0002-more.patch'
        patch.write_text('\n')
        failed, text = self.failed(*self.ONLY)
        self.assertEqual(list(failed), [('series', 'series-file')], text)
        self.assertIn(patch.name, text)

    def test_missing_patch_and_cover(self):
        patches = self.box.topic('fine', docs('A fine line.'))
        (patches[0].parent / branches.COVER).unlink()
        failed, text = self.failed('--only', 'series-file')
        self.assertIn('cover-letter.patch is missing', text)
        patches[0].unlink()
        failed, text = self.failed('--only', 'series-file,git-am')
        self.assertEqual(len(failed), 2, text)

    def test_too_many(self):
        self.box.topic('long', *[docs(f'Line {n}.') for n in range(16)])
        failed, text = self.failed(*self.ONLY)
        self.assertEqual(list(failed), [('series', 'series-file')], text)

    def test_does_not_apply(self):
        patches = self.box.topic('torn', {DOC: replace('almost certainly', 'surely')})
        edit_patch(patches[0], 'almost certainly', 'almost never')
        failed, text = self.failed(*self.ONLY)
        self.assertEqual(list(failed), [('torn', 'git-am')], text)
        self.assertIn(DOC, text)

    def test_stale_cover(self):
        patches = self.box.topic('fine', docs('A fine line.'))
        edit_patch(patches[0].parent / branches.COVER, '1 file', '7 files')
        failed, text = self.failed(*self.ONLY)
        self.assertEqual(list(failed), [('fine', 'refresh')], text)

    def test_snippet(self):
        self.box.topic('entry', {'include/linux/crc_seed.h': GOOD_HEADER,
                                 'MAINTAINERS': in_maintainers})
        failed, text = self.failed(*self.ONLY)
        self.assertEqual(list(failed), [('series', 'snippet')], text)

    def test_lint(self):
        for name, text in (('a.sh', '#!/bin/sh\necho $1\n'),
                           ('b.py', 'import os\n')):
            path = self.box.root / name
            path.write_text(text)
            failed, text = self.failed(*self.ONLY)
            self.assertEqual(list(failed), [('series', 'lint')], text)
            path.unlink()

    def test_words(self):
        for text in 'a line \n', 'a \tline\n', 'no end', 'te' 'h line\n':
            (self.box.root / 'README').write_text(text)
            failed, text = self.failed(*self.ONLY)
            self.assertEqual(list(failed), [('series', 'words')], text)

    def test_topics(self):
        self.box.topic('seed-bed', docs('A fine line.'))
        write(self.box.root / 'tools/lib/any.py', '# as seed_bed does\n')
        failed, text = self.failed('--only', 'topics')
        self.assertEqual(list(failed), [('series', 'topics')], text)

    def test_cocci(self):
        self.box.topic('cocci', {'tools/mm/seed.c': C, 'lib/crc/seed.c': C
                                 + dedent('''
            #include <linux/slab.h>

            void crc_seed(void *memory);

            void crc_seed(void *memory)
            {
                if (memory)
                    kfree(memory);
            }
        ''')})
        failed, text = self.failed('--only', 'cocci')
        self.assertEqual(list(failed), [('cocci', 'cocci')], text)

    @unittest.skipUnless('MM_SERIES_FULL' in os.environ,
                         'boots kernels: tools/test --full')
    def test_boot(self):
        text = C + dedent('''
            #include <linux/bug.h>
            #include <linux/init.h>

            static int __init crc_seed(void)
            {
                WARN_ON(1);
                return 0;
            }
            late_initcall(crc_seed);
        ''')
        self.box.topic('boots', {
            'lib/crc/seed.c': text,
            'lib/crc/Makefile': append('obj-y += seed.o\n')
        }, {'lib/crc/seed.c': replace('WARN_ON(1)', 'WARN_ON(0)')})
        failed, text = self.failed('--only', 'boot')
        self.assertEqual(list(failed), [('boots', 'boot')], text)
        self.assertEqual([x[:4] for x in failed['boots', 'boot']], ['0001'])

    def test_verdict_of_boot(self):
        """The check 'boot' is only as good as vm.Boot's eye for a splat."""
        import vm
        with tempfile.TemporaryDirectory() as tmp:
            log = pathlib.Path(tmp) / 'log'
            for text, good in (
                    ('ok 1 suite\n# guest done', True),
                    # The kernel may print something before the line ends.
                    ('ok 1 suite\n# guest donetsc: calibrated', True),
                    ('ok 1 suite', False),
                    ('not ok 1 suite\n# guest done', False),
                    ('WARNING: CPU: 0 at x\n# guest done', False),
                    ('BUG: KCSAN: data-race in a / b\n# guest done', False),
                    # In upstream's code, and harmless.
                    ('BUG: KCSAN: data-race in hrtimer_wakeup / '
                     'schedule_hrtimeout_range_clock\n# guest done', True)):
                log.write_text(text + '\n')
                try:
                    vm.Boot('x', log).check()
                    self.assertTrue(good, text)
                except common.Failure:
                    self.assertFalse(good, text)

    def test_stale_breakpoint(self):
        """A guest that QEMU ended is run again, if not for ever."""
        import kbuild
        import vm
        from unittest import mock
        arch = kbuild.arch('x86_64')
        image = pathlib.Path('a/b/c/d/e')
        bad, good = 'Oops: int3: 0000 [#1] SMP', 'ok 1 suite\n# guest done'
        other = 'Oops: 0002 [#1] SMP'
        for accel, runs, passes, used in (
                ('tcg', [bad, good], True, 2),
                ('tcg', [bad, bad, bad, good], False, 3),
                ('tcg', [bad, other, good], False, 2),
                ('tcg', [other, good], False, 1),
                ('kvm', [bad, good], False, 1)):
            consoles = iter(runs)

            def run(cmd, what, log, **kw):
                log.write_text(next(consoles) + '\n')

            with tempfile.TemporaryDirectory() as tmp, \
                 mock.patch.object(vm, 'initramfs'), \
                 mock.patch.object(vm, 'qemu_cmd', return_value=[]), \
                 mock.patch.object(vm, 'run', run), \
                 mock.patch.object(vm, 'log_path',
                                   return_value=pathlib.Path(tmp) / 'log'), \
                 mock.patch('sys.stderr'):
                try:
                    vm.boot(arch, image, accel=accel)
                    self.assertTrue(passes, runs)
                except common.Failure:
                    self.assertFalse(passes, runs)
            self.assertEqual(len(list(consoles)), len(runs) - used, runs)

    def test_what_a_failed_boot_shows(self):
        """A failed test with what it printed, far from the log's end."""
        import vm
        with tempfile.TemporaryDirectory() as tmp:
            log = pathlib.Path(tmp) / 'log'
            log.write_text('ok 1 a\n# 3 pages, not 2\nnot ok 2 b\n'
                           'Bail out! no memory\n' + 'ok 3 c\n' * 50 +
                           '# guest done\n')
            with self.assertRaises(common.Failure) as raised:
                vm.Boot('x', log).check()
            self.assertEqual(raised.exception.shown(''), (
                f'log: {log}; of it:\n| ok 1 a\n| # 3 pages, not 2\n'
                '| not ok 2 b\n| Bail out! no memory\n'))


if __name__ == '__main__':
    unittest.main()
