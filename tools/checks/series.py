# SPDX-License-Identifier: GPL-2.0
"""Checks of the series, of a topic, and of the repository's own files."""

import glob
import os
import pathlib
import re
import tarfile
import tempfile

import kbuild
from amtree import touched
from branches import (CHANGED, COVER, Record, differences, fork_point,
                      formatted, relative, tip)
from checks.core import (TREE, AmTree, Fault, Skip, added_lines, blob, digest,
                         excerpt, exists, script, symbols, version)
from common import (BASE, HEADING, LINUX, OVERLAY, PATCHES, ROOT, SERIES, git,
                    log_path, output, run)

MOST_PATCHES = 15
NOT_OURS = '.git', 'build'


def series_file(series):
    """Every patch listed once, numbered, with a cover letter."""
    text = SERIES.read_text()
    for n, line in enumerate(text.splitlines(), 1):
        if re.match(r'#\s*[\w-]+\s*(\(.*\))?:', line) \
                and not HEADING.fullmatch(line):
            yield Fault(f'series:{n}: not a heading: {line}')
    yield from listing(series)
    for topic in series.topics:
        yield from topic_files(topic)


def listing(series):
    listed = [p for t in series.all.values() for p in t.patches]
    there = {p for p in OVERLAY.glob('*/*.patch') if p.name != COVER
             and p.parent.name in ([t.name for t in series.topics]
                                   if series.partial else
                                   [p.parent.name])}
    for path in sorted(there - set(listed)):
        yield Fault(f'{relative(path)} is not listed in series')
    for path in listed:
        if not path.exists():
            yield Fault(f'series lists {relative(path)}, which is not there')
    for path in sorted({p for p in listed if listed.count(p) > 1}):
        yield Fault(f'series lists {relative(path)} more than once')


def topic_files(topic):
    if not topic.patches:
        yield Fault(f'{topic.name} has no patches yet', 'note')
        return
    if len(topic.patches) > MOST_PATCHES:
        yield Fault(f'{topic.name} has {len(topic.patches)} patches; at most '
                    f'{MOST_PATCHES} are read by anybody')
    if BASE:
        return
    for n, path in enumerate(topic.patches, 1):
        if path.parent != topic.dir or not path.name.startswith(f'{n:04}-'):
            yield Fault(f'{relative(path)} should be patches/{topic.name}/'
                        f'{n:04}-*.patch')
    cover = topic.dir / COVER
    if not cover.exists():
        yield Fault(f'{relative(cover)} is missing')
    elif re.search(r'\*\*\* (SUBJECT|BLURB) HERE', cover.read_text()):
        yield Fault(f'{relative(cover)} is not written yet')


def git_am(series, topic):
    """The topic applies by git am to base, or to what it needs."""
    for needed in series.chain(topic)[:-1]:
        series.applied(needed)
    series.commits(topic)
    yield from ()


def refresh(series, topic):
    """apply and refresh, one after the other, change nothing."""
    patches = series.applied(topic)
    if not patches:
        raise Skip('no patches')
    writer = script('refresh')
    onto, end = series.onto(topic), patches[-1].commit
    new = formatted(onto, end)
    files = writer.placed(topic, onto, end, new)
    for path in sorted(files.keys() ^ set(topic.patches)):
        yield Fault(f'{relative(path)}: refresh would '
                    + ('write' if path in files else 'drop') + ' it')
    for path, text in files.items():
        if text not in (None, path.exists() and path.read_bytes()):
            yield Fault(f'{relative(path)} is not what refresh would write')
    cover = topic.dir / COVER
    if cover.exists() and cover.read_bytes() != writer.cover_letter(
            topic, onto, end, len(patches)):
        yield Fault(f'{relative(cover)}: stale diffstat or shortlog')
    branch = tip(topic.name)
    if branch and branch != end and list(differences(
            topic.name, new, formatted(fork_point(topic, Record()),
                                       branch))):
        yield Fault(f'branch {topic.name} holds edits that are not in the '
                    'patch files (tools/refresh)', 'warn')


