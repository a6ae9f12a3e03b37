# SPDX-License-Identifier: GPL-2.0
"""Check the patches as the netdev CI and the 0-day robot would.

  tools/check                   everything but booting and coccinelle
  tools/check --topic T         one topic
  tools/check --fast            without what compiles: seconds
  tools/check --all             also these: the kernel of every commit boots,
                                and at the end of a topic those with all of its
                                options off and on; coccinelle
  tools/check --ci              what CI has time for: compiles each patch for
                                x86-64 with the topics' symbols on, and checks
                                all else that compiles of the series as a whole
  tools/check --ci --minutes 25  what is not compiled by then is skipped
  tools/check --only words,w1   some checks only; --list names them

A line for each check and what it is about: ok, warn, fail or skip.  Below it
is what was found, and the log if there is one.  Ends with 1 if any failed.
All of it as a table, patch by check, is in build/results/check.txt.

What check verifies: the patch files, not the branches; they are applied to
the pinned base in a checkout of its own, build/check, and neither the work
tree nor the branches of build/linux change.  For each commit the directories
that its topic touches are compiled with the topics' symbols on, with them
off, and with allnoconfig; warnings count if the commit before lacks them.
Images are made with --all, and by tools/test.  Whether a Fixes: tag names a
real commit cannot be seen without upstream's history; its form can.

Results that depend on nothing but what they were made from are kept in the
cache directory; --no-cache makes them anew.
"""

import functools
import importlib
import pkgutil
import sys
import time

import common
import kbuild
import checks
from checks.builder import Builder
from checks.core import TREE, Cache, Fault, Series, Skip, Tree, lock
from common import LINUX, Failure, parser

MOST_LINES = 40
# Each has the checks of those before it.
MODES = 'fast', 'ci', 'default', 'all'
SCOPES = 'series', 'topic', 'patch'
ARCHES = [a.name for a in kbuild.ARCHES.values() if a.qemu]


class Check:
    """A module of checks/."""

    def __init__(self, name):
        module = importlib.import_module(f'checks.{name}')
        self.name = name.replace('_', '-')
        self.scope, self.when = module.SCOPE, module.WHEN
        self.compiles = self.scope == 'patch' and self.when != 'fast'
        self.about = module.__doc__.splitlines()[0]
        self.check = module.check


@functools.cache
def known():
    """All checks, in the order in which they are made."""
    names = [m.name for m in pkgutil.iter_modules(checks.__path__)
             if m.name not in ('core', 'builder')]
    return sorted(map(Check, names), key=lambda c: (
        SCOPES.index(c.scope), MODES.index(c.when), c.name))


