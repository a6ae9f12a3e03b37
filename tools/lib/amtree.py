# SPDX-License-Identifier: GPL-2.0
"""Making commits of patch files, beside the user's work tree."""

import re
import shutil

import common
from branches import CONFIG, relative, tip
from common import BUILD, LINUX, Failure, git, git_command

SPARSE = ['-c', 'core.sparseCheckout=true',
          '-c', 'core.sparseCheckoutCone=false']
AM = ['--committer-date-is-author-date', '--keep-non-patch', '--no-scissors',
      '--no-keep-cr', '--no-3way', '--no-message-id', '--no-gpg-sign',
      '--no-signoff', '--whitespace=nowarn']


def touched(patches):
    """The files that patches change; a patch that is missing, none."""
    heads = re.compile(rb'^diff --git a/(\S+) b/(\S+)$', re.M)
    return sorted({name.decode() for patch in patches if patch.exists()
                   for pair in heads.findall(patch.read_bytes())
                   for name in pair})


class AmTree:
    """A scratch work tree for git am that holds only the files it needs.

    Nothing that goes wrong in it shows in build/linux, and the files there
    keep their times, which incremental builds live on.
    """

    def __init__(self, names, where=BUILD, quiet=False):
        self.dir = where / f'{LINUX.name}.am'
        self.names, self.quiet = names, quiet

    def __enter__(self):
        self.__exit__()     # a run that was killed may have left it
        return self

    def _create(self):
        git('worktree', 'add', '-ff', '--no-checkout', '--detach', self.dir,
            tip('base'))
        sparse = self._git_path('info/sparse-checkout')
        sparse.parent.mkdir(exist_ok=True)
        sparse.write_text(''.join(f'/{name}\n' for name in self.names))
        self._git('read-tree', '-mu', 'HEAD')

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)
        git('worktree', 'prune')

    def _git(self, *args):
        return git(*SPARSE, *CONFIG, *args, cwd=self.dir)

    def _git_path(self, path):
        return self.dir / self._git('rev-parse', '--git-path', path)

    def _am(self, onto, patches, log):
        """Apply patches on a commit; git's exit status."""
        if not self.dir.exists():
            self._create()
        self._git('checkout', '-q', '--detach', onto)
        return common.run(git_command(*SPARSE, *CONFIG, 'am', *AM, *patches),
                          'git am', log, check=False, cwd=self.dir,
                          env=common.GIT_ENV)

    def am(self, name, onto, patches):
        """Apply patches on a commit; the resulting commit."""
        if not patches:
            return onto
        if not self.quiet:
            print(f'{name}: {len(patches)} patches', flush=True)
        log = common.log_path(f'apply-{name}')
        if self._am(onto, patches, log):
            self._report(name, patches, log)
        return self._git('rev-parse', 'HEAD')

    def makes(self, patch, commit):
        """Whether a patch on a commit's parent makes that very commit."""
        if self._am(f'{commit}^', [patch], common.log_path('apply-one')):
            self._git('am', '--abort')
            return False
        what = 'log', '-1', '--format=%T%n%B'
        return self._git(*what) == self._git(*what, commit)

    def _report(self, name, patches, log):
        at = self._git_path('rebase-apply/next')
        if not at.exists():
            strange = [p for p in patches if not touched([p])] or patches
            raise Failure(f'{relative(strange[0])} is no patch that git am '
                          f'takes, so {name} cannot be made', log,
                          f'{relative(LINUX)} is as it was before')
        patch = patches[int(at.read_text()) - 1]
        errors = re.findall('(?m)^error: (.*)', log.read_text())
        bad = [f for f in touched([patch]) if any(f in e for e in errors)]
        raise Failure(f'{relative(patch)} does not apply on branch {name}: '
                      f'conflict in {", ".join(bad) or "the patch itself"}',
                      log, f'{relative(LINUX)} is as it was before')
