# SPDX-License-Identifier: GPL-2.0
"""Run the tool that is named first, a module here, with what follows."""

import importlib
import sys

# What is imported may read the command line.
name = sys.argv.pop(1)
sys.argv[0] = f'tools/{name}'
sys.dont_write_bytecode = True

import common  # noqa: E402

common.run_tool(importlib.import_module(name).main)
