# SPDX-License-Identifier: GPL-2.0
"""Try the series on another kernel: apply, build and boot each topic there.

  tools/port 7.1.13             a version that tools/fetch can get
  tools/port ~/src/linux-next   HEAD of a clone
  tools/port --text 6.18.15     only apply: in seconds
  tools/port --save 6.18.15     also keep the table in Documentation/results

Topic by topic, on top of what it needs, each patch is given to git am, and if
it does not apply as it is to git am -3, which merges, lists (Kconfig, Makefile
and so on) by union, without lines that only the pinned tree has.  A patch that
the tree has already counts as such; one that does not apply is left out, and
those behind it are tried all the same.  Nothing is resolved by hand.  If
patches/V is for that version, topics that have patches of their own there are
built from these.

A topic of which all applies is compiled for x86-64 with its options on and
off, and its suites are run.  It is fit for the tree only if they pass.  The
tree that is tried is not changed.  Ends with 1 if a topic is not fit.
"""

import difflib
import json
import pathlib
import re
import shutil

import common
import kbuild
import vm
from amtree import AM, touched
from branches import CONFIG, listed
from common import (BUILD, LINUX, RESULTS, TOOLS, Failure, Steps, git,
                    git_command, run)

PORT = BUILD / 'port'
SCRATCH = PORT / 'linux'
# Files that are lists: what two sides add goes one behind the other.
LISTS = '.gitignore', 'Kconfig*', 'MAINTAINERS', 'Makefile', 'run_vmtests.sh'


def target(name):
    """What to try: HEAD of a clone, or "base" of what fetch makes."""
    path = pathlib.Path(name)
    if path.is_dir():
        if git('rev-parse', '-q', '--verify', 'HEAD', cwd=path, check=False):
            return path, 'HEAD'
        raise Failure(f'{path} is no git repository',
                      hint='tools/fetch --from PATH --version V makes one')
    if not common.is_version(name):
        raise Failure(f'{name} is neither a directory nor a version')
    run([TOOLS / 'fetch', '--version', name],
        f'fetch {name}')
    tree = common.tree_of(name)
    return tree, common.ref('base', tree.name)


def objects(repository):
    return git('rev-parse', '--path-format=absolute', '--git-path', 'objects',
               cwd=repository)