def base(series):
    """No file of the series is one that the base's distribution changed."""
    path = LINUX / git('rev-parse', '--git-common-dir') / CHANGED
    if not path.exists():
        raise Skip('the tree is from no tarball')
    changed = set(path.read_text().splitlines())
    patches = [p for t in series.topics for p in t.patches]
    for name in touched(patches):
        if name in changed:
            yield Fault(f'{name} is not upstream\'s in what was fetched')


def quilt(series):
    """quilt push -a without fuzz, the whole series in its order."""
    topics = list(series.all.values())
    if series.partial:
        topics = list({t.name: t for s in series.topics
                       for t in series.chain(s)}.values())
    for topic in topics:
        series.applied(topic)
    patches = [p for t in topics for p in t.patches]
    if not patches:
        raise Skip('no patches')
    log = log_path('check quilt')
    with tempfile.TemporaryDirectory() as tmp:
        if quilt_push(series.base, patches, pathlib.Path(tmp), log) == 0:
            if 'with fuzz' in log.read_text():
                yield Fault('applied with fuzz', log=log)
            return
    text = log.read_text()
    bad = re.findall(r'(?m)^Patch (\S+) does not apply', text)
    yield Fault(f'{bad[0] if bad else "a patch"} does not apply without fuzz '
                'where series has it\n' + '\n'.join(text.splitlines()[-8:]),
                log=log)


def quilt_push(base, patches, tmp, log):
    names = touched(patches)
    present = git('ls-tree', '-r', '--name-only', base, '--', *names)
    tree = tmp / 'tree'
    tree.mkdir()
    if present:
        git('archive', '-o', tmp / 'tree.tar', base, '--',
            *present.splitlines())
        with tarfile.open(tmp / 'tree.tar') as tar:
            tar.extractall(tree)
    (tmp / 'series').write_text(
        ''.join(f'{os.path.relpath(p, ROOT)}\n' for p in patches))
    (tmp / 'patches').symlink_to(PATCHES)
    return run(['quilt', '--quiltrc', '-', 'push', '-a', '--fuzz=0'],
               'quilt push', log=log, check=False, cwd=tree,
               env={'QUILT_PATCHES': str(tmp), 'QUILT_SERIES': 'series',
                    'QUILT_PC': '.pc', 'LC_ALL': 'C'})


def reverse(series):
    """The topics last first, but each behind what it needs."""
    return list({t.name: t for last in reversed(series.all.values())
                 for t in series.chain(last)}.values())


def order(series):
    """All topics in series order, and in reverse order, give the same tree."""
    if series.partial:
        raise Skip('it is about all topics')

    def tree(topics):
        patches = [p for t in topics for p in t.patches]
        with AmTree(touched(patches)) as amtree:
            return git('rev-parse', amtree.am('all', series.base, patches)
                       + '^{tree}')

    def trees():
        return [tree(list(series.all.values())), tree(reverse(series))]

    key = ('order', series.base, [(t.name, [p.read_bytes() for p in t.patches])
                                  for t in series.all.values()])
    one, other = series.cache.of(key, trees)
    if one != other:
        yield Fault('the order makes a difference\n' + excerpt(
            git('diff', '--stat', one, other), 30))


def sections(text):
    """MAINTAINERS' entries: title -> lines."""
    found = {}
    for entry in re.split(r'\n\s*\n', text):
        lines = entry.strip('\n').splitlines()
        if len(lines) > 1 and all(re.match(r'[A-Z]:\t', x) for x in lines[1:]):
            found[lines[0]] = lines[1:]
    return found


def cluster_table(series, topic):
    """The clusters that zsmalloc.rst lists are those of the code."""
    table = script('zsmalloc-table')
    if any(table.DOCUMENT in p.status for p in series.applied(topic)):
        wrong = table.differences(blob(series.tip(topic), table.DOCUMENT))
        if wrong:
            yield Fault('stale, see tools/zsmalloc-table\n' + '\n'.join(wrong))


def new_sections(series, topic):
    """The entries that a topic adds to MAINTAINERS."""
    old = sections(blob(series.onto(topic), 'MAINTAINERS'))
    new = sections(blob(series.tip(topic), 'MAINTAINERS'))
    return {title: lines for title, lines in new.items() if title not in old}


