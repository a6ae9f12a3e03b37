# SPDX-License-Identifier: GPL-2.0
"""Make build/linux: the pinned kernel tree as a root commit.

Tried in this order: what --from names (a kernel tree, a clone that has the
tag, or a tarball), the cache, Debian's package or tarball, upstream's tag and
tarball.  A file is used only if its SHA-256 is the recorded one, or for other
versions and upstream's own tarball the published one.

Debian's package linux-source-X.Y holds upstream's tree with Debian's patches
applied.  The files that these changed have the package's time and not that of
the release; they are noted, and tools/check --only base holds the series
against them.

With --base V it makes build/linux-V, with branches V/base, V/TOPIC and so on.
All trees are work trees of build/linux.git, so that git cherry-pick and
range-diff see each other's commits.  Other versions, tarballs or packages that
Debian's suites list, go to build/linux-VERSION, and
MM_SERIES_TREE=linux-VERSION makes the other tools work there.
"""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile

import common
import debian
from branches import noted, relative
from common import (BUILD, CACHE, REPOSITORY, Failure, git, output, ref,
                    sha256)

EPOCH = {'GIT_AUTHOR_DATE': '@0 +0000', 'GIT_COMMITTER_DATE': '@0 +0000'}
POOL = 'pool/main/l/linux'
ATTEMPTS = 4
TIMEOUT = '30'


# Downloading

def curl(url, *more, **kw):
    """What curl prints; Failure with what it says."""
    return output(['curl', '-q', '-fsSL', '--connect-timeout', TIMEOUT,
                   '--speed-time', TIMEOUT, '--speed-limit', '1000', *more,
                   url], **kw)


def download(url, dest, digest):
    """Get @url into @dest, which appears only with the right SHA-256."""
    part = dest.with_name(dest.name + '.part')
    part.parent.mkdir(parents=True, exist_ok=True)
    print(f'downloading {dest.name}', flush=True)
    for _ in range(ATTEMPTS):
        part.touch()
        had, cut, why = part.stat().st_size, False, 'its SHA-256 is wrong'
        try:
            curl(url, '-C', '-', '-o', part)
        except Failure as e:
            cut, why = part.stat().st_size > had, e.what.splitlines()[-1]
        if sha256(part) == digest:
            return part.rename(dest)
        if not cut:
            part.unlink()
            if not had:
                break
    raise Failure(f'{url}: {why}')


# Sources: each returns a tarball, a directory or the name of a tag that is in
# the repository now, or raises Failure with the reason.

def checked(path, digest):
    if sha256(path) != digest:
        raise Failure(f'{path} is corrupt: its SHA-256 is not {digest}')
    return path


def from_cache(pin):
    path = CACHE / pin['file']
    if not path.exists():
        raise Failure(f'no {path}')
    return checked(path, pin['sha256'])


def from_pool(pin):
    """The file in Debian's archive."""
    errors, pool = [], pin.get('pool', POOL)
    for uri in debian.archives('updates' in pool):
        try:
            return download(f'{uri}/{pool}/{pin["file"]}',
                            CACHE / pin['file'], pin['sha256'])
        except Failure as e:
            errors.append(e.what)
    raise Failure('; '.join(errors))


def fetched(url, tag):
    """A tag, by git, which checks what it gets; it stays, for tools/export."""
    git('-c', 'http.lowSpeedLimit=1000', '-c', f'http.lowSpeedTime={TIMEOUT}',
        'fetch', '-q', '--depth=1', '--no-tags', url, f'+{tag}:{tag}',
        cwd=repository())
    return tag


def from_tag(pin):
    """Upstream's tag."""
    try:
        return fetched(pin['git'], f'refs/tags/{pin["tag"]}')
    except Failure as e:
        raise Failure(e.what.split(':\n', 1)[-1].partition('\n')[0])


def from_web(pin):
    """Upstream's tarball, checked against the list published beside it."""
    name = f'linux-{pin["version"]}.tar.xz'
    sums = curl(f'{pin["web"]}/sha256sums.asc', errors='replace')
    digest = re.search(rf'(?m)^([0-9a-f]{{64}})  {re.escape(name)}$', sums)
    if not digest:
        raise Failure(f'{pin["web"]} lists no {name}')
    if (CACHE / name).exists() and sha256(CACHE / name) == digest[1]:
        return CACHE / name
    return download(f'{pin["web"]}/{name}', CACHE / name, digest[1])


