# SPDX-License-Identifier: GPL-2.0
"""Run the tool that is named first, a module here, with what follows."""

import importlib
import pathlib
import sys

# No f-string yet: what says this must be read by any Python.
if sys.version_info < (3, 11):
    sys.exit('The tools need Python 3.11 or later; python3 is %s here.\n'
             '  Put a newer one into PATH as python3.'
             % sys.version.split()[0])

# What is imported may read the command line.
name = sys.argv.pop(1)
if name == 'launch' or not (pathlib.Path(__file__).parents[1] / name).exists():
    sys.exit(name + ' is no tool; a link to one must have its name')
sys.argv[0] = 'tools/' + name
sys.dont_write_bytecode = True

import common  # noqa: E402

common.run_tool(importlib.import_module(name).main)
