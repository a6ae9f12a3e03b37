# SPDX-License-Identifier: GPL-2.0
"""Checks that compile: of one patch in its place, against the one before.

An architecture has four trees of objects: the test kernel with the topics'
symbols ("on"), the same without ("off"), allnoconfig ("allno"), and, where a
topic ends, the test kernel with each last option of the topics ("all").  Only
the directories that a topic touches are built, commit after commit, so that
each costs what it changed.
"""

import collections
import concurrent.futures
import functools
import os
import pathlib
import re
import subprocess
import threading
import time

import kbuild
import vm
from checks.core import (CHECK, TREE, Fault, Skip, blob, blob_ids, digest,
                         excerpt, extracted, git, new_lines, symbols, version)
from common import LINUX, Failure, log_path, output, run

OUT = CHECK / LINUX.name.replace('linux', 'out', 1)
CONFIGS = 'on', 'off', 'allno'
# The kinds of the topics' fragments (kbuild.topic_files) in a configuration.
KINDS = {'on': (), 'all': ('all',)}
SPARSE = 'sparse -D__typeof_unqual__=__typeof__ -fdiagnostic-prefix'
# Below these nothing is part of a kernel.
NO_OBJECTS = ('Documentation', 'include', 'rust', 'samples', 'scripts',
              'tools', 'usr')
MOST_INCLUDERS = 4
COCCI_SECONDS = 1800
# This one takes in every header: seconds a file, and nothing found.
COCCI_LEFT_OUT = ('tests/unsigned_lesser_than_zero.cocci',)


@functools.cache
def code_id(commit):
    """A hash of what a kernel is made of: documents do not count."""
    def entries(where):
        return [line for line in git('ls-tree', where).splitlines()
                if line.split('\t')[1] not in (
                    'Documentation', 'MAINTAINERS', 'CREDITS', 'tools',
                    'testing')]
    return digest(entries(commit), entries(f'{commit}:tools'))


@functools.cache
def kconfig_id(commit):
    """A hash of what decides a configuration, beside the fragments."""
    return digest([line for line in git('ls-tree', '-r', commit).splitlines()
                   if 'Kconfig' in line.rsplit('/', 1)[-1]])


def topic_options(commit, arch, config):
    """The topics' options in a configuration of a commit."""
    return kbuild.topic_options(arch, symbols(commit), KINDS[config]) \
        if config in KINDS else ''


def for_arch(name, arch):
    """Whether a file can be of use to an architecture."""
    own = {'x86_64': 'x86'}.get(arch.name, arch.name)
    return not re.match('arch/', name) or name.startswith(f'arch/{own}/')


def in_kernel(name):
    return name.split('/')[0] not in NO_OBJECTS and '/' in name


class Topic:
    """What a topic's patches need built."""

    def __init__(self, patches):
        self.end = patches[-1].commit
        self.touched = {f for p in patches for f in p.status}
        self.new = {f for p in patches for f, how in p.status.items()
                    if how == 'A' and f.endswith('.c') and in_kernel(f)}
        self.users = {h: self._users(h) for h in self.touched
                      if re.match(r'include/.*\.h$', h)}

    def _users(self, header):
        """The C files that include a header, if they are few."""
        name = header.split('/', 1)[1]
        found = git('grep', '-lF', f'#include <{name}>', self.end, '--',
                    '*.c', check=False).splitlines()
        found = [f.split(':', 1)[1] for f in found]
        found = [f for f in found if in_kernel(f)]
        return found if len(found) <= MOST_INCLUDERS else []

    def sources(self, patch):
        """The C files that show what a patch does."""
        found = {f for f in patch.files if f.endswith('.c') and in_kernel(f)}
        for header in patch.files:
            found |= set(self.users.get(header, ()))
        return sorted(found & set(blob_ids(patch.commit, *sorted(found))))

    def dirs(self, commit, arch):
        """The directories to build, none within another."""
        files = {f for f in self.touched if in_kernel(f)}
        files |= {f for users in self.users.values() for f in users}
        dirs = {os.path.dirname(f) for f in files if for_arch(f, arch)}
        makefiles = blob_ids(commit, *sorted(f'{d}/{m}' for d in dirs
                                             for m in ('Makefile', 'Kbuild')))
        dirs = sorted({os.path.dirname(f) for f in makefiles})
        return [d for d in dirs if not d.startswith(
            tuple(f'{other}/' for other in dirs if other != d))]


