# SPDX-License-Identifier: GPL-2.0
"""Write mail-ready patches, signed off by the one who posts them.

git format-patch writes them: From: and Signed-off-by: are git's user.name and
user.email, To: and Cc: whom the tree's get_maintainer.pl names.  The cover
letter says what the series is based on, with base-commit: and the ids of the
patches that it needs.  From --version 2 on it ends with a range-diff against
the last tag v* of this repository, or --since TAG.  With --topic the mails go
to DIR itself, else each topic's to DIR/TOPIC, for every topic is a series of
its own; a part, as tools/list names it, is one, too.  Then:

    git send-email DIR/*.patch
"""

import email.utils
import pathlib
import re
import tempfile

import common
from amtree import AmTree, touched
from branches import CONFIG, COVER, listed, lock, relative, tip
from common import IDENTITY, LINUX, ROOT, Failure, git, output


def poster():
    """(name, address) from the user's own git configuration."""
    found = []
    for key in 'user.name', 'user.email':
        value = output(['git', 'config', key], cwd=ROOT, check=False).strip()
        if not value:
            raise Failure(f'git\'s {key} is not set, so nobody signs off',
                          hint=f'git config --global {key} ...')
        found.append(value)
    return tuple(found)


def recipients(patches):
    """Maintainers as --to, and lists and reviewers as --cc."""
    script = LINUX / 'scripts/get_maintainer.pl'
    if not script.exists():
        return []
    to, cc = (output([script, '--no-git', '--no-git-fallback',
                      '--no-rolestats', *kinds, *patches],
                     cwd=LINUX).splitlines()
              for kinds in (['--nol', '--nor'], ['--nom']))
    return [*(f'--to={a}' for a in to), *(f'--cc={a}' for a in cc
                                          if a not in to)]


def committed(chain, tips):
    """The commits of a topic, on what it needs: what is below them, the last.

    @tips has the root commit as that of None, and gets those of the topics.
    """
    with AmTree(touched(p for t in chain for p in t.patches)) as amtree:
        for topic in chain:
            if topic.name not in tips:
                tips[topic.name] = amtree.am(topic.name, tips[topic.needs],
                                             topic.patches)
    return tips[chain[-1].needs], tips[chain[-1].name]


def last_tag():
    return git('describe', '--tags', '--abbrev=0', '--match=v[0-9]*',
               cwd=ROOT, check=False)


def tagged(tag, name):
    """The same commits as a tag of this repository has them, if it does."""
    if not git('rev-parse', '-q', '--verify', f'{tag}:series', cwd=ROOT,
               check=False):
        raise Failure(f'this repository has no tag "{tag}" with a series',
                      hint='git tag names those that there are')
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        git('archive', '-o', tmp / 'tar', tag, 'series', 'patches', cwd=ROOT)
        output(['tar', '-xf', tmp / 'tar', '-C', tmp])
        pin = common.pinned(tmp / 'patches/base', ('version', 'root'))
        if not git('cat-file', '-t', pin['root'], check=False):
            raise Failure(f'{tag} is on Linux {pin["version"]}, which is not '
                          'here', hint=f'tools/fetch --version '
                          f'{pin["version"]} makes it')
        known = common.topics(tmp / 'series', tmp)
        if name not in common.with_parts(known):
            return None
        return committed(common.with_needs(name, known), {None: pin['root']})


def cover_text(topic):
    """Title and text of a cover letter."""
    title, name = topic.title, common.whole(topic.name)
    if topic.name != name:
        text = (f'Fixes that stand alone.  The series\n"'
                f'{common.topics()[name].title}"\nbuilds on them.')
    else:
        path = topic.dir / COVER
        if not path.exists():
            raise Failure(f'there is no {relative(path)}',
                          hint='tools/refresh makes it')
        head, text = path.read_text(encoding='utf-8').split('\n\n', 1)
        title = re.search(r'(?ms)^Subject: \[.*?\] (.*?)(?=\n\S|\Z)', head)[1]
        text = re.split(rf'(?m)^{IDENTITY[0]} \(\d+\):$', text)[0]
    based = f'Based on {common.base()["tag"]}'
    if topic.needs:
        below = common.topics()[topic.needs]
        based += f' and the series "{below.title}"'
    return title, f'{text.rstrip()}\n\n{based}.'


