# SPDX-License-Identifier: GPL-2.0
"""The topics' branches in build/linux and the patch files made of them.

Commits and patch files are pure functions of each other, whatever git's
version and configuration, so that a round trip changes nothing.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import re
import tempfile

from common import IDENTITY, LINUX, PATCHES, ROOT, Failure, git, put, ref

COVER = '0000-cover-letter.patch'

# git's own pattern for the function names in hunk headers of C files, written
# out because it differs from version to version.
C_FUNCTION = ('!^[ \t]*[A-Za-z_][A-Za-z_0-9]*:[[:space:]]*($|/[/*])\n'
              '^((::[[:space:]]*)?[A-Za-z_].*)$')
CONFIG = ['-c', f'diff.cpp.xfuncname={C_FUNCTION}', '-c', 'core.quotePath=true',
          '-c', f'core.hooksPath={os.devnull}',
          '-c', 'diff.context=3', '-c', 'diff.interHunkContext=0',
          '-c', 'diff.suppressBlankEmpty=false',
          '-c', 'i18n.commitEncoding=UTF-8']
DIFF = ['--diff-algorithm=myers', '--indent-heuristic', '--no-renames',
        '--full-index', '--no-ext-diff', '--no-textconv', '--no-color',
        '--no-relative', f'-O{os.devnull}',
        '--src-prefix=a/', '--dst-prefix=b/']
FORMAT = ['--zero-commit', '--no-signature', '--no-numbered', '--no-base',
          '--no-attach', '--no-thread', '--no-signoff', '--no-notes',
          '--no-to', '--no-cc', '--no-add-header', '--no-cover-letter',
          '--subject-prefix=PATCH', '--suffix=.patch',
          '--filename-max-length=64', '--encode-email-headers']


@functools.cache
def git_dir():
    """Where git keeps what is of this work tree only."""
    return pathlib.Path(git('rev-parse', '--absolute-git-dir'))


def noted(what, tree):
    """Where fetch notes what it knows of a tree: its pin, and the files that
    the distribution "changed"."""
    common_dir = git('rev-parse', '--path-format=absolute',
                     '--git-common-dir', cwd=tree)
    name = ref(what, tree.name.removesuffix('.tmp')).replace('/', '-')
    return pathlib.Path(common_dir) / f'mm-series-{name}'


@contextlib.contextmanager
def lock():
    """Keep a second apply or refresh out of the tree."""
    if not (LINUX / '.git').exists():
        raise Failure(f'{relative(LINUX)} is no git repository',
                      hint='tools/apply makes it')
    with open(git_dir() / 'mm-series.lock', 'w') as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f'another tool is at work in {relative(LINUX)}')
        yield


class Record:
    """What apply and refresh last left: branch -> its tip, base and files.

    It tells edits on a branch from edits of the patch files.
    """

    def __init__(self):
        self.path = git_dir() / 'mm-series.json'
        self.all = {}
        # What a lost record says can be found out anew.
        with contextlib.suppress(FileNotFoundError, ValueError):
            self.all = dict(json.loads(self.path.read_text()))

    def __getitem__(self, branch):
        return self.all.get(branch, {'tip': None, 'base': None, 'key': None})

    def __setitem__(self, branch, entry):
        if self[branch] == entry:
            return
        self.all[branch] = entry
        put(self.path, json.dumps(self.all, indent=1) + '\n')


def relative(path):
    """A path as the user would type it in the repository's root."""
    return os.path.relpath(path, ROOT)


def tip(branch):
    return git('rev-parse', '-q', '--verify',
               f'refs/heads/{ref(branch)}^{{commit}}', check=False) or None


def merge_base(a, b):
    return git('merge-base', a, b, check=False)


def fork_point(topic, record):
    """The commit that a topic's branch starts from."""
    known, end = record[topic.name]['base'], tip(topic.name)
    if known and merge_base(known, end) == known:
        return known
    return merge_base(tip(topic.needs or 'base') or tip('base'), end)


def formatted(start, end):
    """The patch files of start..end: name -> content."""
    with tempfile.TemporaryDirectory() as tmp:
        git(*CONFIG, 'format-patch', *FORMAT, *DIFF, '-o', tmp,
            f'{start}..{end}')
        return {p.name: _anonymous(p.read_bytes())
                for p in sorted(pathlib.Path(tmp).iterdir())}


def _anonymous(mail):
    """A patch under the series' identity: its poster is not known yet."""
    sender = '{} <{}>'.format(*IDENTITY).encode()
    return re.sub(rb'\A(From .*\n)From: .*\n(?:[ \t].*\n)*',
                  rb'\1From: ' + sender + rb'\n', mail)


def listed(topic):
    """The topic's patch files as series lists them: name -> content."""
    found = {}
    for patch in topic.patches:
        if not patch.exists():
            raise Failure(f'series lists {relative(patch)}, which is not there')
        found[patch.name] = patch.read_bytes()
    return found


def key(files):
    """A digest of patch files, from listed() or formatted()."""
    text = repr(sorted(files.items())).encode()
    return hashlib.sha256(text).hexdigest()


def differences(branch, old, new):
    """A line for each patch file that a branch would change."""
    where = relative(PATCHES / branch)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f'{where}/{name} is not on the branch'
        elif name not in old:
            yield f'{where}/{name} is only on the branch'
        elif old[name] != new[name]:
            yield f'{where}/{name} differs'


# What apply is about to check out.
NEXT = 'refs/worktree/mm-series-next'
SERIES_EDITED = ('branch series holds commits of its own; they belong on the '
                 'branch of a topic')


def series_edited(record):
    """Whether there are commits that no topic's branch has."""
    end = tip('series')
    # A run that was killed may have moved it and not noted that.
    moved = git('rev-parse', '-q', '--verify', NEXT, check=False)
    return end and end not in (record['series']['tip'], moved)


def unfinished():
    """The git operation that waits for the user in build/linux, if any."""
    for sign, name in {'rebase-merge': 'rebase', 'rebase-apply': 'rebase or am',
                       'MERGE_HEAD': 'merge', 'CHERRY_PICK_HEAD': 'cherry-pick',
                       'REVERT_HEAD': 'revert'}.items():
        if (git_dir() / sign).exists():
            return name
    return None


def work_tree_edits():
    """What would be lost in the work tree: (name, reason, commit maker)."""
    if unfinished():
        raise Failure(f'a {unfinished()} is under way in {relative(LINUX)}',
                      hint='finish or abort it first')
    changes = git('status', '--porcelain', '--untracked-files=no')
    if changes:
        yield ('worktree', 'uncommitted changes:\n' + changes,
               lambda: git('stash', 'create', 'work tree before apply'))
    head = git('rev-parse', 'HEAD')
    if not git('for-each-ref', '--contains', head, '--count=1'):
        yield 'HEAD', 'commits on no branch', lambda: head
