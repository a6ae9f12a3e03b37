# SPDX-License-Identifier: GPL-2.0
"""git am where lines around a patch have changed, and lists by union."""

import difflib
import re

import common
from amtree import AM
from branches import CONFIG
from common import BUILD, git, git_command, run

PORT = BUILD / 'port'
# Files that are lists: what two sides add goes one behind the other.
LISTS = '.gitignore', 'Kconfig*', 'MAINTAINERS', 'Makefile', 'run_vmtests.sh'


class Merging:
    """A work tree to whose HEAD patches are added."""

    def __init__(self, path, *config):
        PORT.mkdir(parents=True, exist_ok=True)
        attributes = PORT / 'attributes'
        attributes.write_text(''.join(f'{n} merge=union\n' for n in LISTS))
        self.path = path
        self.config = [*CONFIG, '-c', f'core.attributesFile={attributes}',
                       *config]

    def git(self, *args, **kw):
        return git(*self.config, *args, cwd=self.path, **kw)

    def runs(self, *args):
        """Whether a git command succeeds; what it says is in a log."""
        return run(git_command(*self.config, *args), 'git',
                   self.log(), check=False, cwd=self.path,
                   env=common.GIT_ENV) == 0

    def log(self):
        return common.log_path('port')

    def head(self):
        return self.git('rev-parse', 'HEAD')

    def checkout(self, commit):
        self.git('checkout', '-q', '-f', '--detach', commit)

    def am(self, patch, *how):
        """Whether git am takes a patch; what a union brought goes again."""
        before = self.head()
        done = self.runs('am', *AM, *how, patch)
        if how and self.tidy(patch, before) and done:
            self.git('commit', '-q', '--amend', '--no-edit')
        return done

    def unmerged(self):
        return self.git('diff', '--name-only', '--diff-filter=U').splitlines()

    def in_the_way(self):
        """The files for which git am has stopped."""
        found = self.unmerged() or re.findall(
            r'(?m)^error: (?:patch failed: )?([^\s:]+)[: ]',
            self.log().read_text())
        return sorted(set(found)) or ['the patch itself']

    def strays(self, patch, before):
        """The files to which HEAD adds more than the patch does.

        A union takes lines around an addition, too, that the tree lacks.
        """
        def added(*command):
            rows = self.git(*command).splitlines()
            return {name: int(n) for n, _, name in
                    (row.split('\t') for row in rows)}
        meant = added('apply', '--numstat', patch)
        return [name for name, n in
                added('diff', '--numstat', before, 'HEAD').items()
                if n > meant.get(name, 0)]

    def tidy(self, patch, before):
        """Leave of what unions added to lists only what the patch adds.

        These are the lists, taken into the index, that differ from a commit.
        """
        names = set(self.git(
            'diff', '--name-only', '--diff-filter=M', before, '--',
            *(f':(glob)**/{name}' for name in LISTS)).splitlines())
        names -= {*self.unmerged()}
        for name in sorted(names):
            self.tidy_list(name, patch, before)
            self.git('add', '--update', name)
        return names

    def tidy_list(self, name, patch, before):
        """An entry of Kconfig goes in front of the one that the union put it
        in."""
        diffs = patch.read_text().split('\ndiff --git ')
        meant = [line[1:] for diff in diffs if diff.startswith(f'a/{name} ')
                 for line in re.findall(r'(?m)^\+(?!\+\+ ).*', diff)]
        old = self.git('show', f'{before}:{name}').splitlines()
        diff = self.git('diff', '-U0', before, '--', name)
        kept, done = [], 0
        for at, nr, text in re.findall(
                r'(?m)^@@ -(\d+)(?:,(\d+))? .*\n((?:[-+].*\n?)*)', diff):
            # An addition is behind a line, a change at one.
            start = int(at) - (nr != '0')
            kept += old[done:start]
            done = start + int(nr or 1)
            added = [x[1:] for x in text.splitlines() if x[0] == '+']
            both = difflib.SequenceMatcher(None, added, meant, autojunk=False)
            added = [line for i, _, n in both.get_matching_blocks()
                     for line in added[i:i + n]]
            at = len(kept)
            while added and added[0].startswith('config ') \
                    and kept[at - 1:at] not in ([], ['']):
                at -= 1
            kept[at:at] = added
        kept += old[done:]
        (self.path / name).write_text('\n'.join(kept) + '\n')

    def there(self, patches, commit):
        """The patches that a commit has already; the last is undone first."""
        self.checkout(commit)
        found = {p for p in reversed(patches)
                 if self.runs('apply', '--index', '--reverse', p)}
        self.checkout(commit)
        return found
