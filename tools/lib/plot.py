# SPDX-License-Identifier: GPL-2.0
"""Draw the ratios that tools/demo kept, as Documentation/results/NAME.svg.

A bar a row, in the order of the table: to the right where the patched kernel
does better, to the left where it does worse.  Needs matplotlib, which
"tools/setup --plot" installs for Debian's own Python.
"""

import io
import re

from common import RESULTS, Failure, parser
from demo import kept

NAMES = 'demo', 'real'
BETTER, WORSE, EQUAL = '#2a7f3f', '#b03030', '#707070'
EQUAL_WITHIN = 0.05


def colour(ratio):
    if abs(ratio - 1) <= EQUAL_WITHIN:
        return EQUAL
    return BETTER if ratio > 1 else WORSE


def draw(plt, name):
    rows = [r for r in kept(RESULTS / f'{name}.json') if r['ratio']]
    ratios = [float(r['ratio']) for r in rows]
    fig, ax = plt.subplots(figsize=(11, 0.6 + 0.24 * len(rows)))
    # A bar of a logarithmic axis begins where it is told to: at "equal".
    ax.barh(range(len(rows)), [r - 1 for r in ratios], left=1, height=0.7,
            color=[colour(r) for r in ratios])
    ax.axvline(1, color='black', linewidth=0.8)
    ax.set_xscale('log')
    ax.set_xlim(min(ratios) / 1.6, max(ratios) * 1.6)
    ax.xaxis.set_major_formatter('{x:g}')
    ax.set_xlabel('times upstream, 1 is equal')
    ax.set_yticks(range(len(rows)),
                  [f'{r["topic"]}: {r["what"]}' for r in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    for y, ratio in enumerate(ratios):
        ax.annotate(f'{ratio:g}', (ratio, y), fontsize=7, va='center',
                    ha='left' if ratio >= 1 else 'right',
                    xytext=(3 if ratio >= 1 else -3, 0),
                    textcoords='offset points')
    for side in 'top', 'right':
        ax.spines[side].set_visible(False)
    svg = io.StringIO()
    fig.savefig(svg, bbox_inches='tight', metadata={'Date': None})
    plt.close(fig)
    (RESULTS / f'{name}.svg').write_text(
        re.sub(' +$', '', svg.getvalue(), flags=re.MULTILINE))


def main(argv):
    parser(__doc__).parse_args(argv)
    try:
        import matplotlib
    except ImportError:
        raise Failure('there is no matplotlib for this Python',
                      hint='tools/setup --plot')
    matplotlib.use('svg')
    # The same file each time, of text that can be searched.
    matplotlib.rcParams.update({'svg.hashsalt': 'x', 'svg.fonttype': 'none'})
    import matplotlib.pyplot as plt
    for name in NAMES:
        draw(plt, name)
