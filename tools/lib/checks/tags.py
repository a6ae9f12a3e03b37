# SPDX-License-Identifier: GPL-2.0
"""Nobody's approval is claimed; who posts signs off."""

import re

from checks.core import Fault

SCOPE, WHEN = 'patch', 'fast'
PEOPLE = ('Signed-off-by', 'Reviewed-by', 'Acked-by', 'Tested-by',
          'Co-developed-by', 'Ack', 'Reviewed')


def check(at, patch):
    for line in patch.message.splitlines():
        if re.match(rf'({"|".join(PEOPLE)}): ', line, re.I):
            yield Fault(f'has "{line}"')