def responsible(cache, tip_, tree, arguments):
    """The entries get_maintainer.pl finds, less THE REST: title -> lines."""
    def ask():
        tree.checkout(tip_)
        text = output(['scripts/get_maintainer.pl', '--no-git', '--sections',
                       '--no-git-fallback', *arguments], cwd=TREE)
        return sections(text)
    content = [pathlib.Path(a).read_bytes() for a in arguments
               if a.startswith('/')]
    key = ('maintainers', git('rev-parse', f'{tip_}:MAINTAINERS'), arguments,
           content)
    found = cache.of(key, ask)
    return {t: lines for t, lines in found.items() if t != 'THE REST'}


def maintainers(series, topic, tree):
    """Each new file has an entry, each patch a mailing list to go to."""
    patches = series.applied(topic)
    end = series.tip(topic)
    new = {f for p in patches for f, how in p.status.items() if how == 'A'}
    for name in sorted(new):
        if exists(end, name) and not responsible(series.cache, end, tree,
                                                 ['-f', name]):
            yield Fault(f'{name} has no entry in MAINTAINERS')
    for patch in patches:
        found = responsible(series.cache, end, tree, [str(patch.path)])
        lists = [x for lines in found.values() for x in lines if x[0] == 'L']
        if not lists and list(patch.status) != ['MAINTAINERS']:
            yield Fault(f'{patch.name}: get_maintainer.pl finds no list '
                        'of its own')
    for title, lines in new_sections(series, topic).items():
        tree.checkout(end)
        for name in [x[3:].strip() for x in lines if x[0] == 'F']:
            if not glob.glob(str(TREE / name)):
                yield Fault(f'MAINTAINERS: {title}: nothing matches {name}')


def snippet(series):
    """MAINTAINERS-snippet holds the entries that the patches add."""
    added = {}
    for topic in series.topics:
        series.applied(topic)
        # A later topic may add files to an earlier one's entry.
        tip_sections = sections(blob(series.tip(topic), 'MAINTAINERS'))
        added.update(new_sections(series, topic))
        added.update({t: tip_sections[t] for t in added if t in tip_sections})
    path = ROOT / 'MAINTAINERS-snippet'
    text = path.read_text() if path.exists() else ''
    there = sections(re.sub(r'(?m)^#.*\n', '', text))
    for title, lines in added.items():
        if there.get(title) != lines:
            yield Fault(f'MAINTAINERS-snippet: {title} '
                        + ('differs' if title in there else 'is missing'))
    for title in there if not series.partial else ():
        if title not in added:
            yield Fault(f'MAINTAINERS-snippet: no patch adds {title}')


KCONFIG_LINE = re.compile(r'\s+(?:depends on|select|imply|visible if|default'
                          r'|def_bool|def_tristate|bool .* if'
                          r'|tristate .* if|if)\s(.*)|if\s(.*)')


def references(name, lines):
    """The Kconfig symbols that lines of a file refer to."""
    if name.startswith('Documentation/'):
        return
    for line in lines:
        if 'Kconfig' in name.rsplit('/', 1)[-1]:
            found = KCONFIG_LINE.match(re.sub(r'"[^"]*"|#.*', '""', line))
            text = (found[1] or found[2]) if found else ''
            yield from re.findall(r'\b[A-Z][A-Z0-9_]+\b', text)
        else:
            for symbol in re.findall(r'\bCONFIG_([A-Z0-9]\w*)', line):
                yield re.sub('_MODULE$', '', symbol)


def definition(text, symbol):
    """The body of a symbol's entry in a Kconfig file."""
    found = re.search(rf'(?m)^\s*(?:menu)?config {symbol}\n'
                      r'((?:[ \t].*\n|\n)*)', text + '\n')
    return found[1] if found else ''


def gate_faults(symbol, body):
    """A symbol that the user sees is off by default and explained."""
    if not re.search(r'(?m)^\s+(bool|tristate|int|string) +"|^\s+prompt', body):
        return
    if re.search(r'(?m)^\s+(def_bool y|default [ym])\s*$', body):
        yield Fault(f'{symbol} is on by default')
    if not re.search(r'(?m)^\s+help$', body):
        yield Fault(f'{symbol} has no help text')


