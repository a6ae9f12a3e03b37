# SPDX-License-Identifier: GPL-2.0
"""coccicheck's scripts report nothing new about the files touched."""

import concurrent.futures
import pathlib
import re
import subprocess
import time

from checks.core import TREE, Fault, blob_ids, extracted, new_lines, version
from common import git, output

SCOPE, WHEN = 'topic', 'all'
COCCI_SECONDS = 1800
# Without these it leaves out whole functions; those that it still does are
# named.
MACROS = pathlib.Path(__file__).with_name('cocci.h')
FUNCTIONS = pathlib.Path(__file__).with_name('functions.cocci')
LEFT_OUT = ' is not seen by Coccinelle'
# This one takes in every header: seconds a file, and nothing found.
COCCI_LEFT_OUT = ('tests/unsigned_lesser_than_zero.cocci',)


def semantic_patches():
    """The tree's scripts that can report: (path, options)."""
    where = TREE / 'scripts/coccinelle'
    for path in sorted(where.rglob('*.cocci')):
        text = path.read_text(errors='replace')
        # Those with a part in OCaml need its compiler.
        if ('virtual report' not in text or 'script:ocaml' in text
                or 'initialize:ocaml' in text
                or str(path.relative_to(where)) in COCCI_LEFT_OUT):
            continue
        options = re.search(r'(?m)^//+ Options:(.*)', text)
        yield path, options[1].split() if options else []


def spatch(where, names, path, *options, left=None):
    """What Coccinelle prints of files with one semantic patch."""
    return output(['spatch', '--very-quiet', '--macro-file', str(MACROS),
                   '--cocci-file', str(path), *options, *names],
                  check=False, cwd=where, timeout=left)


def left_out(where, names):
    """The functions that Coccinelle cannot parse, and leaves out silently."""
    parsed = set(spatch(where, names, FUNCTIONS).split())
    for name in names:
        text = (where / name).read_text(errors='replace')
        for function in re.findall(
                r'(?m)^(?:\w[^;{}()=#\n]*[\s*])?(\w+)\([^;{}]*\)\n\{', text):
            # Macros that define system calls are no functions.
            if (not re.fullmatch('[A-Z_0-9]+', function)
                    and f'{name}:{function}' not in parsed):
                yield f'{name}: {function}(){LEFT_OUT}'


def reports(commit, names, deadline):
    """What the scripts report about files: (lines, scripts not run)."""
    scripts = list(semantic_patches())
    late = []
    with extracted(commit, names) as where:
        def ask(path, options):
            left = deadline - time.monotonic()
            if left < 1:
                late.append(path.name)
                return ''
            try:
                return spatch(where, names, path, '--no-show-diff', '-D',
                              'report', *options, '-I', str(TREE / 'include'),
                              left=left)
            except subprocess.TimeoutExpired:
                late.append(path.name)
                return ''
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            texts = list(pool.map(lambda s: ask(*s), scripts))
        lines = {*left_out(where, names)}
    lines |= {x for t in texts for x in t.splitlines() if ':' in x}
    return sorted(lines), len(late)


def cached_reports(builder, commit, blobs, deadline):
    cache = builder.series.cache
    keys = {name: ('cocci', builder.series.base, name, oid, COCCI_LEFT_OUT,
                   MACROS.read_text(), FUNCTIONS.read_text(),
                   version('spatch', '--version'))
            for name, oid in blobs.items()}
    found = {name: cache.get(key) for name, key in keys.items()}
    missing = [n for n, lines in found.items() if lines is None]
    if missing:
        builder.progress(f'coccinelle on {len(missing)} files')
        lines, late = reports(commit, missing, deadline)
        for name in missing:
            found[name] = [x for x in lines if x.startswith(f'{name}:')]
            if not late:
                cache.put(keys[name], found[name])
        if late:
            found['#'] = [f'# {late} of the scripts had no time to run']
    return sorted(x for lines in found.values() for x in lines)


def check(at, topic):
    builder = at.builder
    series = builder.series
    patches = series.applied(topic)
    names = sorted({f for p in patches for f in p.files
                    if f.endswith(('.c', '.h')) and f[:6] != 'tools/'})
    now = blob_ids(series.tip(topic), *names)
    if not now:
        return
    deadline = time.monotonic() + COCCI_SECONDS
    lines = cached_reports(builder, series.tip(topic), now, deadline)
    then = blob_ids(series.onto(topic), *now)
    old = []
    if any(line.split(':')[0] in then for line in lines):
        old = cached_reports(builder, series.onto(topic), then,
                             deadline + COCCI_SECONDS)
    for line in lines + old:
        if line.startswith('#'):
            yield Fault(line[2:])
    changed = git('diff', '-W', series.onto(topic), series.tip(topic), '--',
                  *names)
    changed = set(re.findall(r'(?m)^[ +]\w[^;#\n]*?(\w+)\(', changed))
    for line in lines:
        if line.endswith(LEFT_OUT):
            yield Fault(line, 'warn' if re.search(r'(\w+)\(', line)[1] in changed
                        else 'note')
    for line in new_lines(lines, old):
        if not line.startswith('#') and not line.endswith(LEFT_OUT):
            yield Fault(line)