def upstream_commit():
    """The commit of the base's tag, if the tree was made from it."""
    return git('rev-parse', '-q', '--verify',
               f'refs/tags/{common.base()["tag"]}^{{commit}}', check=False)


def finished(text, cover, who):
    """A file of git format-patch's under the poster's name."""
    text = text.replace('From: {} <{}>'.format(*IDENTITY),
                        f'From: {email.utils.formataddr(who)}', 1)
    text = re.sub(rf'(?m)^{IDENTITY[0]} (\(\d+\):)$',
                  lambda m: f'{who[0]} {m[1]}', text)
    for line, said in cover.items():
        text = text.replace(line, said)
    return text


def export(topic, to, args, who, tips):
    title, about = cover_text(topic)
    # The root commit of build/linux is not upstream's.
    known = upstream_commit()
    cover = {'*** SUBJECT HERE ***': title, '*** BLURB HERE ***': about,
             f'base-commit: {tips[None]}\n':
             f'base-commit: {known}\n' if known else ''}
    start, end = committed(common.with_needs(topic.name), tips)
    options = recipients(topic.patches)
    options += ['--rfc'] if args.rfc else []
    if args.version > 1:
        options.append(f'-v{args.version}')
        since = args.since or last_tag()
        if not since:
            print('no range-diff: this repository has no tag v*')
        elif old := tagged(since, topic.name):
            options.append('--range-diff={}..{}'.format(*old))
        else:
            print(f'no range-diff: {since} has no {topic.name}')
    to.mkdir(parents=True, exist_ok=True)
    git(*CONFIG, 'format-patch', '--cover-letter', '--numbered', '--signoff',
        '--full-index', f'--base={tips[None]}', *options, '-o', to.resolve(),
        f'{start}..{end}', env={'GIT_COMMITTER_NAME': who[0],
                                'GIT_COMMITTER_EMAIL': who[1]})
    files = {path: finished(path.read_text(encoding='utf-8'), cover, who)
             for path in sorted(to.iterdir())}
    if args.mbox:
        for path in files:
            path.unlink()
        files = {to / f'{topic.name.replace("/", "-")}.mbox':
                 '\n'.join(files.values())}
    for path, text in files.items():
        path.write_text(text, encoding='utf-8')
    print(f'{topic.name}: cover letter and {len(topic.patches)} patches in {to}')


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('--to', required=True, metavar='DIR', type=pathlib.Path,
                   help='an empty directory, or one to make')
    p.add_argument('--topic', help='this topic, or part of one, only')
    p.add_argument('--version', type=int, default=1, metavar='N',
                   help='number the posting: [PATCH vN 1/5]')
    p.add_argument('--since', metavar='TAG',
                   help='what the range-diff is against')
    p.add_argument('--rfc', action='store_true', help='[RFC PATCH 1/5]')
    p.add_argument('--mbox', action='store_true',
                   help='one file for "b4 am -m" or "git am"')
    args = p.parse_args(argv)
    if args.version < 1:
        raise Failure(f'there is no version {args.version}')
    if args.since and args.version == 1:
        p.error('--since is for --version 2 and later')
    who = poster()
    if args.to.exists() and (not args.to.is_dir() or any(args.to.iterdir())):
        raise Failure(f'{args.to} is not an empty directory')
    topics = common.topics()
    if args.topic:
        topics = {'': common.with_needs(args.topic)[-1]}
    # All or nothing.
    for topic in topics.values():
        if not listed(topic):
            raise Failure(f'{topic.name} has no patches')
        cover_text(topic)
    with lock():
        tips = {None: tip('base')}
        for name, topic in topics.items():
            export(topic, args.to / name, args, who, tips)
    if not upstream_commit():
        print(f'no base-commit: {relative(LINUX)} was not made from '
              f'{common.base()["tag"]} itself (tools/fetch --from CLONE)')
    return 0