class Builder:
    """Objects and warnings of commits, each made once."""

    def __init__(self, series, tree, arches, progress, sparing=False):
        """@sparing: all configurations of the series as a whole only."""
        self.series, self.tree = series, tree
        self.arches = [kbuild.arch(a) for a in arches]
        self.progress, self.sparing = progress, sparing
        self.topics, self.results = {}, {}
        self.guard = threading.Lock()

    def topic(self, patch):
        name = patch.topic.name
        if name not in self.topics:
            self.topics[name] = Topic(self.series.applied(patch.topic))
        return self.topics[name]

    def out(self, arch, config):
        return OUT / f'{arch.name}-{config}'

    def key(self, kind, commit, arch, config, *more):
        return [kind, code_id(commit), self.config_key(commit, arch, config),
                *more]

    @staticmethod
    def config_key(commit, arch, config):
        names = [] if config == 'allno' else [
            kbuild.CONFIGS / 'common.config',
            kbuild.CONFIGS / f'{arch.name}.config']
        options = topic_options(commit, arch, config)
        return [arch.name, config, kconfig_id(commit),
                [path.read_text() for path in names], options,
                version(f'{arch.cross}gcc', '--version')]

    def make(self, arch, config, log, args):
        out = self.out(arch, config)
        env = dict(kbuild.kbuild_env(),
                   CCACHE_BASEDIR=str(CHECK.resolve().parent))
        return run(kbuild.make_cmd(arch, TREE.resolve(), out.resolve())
                   + list(args), f'make {out.name}', log=log, check=False,
                   env=env)

    def configure(self, commit, arch, config):
        """Write the .config unless it is that of this commit."""
        out = self.out(arch, config)
        out.mkdir(parents=True, exist_ok=True)
        key = digest(self.config_key(commit, arch, config))
        stamp = out / '.check-config'
        if stamp.exists() and stamp.read_text() == key:
            return
        stamp.unlink(missing_ok=True)
        if config == 'allno':
            log = log_path(f'config {out.name}')
            if self.make(arch, config, log, ['allnoconfig']):
                raise Failure('allnoconfig fails', log)
        else:
            fragments = [kbuild.fragment('common'), kbuild.fragment(arch.name)]
            if config in KINDS:
                fragments.append(kbuild.topic_fragment(arch, TREE, out,
                                                       KINDS[config]))
            kbuild.configure(arch, TREE.resolve(), out, fragments)
        stamp.write_text(key)

    def ensure(self, jobs):
        """Run functions of no argument, two at a time."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(job) for job in jobs]:
                future.result()

    def once(self, key, commit, make):
        """A result, from this run, from the cache, or made at a commit.

        Failed ones are not kept: their logs must be there to be read.
        """
        key = digest(key)
        if key not in self.results:
            found = self.series.cache.get(key)
            if found is None:
                with self.guard:
                    self.tree.checkout(commit)
                found = make()
                if not found['errors']:
                    self.series.cache.put(key, found)
            self.results[key] = found
        return self.results[key]

    # Objects

    def objects(self, topic, commit, name, arch, config):
        """Build the topic's directories: errors, warnings, sizes, log."""
        dirs = topic.dirs(commit, arch)
        extra = []
        if config == 'on':
            new = [f for f in sorted(topic.new) if for_arch(f, arch)]
            extra = [f[:-1] + 'o' for f in blob_ids(commit, *new)]
        if not dirs and not extra:
            return {'errors': '', 'warnings': [], 'sizes': {}, 'made': [],
                    'log': None}

        def make():
            self.progress(f'building {name} for {arch.name} {config}')
            return self._objects(topic, commit, name, arch, config,
                                 [f'{d}/' for d in dirs], extra)
        return self.once(self.key('compiled', commit, arch, config, dirs,
                                  extra), commit, make)

    def _objects(self, topic, commit, name, arch, config, dirs, extra):
        log = log_path(f'check build {name} {arch.name}-{config}')
        result = {'errors': '', 'warnings': [], 'sizes': {}, 'made': [],
                  'log': str(log)}
        try:
            self.configure(commit, arch, config)
        except Failure as e:
            result['errors'] = e.what
            if e.log:
                log.write_text(pathlib.Path(e.log).read_text())
            return result
        out = self.out(arch, config)
        for file in topic.touched:
            # So that it is compiled, and warns, whatever was built before.
            (out / file).with_suffix('.o').unlink(missing_ok=True)
        failed, text = self.make(arch, config, log, dirs), log.read_text()
        # What the configuration leaves out so far; make wants it apart from
        # the directories.
        extra = [f for f in extra if not (out / f).exists()]
        if extra and not failed:
            failed = self.make(arch, config, log, extra)
            text += log.read_text()
            log.write_text(text)
        result['errors'] = errors_in(text) if failed else ''
        result['warnings'] = located(text, None, 'gcc')
        if config == 'on':
            result['made'] = [str(o.relative_to(out)) for d in dirs
                              for o in sorted((out / d).rglob('*.o'))]
        if config == 'off':
            result['sizes'] = sizes(arch, out, dirs)
        return result

    def all_objects(self, topic, commit, name, configs):
        jobs = [(arch, config) for arch in self.arches for config in configs]
        self.ensure([lambda a=a, c=c: self.objects(topic, commit, name, a, c)
                     for a, c in jobs])
        return {(a.name, c): self.objects(topic, commit, name, a, c)
                for a, c in jobs}

    @staticmethod
    def ends_topic(patch):
        return not patch.path or patch.path == patch.topic.patches[-1]

    def of_patch(self, patch):
        configs = CONFIGS
        if self.sparing and patch.path:
            configs = CONFIGS[:1]
        elif self.ends_topic(patch):
            configs = *CONFIGS, 'all'
        return self.all_objects(self.topic(patch), patch.commit, patch.name,
                                configs)

    def before(self, patch):
        """The objects with all gates off of the commit below a patch."""
        return self.all_objects(self.topic(patch), patch.parent,
                                f'{patch.name}^', ['off'])

    # Warnings

    def warnings(self, patch, commit, arch, sources):
        """Those of gcc W=1 and of sparse in the files a patch touches."""
        sources = [f for f in sources if for_arch(f, arch)]
        sources = sorted(blob_ids(commit, *sources)) if sources else []
        if not sources:
            return {'errors': '', 'gcc': [], 'sparse': []}
        where = patch.name + ('' if commit == patch.commit else '^')

        def make():
            self.progress(f'W=1 and sparse on {where} for {arch.name}')
            return self._warnings(patch, commit, where, arch, sources)
        return self.once(self.key('warnings', commit, arch, 'on', sources,
                                  sorted(patch.status), SPARSE,
                                  version('sparse', '--version'),
                                  arch is self.arches[0]), commit, make)

    def _warnings(self, patch, commit, where, arch, sources):
        log = log_path(f'check warnings {where} {arch.name}')
        self.configure(commit, arch, 'on')
        flags = ['W=1']
        if arch is self.arches[0]:
            flags += ['C=2', f'CHECK={SPARSE}']
        rc = self.make(arch, 'on', log, flags + [f[:-1] + 'o'
                                                 for f in sources])
        text = log.read_text()
        if 'not available or not up to date' in text:
            raise Failure('make does not run sparse', log)
        files = set(patch.status)
        return {'errors': errors_in(text) if rc else '', 'log': str(log),
                'gcc': located(text, files, 'gcc'),
                'sparse': located(text, files, 'sparse')}

    def built(self, topic, patch, arch):
        """The sources of a patch that the test kernel is made of, or new."""
        made = self.objects(topic, patch.commit, patch.name, arch, 'on')['made']
        return [f for f in topic.sources(patch)
                if f in topic.new or f[:-1] + 'o' in made]


