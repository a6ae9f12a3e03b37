# SPDX-License-Identifier: GPL-2.0
"""shellcheck and pyflakes find nothing in the tools."""

import re

from branches import relative
from checks.core import Fault, excerpt
from common import ROOT, git, output

SCOPE, WHEN = 'series', 'fast'
NOT_OURS = '.git', 'build'


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


def check(at, _):
    shell, python = programs()
    for command, paths in ((['shellcheck', '-x'], shell),
                           (['pyflakes3'], python)):
        if not paths:
            continue
        text = output(command + [relative(p) for p in paths], check=False,
                      cwd=ROOT)
        if text.strip():
            yield Fault(f'{command[0]} is not content\n' + excerpt(text, 30))