def kconfig(series, topic):
    """Symbols referred to exist; new ones are off and have help."""
    series.applied(topic)
    start, end = series.onto(topic), series.tip(topic)
    lines = added_lines(start, end)
    known = symbols(end)
    for name, added in lines.items():
        for symbol in sorted(set(references(name, added)) - known):
            yield Fault(f'{name}: no symbol {symbol}')
    for name in [n for n in lines if 'Kconfig' in n]:
        for symbol in re.findall(r'(?m)^\s*(?:menu)?config (\w+)',
                                 '\n'.join(lines[name])):
            yield from gate_faults(symbol, definition(blob(end, name), symbol))
    for symbol in sorted(symbols(start) - known):
        if users := git('grep', '-lw', f'CONFIG_{symbol}', end, check=False):
            yield Fault(f'{symbol} is gone but used:\n' + users)
    for path in sorted(kbuild.KUNIT.glob(f'{topic.name}.*')):
        if path.suffix == '.selftests':
            continue
        for symbol in re.findall(r'CONFIG_(\w+)', path.read_text()):
            if symbol not in known:
                yield Fault(f'{relative(path)}: no symbol {symbol}')


def own_files():
    """The repository's files that are text, but for the patches."""
    listing_ = git('ls-files', '-co', '--exclude-standard', '-z', cwd=ROOT,
                   check=False)
    paths = [ROOT / n for n in listing_.split('\0') if n] or [
        p for p in ROOT.rglob('*') if p.is_file()]
    for path in sorted(set(paths)):
        parts = path.relative_to(ROOT).parts
        if (path.suffix == '.patch' or parts[0] in NOT_OURS
                or '__pycache__' in parts or not path.is_file()):
            continue
        content = path.read_bytes()
        if b'\0' not in content:
            yield path, content.decode(errors='replace')


def programs():
    """The shell and the Python programs among them."""
    shell, python = [], []
    for path, text in own_files():
        first = text.partition('\n')[0]
        if path.suffix == '.py' or re.match('#!.*python', first):
            python.append(path)
        elif path.suffix == '.sh' or re.match(r'#!.*/(env )?(ba|da)?sh\b',
                                              first):
            shell.append(path)
    return shell, python


def lint(series):
    """shellcheck and pyflakes find nothing in the tools."""
    shell, python = programs()
    for command, paths in ((['shellcheck', '-x'], shell),
                           (['pyflakes3'], python)):
        if not paths:
            continue
        key = ('lint', version(command[0], '--version'),
               [(str(p), p.read_bytes()) for p in paths])
        text = series.cache.of(key, lambda: output(
            command + [relative(p) for p in paths], check=False, cwd=ROOT))
        if text.strip():
            yield Fault(f'{command[0]} is not content\n' + excerpt(text, 30))


def text_faults(name, text):
    for n, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield Fault(f'{name}:{n}: trailing white space')
        if re.search(' \t', line):
            yield Fault(f'{name}:{n}: a space before a tab')
        if name.endswith('.py') and '\t' in re.match(r'\s*', line)[0]:
            yield Fault(f'{name}:{n}: indented by a tab')
    if text and not text.endswith('\n'):
        yield Fault(f'{name}: no newline at the end')


def patch_faults(name, text):
    """The same in a patch's message and in the lines it adds."""
    message, _, diff = text.partition('\n---\n')
    yield from text_faults(name, message + '\n')
    for line in diff.splitlines():
        if line.startswith('+') and line != line.rstrip():
            yield Fault(f'{name}: trailing white space: {line.rstrip()}')


def words(series):
    """White space and spelling of the repository's own texts."""
    files = list(own_files())
    for path, text in files:
        yield from text_faults(relative(path), text)
    covers = []
    for topic in series.topics:
        for path in topic.patches:
            if path.exists():
                yield from patch_faults(relative(path),
                                        path.read_text(errors='replace'))
        covers += [topic.dir / COVER] * (topic.dir / COVER).exists()
    paths = [p for p, _ in files] + covers
    key = ('words', version('codespell', '--version'),
           digest([(str(p), p.read_bytes()) for p in paths]))
    text = series.cache.of(key, lambda: output(
        ['codespell', *[relative(p) for p in paths]], check=False, cwd=ROOT))
    if text.strip():
        yield Fault('misspelt\n' + excerpt(text, 30))


