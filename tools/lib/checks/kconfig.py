# SPDX-License-Identifier: GPL-2.0
"""Symbols referred to exist; new ones are off and have help."""

import re

import common
import kbuild
from branches import relative
from checks.core import Fault, added_lines, blob, symbols
from common import BASE, ROOT, git

SCOPE, WHEN = 'topic', 'fast'
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


def left_out(topic):
    """The symbols of the main base's patches that an overlay leaves out."""
    main = common.topics(ROOT / 'series').get(topic.name) if BASE else None
    ours = {patch.name for patch in topic.patches}
    return {symbol for patch in (main.patches if main else ())
            if patch.name not in ours for symbol in re.findall(
                r'(?m)^\+\s*(?:menu)?config (\w+)$', patch.read_text())}


def check(at, topic):
    series = at.series
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
    # Suites and options of topics are for all bases.
    known = known | left_out(topic)
    for path in sorted(kbuild.KUNIT.glob(f'{topic.name}/*config')):
        for symbol in re.findall(r'CONFIG_(\w+)', path.read_text()):
            if symbol not in known:
                yield Fault(f'{relative(path)}: no symbol {symbol}')
