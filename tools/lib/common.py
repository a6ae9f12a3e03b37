# SPDX-License-Identifier: GPL-2.0
"""What the tools share: where things are, running commands, reporting.

Nothing here knows about a single tool.  A tool raises Failure for everything
that a user can cause or mend; run_tool() prints it without a traceback.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time


def taken_base(argv):
    """Take --base V, which every tool has, off a command line.

    It must be known before a module asks where the tree is, and the tools
    that a tool starts find it in their environment.
    """
    end = argv.index('--') if '--' in argv else len(argv)
    p = argparse.ArgumentParser(argv[0], add_help=False, allow_abbrev=False)
    p.add_argument('--base', metavar='V',
                   default=os.environ.get('MM_SERIES_BASE', ''))
    known, argv[1:end] = p.parse_known_args(argv[1:end])
    os.environ['MM_SERIES_BASE'] = known.base
    return known.base


# These variables are for the tests and for trying another kernel version:
# MM_SERIES_TREE=linux-V works in build/linux-V, made by fetch --version V.
ROOT = pathlib.Path(os.environ.get('MM_SERIES_ROOT') or
                    pathlib.Path(__file__).resolve().parents[2])
TOOLS = pathlib.Path(__file__).resolve().parents[1]
PATCHES = ROOT / 'patches'
# '' is the main base; "7.2" is patches/7.2, an overlay for another kernel.
BASE = taken_base(sys.argv)
OVERLAY = PATCHES / BASE
SERIES = OVERLAY / 'series' if BASE else ROOT / 'series'
BUILD = ROOT / 'build'
TREE = os.environ.get('MM_SERIES_TREE') or f'linux-{BASE}'.rstrip('-')
LINUX = BUILD / TREE
# All trees are work trees of this one.
REPOSITORY = BUILD / 'linux.git'
LOGS = BUILD / 'logs' / BASE
RESULTS = ROOT / 'Documentation' / 'results'

def cache():
    """Where files are kept; build/ is for users that have no home."""
    with contextlib.suppress(RuntimeError):
        return pathlib.Path(os.environ.get('XDG_CACHE_HOME') or
                            pathlib.Path.home() / '.cache') / 'mm-series'
    return BUILD / 'cache'


CACHE = cache()

# The user's git configuration must not show in a patch or a commit id.
IDENTITY = ('mm-series', 'mm-series@example.org')
GIT_ENV = {
    'GIT_CONFIG_NOSYSTEM': '1',
    'GIT_CONFIG_GLOBAL': os.devnull,
    'GIT_AUTHOR_NAME': IDENTITY[0], 'GIT_AUTHOR_EMAIL': IDENTITY[1],
    'GIT_COMMITTER_NAME': IDENTITY[0], 'GIT_COMMITTER_EMAIL': IDENTITY[1],
    'GIT_EDITOR': 'true', 'GIT_PAGER': 'cat',
    'LC_ALL': 'C.UTF-8', 'TZ': 'UTC',
    # A directory in build/ that is no repository is not one of ours, either.
    'GIT_CEILING_DIRECTORIES': str(BUILD),
}
# A hook's lead to its own repository, and not to build/linux.
for name in ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_COMMON_DIR',
             'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES',
             'GIT_PREFIX', 'GIT_NAMESPACE', 'GIT_DIFF_OPTS'):
    os.environ.pop(name, None)


# Of what a command says before it fails.
MOST_LINES = 20


# A hint for what is damaged and in git.
AS_IT_WAS = 'git checkout has it as it was'


class Failure(Exception):
    """What failed, the log that shows it and what the user can do.

    @excerpt is what to print of the log if its end does not tell.
    """

    def __init__(self, what, log=None, hint=None, excerpt=()):
        super().__init__(what)
        self.what, self.log, self.hint = what, log, hint
        self.excerpt = list(excerpt)

    def lines(self):
        """The excerpt, or else the log's end."""
        if self.excerpt or not self.log:
            return self.excerpt
        text = pathlib.Path(self.log).read_text(errors='replace')
        return [line for n, line in enumerate(text.splitlines())
                if n or not line.startswith('$ ')][-25:]

    def shown(self, indent):
        """The log's name, these lines and what to do, to print."""
        which = 'of it' if self.excerpt else 'its end'
        log = [f'log: {self.log}; {which}:'] if self.log else []
        return ''.join(f'{indent}{line}\n' for line in (
            *log, *(f'| {line}' for line in self.lines() if log),
            *filter(None, [of_base(self.hint or '')])))


