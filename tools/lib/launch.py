# SPDX-License-Identifier: GPL-2.0
"""Run the tool that is named first, a module here, with what follows."""

import importlib
import sys

# No f-string yet: what says this must be read by any Python.
if sys.version_info < (3, 11):
    sys.exit('The tools need Python 3.11 or later; python3 is %s here.\n'
             '  Put a newer one into PATH as python3.'
             % sys.version.split()[0])

# What is imported may read the command line.
name = sys.argv.pop(1)
if name == 'launch':
    sys.exit('launch is what the other tools are links to; run those')
sys.argv[0] = 'tools/' + name
sys.dont_write_bytecode = True

import common  # noqa: E402

common.run_tool(importlib.import_module(name).main)