def errors_in(text):
    found = [line for line in text.splitlines()
             if re.search(r'error:|\*\*\*|undefined reference', line)]
    return '\n'.join(found[:10]) or 'make fails without a word'


def located(text, files, by):
    """The warnings of a compiler or of sparse, those in @files or all."""
    found = []
    for line in text.splitlines():
        m = re.match(r'(\S+?):(\d+)(?::\d+)?: (sparse: )?(warning|error): (.*)',
                     line)
        if not m or bool(m[3]) != (by == 'sparse') or (
                by == 'gcc' and m[4] != 'warning'):
            continue
        name = m[1].removeprefix(f'{TREE.resolve()}/')
        name = re.sub(r'^(\.\./)+linux[^/]*/', '', name)
        if files is None or name in files:
            found.append(f'{name}:{m[2]}: {m[4]}: {m[5]}')
    return sorted(set(found))


def sizes(arch, out, dirs):
    """Symbol sizes in directories' objects, as bloat-o-meter sees them."""
    found = collections.Counter()
    for where in dirs:
        for archive in 'built-in.a', 'lib.a':
            path = out / where / archive
            if not path.exists():
                continue
            text = output([f'{arch.cross}nm', '--size-sort', str(path)],
                          check=False, cwd=out)
            for line in text.splitlines():
                field = line.split()
                if len(field) == 3 and not re.match(
                        '__mod_|__se_(compat_)?sys|__addressable_', field[2]):
                    name = re.sub(r'\.[0-9]+', '', field[2])
                    name = re.sub(r'(__UNIQUE_ID_\w*?)_?\d+$', r'\1', name)
                    found[name] += int(field[0], 16)
    return found