def from_user(path, pin):
    """What --from names; only the recorded file has a known SHA-256."""
    path = pathlib.Path(path)
    if path.name == pin['file'] and path.is_file():
        return checked(path, pin['sha256'])
    if path.is_file():
        return path
    if not path.is_dir():
        raise Failure(f'--from {path}: no such file or directory')
    tag = f'refs/tags/{pin["tag"]}'
    if git('rev-parse', '-q', '--verify', f'{tag}^{{commit}}', cwd=path,
           check=False):
        return fetched(path.resolve().as_uri(), tag)
    if not (path / 'Makefile').exists():
        raise Failure(f'--from {path}: neither a kernel tree nor a clone with '
                      f'the tag {pin["tag"]}')
    if (path / '.config').exists() or (path / 'vmlinux').exists():
        raise Failure(f'--from {path}: the tree was built in',
                      hint='run make mrproper there first')
    return path


class NoSource(Failure):
    """No source has a version."""


def first_of(known, pin):
    """What the first source that works has."""
    tried = []
    for name, get in known.items():
        try:
            found = get(pin)
            print(f'source: {name}', flush=True)
            return found
        except Failure as e:
            tried.append(f'{name}: ' + ' '.join(e.what.split()))
            print(f'not from {tried[-1]}', flush=True)
    raise NoSource(f'Linux {pin["version"]} could not be had.  Tried:\n  '
                   + '\n  '.join(tried),
                   hint='name a tree, clone or tarball with --from PATH, or '
                   'take the newest of the same branch with --nearest')


def other_versions(pin):
    """A line with the branch's versions in Debian, if it can be asked."""
    try:
        found = [p['version'] for p in debian_kernels(pin['suite'], pin)
                 if branch(p['version']) == branch(pin['version'])]
        return '\n  Debian lists: ' + ' '.join(dict.fromkeys(found))
    except Failure:
        return ''


# Other versions

def debian_kernels(suite, pin):
    """The kernels of a suite as pins, oldest first.

    A version is there as upstream's tarball, as a package, or both.
    """
    found = [pin_of(version, file, digest, pin, suite)
             for version, (file, digest) in
             debian.Suite(suite, 'deb-src').kernel_tarballs().items()]
    found += [pin_of(version, file, digest, pin, suite, pool)
              for version, pool, file, digest in
              debian.Suite(suite).kernel_packages()]
    return sorted(found, key=lambda p: number(p['version']))


def number(version):
    return [int(n) for n in version.split('.')]


def branch(version):
    return number(version)[:2]


def in_debian(wanted, pin):
    """The versions in Debian that wanted() takes, newest first, as pins.

    Other bases may be from a suite where their branch goes on.
    """
    found = []
    for suite in dict.fromkeys([pin['suite'], 'sid', *(
            common.base(b)['suite'] for b in common.bases())]):
        try:
            kernels = debian_kernels(suite, pin)
        except Failure as e:
            print(f'not from {suite}: {e.what}', flush=True)
            continue
        print(f'{suite} has ' + ' '.join(dict.fromkeys(
            p['version'] for p in kernels)), flush=True)
        found += [p for p in kernels if wanted(p['version'])]
    # What is nearer to upstream first: tarballs.
    return sorted(found, key=lambda p: (number(p['version']),
                                        not p['file'].endswith('.deb')),
                  reverse=True)


def pin_of(version, file, digest, pin, suite=None, pool=POOL):
    """What patches/base would say of another version."""
    major = version.split('.')[0]
    return {'version': version, 'tag': f'v{version}',
            'suite': suite or pin['suite'], 'pool': pool, 'file': file,
            'sha256': digest, 'root': None, 'git': pin['git'],
            'web': re.sub(r'/v\d+\.x', f'/v{major}.x', pin['web'])}


PACKAGE = """\
# Linux {}, from Debian's package of its source, which holds upstream's
# tree with Debian's patches applied; tools/check --only base holds the patches
# against the files that these touch.
"""
TARBALL = """\
# Linux {}, from Debian's copy of upstream's tarball.  That lacks a few
# non-free files, so the imported root is not upstream's commit; its blobs are.
"""


