# SPDX-License-Identifier: GPL-2.0
"""With all gates off the objects keep their sizes.

Fixes may change them, and so may a patch whose message says by how much, at
least on the first architecture.
"""

import re

from checks.builder import needs_build
from checks.core import Fault, Skip, excerpt

SCOPE, WHEN = 'patch', 'default'


def check(at, patch):
    builder = at.builder
    needs_build(builder, patch)
    fix = re.search(r'(?m)^Fixes: ', patch.message)
    stated = re.findall(r'[\d,]*\d', patch.message) if re.search(
        r'\d\s+bytes\s+of\s+(?:code|text)', patch.message) else []
    before, after = builder.before(patch), builder.of_patch(patch)
    for (arch, config), old in before.items():
        if old['errors']:
            raise Skip('the commit before does not build')
        new = after[arch, config]['sizes']
        lines = [f'{name}: {old["sizes"].get(name, 0)} -> {new.get(name, 0)}'
                 for name in sorted(old['sizes'].keys() | new.keys())
                 if old['sizes'].get(name) != new.get(name)]
        if lines:
            grown = sum(new.values()) - sum(old['sizes'].values())
            yield Fault(f'{arch}: {len(lines)} symbols differ, {grown:+} bytes'
                        + '\n' + excerpt('\n'.join(lines)), 'note' if fix
                        or str(abs(grown)) in stated
                        or stated and arch != builder.arches[0].name
                        else 'fail')
