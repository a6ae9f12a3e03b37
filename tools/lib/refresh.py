# SPDX-License-Identifier: GPL-2.0
"""Write the patch files back from the topics' branches in build/linux.

For each topic (or the one of --topic) that has a branch: patches/TOPIC gets a
file per commit, files of dropped commits go, the file "series" follows, and
the shortlog and diffstat at the end of the cover letter are made anew; the
rest of the cover letter is kept by hand.  --check writes nothing, names what
is stale and ends with 1.

With --base V, patches/V/TOPIC gets only the commits that differ: where git am
makes the same commit of the main base's patch, patches/V/series has that.
"""

import re
import textwrap

import common
from amtree import AmTree
from branches import (CONFIG, COVER, DIFF, SERIES_EDITED, Record, formatted,
                      key, listed, lock, merge_base, relative, series_edited,
                      tip, work_tree_edits)
from common import (BASE, HEADING, IDENTITY, LINUX, ROOT, SERIES, Failure, git,
                    put, ref)

ZERO_ID = '0' * 40


def commits(start, end):
    """The commits of start..end, oldest first: (id, parents, message)."""
    log = git('log', '--reverse', '-z', '--format=%H%n%P%n%B',
              f'{start}..{end}')
    for entry in filter(None, log.split('\0')):
        commit, parents, message = entry.split('\n', 2)
        yield commit, parents.split(), message


def fault(commit, parents, message):
    """Why a commit cannot be a patch file, or None."""
    if len(parents) != 1:
        return 'is a merge'
    if re.match('(fixup|squash|amend)! ', message):
        return 'waits for git rebase -i --autosquash'
    if not git('diff-tree', '--name-only', parents[0], commit):
        return 'changes nothing'
    cut = re.search(r'(?m)^(---( .*)?|diff -.*|Index: .*)$', message)
    if cut:
        return f'has a line that git am stops at: "{cut.group()}"'
    return None


def check_commits(branch, start, end):
    for commit, parents, message in commits(start, end):
        why = fault(commit, parents, message)
        if why:
            raise Failure(f'{branch}: {commit[:12]} '
                          f'"{message.splitlines()[0]}" {why}')


def start_of(topic, record):
    """The commit below the topic's first; refuse if that has moved."""
    below = topic.needs or 'base'
    start, end = tip(below), tip(topic.name)
    if not start:
        raise Failure(f'{topic.name} needs the branch {below}',
                      hint='tools/apply makes it')
    if merge_base(start, end) != start:
        old = record[topic.name]['base']
        onto = f'--onto {ref(below)} {old[:12]}' if old else ref(below)
        raise Failure(f'{topic.name}: the branch {below} that it is on has '
                      'moved', hint=f'git -C {relative(LINUX)} rebase {onto} '
                      f'{ref(topic.name)}')
    return start


def check_version():
    """Patches against another version must not replace the pinned ones."""
    pinned = f'Linux {common.base()["version"]}'
    found = git('log', '-1', '--format=%s', ref('base'))
    if found != pinned:
        raise Failure(f'{relative(LINUX)} is {found}, the patches are against '
                      f'{pinned}')


def figures(start, end):
    """Shortlog and diffstat, as git puts them into a cover letter."""
    subjects = [m.splitlines()[0] for _, _, m in commits(start, end)]
    shortlog = [textwrap.fill(s, 72, initial_indent='  ',
                              subsequent_indent='    ') for s in subjects]
    stat = git(*CONFIG, 'diff', *DIFF, '--stat=72', '--summary', start, end)
    return '\n'.join([f'{IDENTITY[0]} ({len(subjects)}):', *shortlog, '', stat,
                      ''])


def new_cover(topic, end):
    date = git('log', '-1', '--format=%aD', end)
    title = topic.title[0].upper() + topic.title[1:].rstrip('.')
    return (f'From {ZERO_ID} Mon Sep 17 00:00:00 2001\n'
            f'From: {IDENTITY[0]} <{IDENTITY[1]}>\nDate: {date}\n'
            f'Subject: [PATCH 0/0] {topic.title}\n\n{title}.\n\n')


def cover_letter(topic, start, end, count):
    """The cover letter with fresh figures; its text is the user's."""
    path = topic.dir / COVER
    text = path.read_text() if path.exists() else new_cover(topic, end)
    head = rf'(?m)^{IDENTITY[0]} \(\d+\):$'
    block = re.search(rf'{head}\n(^ .*\n|^\n)*\Z', text)
    if block:
        text = text[:block.start()]
    elif re.search(head, text):
        raise Failure(f'{relative(path)}: refresh would drop the text below '
                      'the diffstat; move it above the shortlog')
    text = re.sub(r'(?m)^(Subject: \[PATCH) 0/\d+\]', rf'\1 0/{count}]', text,
                  count=1)
    return (text.rstrip('\n') + '\n\n' + figures(start, end)).encode()


def subject(name):
    """What a patch's file name says behind its number."""
    return name.partition('-')[2]


def placed(topic, start, end, files):
    """Where each commit's patch is: path -> content, or None to leave it.

    An overlay has a file of its own only where the main base's makes another
    commit here, or none.
    """
    if not BASE:
        return {topic.dir / name: text for name, text in files.items()}
    main = common.topics(ROOT / 'series').get(topic.name)
    theirs = {subject(p.name): p for p in main.patches} if main else {}
    found = {}
    with AmTree(git('diff', '--name-only', start, end).split()) as amtree:
        for (commit, *_), (name, text) in zip(commits(start, end),
                                              files.items()):
            path = theirs.get(subject(name))
            if path and amtree.makes(path, commit):
                found[path] = None
            else:
                found[topic.dir / (path.name if path else name)] = text
    return found


