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
import threading

import kbuild
from checks.core import (CHECK, TREE, Fault, Skip, blob, blob_ids, digest,
                         new_lines, symbols, version)
from common import LINUX, Failure, git, log_path, output, run

OUT = CHECK / LINUX.name.replace('linux', 'out', 1)
CONFIGS = 'on', 'off', 'allno'
# The kinds of the topics' fragments (kbuild.topic_files) in a configuration.
KINDS = {'on': (), 'all': ('all',)}
# To it, who locks conditionally is out of balance: upstream has given that up,
# and older kernels are full of it.
SPARSE = ('sparse -D__typeof_unqual__=__typeof__ -fdiagnostic-prefix '
          '-Wno-context')
# Below these nothing is part of a kernel.
NO_OBJECTS = ('Documentation', 'include', 'rust', 'samples', 'scripts',
              'tools', 'usr')
MOST_INCLUDERS = 4


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
        names = [] if config == 'allno' else kbuild.machine(arch)
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
            fragments = kbuild.machine(arch)
            if config in KINDS:
                fragments.append(kbuild.topic_fragment(arch, TREE, out,
                                                       KINDS[config]))
            kbuild.configure(arch, TREE.resolve(), out, fragments)
        stamp.write_text(key)

    def ensure(self, jobs):
        """What functions of no argument return, two at a time."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(job) for job in jobs]
            return [future.result() for future in futures]

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
        made = self.ensure([functools.partial(
            self.objects, topic, commit, name, *job) for job in jobs])
        return {(a.name, c): result for (a, c), result in zip(jobs, made)}

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


def needs_build(builder, patch):
    if any(r['errors'] for r in builder.of_patch(patch).values()):
        raise Skip('does not build')


def is_noise(commit, text):
    """sparse 0.6.4 cannot evaluate the assertion in every MODULE_INFO()."""
    name, number, rest = text.split(':', 2)
    if 'bad constant expression' not in rest:
        return False
    lines = blob(commit, name).splitlines()[:int(number)]
    start = next((x for x in reversed(lines) if re.match(r'\w', x)), '')
    return start.startswith(('MODULE_', 'module_param'))


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
