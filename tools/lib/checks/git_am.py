# SPDX-License-Identifier: GPL-2.0
"""The topic applies by git am to base, or to what it needs."""

SCOPE, WHEN = 'topic', 'fast'


def check(at, topic):
    series = at.series
    for needed in series.chain(topic)[:-1]:
        series.applied(needed)
    series.commits(topic)
    yield from ()
