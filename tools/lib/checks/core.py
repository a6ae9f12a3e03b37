# SPDX-License-Identifier: GPL-2.0
"""What every check stands on: the commits, the checkout, the cache."""

import collections
import contextlib
import fcntl
import functools
import hashlib
import json
import pathlib
import re
import sys
import tempfile
import threading
import time

import common
import kbuild
from amtree import AmTree, touched
from branches import tip
from common import BUILD, CACHE, LINUX, Failure, git, output

CHECK = BUILD / 'check'
TREE = CHECK / LINUX.name
CACHE_DAYS = 30

# The flags of the netdev CI.  Who posts the series signs it off.  The imported
# tree has no history, so checkpatch.pl knows no commit.
CHECKPATCH_IGNORE = ('COMMIT_LOG_LONG_LINE,MACRO_ARG_REUSE,ALLOC_SIZEOF_STRUCT,'
                     'NO_AUTHOR_SIGN_OFF,GIT_COMMIT_ID,CAMELCASE,'
                     'FILE_PATH_CHANGES,BAD_REPORTED_BY_LINK,'
                     'UNKNOWN_COMMIT_ID')


class Skip(Exception):
    """Why a check cannot be made."""


class Fault:
    """Something that a check found.

    @level is 'fail', 'warn', or 'note' for what only the reader may want.
    The first line of @text is the summary, the others are details.
    """

    def __init__(self, text, level='fail', log=None):
        self.text, self.level, self.log = text, level, log


def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@functools.cache
def version(*command):
    """What identifies a program in a cache key."""
    return output(list(command), check=False).split('\n')[0]


class Cache:
    """Results by the hash of all they depend on.  It may vanish any time."""

    def __init__(self, enabled):
        self.dir, self.enabled = CACHE / 'check', enabled

    def prune(self):
        for path in self.dir.glob('*'):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - CACHE_DAYS * 86400:
                    path.unlink()

    def get(self, key):
        path = self.dir / digest(key)
        if not self.enabled or not path.exists():
            return None
        try:
            value = json.loads(path.read_text())
            path.touch()
            return value
        except (OSError, ValueError):
            return None

    def put(self, key, value):
        self.dir.mkdir(parents=True, exist_ok=True)
        path = self.dir / digest(key)
        new = path.with_suffix(f'.{threading.get_native_id()}')
        new.write_text(json.dumps(value))
        new.replace(path)

    def of(self, key, make):
        """The cached value, or make() and keep it."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value


class Patch:
    """A patch file and the commit that git am makes of it.

    Without a file it stands for all of them.
    """

    def __init__(self, topic, path, parent, commit):
        self.topic, self.path = topic, path
        self.parent, self.commit = parent, commit
        self.name = f'{topic.name}/{path.stem}' if path else topic.name

    @functools.cached_property
    def message(self):
        return git('log', '-1', '--format=%B', self.commit)

    @functools.cached_property
    def status(self):
        """What becomes of each file: name -> A, M, D or T."""
        text = git('diff-tree', '-r', '--no-renames', '--name-status',
                   self.parent, self.commit)
        return {name: how for how, name in
                (line.split('\t', 1) for line in text.splitlines())}

    @property
    def files(self):
        """The files that are there afterwards."""
        return [f for f, how in self.status.items() if how != 'D']

    @functools.cached_property
    def added(self):
        return added_lines(self.parent, self.commit)


def added_lines(start, end):
    """The lines that a diff adds: file -> list."""
    found, name = {}, None
    diff = git('diff', '-U0', '--no-renames', '--no-ext-diff', '--no-color',
               '--src-prefix=a/', '--dst-prefix=b/', start, end)
    for line in diff.splitlines():
        if line.startswith('+++ '):
            name = line[6:] if line.startswith('+++ b/') else None
        elif line.startswith('+') and name:
            found.setdefault(name, []).append(line[1:])
    return found


def am_tree(patches):
    """apply's scratch work tree for these patches, elsewhere, and silent."""
    return AmTree(touched(patches), CHECK, quiet=True)