def in_series(text, topic, paths):
    """The text of series with @paths as the topic's patches.

    A patch stays in the part that it is in; a new one goes where the patch in
    front of it is.
    """
    sections = [*topic.parts, topic]
    home = {}
    for n, section in enumerate(sections):
        for patch in section.patches:
            home.setdefault(subject(patch.name), n)
    at, those = 0 if home else len(topic.parts), [[] for _ in sections]
    for path in paths:
        at = max(at, home.get(subject(path.name), at))
        those[at].append(path)
    for section, paths in zip(sections, those):
        text = in_section(text, section.name, paths)
    return text


def in_section(text, name, paths):
    """The text of series with @paths below the heading of @name."""
    lines = text.splitlines()
    heads = [n for n, line in enumerate(lines) if HEADING.fullmatch(line)]
    start = next(n for n in heads
                 if HEADING.fullmatch(lines[n])[1] == name) + 1
    end = next((n for n in heads if n >= start), len(lines))
    section = lines[start:end]
    kept = [line for line in section if not line or line[0] == '#']
    # Where the first patch is, or else below the heading's comment.
    found = [n for n, line in enumerate(section) if line and line[0] != '#']
    found += [n for n, line in enumerate(section) if not line]
    at = found[0] if found else len(section)
    kept[at:at] = [relative(path) for path in paths]
    return '\n'.join(lines[:start] + kept + lines[end:]) + '\n'


def fresh_files(topic, record):
    """The topic's patch files as its branch has them, and the record."""
    start, end = start_of(topic, record), tip(topic.name)
    check_commits(topic.name, start, end)
    files = placed(topic, start, end, formatted(start, end))
    texts = {path.name: path.read_bytes() if text is None else text
             for path, text in files.items()}
    entry = {'tip': end, 'base': start, 'key': key(texts)}
    return files, entry


def guard_newer_files(topic, entry, record):
    """Refuse to replace patch files that were edited since apply."""
    known, old = record[topic.name]['key'], key(listed(topic))
    if known and old not in (known, entry['key']):
        raise Failure(f'the patch files of {topic.name} changed since they '
                      'were applied, and the branch would replace them',
                      hint='tools/apply puts them into the branch; --force '
                      'writes the branch over them')


def stale(topic, files):
    """The paths that differ from @files: those to write, those to remove."""
    write = {path: text for path, text in files.items() if text is not None
             and (not path.exists() or path.read_bytes() != text)}
    remove = [p for p in topic.patches
              if p not in files and p.parent == topic.dir and p.exists()]
    return write, remove


def refresh(topic, record, args):
    """Bring a topic's files up to date; the names of those that were not."""
    files, entry = fresh_files(topic, record)
    if not files and not topic.patches:
        return []
    if not args.force and not args.check:
        guard_newer_files(topic, entry, record)
    new_series = in_series(SERIES.read_text(), topic, files)
    if files and not BASE:
        files = {topic.dir / COVER: cover_letter(
            topic, entry['base'], entry['tip'], len(files)), **files}
    write, remove = stale(topic, files)
    if new_series != SERIES.read_text():
        write[SERIES] = new_series.encode()
    if not args.check:
        for path, text in write.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, text)
        for path in remove:
            path.unlink()
        record[topic.name] = entry
    return [*map(relative, write),
            *(f'{relative(p)} (dropped)' for p in remove)]


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('--topic', help='this topic only')
    p.add_argument('--check', action='store_true',
                   help='write nothing; end with 1 if a file is stale')
    p.add_argument('--force', action='store_true',
                   help='write over patch files that were edited by hand')
    args = p.parse_args(argv)
    chain = (common.with_branches(args.topic)[-1:] if args.topic
             else list(common.topics().values()))
    with lock():
        return refresh_all(chain, args)


def guard_edits(record):
    """Refuse to say that all is well where an edit is on no topic's branch."""
    hint = 'tools/apply --topic TOPIC checks out a branch to commit to'
    for _, why, _ in work_tree_edits():
        raise Failure(f'{relative(LINUX)}: {why}', hint=hint)
    if record['series']['tip'] and series_edited(record):
        raise Failure(SERIES_EDITED, hint=hint)


def not_written():
    """What looks like work for a patch and is on no topic's branch."""
    for topic in common.topics().values():
        for path in sorted(topic.dir.glob('*.patch')):
            if path not in topic.patches and path.name != COVER:
                yield f'{relative(path)} is not in series'
    for name in git('ls-files', '--others', '--exclude-standard').splitlines():
        yield f'{name} is in no commit; git add it if a patch is to have it'
    branches = [b for b in ('base', 'series', *common.topics()) if tip(b)]
    ours = git('log', '--format=%h "%s"', 'HEAD', '--not',
               *(f'refs/heads/{ref(b)}' for b in branches))
    for commit in ours.splitlines():
        yield f'{commit} is on no topic\'s branch'


def refresh_all(chain, args):
    common.need_base()
    check_version()
    record, changed = Record(), []
    guard_edits(record)
    for topic in chain:
        if not tip(topic.name):
            print(f'{topic.name}: no branch, nothing to write back')
            continue
        names = refresh(topic, record, args)
        for name in names:
            print(f'{"stale" if args.check else "written"}: {name}')
        changed += names
    for text in not_written():
        print(f'not written: {text}')
    if args.check:
        return int(bool(changed))
    if not changed:
        print('every patch file is up to date')
    return 0