def of_base(hint):
    """A hint that names tools, of which those for a tree get our --base."""
    return re.sub(r'tools/(apply|build|refresh)(?!\S| --base)',
                  rf'\g<0> --base {BASE}', hint) if BASE else hint


def remedy(e):
    """What a user can do about an OSError, as a line, or ''."""
    path = pathlib.Path(str(e.filename or '/'))
    if e.filename and (path.is_relative_to(CACHE)
                       or CACHE.is_relative_to(path)):
        return '\n  XDG_CACHE_HOME=DIR puts the cache elsewhere'
    if isinstance(e, PermissionError):
        return '\n  work as the user whom it belongs to'
    return ''


def run_tool(main):
    """Run a tool's main(argv); end with 1 and a message on a Failure."""
    name = pathlib.Path(sys.argv[0]).name
    try:
        if BASE:
            base()
        mend_links()
        sys.exit(main(sys.argv[1:]) or 0)
    except Failure as e:
        print(f'{name}: {e.what}', file=sys.stderr)
        print(e.shown('  '), end='', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except UnicodeDecodeError as e:
        line = e.object[:e.end].rpartition(b'\n')[2]
        print(f'{name}: a text is not UTF-8: {line}', file=sys.stderr)
        sys.exit(1)
    except OSError as e:
        where = f'{e.filename}: ' if e.filename else ''
        print(f'{name}: {where}{e.strerror or e}{remedy(e)}', file=sys.stderr)
        sys.exit(1)


def parser(doc):
    """An argument parser whose help is the tool's docstring."""
    p = argparse.ArgumentParser(
        # "--bas" would be none of taken_base()'s.
        prog=sys.argv[0], description=doc, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    # Only for the help: taken_base() has it already.
    p.add_argument('--base', metavar='V', default=BASE,
                   help='work on patches/V, the series for another kernel')
    return p


class Steps:
    """Say which step of how many is at work and how long it all took."""

    def __init__(self, total):
        self.total, self.done, self.start = total, 0, time.monotonic()

    def __call__(self, text):
        self.done += 1
        t = int(time.monotonic() - self.start)
        print(f'[{self.done}/{self.total} {t // 60}:{t % 60:02}] {text}',
              flush=True)


def log_path(name):
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / (re.sub(r'[^\w.+-]+', '-', name) + '.log')


def start(cmd, what='', env=None, **kw):
    """Run a command that reads nothing, with @env on top of ours."""
    try:
        return subprocess.run(cmd, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(env or {})}, **kw)
    except FileNotFoundError:
        raise Failure(f'{what}{cmd[0]} is not installed',
                      hint='tools/setup installs what is missing')


def run(cmd, what, log=None, hint=None, check=True, **kw):
    """Run a command with its output in a log; raise Failure if it fails.

    @what names the step for the message.  Returns the exit status; with
    check=False a non-zero one is the caller's to judge, but a command that
    was killed has no say.
    """
    log = log or log_path(what)
    with open(log, 'w') as out:
        out.write('$ ' + shlex.join(map(str, cmd)).replace('\n', "'$'\\n''")
                  + '\n')
        out.flush()
        try:
            rc = start(cmd, f'{what}: ', stdout=out, stderr=subprocess.STDOUT,
                       **kw).returncode
        except subprocess.TimeoutExpired:
            raise Failure(f'{what}: no end after {kw["timeout"]} s', log, hint)
    if rc < 0 or rc and check:
        raise Failure(f'{what} failed ({rc})', log, hint)
    return rc


def output(cmd, check=True, **kw):
    """What a command prints; its stderr is part of the message if it fails."""
    r = start(cmd, text=True, capture_output=True, **kw)
    if 'detected dubious ownership' in r.stderr:
        raise Failure(f'{kw.get("cwd", ".")} belongs to another user',
                      hint='work as that user, or make it yours with chown')
    if r.returncode < 0 or r.returncode and check:
        said = (r.stderr or r.stdout).strip().splitlines()[-MOST_LINES:]
        raise Failure(f'{shlex.join(map(str, cmd))} failed ({r.returncode})'
                      + (':\n' + '\n'.join(said) if said else ''))
    return r.stdout


def setup(*options):
    """Install what is missing, if that can be done here."""
    if subprocess.run([TOOLS / 'setup', *options]).returncode:
        print('going on with what is installed', file=sys.stderr, flush=True)


def git_command(*args):
    """A git command line that, run with GIT_ENV, heeds no configuration."""
    return ['git', '-c', 'gc.auto=0', '-c', 'core.autocrlf=false',
            '-c', f'core.attributesFile={os.devnull}', *map(str, args)]


def git(*args, cwd=LINUX, check=True, **kw):
    """Output of a git command that no user configuration can change."""
    env = dict(GIT_ENV, **kw.pop('env', {}))
    return output(git_command(*args), cwd=cwd, env=env, check=check,
                  **kw).rstrip('\n')


def mend_links():
    """Find the work trees again after a move, or a copy, of everything."""
    for link in *BUILD.glob('linux*/.git'), *BUILD.glob('*/linux*/.git'):
        said = re.match('gitdir: (.+)', link.read_text()
                        if link.is_file() else '')
        old = pathlib.Path(said[1] if said else '/')
        new = REPOSITORY.resolve() / 'worktrees' / old.name
        if old.parts[-3:-1] == new.parts[-3:-1] and old != new \
                and new.exists():
            # git worktree repair cannot, where both sides have moved.
            link.write_text(f'gitdir: {new}\n')
            (new / 'gitdir').write_text(f'{link.resolve()}\n')


def need_work_tree(path, commit):
    """Make a work tree of build/linux's repository, unless it is there."""
    if path.exists() and git('rev-parse', '-q', '--verify', f'{commit}^0',
                             cwd=path, check=False) == commit:
        return
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    git('worktree', 'prune')
    git('worktree', 'add', '-ff', '-q', '--detach', path, commit)


def ref(name, tree=TREE):
    """The name of a branch; those of other trees than build/linux have theirs
    in front, as in 7.2/base."""
    version = tree.partition('-')[2]
    return f'{version}/{name}' if version else name


def need_base():
    """Refuse to work on a branch base that is not what fetch made."""
    base = f'refs/heads/{ref("base")}'
    if not git('for-each-ref', base):
        raise Failure(f'{LINUX} has no branch {ref("base")}',
                      hint='move it away; tools/apply makes it anew')
    root = git('rev-list', '--max-parents=0', base)
    if git('rev-parse', base) != root:
        raise Failure(f'branch {ref("base")} holds commits of its own; they '
                      'belong on the branch of a topic',
                      hint='take them there, then: '
                      f'git -C {LINUX} branch -f {ref("base")} {root[:12]}')


def parsed(path, loads, kind=dict):
    """What json.loads or tomllib.loads makes of a file."""
    try:
        found = loads(path.read_text())
    except ValueError as e:
        raise Failure(f'{path}: {e}', hint=AS_IT_WAS)
    if not isinstance(found, kind):
        raise Failure(f'{path} holds something else than it should',
                      hint=AS_IT_WAS)
    return found


def rows_of(path, rows, *keys):
    """The rows that a file has, if each has these keys."""
    for row in rows if isinstance(rows, list) else [rows]:
        if not isinstance(row, dict) or not row.keys() >= {*keys}:
            raise Failure(f'{path}: each row must have ' + ', '.join(keys),
                          hint=AS_IT_WAS)
    return rows


def sha256(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()


def put(path, content):
    """Write a file, of text or of bytes, all at once."""
    new = path.with_suffix('.new')
    if isinstance(content, bytes):
        new.write_bytes(content)
    else:
        new.write_text(content)
    new.replace(path)


def must_be_writable(path):
    """Fail before hours of work if put() will fail behind them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path.with_suffix('.new'), '')
    path.with_suffix('.new').unlink()


def aligned(rows):
    """Lines of text from rows of cells, columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ['  '.join(f'{cell:{w}}' for cell, w in zip(row, widths)).rstrip()
            for row in rows]


def is_version(text):
    return re.fullmatch(r'\d+\.\d+(\.\d+)?', text)


def tree_of(version):
    """Where tools/fetch puts a version."""
    for name in bases():
        if base(name)['version'] == version:
            return BUILD / f'linux-{name}'.rstrip('-')
    return BUILD / f'linux-{version}'


def bases():
    """The names of all bases, the main one ('') first."""
    return ['', *sorted(p.parent.name for p in PATCHES.glob('*/base'))]


PINNED = 'version', 'tag', 'suite', 'file', 'sha256', 'git', 'web'


def base(name=BASE):
    """A pinned tree: patches/base, or patches/NAME/base, as a dict."""
    path = PATCHES / name / 'base'
    if name and name not in bases():
        raise Failure(f'there is no base "{name}"', hint='there are: '
                      + (', '.join(bases()[1:]) or 'none but the main one'))
    return pinned(path)


def pinned(path, keys=PINNED):
    """Such a file, read."""
    pin = dict(re.findall(r'(?m)^(\w+) *= *(.+)',
                          path.read_text() if path.exists() else ''))
    if lacks := [key for key in keys if key not in pin]:
        raise Failure(f'{os.path.relpath(path, ROOT)} lacks '
                      + ', '.join(lacks), hint=AS_IT_WAS)
    return pin


HEADING = re.compile(r'# ([\w/-]+)(?: \(needs ([\w-]+)\))?: (.+)')


class Topic:
    """One topic of the series file: a heading and its patch files.

    Its @parts come first, and are part of its @patches.
    """

    def __init__(self, name, needs, title, parts=()):
        self.name, self.needs, self.title = name, needs, title
        self.parts = list(parts)
        self.patches = [p for part in parts for p in part.patches]
        self.dir = OVERLAY / whole(name)


def whole(name):
    """The topic of a part, "queue" of "queue/fixes"."""
    return name.partition('/')[0]


def topics(series=SERIES, root=ROOT):
    """A series file, parsed: topic name -> Topic, in series order.

    A topic starts with a heading,
        # NAME: TITLE
    or
        # NAME (needs OTHER): TITLE
    and its patches follow, a path a line.  What of it stands alone may be in
    front, as a part, with a heading NAME/PART.
    """
    if not series.exists():
        base()      # there may be no such base
        raise Failure(f'there is no file "{series.relative_to(ROOT)}"',
                      hint=f'tools/port --to {BASE} writes it' if BASE
                      else AS_IT_WAS)
    found, parts, current = {}, [], None
    if not (text := series.read_text()):
        raise Failure(f'{os.path.relpath(series, ROOT)} is empty',
                      hint=AS_IT_WAS)
    for n, line in enumerate(text.splitlines(), 1):
        head = HEADING.fullmatch(line)
        if head:
            name, needs, title = head.groups()
            if name in found or name in ('base', 'series'):
                raise Failure(f'series:{n}: another "{name}"')
            if needs and needs not in found:
                raise Failure(f'series:{n}: {name} needs {needs}, which is '
                              'not above it')
            if parts and whole(parts[0].name) != whole(name):
                raise Failure(f'series:{n}: behind {parts[-1].name} comes '
                              f'{whole(parts[0].name)}')
            if name == whole(name):
                current = found[name] = Topic(name, needs, title, parts)
                parts = []
            else:
                current = Topic(name, needs, title)
                parts.append(current)
        elif line and line[0] != '#':
            if not current:
                raise Failure(f'series:{n}: a patch before any topic heading')
            path = root / line
            if path.parent.name != current.dir.name:
                raise Failure(f'series:{n}: {line} is below the heading of '
                              f'{current.name}')
            current.patches.append(path)
    if parts:
        raise Failure(f'series: behind {parts[-1].name} comes '
                      f'{whole(parts[0].name)}')
    return found


def with_parts(known):
    """Topics, and behind each the parts of it, by name."""
    return {each.name: each for topic in known.values()
            for each in (topic, *topic.parts)}


def with_branches(name):
    """The same as with_needs(), for what works on branches."""
    chain = with_needs(name)
    if name != whole(name):
        raise Failure(f'{name} is a part of {whole(name)}, whose branch has '
                      'it', hint=f'--topic {whole(name)}')
    return chain


def with_needs(name, known=None):
    """The topics that a topic or part is applied on, in order, itself last."""
    known = with_parts(known or topics())
    if name not in known:
        raise Failure(f'no topic "{name}" in series; there are: '
                      + ', '.join(known))
    chain = []
    while name:
        chain.insert(0, known[name])
        name = known[name].needs
    return chain
