# SPDX-License-Identifier: GPL-2.0
"""Build a test kernel from build/linux.

  tools/build x86_64              the test kernel: configs/common and the
                                  architecture's, with the suites of every
                                  topic that is in the tree
  tools/build x86_64 debug        the same with configs/debug on top
  tools/build --clang x86_64      with clang-19 and lld-19

Objects go to build/out/ARCH[-CONFIG...]; a symbol that does not end up as
the configuration asks for is an error.
"""

import sys

import kbuild
from common import LINUX, Failure, log_path, parser


def main(argv):
    p = parser(__doc__)
    p.add_argument('arch', help=' or '.join(kbuild.ARCHES))
    p.add_argument('config', nargs='*', help='fragments of configs/')
    p.add_argument('--clang', action='store_true', help='build with LLVM=-19')
    args = p.parse_args(argv)
    arch = kbuild.arch(args.arch)
    if others := set(args.config) & set(kbuild.ARCHES):
        raise Failure(f'one architecture at a time, not {" ".join(others)} '
                      f'on top of {args.arch}')
    if not (LINUX / 'Makefile').exists():
        raise Failure(f'{LINUX} holds no kernel', hint='run tools/apply first')
    name = '-'.join([arch.name, *args.config] + ['clang'] * args.clang)
    print(f'log: {log_path(f"build {name}")}', file=sys.stderr, flush=True)
    print(kbuild.build(arch, LINUX, args.config, clang=args.clang))
