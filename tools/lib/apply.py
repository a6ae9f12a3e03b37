# SPDX-License-Identifier: GPL-2.0
"""Make the topics' branches in build/linux from the patch files.

Each topic gets a branch of its name, a commit per patch, on top of the branch
of the topic it needs or of "base".  With --topic only that topic and what it
needs; it is then checked out.  Without, every topic, and the branch "series"
with all of them one after another, which is checked out.

Edits are never lost: a work tree with changes or a branch whose commits are
not in the patch files is refused; --force goes on, and keeps what was there
as branches backup/NAME-N.  Files that stay the same are not touched.
"""

import hashlib
import subprocess

import common
from amtree import AmTree, touched
from branches import (NEXT, SERIES_EDITED, Record, differences, fork_point,
                      formatted, key, listed, lock, relative, series_edited,
                      tip, work_tree_edits)
from common import BASE, LINUX, TOOLS, Failure, git, ref


def backup(name, commit):
    """Keep a commit under a new branch backup/NAME-N."""
    n = 1
    while tip(f'backup/{name}-{n}'):
        n += 1
    kept = ref(f'backup/{name}-{n}')
    git('branch', kept, commit)
    print(f'{name}: what was there is kept as branch {kept}')


def branch_edits(topic, record):
    """What a topic's branch holds that the patch files do not."""
    end = tip(topic.name)
    if not end or end == record[topic.name]['tip']:
        return
    files = listed(topic)
    commits = formatted(fork_point(topic, record), end)
    if commits != files:
        yield (topic.name, f'branch {topic.name} is not what the patch files '
               'say:\n' + '\n'.join(differences(topic.name, files, commits)),
               lambda: end)


def series_edits(record):
    if series_edited(record):
        end = tip('series')
        yield 'series', SERIES_EDITED, lambda: end


def refuse(edits):
    raise Failure('\n'.join(why for _, why, _ in edits),
                  hint='commit changes and let tools/refresh write them to '
                  'the patch files, or tools/apply --force, which keeps them '
                  'as branches backup/...')


def is_current(topic, onto, record):
    end, known = tip(topic.name), record[topic.name]
    if not end or fork_point(topic, record) != onto:
        return False
    files = listed(topic)
    return ((end, key(files)) == (known['tip'], known['key'])
            or formatted(onto, end) == files)


def build_branches(chain, amtree, record):
    """New tips of the topics' branches: name -> (tip, base, key)."""
    new = {}
    for topic in chain:
        onto = new[topic.needs][0] if topic.needs else tip('base')
        if is_current(topic, onto, record):
            end = tip(topic.name)
        else:
            end = amtree.am(topic.name, onto, topic.patches)
        new[topic.name] = (end, onto, key(listed(topic)))
    return new


def build_series(chain, amtree, record):
    """The branch of all topics one after another: (tip, base, key)."""
    base = tip('base')
    patches = [p for t in chain for p in t.patches]
    digest = hashlib.sha256(b''.join(p.read_bytes() for p in patches))
    end, known = tip('series'), record['series']
    if end is None or ((end, base, digest.hexdigest()) !=
                       (known['tip'], known['base'], known['key'])):
        end = amtree.am('series', base, patches)
    return end, base, digest.hexdigest()


def move(new, target, record):
    """Set the branches and check one out, touching only what changes."""
    moved = [name for name, (end, _, _) in new.items() if tip(name) != end]
    here = git('symbolic-ref', '-q', '--short', 'HEAD', check=False)
    if moved or here != ref(target):
        # If this run is killed now, the next one knows whose commits these are.
        git('update-ref', NEXT, new[target][0])
        git('checkout', '-q', '--detach', new[target][0])
        for name in moved:
            git('update-ref', '-m', 'apply', f'refs/heads/{ref(name)}',
                new[name][0])
        git('checkout', '-q', ref(target))
    for name, (end, base, digest) in new.items():
        record[name] = {'tip': end, 'base': base, 'key': digest}
    return moved


def apply(chain, target, force):
    common.need_base()
    record = Record()
    edits = list(work_tree_edits())
    edits += [e for t in chain for e in branch_edits(t, record)]
    if target == 'series':
        edits += series_edits(record)
    if edits and not force:
        refuse(edits)
    with AmTree(touched(p for t in chain for p in t.patches)) as amtree:
        new = build_branches(chain, amtree, record)
        if target == 'series':
            new['series'] = build_series(chain, amtree, record)
    for name, _, commit in edits:
        if name not in new or new[name][0] != tip(name):
            backup(name, commit())
    if edits:
        git('reset', '-q', '--hard')
    return move(new, target, record)


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('--topic', help='this topic and what it needs, no more')
    p.add_argument('--force', action='store_true',
                   help='go over edits, keeping them as branches backup/...')
    args = p.parse_args(argv)
    chain = (common.with_branches(args.topic) if args.topic
             else list(common.topics().values()))
    if not (LINUX / '.git').exists():
        other = [] if BASE else LINUX.name.split('-')[1:]
        if subprocess.run([TOOLS / 'fetch', *(f'--version={version}'
                                              for version in other)]).returncode:
            return 1
    with lock():
        moved = apply(chain, args.topic or 'series', args.force)
    print(f'{relative(LINUX)} is on branch {args.topic or "series"}, '
          + (f'new: {", ".join(moved)}' if moved else 'already up to date'))
    return 0
