# SPDX-License-Identifier: GPL-2.0
"""Boot a test kernel that tools/build made and run programs in it.

  tools/boot x86_64                       boot; the built-in KUnit suites run
  tools/boot x86_64 -- prog ARG...        also run kunit/TOPIC/prog.c in it, or
                                          the mm selftest of that name
  tools/boot x86_64 distro -- debian stress-ng --vm 2 -t 9
                                          a program of Debian, in a root with
                                          the packages of kunit/guest/packages
  tools/boot x86_64 --shell               a shell in the patched kernel; with
                                          -- debian bash one in that root
  tools/boot x86_64 debug --icount        the kernel of that configuration;
                                          guest nanoseconds are instructions

The VM runs under TCG unless a probe shows that KVM boots this kernel.  A
test that fails, a panic, oops, warning or a report of lockdep, KASAN, KCSAN
or UBSAN, a hang or an early end is a failure; the console is in build/logs.
"""

import re
import sys

import kbuild
import vm
from common import LINUX, Failure, log_path, parser
from kbuild import OUT


def main(argv):
    command = []
    if '--' in argv:
        argv, command = argv[:argv.index('--')], argv[argv.index('--') + 1:]
    p = parser(__doc__)
    p.add_argument('arch', help=' or '.join(
        a.name for a in kbuild.ARCHES.values() if a.qemu))
    p.add_argument('config', nargs='*', help='as given to tools/build')
    p.add_argument('--smp', type=int, default=2, help='virtual CPUs')
    p.add_argument('--memory', default='2G', help='with M or G')
    p.add_argument('--timeout', type=int, default=300, help='in seconds')
    p.add_argument('--icount', action='store_true',
                   help='count instructions: figures that repeat')
    p.add_argument('--shell', action='store_true',
                   help='a shell in it, and the programs of all topics')
    p.add_argument('--append', default='', help='kernel parameters')
    args = p.parse_args(argv)
    if min(args.smp, args.timeout) < 1:
        p.error('--smp and --timeout are 1 at least')
    if not re.fullmatch(r'\d+[MG]?', args.memory):
        p.error(f'--memory is a number, with M or G, not "{args.memory}"')
    arch = kbuild.arch(args.arch)
    if not arch.qemu:
        raise Failure(f'there is no machine to boot {arch.name} on')
    names = [args.arch, *args.config]
    image = OUT / '-'.join(names) / arch.image
    if not image.exists():
        raise Failure(f'{image} is missing',
                      hint='tools/build ' + ' '.join(names))
    if args.shell:
        return vm.shell(arch, image, LINUX, args.append, args.smp, args.memory,
                        ' '.join(command))
    name = 'boot ' + '-'.join(names)
    print(f'console: {log_path(name)}', file=sys.stderr, flush=True)
    result = vm.boot(arch, image, name=name, cmdline=args.append,
                     timeout=args.timeout, smp=args.smp, memory=args.memory,
                     icount=args.icount,
                     **vm.programs(arch, LINUX, ' '.join(command)))
    found = [v for _, v in result.results()]
    print(', '.join(f'{found.count(v)} {text}' for v, text in
                    (('ok', 'passed'), ('not ok', 'failed'),
                     ('skip', 'skipped'))))