def pin_text(pin):
    """The pin of another version, as a file "base"."""
    about = PACKAGE if pin['file'].endswith('.deb') else TARBALL
    return about.format(pin['version']) + ''.join(
        f'{key} = {value}\n' for key, value in pin.items()
        if (key, value) != ('pool', POOL))


def candidates(args):
    """What to fetch, best first, as patches/base describes it."""
    pin = common.base()
    if args.nearest:
        yield from in_debian(lambda v: branch(v) == branch(pin['version']),
                             pin)
    elif known := [b for b in map(common.base, common.bases())
                   if b['version'] == (args.version or pin['version'])]:
        yield known[0]
    else:
        bare = pin_of(args.version, None, None, pin)
        if not args.source and not is_there(common.tree_of(args.version), bare):
            yield from in_debian(lambda v: v == args.version, pin)
        yield bare


# Making the repository

def fill(tree, source):
    """Put the files of a source into @tree, a new repository."""
    if isinstance(source, str):
        git('read-tree', '-mu', f'{source}^{{commit}}', cwd=tree)
    elif source.is_dir():
        try:
            shutil.copytree(source, tree, symlinks=True, dirs_exist_ok=True,
                            ignore=lambda at, names: {'.git'} & set(names))
        except shutil.Error as e:
            raise Failure(f'--from {source}: {e.args[0][0][2]}')
    else:
        with archive(source) as tarball:
            note_changed(tree, output(
                ['tar', '-xvvf', tarball, '-C', tree, '--strip-components=1',
                 '--no-same-owner', '--full-time', '--show-transformed-names'],
                env={'TZ': 'UTC', 'LC_ALL': 'C.UTF-8'}))


@contextlib.contextmanager
def archive(path):
    """The tarball in one of Debian's packages, or else @path itself."""
    if path.suffix != '.deb':
        yield path
        return
    with tempfile.TemporaryDirectory(dir=BUILD) as tmp:
        output(['dpkg-deb', '-x', path, tmp])
        found = list(pathlib.Path(tmp).glob('usr/src/*.tar.xz'))
        if len(found) != 1:
            raise Failure(f'{path} holds no source of the kernel')
        yield found[0]


def note_changed(tree, listing):
    """Note the files that a distribution changed in a release.

    All files of a release have its time, and what builds the package gives
    those that it changes the package's.
    """
    times = re.findall(r'(?m)^-\S+ +\S+ +\d+ (\S+ \S+) (.+)$', listing)
    release = min(t for t, _ in times)
    changed = [f'{name}\n' for t, name in times if t != release]
    noted('changed', tree).write_text(''.join(sorted(changed)))


def makefile_version(tree):
    path = tree / 'Makefile'
    text = path.read_text(errors='replace') if path.exists() else ''
    return '.'.join(re.findall(
        r'(?m)^(?:VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$', text))


def commit_root(tree, version):
    """Commit the work tree; the same files give the same commit anywhere."""
    # The kernel's .gitignore would keep files out.
    git('-c', 'core.compression=1', 'add', '--force', '--all', cwd=tree)
    return git('commit-tree', '--no-gpg-sign', '-m', f'Linux {version}',
               git('write-tree', cwd=tree), cwd=tree, env=EPOCH)


def import_tree(source, pin, dest, say):
    """Build the repository beside @dest, and rename it when it is right."""
    tree = dest.with_name(dest.name + '.tmp')
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    try:
        make_empty(tree)
        root = filled(tree, source, pin, say)
    except (Failure, OSError):
        shutil.rmtree(tree, ignore_errors=True)
        raise
    if pin.get('root') not in (None, root):
        if isinstance(source, pathlib.Path) and source.name == pin['file']:
            raise Failure(f'{relative(tree)}: the root commit is {root}, not '
                          f'{pin["root"]} as patches/base says',
                          hint='does git or tar change files on this machine?')
        print('The files are not those of the recorded source, so the root '
              f'commit is {root}; patches apply all the same.')
    if isinstance(source, pathlib.Path) and source.name == pin['file']:
        noted('pin', tree).write_text(pin_text({**pin, 'root': root}))
    branch = f'refs/heads/{ref("base", dest.name)}'
    git('update-ref', branch, root, cwd=tree)
    git('symbolic-ref', 'HEAD', branch, cwd=tree)
    git('worktree', 'move', tree, dest, cwd=REPOSITORY)


