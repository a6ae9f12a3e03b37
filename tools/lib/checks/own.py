# SPDX-License-Identifier: GPL-2.0
"""What a topic checks itself, by kunit/TOPIC/check."""

import kbuild
from checks.core import Fault, extracted
from common import log_path, run

SCOPE, WHEN = 'topic', 'fast'


def check(at, topic):
    """It gets a directory with the files of the topic, as these are last."""
    program = kbuild.KUNIT / topic.name / 'check'
    if not program.exists():
        return
    names = {n for p in at.series.applied(topic) for n in p.files}
    log = log_path(f'check own {topic.name}')
    with extracted(at.series.tip(topic), sorted(names)) as where:
        if run([program, where], f'{topic.name}/check', log=log, check=False):
            yield Fault(f'{program.name} is not content\n'
                        + '\n'.join(log.read_text().splitlines()[1:]))
