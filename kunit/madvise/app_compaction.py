#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Applications that wait while a daemon pages out part of what they hold.

As on phones: 20 of them, of 16 to 48 MB, each of which still uses a tenth; then
each is used again, all of it.

  app_compaction.py page_out_cold real.sh
"""
import glob
import re
import socket
import subprocess
import sys
import time

SIZES = [16, 24, 32, 40, 48] * 4        # MB
SWAP = 768                              # MB, compressed
ITEMS = 256                             # in a MB, of some 4 KB
THP = '/sys/kernel/mm/transparent_hugepage/'
PYTHON = 'import sys\nfor line in sys.stdin: exec(line); print(n, flush=True)'


class App:
    """A program to which commands are written, and which answers each."""
    program = ['python3', '-c', PYTHON]
    load = 'd = {{i: ("item %d " % i) * 380 for i in range(1, {0} + 1)}}; n = {0}'
    use = ('n = sum(d[i] == ("item %d " % i) * 380 '
           'for i in range(1, {0} + 1))')

    def __init__(self, nr, size):
        self.items, self.socket = size * ITEMS, f'/tmp/app{nr}'
        self.process = subprocess.Popen(
            [word.format(self.socket) for word in self.program], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.start()
        self.right(self.load, self.items)

    def start(self):
        self.to, self.answers = self.process.stdin, self.process.stdout

    def right(self, what, items):
        self.to.write(what.format(items) + '\n')
        self.to.flush()
        answer = self.answers.readline().strip(':\n')
        if answer != str(items):
            sys.exit(f'# {self.program[0]}: {answer}, not {items}')

    def figure(self, file, name):
        with open(f'/proc/{self.process.pid}/{file}') as f:
            return int(re.search(rf'^{name}:\s*(\d+)', f.read(), re.M)[1])

    def faults(self):
        with open(f'/proc/{self.process.pid}/stat') as f:
            return int(f.read().rsplit(')')[1].split()[9])


class Sqlite(App):
    program = ['sqlite3', '-batch', ':memory:']
    item = "replace(hex(zeroblob(380)), '00', 'item ' || i || ' ')"
    load = ('create table t(i integer primary key, v text); with recursive '
            'c(i) as (select 1 union all select i + 1 from c where i < {0}) '
            f'insert into t select i, {item} from c; select count(*) from t;')
    use = f'select count(*) from t where i <= {{0}} and v = {item};'


class Redis(App):
    program = ['redis-server', '--port', '0', '--unixsocket', '{0}', '--save',
               '', '--disable-thp', 'no', '--logfile', '/dev/null']
    load = ('eval "for i = 1, {0} do redis.call(\'set\', i, '
            'string.rep(\'item \' .. i, 400)) end return {0}" 0')
    use = ('eval "local n = 0 for i = 1, {0} do if redis.call(\'get\', i) == '
           'string.rep(\'item \' .. i, 400) then n = n + 1 end end return n" 0')

    def start(self):
        self.connection = socket.socket(socket.AF_UNIX)
        while self.connection.connect_ex(self.socket):
            time.sleep(0.1)
        self.to = self.answers = self.connection.makefile('rw')


def sizes(name):
    """What the kernel counts of the folios of each size in KB."""
    for path in glob.glob(THP + f'hugepages-*kB/stats/{name}'):
        with open(path) as f:
            yield int(re.search(r'-(\d+)kB', path)[1]), int(f.read())


def splits():
    return sum(nr for _, nr in sizes('split'))


def say(name, number, unit):
    print(f'# real: apps, {name}: {number} {unit}', flush=True)


def main():
    subprocess.run(['sh', '-c', f'. real.sh; swap_anew {SWAP}'], check=True)
    for file, text in ('enabled', 'always'), (
            'hugepages-64kB/enabled', 'inherit'):
        with open(THP + file, 'w') as f:
            f.write(text)
    apps = [(App, Sqlite, Redis)[nr % 3](nr, size)
            for nr, size in enumerate(SIZES)]

    def total(file, name, unit):
        return sum(app.figure(file, name) for app in apps) // unit
    say('huge', total('smaps_rollup', 'AnonHugePages', 2048), 'pages')
    before, ranges, calls, us = splits(), 0, 0, 0
    for app in apps:
        daemon = subprocess.Popen([sys.argv[1], str(app.process.pid)],
                                  text=True, stdout=subprocess.PIPE)
        while daemon.poll() is None:
            app.right(app.use, app.items // 10)
            time.sleep(0.02)
        said = daemon.stdout.read()
        if daemon.returncode:
            sys.exit(said)
        ranges, calls, us = (a + int(b) for a, b in
                             zip((ranges, calls, us), said.split()))
    out = total('status', 'VmSwap', 4)
    say('advised', ranges, 'ranges')
    say('calls of process_madvise', calls, 'calls')
    say('daemon', us, 'us')
    say('swapped', out, 'pages')
    say('splits', splits() - before, 'splits')
    say('huge then', total('smaps_rollup', 'AnonHugePages', 2048), 'pages')
    say('in large folios then',
        sum(kb * nr // 4 for kb, nr in sizes('nr_anon')), 'pages')
    faults = sum(app.faults() for app in apps)
    for app in apps:
        app.right(app.use, app.items)
    say('major on return', sum(app.faults() for app in apps) - faults, 'faults')
    say('swapped still', total('status', 'VmSwap', 4), 'pages')
    for app in apps:
        app.process.kill()
        app.process.wait()
    if not ranges or not out:
        sys.exit('# nothing was paged out')


main()