class Scratch:
    """A clone of the tree that is tried, with the pinned tree's objects.

    Those are what git am -3 merges from.  If @names are given, only these
    files are checked out, which is enough to apply patches.
    """

    def __init__(self, repository, start, names=()):
        shutil.rmtree(SCRATCH, ignore_errors=True)
        PORT.mkdir(parents=True, exist_ok=True)
        self.start = git('rev-parse', f'{start}^{{commit}}', cwd=repository)
        git('init', '-q', SCRATCH, cwd=repository)
        info = SCRATCH / '.git'
        (info / 'objects/info/alternates').write_text(
            ''.join(f'{objects(r)}\n' for r in (repository, LINUX)))
        (info / 'info').mkdir(exist_ok=True)
        (info / 'info/attributes').write_text(
            ''.join(f'{name} merge=union\n' for name in LISTS))
        if names:
            self.git('config', 'core.sparseCheckout', 'true')
            (info / 'info/sparse-checkout').write_text(
                ''.join(f'/{name}\n' for name in names))
        self.checkout(self.start)

    def git(self, *args, **kw):
        return git(*CONFIG, *args, cwd=SCRATCH, **kw)

    def checkout(self, commit):
        self.git('checkout', '-q', '-f', '--detach', commit)

    def am(self, patch, *how):
        """Apply one patch; what was in the way, as a list of files."""
        log = common.log_path('port')
        if run(git_command(*CONFIG, 'am', *AM, *how, patch), 'git am', log,
               check=False, cwd=SCRATCH, env=common.GIT_ENV) == 0:
            for name in self.lists() if how else ():
                self.tidy(name, patch)
            if strays := self.strays(patch):
                self.checkout('HEAD^')
            return strays
        conflicts = self.git('diff', '--name-only', '--diff-filter=U')
        found = conflicts.split() or re.findall(
            r'(?m)^error: (?:patch failed: )?([^\s:]+)[: ]', log.read_text())
        self.git('am', '--abort')
        return sorted(set(found)) or ['the patch itself']

    def strays(self, patch):
        """The files to which HEAD adds more than the patch does.

        A union takes lines around an addition, too, that the tree lacks.
        """
        def added(*command):
            rows = self.git(*command).splitlines()
            return {name: int(n) for n, _, name in
                    (row.split('\t') for row in rows)}
        meant = added('apply', '--numstat', patch)
        return [name for name, n in
                added('show', '--format=', '--numstat', 'HEAD').items()
                if n > meant.get(name, 0)]

    def lists(self):
        """Of the files that HEAD changes those that are lists."""
        return self.git('diff', '--name-only', '--diff-filter=M', 'HEAD^',
                        '--', *(f':(glob)**/{name}' for name in LISTS)
                        ).splitlines()

    def tidy(self, name, patch):
        """Leave of what a union added to a list only what the patch adds.

        An entry of Kconfig goes in front of the one that the union put it in.
        """
        diffs = patch.read_text().split('\ndiff --git ')
        meant = [line[1:] for diff in diffs if diff.startswith(f'a/{name} ')
                 for line in re.findall(r'(?m)^\+(?!\+\+ ).*', diff)]
        old = self.git('show', f'HEAD^:{name}').splitlines()
        diff = self.git('diff', '-U0', 'HEAD^', '--', name)
        kept, done = [], 0
        for at, nr, text in re.findall(
                r'(?m)^@@ -(\d+)(?:,(\d+))? .*\n((?:[-+].*\n?)*)', diff):
            # An addition is behind a line, a change at one.
            start = int(at) - (nr != '0')
            kept += old[done:start]
            done = start + int(nr or 1)
            added = [x[1:] for x in text.splitlines() if x[0] == '+']
            both = difflib.SequenceMatcher(None, added, meant, autojunk=False)
            added = [line for i, _, n in both.get_matching_blocks()
                     for line in added[i:i + n]]
            at = len(kept)
            while added and added[0].startswith('config ') and kept[at - 1:at] \
                    not in ([], ['']):
                at -= 1
            kept[at:at] = added
        kept += old[done:]
        (SCRATCH / name).write_text('\n'.join(kept) + '\n')
        self.git('commit', '-q', '--amend', '--no-edit', name)

    def there(self, patches, commit):
        """The patches that a commit has already; the last is undone first."""
        self.checkout(commit)
        found = {p for p in reversed(patches) if run(
            git_command('apply', '--index', '--reverse', p), 'git apply',
            common.log_path('port'), check=False, cwd=SCRATCH,
            env=common.GIT_ENV) == 0}
        self.checkout(commit)
        return found

    def apply(self, topic, onto):
        """Apply a topic: its row, and the resulting commit."""
        listed(topic)       # a patch may be missing
        there = self.there(topic.patches, onto)
        row = {'topic': topic.name, 'patches': len(topic.patches), 'clean': 0,
               'merged': 0, 'there': 0, 'missing': []}
        for n, patch in enumerate(topic.patches, 1):
            if patch in there:
                row['there'] += 1
            elif not self.am(patch):
                row['clean'] += 1
            elif not (files := self.am(patch, '-3')):
                row['merged'] += 1
            else:
                row['missing'].append(f'{n}: {", ".join(files)}')
        return row, self.git('rev-parse', 'HEAD')


def configured(arch, name, chain=()):
    """Configure what is checked out, with the suites of these topics."""
    out = kbuild.out_of(SCRATCH) / name
    out.mkdir(parents=True, exist_ok=True)
    files = [kbuild.fragment('common'), kbuild.fragment(arch.name)]
    # What another base's kernel names otherwise, this one may, too.
    files += sorted(kbuild.CONFIGS.glob('[0-9]*.[0-9]*.config'))
    files += [f for t in chain
              for f in kbuild.topic_files(arch, common.whole(t.name))]
    kbuild.configure(arch, SCRATCH, out, list(kbuild.known_fragments(
        files, kbuild.symbols(SCRATCH), out)))
    return out