class Series:
    """The topics and their commits, made from the patch files alone."""

    def __init__(self, cache, names=None):
        self.cache = cache
        self.all = common.topics()
        self.partial = bool(names)
        self.topics = [t for t in self.all.values()
                       if not names or t.name in names]
        self.base = tip('base')
        self.known = {}

    def chain(self, topic):
        return [self.all[t.name] for t in common.with_needs(topic.name)]

    def commits(self, topic):
        """The topic's patches, applied; Failure if one does not apply."""
        if topic.name not in self.known:
            try:
                self.known[topic.name] = self._commits(topic)
            except Failure as e:
                self.known[topic.name] = e
        if isinstance(self.known[topic.name], Failure):
            raise self.known[topic.name]
        return self.known[topic.name]

    def applied(self, topic):
        """The same for the checks that are not about applying."""
        try:
            return self.commits(topic)
        except Failure:
            raise Skip('git am fails')

    def onto(self, topic):
        if not topic.needs:
            return self.base
        return self.tip(self.all[topic.needs])

    def tip(self, topic):
        patches = self.commits(topic)
        return patches[-1].commit if patches else self.onto(topic)

    def needed(self):
        """The topics with what they need, in series order."""
        names = {t.name for topic in self.topics for t in self.chain(topic)}
        return [t for t in self.all.values() if t.name in names]

    def whole(self):
        """The same as if they were one patch."""
        every = common.Topic('series', None, '')
        every.patches = [p for t in self.needed() for p in t.patches]
        self.applied(every)
        return Patch(every, None, self.base, self.tip(every))

    def _commits(self, topic):
        onto = self.onto(topic)
        for path in topic.patches:
            if not path.exists():
                raise Failure(f'{path} is not there')
        key = ('am', onto, [p.read_bytes() for p in topic.patches])
        ids = self.cache.get(key)
        if ids is None or not self._present(ids):
            with am_tree(topic.patches) as amtree:
                end = amtree.am(topic.name, onto, topic.patches)
            ids = git('rev-list', '--reverse', f'{onto}..{end}').split()
            self.cache.put(key, ids)
        parents = [onto, *ids[:-1]]
        return [Patch(topic, path, *pair) for path, *pair in
                zip(topic.patches, parents, ids, strict=True)]

    @staticmethod
    def _present(ids):
        """A cached commit may be of another clone or pruned."""
        return not ids or bool(git('cat-file', '-t', ids[-1], check=False))


class Tree:
    """The checkout in which scripts of the kernel run and objects are made."""

    at = None

    def checkout(self, commit):
        if self.at != commit:
            git('checkout', '-q', '-f', '--detach', commit, cwd=TREE)
            self.at = commit


@contextlib.contextmanager
def lock():
    """One check at a time works in the checkout."""
    CHECK.mkdir(parents=True, exist_ok=True)
    with open(CHECK / 'lock', 'w') as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('waiting for the end of another check', file=sys.stderr)
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def extracted(commit, names):
    """A directory with those of the files that a commit has."""
    with tempfile.TemporaryDirectory() as tmp:
        tar, tree = pathlib.Path(tmp, 'tar'), pathlib.Path(tmp, 'tree')
        tree.mkdir()
        if present := blob_ids(commit, *names):
            git('archive', '-o', tar, '--format=tar', commit, '--', *present)
            output(['tar', '-xf', tar, '-C', tree])
        yield tree


def blob(commit, name):
    return git('show', f'{commit}:{name}')


def exists(commit, name):
    return bool(git('ls-tree', commit, '--', name))


@functools.cache
def blob_ids(commit, *names):
    """name -> blob id, of those that exist."""
    if not names:
        return {}
    text = git('ls-tree', '-r', commit, '--', *names)
    return {name: head.split()[2] for head, name in
            (line.split('\t', 1) for line in text.splitlines())}


@functools.cache
def symbols(commit):
    """The Kconfig symbols that a commit defines."""
    return kbuild.symbols(LINUX, commit)


def new_lines(now, old, strip=lambda line: re.sub(r'\d+', '', line)):
    """Those of @now that @old lacks, each counted, but for what is stripped."""
    left = collections.Counter(map(strip, old))
    for line in now:
        if left[strip(line)] > 0:
            left[strip(line)] -= 1
        else:
            yield line


def excerpt(text, lines=12):
    """Enough of a text to see what is wrong."""
    every = text.strip('\n').splitlines()
    more = [f'... {len(every) - lines} lines more'] if len(every) > lines else []
    return '\n'.join(every[:lines] + more)