def repository():
    """The repository of all trees, made if need be."""
    if not REPOSITORY.exists():
        BUILD.mkdir(exist_ok=True)
        new = REPOSITORY.with_suffix('.tmp')
        shutil.rmtree(new, ignore_errors=True)
        git('init', '-q', '--bare', new, cwd=BUILD)
        # Packing 100000 objects takes minutes, and git would start it in the
        # middle of the user's work.
        git('config', 'gc.auto', '0', cwd=new)
        new.rename(REPOSITORY)
    return REPOSITORY


def make_empty(tree):
    """Make a work tree without a file."""
    git('worktree', 'prune', cwd=repository())
    nothing = git('hash-object', '-t', 'tree', '-w', os.devnull,
                  cwd=REPOSITORY)
    git('worktree', 'add', '-ff', '-q', '--no-checkout', '--detach', tree,
        git('commit-tree', '-m', 'nothing', nothing, cwd=REPOSITORY, env=EPOCH),
        cwd=REPOSITORY)


def filled(tree, source, pin, say):
    """Fill a work tree with a version, and commit it: the commit."""
    say('unpacking')
    fill(tree, source)
    found = makefile_version(tree)
    if found != pin['version']:
        raise Failure(f'that is {"Linux " + found if found else "no kernel"}, '
                      f'not Linux {pin["version"]}')
    say('committing')
    return commit_root(tree, pin['version'])


def has_root(dest, at, pin):
    """Whether the branch that @dest starts from is the wanted version."""
    subject = git('log', '--max-parents=0', '--format=%s',
                  ref('base', dest.name), '--', cwd=at, check=False)
    return subject == f'Linux {pin["version"]}'


def is_there(dest, pin):
    """Whether @dest holds the wanted version already."""
    if not dest.exists() and not dest.is_symlink():
        return False
    if not (dest / '.git').exists() or not has_root(dest, dest, pin):
        raise Failure(f'{relative(dest)} is something else than a tree of '
                      f'Linux {pin["version"]} made by this tool',
                      hint='move it away')
    return True


def sources(pin, nearest):
    """How to get a version, best first: name -> function."""
    found = {}
    if pin['file']:
        found.update({'the cache': from_cache, 'Debian': from_pool})
    if not nearest:
        found.update({'upstream\'s tag': from_tag,
                      'upstream\'s tarball': from_web})
    return found


def fetch(pin, args):
    """Make the tree of one version, unless it is there."""
    dest = common.tree_of(pin['version'])
    if is_there(dest, pin):
        print(f'{relative(dest)} is Linux {pin["version"]} already')
        return
    if REPOSITORY.exists() and has_root(dest, REPOSITORY, pin):
        git('worktree', 'prune', cwd=REPOSITORY)
        git('worktree', 'add', '-q', dest, ref('base', dest.name),
            cwd=REPOSITORY)
        print(f'{relative(dest)} is Linux {pin["version"]} again')
        return
    say = common.Steps(3)
    say(f'getting Linux {pin["version"]}')
    source = (from_user(args.source, pin) if args.source
              else first_of(sources(pin, args.nearest), pin))
    import_tree(source, pin, dest, say)
    print(f'{relative(dest)} is Linux {pin["version"]}')


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('--from', dest='source', metavar='PATH',
                   help='a kernel tree, a clone or a tarball')
    other = p.add_mutually_exclusive_group()
    other.add_argument('--nearest', action='store_true',
                       help='the newest version of the same branch that '
                       'Debian lists and has')
    other.add_argument('--version', help='another version')
    args = p.parse_args(argv)
    if args.nearest and args.source:
        p.error('--from needs --version, not --nearest')
    if args.version is not None and not common.is_version(args.version):
        p.error(f'a version is 7.3 or 7.3.4, not "{args.version}"')
    missing = pin = None
    for pin in candidates(args):
        try:
            fetch(pin, args)
            return 0
        except NoSource as e:
            missing = missing or e
    if not pin:
        raise Failure('Debian has no kernel of that branch')
    missing.what += other_versions(pin)
    raise missing