def suites(arch, chain):
    """Build and boot what is checked out: what its suites say."""
    topic = common.whole(chain[-1].name)
    if not kbuild.topic_has('*config', topic):
        return 'builds, has no suite'
    out = configured(arch, 'on', chain)
    target = arch.image.rsplit('/', 1)[-1]
    kbuild.compile(arch, SCRATCH, out, [target])
    result = vm.boot(arch, out / arch.image, name=f'port {topic}',
                     passes=False, **vm.selftests(arch, SCRATCH, topic))
    found = [verdict for _, verdict in result.results()]
    failed = [name for name, verdict in result.results()
              if verdict == 'not ok']
    if failed:
        raise Failure(f'{len(failed)} of {len(found)} tests fail',
                      result.log, excerpt=result.excerpt())
    if not found and topic == chain[-1].name:
        raise Failure('no test ran', result.log)
    return f'{found.count("ok")} pass'


def built(arch, chain):
    """What becomes of a topic that is checked out, on what it needs."""
    try:
        kbuild.compile(arch, SCRATCH, configured(arch, 'off'), ['vmlinux'])
        return suites(arch, chain)
    except Failure as e:
        print(f'{chain[-1].name}: {e.what}\n{e.shown("  ")}', end='')
        return 'no: ' + e.what.partition(': ')[0].splitlines()[0]


def overlay(name):
    """The overlay for a version, if there is one: its name and its topics."""
    for base in common.bases()[1:]:
        if common.base(base)['version'] == name:
            return base, common.topics(common.PATCHES / base / 'series')
    return None, {}


def tried(scratch, main, own, text, step):
    """A row for each topic; @own are the topics of the overlay, if any.

    And for a part, if it could be fit where the topic is not.
    """
    arch = kbuild.arch('x86_64')
    tips = {None: (scratch.start, True)}
    main, own = common.with_parts(main), common.with_parts(own)
    for topic in (own or main).values():
        if tips.get(common.whole(topic.name), (None, False))[1]:
            continue
        onto, fit = tips[topic.needs]
        step(topic.name)
        theirs = main.get(topic.name, topic)
        row, end = scratch.apply(theirs, onto)
        left = row['missing']
        row['own'] = topic.patches not in ([], theirs.patches)
        if row['own']:
            other, end = scratch.apply(topic, onto)
            left = other['missing']
        whole = fit and not left
        tips[topic.name] = end, whole
        if not whole:
            row['built'] = 'no: ' + ('not all applies' if left
                                     else f'needs {topic.needs}')
        elif row['there'] == row['patches']:
            row['built'] = 'already there'
        else:
            row['built'] = 'not tried' if text else built(
                arch, common.with_needs(topic.name, own or main))
        row['applies'] = applied(row)
        yield row


def applied(row):
    """How far a topic's text gets."""
    parts = [f'{row["clean"] + row["merged"]} of {row["patches"]}']
    if row['merged']:
        parts.append(f'{row["merged"]} with -3')
    if row['there']:
        parts.append(f'{row["there"]} already there')
    return ', '.join(parts)


def table(rows):
    """Plain text, a line a topic."""
    cells = [('topic', 'applies', 'builds and passes', 'missing')]
    cells += [(r['topic'], r['applies'], r['built'],
               '; '.join(r['missing']) or '-') for r in rows]
    return '\n'.join(common.aligned(cells)) + '\n'


def main(argv):
    p = common.parser(__doc__)
    p.add_argument('tree', help='a version, or the path of a clone')
    p.add_argument('--text', action='store_true',
                   help='only apply, do not build and boot')
    p.add_argument('--save', action='store_true',
                   help='keep the rows in Documentation/results')
    options = p.parse_args(argv)
    if not LINUX.exists():
        raise Failure(f'{LINUX} is missing', hint='run tools/apply first')
    topics = {n: t for n, t in common.topics().items() if t.patches}
    base, own = overlay(options.tree)
    names = touched(p for t in [*topics.values(), *own.values()]
                    for p in t.patches)
    scratch = Scratch(*target(options.tree), names if options.text else ())
    rows = list(tried(scratch, topics, own, options.text,
                      Steps(len(common.with_parts(own or topics)))))
    for row in rows:
        if row.pop('own'):
            row['built'] += f', with patches/{base}'
    shutil.rmtree(SCRATCH)
    print(table(rows), end='')
    if options.save:
        name = pathlib.Path(options.tree).resolve().name
        (RESULTS / f'port-{name}.json').write_text(
            json.dumps(rows, indent=1) + '\n')
    return int(any(r['built'].startswith('no:') for r in rows))
