# SPDX-License-Identifier: GPL-2.0
"""Try the series on another kernel: apply, build and boot each topic there.

  tools/port 7.1.13             a version that tools/fetch can get
  tools/port ~/src/linux-next   HEAD of a clone
  tools/port --text 6.18.15     only apply: in seconds
  tools/port --save 6.18.15     also keep the table in Documentation/results
  tools/port --to 7.2.13        carry it there for good, into patches/7.2.13

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

With --to V the commits stay: build/linux-V gets branches V/TOPIC, patches/V
what differs from the main base.  V is a version that tools/fetch finds, or a
name for which patches/V/base says what it is.  The patches are the main
base's, or with --base those of another one, which may be nearer.  What git
merges, or has seen resolved before (git rerere), comes along by itself.  Where
git stops, this stops: resolve it there, git add, and go on with --continue.
"git am --skip" leaves a patch out, --without a topic and what needs it.
patches/V/series says so; the reason is yours to write there.
"""

import argparse
import json
import pathlib
import shutil

import carry
import common
import kbuild
import vm
from amtree import touched
from branches import listed
from common import LINUX, RESULTS, TOOLS, Failure, Steps, git, run
from merge import PORT, Merging

SCRATCH = PORT / 'linux'


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


class Scratch(Merging):
    """A clone of the tree that is tried, with the pinned tree's objects.

    Those are what git am -3 merges from.  If @names are given, only these
    files are checked out, which is enough to apply patches.
    """

    def __init__(self, repository, start, names=()):
        shutil.rmtree(SCRATCH, ignore_errors=True)
        super().__init__(SCRATCH)
        self.start = git('rev-parse', f'{start}^{{commit}}', cwd=repository)
        git('init', '-q', SCRATCH, cwd=repository)
        info = SCRATCH / '.git'
        (info / 'objects/info/alternates').write_text(
            ''.join(f'{objects(r)}\n' for r in (repository, LINUX)))
        (info / 'info').mkdir(exist_ok=True)
        if names:
            self.git('config', 'core.sparseCheckout', 'true')
            (info / 'info/sparse-checkout').write_text(
                ''.join(f'/{name}\n' for name in names))
        self.checkout(self.start)

    def takes(self, patch, *how):
        """Apply one patch; what was in the way, as a list of files."""
        before = self.head()
        if self.am(patch, *how):
            if strays := self.strays(patch, before):
                self.checkout(before)
            return strays
        files = self.in_the_way()
        self.git('am', '--abort')
        return files

    def apply(self, topic, onto):
        """Apply a topic: its row, and the resulting commit."""
        listed(topic)       # a patch may be missing
        there = self.there(topic.patches, onto)
        row = {'topic': topic.name, 'patches': len(topic.patches), 'clean': 0,
               'merged': 0, 'there': 0, 'missing': []}
        for n, patch in enumerate(topic.patches, 1):
            if patch in there:
                row['there'] += 1
            elif not self.takes(patch):
                row['clean'] += 1
            elif not (files := self.takes(patch, '-3')):
                row['merged'] += 1
            else:
                row['missing'].append(f'{n}: {", ".join(files)}')
        return row, self.head()


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
    p.add_argument('tree', nargs='?',
                   help='a version, or the path of a clone')
    p.add_argument('--text', action='store_true',
                   help='only apply, do not build and boot')
    p.add_argument('--save', action='store_true',
                   help='keep the rows in Documentation/results')
    p.add_argument('--to', metavar='V', help='write patches/V')
    p.add_argument('--continue', dest='go_on', action='store_true',
                   help='with --to: go on behind what was resolved')
    p.add_argument('--without', metavar='TOPIC', action='append', default=[],
                   help='with --to: leave it out, and what needs it')
    p.add_argument('--source', help=argparse.SUPPRESS)
    options = p.parse_args(argv)
    if bool(options.tree) == bool(options.to):
        p.error('name a version or a clone, or --to V')
    if options.to and (options.text or options.save):
        p.error('--text and --save are not for --to')
    if not options.to and (options.go_on or options.without):
        p.error('--continue and --without need --to V')
    if options.to:
        return carry.to(options)
    if not LINUX.exists():
        raise Failure(f'{LINUX} is missing', hint='run tools/apply first')
    topics = {n: t for n, t in common.topics().items() if t.patches}
    keep = RESULTS / f'port-{pathlib.Path(options.tree).resolve().name}.json'
    if options.save:
        common.must_be_writable(keep)
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
        common.put(keep, json.dumps(rows, indent=1) + '\n')
    return int(any(r['built'].startswith('no:') for r in rows))
