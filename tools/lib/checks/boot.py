# SPDX-License-Identifier: GPL-2.0
"""The test kernel of each commit boots and its KUnit suites pass.

At the end of a topic so do those with its symbols off, and all on.
"""

import kbuild
import vm
from checks.builder import errors_in, needs_build, topic_options
from checks.core import version
from common import Failure, log_path

SCOPE, WHEN = 'patch', 'all'


def boot_one(builder, patch, arch, config):
    """Build the kernel of a commit and run its KUnit suites; cached."""
    what = f'{patch.name} {arch.name}-{config}'

    def make():
        builder.progress(f'boot {what}')
        log = log_path(f'check image {what}')
        with kbuild.building:
            builder.configure(patch.commit, arch, config)
            if builder.make(arch, config, log, [arch.image.rsplit('/')[-1]]):
                raise Failure(f'{what}: no image\n'
                              + errors_in(log.read_text()), log)
        result = vm.boot(arch, builder.out(arch, config) / arch.image,
                         name=f'check boot {what}')
        if (not result.results() and '_KUNIT_TEST=y' in
                topic_options(patch.commit, arch, config)):
            raise Failure(f'{what}: no test ran', result.log)
        return {'errors': ''}

    judge = [vm.SPLAT.pattern, (kbuild.KUNIT / 'guest/init.c').read_text(),
             version(arch.qemu, '--version')]
    builder.once(builder.key('boot', patch.commit, arch, config, judge),
                 patch.commit, make)


def check(at, patch):
    builder = at.builder
    needs_build(builder, patch)
    configs = ('on', 'off', 'all') if builder.ends_topic(patch) else ('on',)
    builder.ensure([lambda a=a, c=c: boot_one(builder, patch, a, c)
                    for c in configs for a in builder.arches])
    yield from ()