def build(builder, patch):
    """The topic's directories compile, all gates on, off, and allnoconfig."""
    for (arch, config), result in builder.of_patch(patch).items():
        where = f'{arch} {config}'
        warnings = [w for w in result['warnings']
                    if w.split(':')[0] in patch.status]
        if result['errors']:
            yield Fault(f'{where} does not build\n{result["errors"]}',
                        log=result['log'])
        elif warnings:
            yield Fault(f'{where}: ' + excerpt('\n'.join(warnings)),
                        log=result['log'])


def needs_build(builder, patch):
    if any(r['errors'] for r in builder.of_patch(patch).values()):
        raise Skip('does not build')


def bloat(builder, patch):
    """With all gates off the objects keep their sizes.

    Fixes may change them, and so may a patch whose message says by how much, at
    least on the first architecture.
    """
    needs_build(builder, patch)
    fix = re.search(r'(?m)^Fixes: ', patch.message)
    stated = re.findall(r'[\d,]*\d', patch.message) if re.search(
        r'\d\s+bytes\s+of\s+code', patch.message) else []
    before, after = builder.before(patch), builder.of_patch(patch)
    for (arch, config), old in before.items():
        if old['errors']:
            raise Skip('the commit before does not build')
        new = after[arch, config]['sizes']
        lines = [f'{name}: {old["sizes"].get(name, 0)} -> {new.get(name, 0)}'
                 for name in sorted(old['sizes'].keys() | new.keys())
                 if old['sizes'].get(name) != new.get(name)]
        if lines:
            grown = sum(new.values()) - sum(old['sizes'].values())
            yield Fault(f'{arch}: {len(lines)} symbols differ, {grown:+} bytes'
                        + '\n' + excerpt('\n'.join(lines)), 'note' if fix
                        or str(abs(grown)) in stated
                        or stated and arch != builder.arches[0].name
                        else 'fail')


def is_noise(commit, text):
    """sparse 0.6.4 cannot evaluate the assertion in every MODULE_INFO()."""
    name, number, rest = text.split(':', 2)
    if 'bad constant expression' not in rest:
        return False
    lines = source(commit, name)[:int(number)]
    start = next((x for x in reversed(lines) if re.match(r'\w', x)), '')
    return start.startswith(('MODULE_', 'module_param'))


@functools.cache
def source(commit, name):
    return blob(commit, name).splitlines()


def new_warnings(builder, patch, arch, by):
    """Warnings that the commit before does not have, line numbers apart."""
    topic = builder.topic(patch)
    sources = builder.built(topic, patch, arch)
    now = builder.warnings(patch, patch.commit, arch, sources)
    if now['errors']:
        yield Fault(f'{arch.name}: W=1 does not build\n{now["errors"]}',
                    log=now['log'])
        return
    old = builder.warnings(patch, patch.parent, arch,
                           sources)[by] if now[by] else []
    for text in new_lines(now[by], old):
        if by != 'sparse' or not is_noise(patch.commit, text):
            yield Fault(f'{arch.name}: {text}', log=now.get('log'))


def sparse(builder, patch):
    """sparse (C=2) says nothing new about the files touched."""
    needs_build(builder, patch)
    yield from new_warnings(builder, patch, builder.arches[0], 'sparse')


def w1(builder, patch):
    """gcc with W=1 says nothing new about the files touched."""
    needs_build(builder, patch)
    topic = builder.topic(patch)
    builder.ensure([lambda a=a: builder.warnings(
        patch, patch.commit, a, builder.built(topic, patch, a))
        for a in builder.arches])
    for arch in builder.arches:
        yield from new_warnings(builder, patch, arch, 'gcc')


