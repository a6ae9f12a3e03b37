# SPDX-License-Identifier: GPL-2.0
"""Print the patch files of a topic, and of what it needs, in order.

  git am -3 $(/path/to/here/tools/list TOPIC)
                        apply a topic to the tree that you are in
  tools/list            name the topics, and parts of them that stand alone
"""

import common
from branches import listed


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('topic', nargs='*', help='one or several')
    args = p.parse_args(argv)
    if not args.topic:
        cells = [(t.name, f'{len(t.patches)} patches',
                  f'needs {t.needs}' if t.needs else '', t.title)
                 for t in common.with_parts(common.topics()).values()]
        print('\n'.join(common.aligned(cells)))
    chain = [t for name in args.topic for t in common.with_needs(name)]
    for topic in chain:
        listed(topic)       # a patch may be missing
    for patch in dict.fromkeys(p for t in chain for p in t.patches):
        print(patch)