class Report:
    """One line a check, and the counts of all."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.start = time.monotonic()
        self.fine = {}
        self.found = {}

    def seconds(self):
        return int(time.monotonic() - self.start)

    def clock(self):
        return '{}:{:02}'.format(*divmod(self.seconds(), 60))

    def progress(self, text):
        if sys.stderr.isatty():
            print(f'\r[{self.clock()}] {text}\033[K', end='', file=sys.stderr,
                  flush=True)

    def line(self, verdict, check, subject, text=''):
        if sys.stderr.isatty():
            print('\r\033[K', end='', file=sys.stderr, flush=True)
        print(f'{verdict:4} {check:11} {subject}' + (f': {text}' if text
                                                     else ''), flush=True)

    def add(self, check, subject, topic, faults):
        """Print what a check found; fine ones are gathered by topic."""
        shown = [f for f in faults if f.level != 'note' or self.verbose]
        verdict = 'ok'
        for level in 'warn', 'fail':
            if any(f.level == level for f in faults):
                verdict = level
        self.found[subject, check.name] = verdict
        if verdict == 'ok' and check.scope == 'patch' and not self.verbose:
            self.fine.setdefault((check.name, topic), []).append(subject)
            return
        shown.sort(key=lambda f: f.level == 'note')
        first, *more = [line for f in shown
                        for line in f.text.splitlines()] or ['']
        self.line(verdict, check.name, subject, first)
        for text in more[:MOST_LINES]:
            print(f'     | {text}')
        if len(more) > MOST_LINES:
            print(f'     | ... {len(more) - MOST_LINES} lines more')
        for log in dict.fromkeys(f.log for f in shown if f.log):
            print(f'     log: {log}')

    def skip(self, check, subject, why):
        self.found[subject, check.name] = 'skip'
        self.line('skip', check.name, subject, str(why))

    def flush(self):
        """The lines that stand for many patches."""
        for (check, topic), names in self.fine.items():
            self.line('ok', check, f'{topic} ({len(names)} patches)'
                      if len(names) > 1 else names[0])
        self.fine.clear()

    def save(self):
        """Keep a table: a row a patch, topic or series, a column a check."""
        names = list(dict.fromkeys(check for _, check in self.found))
        rows = [('', *names)] + [
            (row, *(self.found.get((row, n), '-') for n in names))
            for row in dict.fromkeys(subject for subject, _ in self.found)]
        path = common.BUILD / 'results' / common.BASE / 'check.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(common.aligned(rows)) + '\n')

    def summary(self):
        verdicts = list(self.found.values())
        text = ', '.join(f'{verdicts.count(what)} {what}'
                         for what in ('ok', 'warn', 'fail', 'skip'))
        print(f'check: {text} in {self.clock()}')
        return int('fail' in verdicts)


class Runner:
    def __init__(self, args, report):
        self.report = report
        self.limit = args.minutes * 60
        self.series = Series(Cache(not args.no_cache), args.topic)
        if not self.series.base:
            raise Failure(f'{LINUX} has no branch base',
                          hint='tools/apply makes it')
        self.tree = Tree()
        self.builder = Builder(self.series, self.tree, args.arch,
                               report.progress, args.mode == 'ci')
        self.series.cache.prune()

    def one(self, check, subject, name, topic):
        """Make one check of one thing."""
        self.report.progress(f'{check.name} {name}')
        try:
            faults = list(check.check(self, subject))
        except Skip as e:
            self.report.skip(check, name, e)
            return
        except Failure as e:
            faults = [Fault('\n'.join([e.what, *e.lines()]),
                            log=e.log)]
        self.report.add(check, name, topic, faults)

    def over(self, wanted, name, get, by_patch=False):
        """Make checks of the patches that get() finds, those of a topic."""
        try:
            patches = get()
        except Skip as e:
            for check in wanted:
                self.report.skip(check, name, e)
            return
        pairs = [(c, p) for p in patches for c in wanted] if by_patch else [
            (c, p) for c in wanted for p in patches]
        for check, patch in pairs:
            if by_patch and self.report.seconds() >= self.limit:
                self.report.skip(check, patch.name, 'no time left')
            else:
                self.one(check, patch, patch.name, name)
        self.report.flush()

    def run(self, wanted):
        topics = [t for t in self.series.topics if t.patches]
        for check in wanted:
            if check.scope == 'series':
                self.one(check, None, 'series', None)
            elif check.scope == 'topic':
                for topic in topics:
                    self.one(check, topic, topic.name, topic.name)
        of_patch = [c for c in wanted if c.scope == 'patch']
        for slow in False, True:
            some = [c for c in of_patch if c.compiles == slow]
            if slow and self.builder.sparing:
                self.over(some, 'series', lambda: [self.series.whole()])
                some = [c for c in some if c.name == 'build']
            for topic in topics if some else ():
                self.over(some, topic.name,
                          functools.partial(self.series.applied, topic), slow)


def wanted(args):
    modes = MODES[:MODES.index(args.mode) + 1]
    if args.only is None:
        return [c for c in known() if c.when in modes]
    names = args.only.split(',')
    unknown = set(names) - {c.name for c in known()}
    if unknown:
        raise Failure(f'no check "{", ".join(sorted(unknown))}"',
                      hint='tools/check --list names them')
    return [c for c in known() if c.name in names]


def main(argv):
    p = parser(__doc__)
    p.add_argument('--topic', action='append', help='this topic only')
    mode = p.add_mutually_exclusive_group()
    for name, text in (('fast', 'nothing that compiles'),
                       ('ci', 'less of what compiles, x86-64 only'),
                       ('all', 'also boot every commit, and coccinelle')):
        mode.add_argument(f'--{name}', dest='mode', action='store_const',
                          const=name, default='default', help=text)
    p.add_argument('--only', metavar='NAME,...', help='these checks only')
    p.add_argument('--list', action='store_true', help='name the checks')
    p.add_argument('--arch', action='append', choices=ARCHES,
                   help='this architecture only')
    p.add_argument('--minutes', type=int, default=sys.maxsize, metavar='N',
                   help='begin to compile no further patch after these')
    p.add_argument('--no-cache', action='store_true',
                   help='make every result anew')
    p.add_argument('-v', '--verbose', action='store_true',
                   help='a line for each patch that is fine, and notes')
    args = p.parse_args(argv)
    args.arch = args.arch or ARCHES[:1 if args.mode == 'ci' else None]
    if args.list:
        for check in known():
            print(f'{check.name:11} {check.scope:6} {check.about}')
        return 0
    for name in args.topic or ():
        common.with_branches(name)
    chosen = wanted(args)
    if not LINUX.exists():
        raise Failure(f'{LINUX} is missing', hint='run tools/apply first')
    report = Report(args.verbose)
    with lock():
        runner = Runner(args, report)
        report.progress('checkout of base')
        common.need_work_tree(TREE, runner.series.base)
        runner.run(chosen)
    report.save()
    return report.summary()
