# SPDX-License-Identifier: GPL-2.0
"""The topic's directories compile, all gates on, off, and allnoconfig."""

from checks.core import Fault, excerpt

SCOPE, WHEN = 'patch', 'ci'


def check(at, patch):
    builder = at.builder
    for (arch, config), result in builder.of_patch(patch).items():
        where = f'{arch} {config}'
        warnings = [w for w in result['warnings']
                    if w.split(':')[0] in patch.status]
        if result['errors']:
            yield Fault(f'{where} does not build\n{result["errors"]}',
                        log=result['log'])
        elif warnings:
            yield Fault(f'{where}: ' + excerpt('\n'.join(warnings)),
                        log=result['log'])