def boot_one(builder, patch, arch, config):
    """Build the kernel of a commit and run its KUnit suites; cached."""
    what = f'{patch.name} {arch.name}-{config}'

    def make():
        builder.progress(f'boot {what}')
        log = log_path(f'check image {what}')
        with kbuild.building:
            builder.configure(patch.commit, arch, config)
            if builder.make(arch, config, log, [arch.image.rsplit('/')[-1]]):
                raise Failure(f'{what}: no image\n'
                              + errors_in(log.read_text()), log)
        result = vm.boot(arch, builder.out(arch, config) / arch.image,
                         tree=TREE, name=f'check boot {what}')
        if (not result.results() and '_KUNIT_TEST=y' in
                topic_options(patch.commit, arch, config)):
            raise Failure(f'{what}: no test ran', result.log)
        return {'errors': ''}

    judge = [vm.SPLAT.pattern, (kbuild.KUNIT / 'guest/init.c').read_text(),
             version(arch.qemu, '--version')]
    builder.once(builder.key('boot', patch.commit, arch, config, judge),
                 patch.commit, make)


def boot(builder, patch):
    """The test kernel of each commit boots and its KUnit suites pass.

    At the end of a topic so do those with its symbols off, and all on.
    """
    needs_build(builder, patch)
    configs = ('on', 'off', 'all') if builder.ends_topic(patch) else ('on',)
    builder.ensure([lambda a=a, c=c: boot_one(builder, patch, a, c)
                    for c in configs for a in builder.arches])
    yield from ()


# Coccinelle

def semantic_patches():
    """The tree's scripts that can report: (path, options)."""
    where = TREE / 'scripts/coccinelle'
    for path in sorted(where.rglob('*.cocci')):
        text = path.read_text(errors='replace')
        # Those with a part in OCaml need its compiler.
        if ('virtual report' not in text or 'script:ocaml' in text
                or 'initialize:ocaml' in text
                or str(path.relative_to(where)) in COCCI_LEFT_OUT):
            continue
        options = re.search(r'(?m)^//+ Options:(.*)', text)
        yield path, options[1].split() if options else []


def reports(commit, names, deadline):
    """What the scripts report about files: (lines, scripts not run)."""
    scripts = list(semantic_patches())
    late = []
    with extracted(commit, names) as where:
        def spatch(path, options):
            left = deadline - time.monotonic()
            if left < 1:
                late.append(path.name)
                return ''
            try:
                return output(['spatch', '--very-quiet', '--no-show-diff',
                               '-D', 'report', '--cocci-file', str(path),
                               *options, '-I', str(TREE / 'include'), *names],
                              check=False, cwd=where, timeout=left)
            except subprocess.TimeoutExpired:
                late.append(path.name)
                return ''
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            texts = list(pool.map(lambda s: spatch(*s), scripts))
    lines = {x for t in texts for x in t.splitlines() if ':' in x}
    return sorted(lines), len(late)


def cocci(builder, topic):
    """coccicheck's scripts report nothing new about the files touched."""
    series = builder.series
    patches = series.applied(topic)
    names = sorted({f for p in patches for f in p.files
                    if f.endswith(('.c', '.h')) and f[:6] != 'tools/'})
    now = blob_ids(series.tip(topic), *names)
    if not now:
        return
    deadline = time.monotonic() + COCCI_SECONDS
    lines = cached_reports(builder, series.tip(topic), now, deadline)
    then = blob_ids(series.onto(topic), *now)
    old = []
    if any(line.split(':')[0] in then for line in lines):
        old = cached_reports(builder, series.onto(topic), then,
                             deadline + COCCI_SECONDS)
    for line in lines + old:
        if line.startswith('#'):
            yield Fault(line[2:])
    for line in new_lines(lines, old):
        if not line.startswith('#'):
            yield Fault(line)


def cached_reports(builder, commit, blobs, deadline):
    cache = builder.series.cache
    keys = {name: ('cocci', builder.series.base, name, oid, COCCI_LEFT_OUT,
                   version('spatch', '--version'))
            for name, oid in blobs.items()}
    found = {name: cache.get(key) for name, key in keys.items()}
    missing = [n for n, lines in found.items() if lines is None]
    if missing:
        builder.progress(f'coccinelle on {len(missing)} files')
        lines, late = reports(commit, missing, deadline)
        for name in missing:
            found[name] = [x for x in lines if x.startswith(f'{name}:')]
            if not late:
                cache.put(keys[name], found[name])
        if late:
            found['#'] = [f'# {late} of the scripts had no time to run']
    return sorted(x for lines in found.values() for x in lines)
