# SPDX-License-Identifier: GPL-2.0
"""Getting packages of another Debian suite than the machine's own.

The archive is the one that the machine's apt sources name; apt does the work,
with its signature checks, in a state directory of ours, without root.
"""

import os
import re
import shutil

from common import CACHE, Failure, output

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'


def archives(security=False):
    """Base addresses, likely ones first, of Debian in the apt sources.

    Or of its security updates, which are elsewhere at times.
    """
    if not shutil.which('apt-get'):
        raise Failure('this machine has no apt')
    lines = output(['apt-get', 'indextargets', '--format',
                    '$(COMPONENT) $(RELEASE) $(REPO_URI)',
                    'Created-By: Packages']).split('\n')
    # Debian's own suites have one-word names.
    suites = '[a-z]+-security' if security else '[a-z]+'
    found = {uri.rstrip('/') for component, suite, uri in
             (line.split() for line in lines if line.count(' ') == 2)
             if component == 'main' and re.fullmatch(suites, suite)}
    if not found:
        raise Failure('the apt sources name no Debian archive')
    return sorted(found, key=lambda uri: (not uri.endswith('/debian'), uri))


class Suite:
    """A suite, or its sources (kind "deb-src"), in a private apt state."""

    def __init__(self, name, kind='deb'):
        if not os.path.exists(KEYRING):
            raise Failure('there is no debian-archive-keyring')
        self.dir = CACHE / 'apt' / f'{name}-{kind}'
        for sub in 'lists/partial', 'cache/archives/partial':
            (self.dir / sub).mkdir(parents=True, exist_ok=True)
        (self.dir / 'status').write_text('')
        self._update(name, kind)

    def _update(self, name, kind):
        errors = []
        for uri in archives(name.endswith('-security')):
            (self.dir / 'sources.list').write_text(
                f'{kind} [signed-by={KEYRING}] {uri} {name} main\n')
            try:
                self.apt('apt-get', 'update', '-q')
                return
            except Failure as e:
                errors += [line for line in e.what.splitlines()
                           if line.startswith(('E:', 'W:'))]
        raise Failure(f'no signed index of Debian\'s {name}: '
                      + (errors or ['apt-get update failed'])[0])

    def apt(self, tool, *args):
        options = {
            'Dir::Etc::sourcelist': self.dir / 'sources.list',
            'Dir::Etc::sourceparts': os.devnull,
            'Dir::Etc::preferences': os.devnull,
            'Dir::Etc::preferencesparts': os.devnull,
            'Dir::State': self.dir, 'Dir::State::lists': self.dir / 'lists',
            'Dir::State::status': self.dir / 'status',
            'Dir::Cache': self.dir / 'cache', 'Debug::NoLocking': '1',
            'Acquire::Languages': 'none', 'Acquire::Retries': '2',
            'APT::Update::Error-Mode': 'any',
            # Else root's apt works as a user who cannot enter a private home.
            'APT::Sandbox::User': '',
        }
        flags = [f for k, v in options.items() for f in ('-o', f'{k}={v}')]
        return output([tool, *flags, *args], env={'LC_ALL': 'C.UTF-8'})

    def kernel_packages(self):
        """(upstream version, pool, file, SHA-256) of packages linux-source-V,
        which hold upstream's tree with Debian's patches applied."""
        names = re.findall(r'(?m)^linux-source-\d[\d.]*$', self.apt(
            'apt-cache', 'pkgnames', 'linux-source-'))
        text = self.apt('apt-cache', 'show', *names) if names else ''
        return re.findall(r'(?ms)^Version: ([\d.]+)-.*?^Filename: (\S+)/(\S+)$'
                          r'.*?^SHA256: (\w+)$', text)

    def kernel_tarballs(self):
        """Upstream version -> (file, SHA-256) of upstream's tarballs."""
        text = self.apt('apt-cache', 'showsrc', '--only-source', 'linux')
        return {name[6:-12]: (name, digest) for digest, name in re.findall(
            r'(?m)^ ([0-9a-f]{64}) \d+ (linux_[\d.]+\.orig\.tar\.xz)$', text)}

    def closure(self, package):
        """The files of a package and of all that it depends on."""
        archive = self.dir / 'cache/archives'
        for old in archive.glob('*.deb'):
            old.unlink()
        self.apt('apt-get', 'install', '-q', '-y', '--download-only',
                 '--no-install-recommends', package)
        return sorted(archive.glob('*.deb'))
