# SPDX-License-Identifier: GPL-2.0
"""Get the memory model simulator herd7 and print its path.

Debian has it in newer suites than a machine may run, so it is unpacked with
the libraries it needs, never installed, and called through their dynamic
linker.  Where it cannot be had, one line says why and the status is 1.
"""

import re
import shlex
import shutil

import common
import debian
from common import CACHE, Failure, output

HOME = CACHE / 'herd7'
SUITES = 'forky', 'sid'


def unpack(packages, to):
    to.mkdir(parents=True)
    for deb in packages:
        output(['dpkg', '-x', deb, to])
        deb.unlink()
    for program in (to / 'usr/bin').glob('*7'):
        if program.name != 'herd7':
            program.unlink()


def only(root, pattern):
    found = sorted(root.glob(pattern))
    if not found:
        raise Failure(f'herdtools7 holds no {pattern}')
    return found[0]


def wrapper(root, final):
    """A script that runs root's herd7, when root has become @final."""
    linker = only(root, 'usr/lib/*-linux-gnu*/ld-linux-*.so.*')
    binary = only(root, 'usr/bin/herd7')
    models = only(root, 'usr/share/herdtools7/herd')
    linker, binary, models = (final / p.relative_to(root)
                              for p in (linker, binary, models))
    command = shlex.join(map(str, [linker, '--library-path', linker.parent,
                                   binary, '-set-libdir', models]))
    return f'#!/bin/sh\nexec {command} "$@"\n'


def install(suite):
    packages = debian.Suite(suite).closure('herdtools7')
    new = CACHE / 'herd7.new'
    shutil.rmtree(new, ignore_errors=True)
    unpack(packages, new / 'root')
    script = new / 'herd7'
    script.write_text(wrapper(new / 'root', HOME / 'root'))
    script.chmod(0o755)
    shutil.rmtree(HOME, ignore_errors=True)
    new.rename(HOME)


def works(program):
    return program.exists() and re.match(
        r'\d+\.', output([program, '-version'], check=False))


def main(argv):
    common.parser(__doc__).parse_args(argv)
    own = shutil.which('herd7')
    if own:
        print(own)
        return 0
    program, suites, errors = HOME / 'herd7', list(SUITES), []
    while not works(program):
        if not suites:
            raise Failure('no herd7: ' + (
                '; '.join(errors) or f'{program} does not run on this machine'))
        suite = suites.pop(0)
        try:
            install(suite)
        except Failure as e:
            errors.append(f'{suite}: {e.what.splitlines()[-1]}')
    print(program)
    return 0
