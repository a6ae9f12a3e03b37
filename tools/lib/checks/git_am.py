# SPDX-License-Identifier: GPL-2.0
"""The topic, and each part of it, applies by git am to what it needs."""

SCOPE, WHEN = 'topic', 'fast'


def check(at, topic):
    series = at.series
    for needed in series.chain(topic)[:-1]:
        series.applied(needed)
    for each in *topic.parts, topic:
        series.commits(each)
    yield from ()
