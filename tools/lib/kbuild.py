# SPDX-License-Identifier: GPL-2.0
"""Configuring and building kernels, for the tools that need one."""

import collections
import os
import re
import shutil
import threading

from common import (BASE, BUILD, CACHE, LINUX, ROOT, Failure, git, log_path,
                    run)

CONFIGS = ROOT / 'configs'
# Held while a kernel is built: make uses all CPUs.
building = threading.Lock()
KUNIT = ROOT / 'kunit'


Arch = collections.namedtuple('Arch', 'name cross image qemu machine console '
                                      'disk')
ARCHES = {a.name: a for a in (
    Arch('x86_64', '', 'arch/x86/boot/bzImage', 'qemu-system-x86_64',
         ('-machine', 'pc', '-cpu', 'max'), 'ttyS0', 'virtio-blk-pci'),
    Arch('arm64', 'aarch64-linux-gnu-', 'arch/arm64/boot/Image',
         'qemu-system-aarch64', ('-machine', 'virt', '-cpu', 'max'),
         'ttyAMA0', 'virtio-blk-device'),
    # These have no machine to boot them on.
    Arch('i386', '', 'arch/x86/boot/bzImage', None, (), None, None),
    Arch('um', '', 'linux', None, (), None, None),
)}


def out_of(tree):
    """Where objects of a tree go: beside it, so that ccache knows them."""
    return tree.with_name(tree.name.replace('linux', 'out', 1))


OUT = out_of(LINUX)


def arch(name):
    if name not in ARCHES:
        raise Failure(f'unknown architecture "{name}"; there are: '
                      + ', '.join(ARCHES))
    return ARCHES[name]


def kbuild_env():
    """The same input gives the same objects, wherever the trees are."""
    return {
        'KBUILD_BUILD_TIMESTAMP': '1970-01-01', 'KBUILD_BUILD_VERSION': '1',
        'KBUILD_BUILD_USER': 'mm', 'KBUILD_BUILD_HOST': 'series',
        'CCACHE_DIR': str(CACHE / 'ccache'), 'CCACHE_MAXSIZE': '6G',
        'CCACHE_BASEDIR': str(BUILD), 'CCACHE_NOHASHDIR': '1',
        'LC_ALL': 'C',
    }


def make_cmd(arch, tree, out, clang=False):
    """The make command, less its targets."""
    cmd = ['make', '-s', '-C', str(tree), f'O={out}', f'ARCH={arch.name}',
           f'-j{os.cpu_count()}']
    ccache = 'ccache ' if shutil.which('ccache') else ''
    if clang:
        return cmd + ['LLVM=-19', f'CC={ccache}clang-19']
    return cmd + [f'CROSS_COMPILE={arch.cross}',
                  f'CC={ccache}{arch.cross}gcc']


def symbols(tree, *commit):
    """The names of all Kconfig symbols that a tree, or a commit, defines."""
    text = git('grep', '-hE', r'^\s*(menu)?config +[A-Z0-9_a-z]+', *commit,
               '--', '*Kconfig*', cwd=tree)
    return set(re.findall(r'(?m)^\s*(?:menu)?config +(\w+)', text))


# The topics whose suites are built and run; all if there is none.
only = []


def topic_has(name, topic='*'):
    """The files of this name, a pattern, in kunit/TOPIC."""
    topics = only if only and topic == '*' else [topic]
    return [f for t in topics for f in sorted(KUNIT.glob(f'{t}/{name}'))]


def topic_files(arch, topic='*', kinds=()):
    """The topics' fragments in kunit/TOPIC: qemu is what UML cannot have.

    KIND.config is for a machine or a configuration of that name only.
    """
    kinds = [arch.name, *kinds]
    if arch.name != 'um':
        kinds.insert(0, 'qemu')
    names = ['kunitconfig', *(f'{kind}.config' for kind in kinds)]
    return [f for name in names for f in topic_has(name, topic)]


def topic_options(arch, known, kinds=()):
    """What the topics' suites need, as far as these symbols are known.

    So a tree with some topics, or a part of one, gets the suites that
    exist in it.
    """
    lines = {}
    for f in topic_files(arch, kinds=kinds):
        for line in f.read_text().splitlines():
            symbol = re.match(r'(?:# )?CONFIG_(\w+)', line)
            if symbol and symbol[1] in known:
                lines[symbol[1]] = line
    return ''.join(f'{line}\n' for line in lines.values())


def topic_fragment(arch, tree, out, kinds=()):
    path = out / 'topics.config'
    path.write_text(topic_options(arch, symbols(tree), kinds))
    return path


def fragment(name):
    path = CONFIGS / f'{name}.config'
    if not path.exists():
        raise Failure(f'no configuration "{name}"; there are: ' + ', '.join(
            sorted(p.stem for p in CONFIGS.glob('*.config'))))
    return path


def configure(arch, tree, out, files, clang=False):
    """Write out/.config from fragment files, on top of allnoconfig.

    Fails if a symbol does not end up as the last fragment asks for it.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = log_path(f'config {out.name}')
    env = dict(kbuild_env(), ARCH=arch.name, CROSS_COMPILE=arch.cross)
    if clang:
        env['LLVM'] = '-19'
    run([str(tree / 'scripts/kconfig/merge_config.sh'), '-n', '-Q',
         '-O', str(out), *map(str, files)],
        f'configuring {out.name}', log=log, cwd=tree, env=env)
    missed = re.findall(r'WARNING: Value requested for (\w+) not in final.*\n'
                        r'.*: *(.*)\n.*: *(.*)', log.read_text())
    if missed:
        raise Failure(f'{out.name}: not in the final .config as requested: '
                      + ' '.join(name for name, _, _ in missed), log,
                      'a dependency in configs/ or kunit/ is missing',
                      [f'wanted {wanted}, is {found or "not there"}'
                       for _, wanted, found in missed])


def compile(arch, tree, out, targets, clang=False):
    run(make_cmd(arch, tree, out, clang) + list(targets),
        f'building {out.name}', log=log_path(f'build {out.name}'),
        env=kbuild_env(), hint='the first error is the one to look at')


def machine(arch):
    """The fragments of a machine, and of an older base on it."""
    # UML has no hardware and lives from being small.
    names = [arch.name] if arch.name == 'um' else ['common', arch.name]
    if BASE and (CONFIGS / f'{BASE}.config').exists():
        names.append(BASE)
    return [fragment(name) for name in names]


def fragments(arch, tree, out, names=()):
    """The fragments of a test kernel: machine, topics' suites, @names."""
    out.mkdir(parents=True, exist_ok=True)
    return [*machine(arch), topic_fragment(arch, tree, out, names),
            *map(fragment, names)]


def known_fragments(files, known, out):
    """Fragments less the symbols that a kernel does not have."""
    for path in files:
        new = out / f'known-{path.name}'
        new.write_text(''.join(
            f'{line}\n' for line in path.read_text().splitlines()
            if not (m := re.match(r'(?:# )?CONFIG_(\w+)', line))
            or m[1] in known))
        yield new


def build(arch, tree, names=(), clang=False):
    """Build a bootable test kernel; @names are fragments of configs/.

    Returns the image.
    """
    tag = '-'.join([arch.name, *names] + (['clang'] if clang else [])
                   + only[-1:])
    out = out_of(tree) / tag
    with building:
        configure(arch, tree, out, fragments(arch, tree, out, names), clang)
        compile(arch, tree, out, [arch.image.rsplit('/', 1)[-1]], clang)
    return out / arch.image
