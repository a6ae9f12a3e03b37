# SPDX-License-Identifier: GPL-2.0
"""Write mail-ready patches, signed off by the one who posts them.

Each patch gets From: and Signed-off-by: from git's user.name and user.email,
today's date, its number, and as To: and Cc: whom the tree's get_maintainer.pl
names; the cover letter says what the series is based on and goes to all.  With
--topic the patches go to DIR itself, else each topic's to DIR/TOPIC, for every
topic is a series of its own.  Then:

    git send-email DIR/*.patch
"""

import email.header
import email.utils
import os
import pathlib
import re
import subprocess
import time

import common
from branches import COVER, relative
from common import LINUX, ROOT, Failure, output

MIME = ('MIME-Version: 1.0\n'
        'Content-Type: text/plain; charset=UTF-8\n'
        'Content-Transfer-Encoding: 8bit\n')


def poster():
    """(name, address) from the user's own git configuration."""
    found = []
    for key in 'user.name', 'user.email':
        r = subprocess.run(['git', 'config', key], cwd=ROOT, text=True,
                           capture_output=True)
        if not r.stdout.strip():
            raise Failure(f'git\'s {key} is not set, so nobody signs off',
                          hint=f'git config --global {key} ...')
        found.append(r.stdout.strip())
    return tuple(found)


def signed_off(text, who):
    """A patch with the poster's Signed-off-by as the last trailer."""
    line = 'Signed-off-by: {} <{}>'.format(*who)
    command = ['git', '-c', 'trailer.ifexists=addIfDifferent',
               'interpret-trailers', '--where', 'end', '--trailer', line]
    return subprocess.run(command, input=text, text=True, check=True,
                          capture_output=True, encoding='utf-8',
                          env=dict(os.environ, **common.GIT_ENV)).stdout


def sender(who):
    """The poster as an address header says it."""
    if who[0].isascii():
        return email.utils.formataddr(who)
    return f'{email.header.Header(who[0], "utf-8").encode()} <{who[1]}>'


def recipients(patches):
    """Maintainers, and lists and reviewers, of patch files."""
    script = LINUX / 'scripts/get_maintainer.pl'
    if not script.exists():
        return [], []
    found = [output([script, '--no-git', '--no-git-fallback', '--no-rolestats',
                     *kinds, *patches], cwd=LINUX).splitlines()
             for kinds in (['--nol', '--nor'], ['--nom'])]
    return found[0], [who for who in found[1] if who not in found[0]]


def with_headers(text, who, tag, date, to, cc):
    """A patch file with the headers of a mail to send."""
    head, body = text.split('\n\n', 1)
    for name, people in ('To', to), ('Cc', cc):
        if people:
            head += f'\n{name}: ' + ',\n '.join(people)
    head = re.sub(r'(?m)^From: .*', lambda _: f'From: {sender(who)}', head,
                  count=1)
    head = re.sub(r'(?m)^Date: .*', f'Date: {date}', head, count=1)
    head = re.sub(r'(?m)^(Subject: )\[PATCH[^]]*\]', rf'\1[{tag}]', head,
                  count=1)
    if not body.isascii() and 'Content-Type:' not in head:
        head += '\n' + MIME.rstrip('\n')
    return head + '\n\n' + body


def cover_text(topic, who):
    """The cover letter, its shortlog under the poster's name."""
    path = topic.dir / COVER
    if not path.exists():
        raise Failure(f'there is no {relative(path)}',
                      hint='tools/refresh makes it')
    based = f'Based on {common.base()["tag"]}'
    if topic.needs:
        below = common.topics()[topic.needs]
        based += f' and the series "{below.title}"'
    own = re.compile(rf'(?m)^{common.IDENTITY[0]} (\(\d+\):)$')
    return own.sub(lambda m: f'{based}.\n\n{who[0]} {m[1]}',
                   path.read_text(encoding='utf-8'))


def mails(topic, who, prefix, version):
    """The mails of a topic: file name -> content."""
    if not topic.patches:
        raise Failure(f'{topic.name} has no patches')
    total, now = len(topic.patches), time.time()
    texts = {COVER: cover_text(topic, who)}
    for path in topic.patches:
        texts[path.name] = signed_off(path.read_text(encoding='utf-8'), who)
    for n, (name, text) in enumerate(texts.items()):
        tag = f'{prefix} {n:0{len(str(total))}}/{total}'
        # A second apart, so that mailers keep the order.
        date = email.utils.formatdate(now + n, localtime=True)
        to, cc = recipients(topic.patches[n - 1:n] if n else topic.patches)
        yield (f'v{version}-{name}' if version > 1 else name,
               with_headers(text, who, tag, date, to, cc))


def export(topic, to, args, who):
    prefix = 'RFC PATCH' if args.rfc else 'PATCH'
    if args.version > 1:
        prefix += f' v{args.version}'
    files = dict(mails(topic, who, prefix, args.version))
    to.mkdir(parents=True, exist_ok=True)
    if args.mbox:
        files = {f'{topic.name}.mbox': '\n'.join(files.values())}
    for name, text in files.items():
        (to / name).write_text(text, encoding='utf-8')
    print(f'{topic.name}: cover letter and {len(topic.patches)} patches in {to}')


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('--to', required=True, metavar='DIR', type=pathlib.Path,
                   help='an empty directory, or one to make')
    p.add_argument('--topic', help='this topic only')
    p.add_argument('--version', type=int, default=1, metavar='N',
                   help='number the posting: [PATCH vN 1/5]')
    p.add_argument('--rfc', action='store_true', help='[RFC PATCH 1/5]')
    p.add_argument('--mbox', action='store_true',
                   help='one file for "b4 am -m" or "git am"')
    args = p.parse_args(argv)
    if args.version < 1:
        raise Failure(f'there is no version {args.version}')
    who = poster()
    if args.to.exists() and (not args.to.is_dir() or any(args.to.iterdir())):
        raise Failure(f'{args.to} is not an empty directory')
    if args.topic:
        export(common.with_needs(args.topic)[-1], args.to, args, who)
    else:
        for topic in common.topics().values():
            export(topic, args.to / topic.name, args, who)
    return 0
