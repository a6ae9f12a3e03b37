# SPDX-License-Identifier: GPL-2.0
"""Booting a test kernel under QEMU and judging what it prints."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import debian
from common import CACHE, Failure, log_path, output, run
from kbuild import KUNIT, OUT, out_of, topic_has

# What a kernel prints when something is wrong with it, whoever provoked it.
SPLAT = re.compile(r'''
    Kernel\ panic\ -\ not\ syncing | kernel\ BUG\ at | \bBUG:\  | \bOops[:\ ] |
    \bWARNING:\  | \bUBSAN: | \bINFO:\ task\ .*\ blocked\ for |
    \bINFO:\ rcu | rcu:\ INFO | possible\ (circular|recursive)\ locking |
    inconsistent\ lock\ state | DEBUG_LOCKS_WARN_ON | unreferenced\ object |
    soft\ lockup | hard\ LOCKUP | Call\ [Tt]race:
    ''', re.VERBOSE)
# Upstream's: sleepers read without READ_ONCE() what their timer clears, and so
# does who looks at the flags of a task that writes back.
KNOWN_RACE = re.compile(
    'KCSAN: data-race in (hrtimer_wakeup / schedule_hrtimeout_range_clock|'
    'do_nanosleep / hrtimer_wakeup|__blk_flush_plug / kthread_is_per_cpu)$')
# Kernels patch static branches with the help of a breakpoint, and CPUs that
# QEMU translates may hit one that is gone; 7.2.6 without the series does.
STALE_BREAKPOINT = 'Oops: int3'
# Held while what VMs share is made: programs, file systems.
making = threading.Lock()
TAP = re.compile(r'^(?:\[[^]]*\] )?( *)(ok|not ok) (\d+)(?: -)? ?(.*)$')


class Boot:
    """The console of one run of a VM and what it tells."""

    def __init__(self, name, log):
        self.name, self.log = name, log
        # Consoles end lines in CR LF, and the kernel may stamp them.
        self.lines = [re.sub(r'^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ', '', line)
                      for line in
                      log.read_text(errors='replace').splitlines() if line]

    def splats(self):
        return [line for line in self.lines
                if SPLAT.search(line) and not KNOWN_RACE.search(line)]

    def results(self, lines=None):
        """(name, 'ok' | 'not ok' | 'skip') of every innermost test."""
        found, deeper = [], -1
        for line in self.lines if lines is None else lines:
            m = TAP.match(line)
            if not m:
                continue
            indent, verdict, _, name = m.groups()
            if '# SKIP' in name:
                verdict = 'skip'
            # A line that closes a group repeats what its members said.
            if len(indent) >= deeper:
                found.append((name.split(' # ')[0], verdict))
            deeper = len(indent)
        return found

    def groups(self, start, name):
        """The results between two lines that match: name -> results."""
        lines, found = [], {}
        for line in self.lines:
            lines = [] if re.match(start, line) else lines + [line]
            if m := re.match(rf'(?:not )?ok \d+ ({name})(?: #|$)', line):
                found[m[1]] = self.results(lines)
        return found

    def by_command(self):
        """The results of each command of the guest."""
        return self.groups('# run ', '/.*?')

    def by_suite(self):
        """The results of each KUnit suite."""
        return self.groups(' {4}# Subtest: ', '[^/].*?')

    def excerpt(self):
        """What failed, each with the lines before it, which may say why."""
        found, end = [], 0
        for i, line in enumerate(self.lines):
            m = TAP.match(line)
            if line.startswith('Bail out!') or m and m[2] == 'not ok':
                found += self.lines[max(end, i - 4):i + 1]
                end = i + 1
        return found[:40]

    def check(self, passes=True):
        """Fail unless the VM ended by itself, clean, and all tests passed."""
        # The kernel may print something before that line has ended.
        if not any(line.startswith('# guest done') for line in self.lines):
            raise Failure(f'{self.name}: the VM ended before its programs did',
                          self.log)
        splats = self.splats()
        if splats:
            raise Failure(f'{self.name}: {splats[0]}', self.log)
        failed = [n for n, v in self.results() if v == 'not ok']
        if failed and passes:
            raise Failure(f'{self.name}: failed: ' + ', '.join(failed[:10]),
                          self.log, excerpt=self.excerpt())


def guest_source(name):
    """The program NAME of a topic, or of any guest, if there is one."""
    return next(KUNIT.glob(f'*/{name}.c'), None)


def guest_program(arch, name):
    """Build a program for the guest, static."""
    source = guest_source(name)
    program = OUT / 'guest' / arch.name / name
    newest = max(f.stat().st_mtime for f in
                 [source, *KUNIT.glob('guest/*.h'), *source.parent.glob('*.h')])
    if not program.exists() or program.stat().st_mtime < newest:
        program.parent.mkdir(parents=True, exist_ok=True)
        output([f'{arch.cross}gcc', '-static', '-O2', '-Wall', '-Wextra',
                '-Werror', '-I', str(KUNIT / 'guest'), '-o', str(program),
                str(source)])
    return program


def make_user(arch, tree, *args):
    """The make command for what a tree has for userspace."""
    return ['make', '-s', f'ARCH={arch.name}', f'CROSS_COMPILE={arch.cross}',
            '-C', str(tree), *args]


@functools.cache
def headers(arch, tree):
    """Make the headers of a tree for userspace, once."""
    out = out_of(tree) / 'guest' / arch.name / 'headers'
    run(make_user(arch, tree, f'O={out}', 'headers'),
        f'headers for selftests, {arch.name}',
        log=log_path(f'selftest headers {arch.name}'))
    return out / 'usr' / 'include'


@functools.cache
def selftest(arch, tree, name):
    """Build the mm selftest NAME of a tree, static, for the guest."""
    out = out_of(tree) / 'guest' / arch.name
    run(make_user(arch, tree / 'tools/testing/selftests/mm', f'OUTPUT={out}',
                  'LDFLAGS=-static',
                  f'KHDR_INCLUDES=-isystem {headers(arch, tree)}',
                  str(out / name)), f'building the selftest {name}',
        log=log_path(f'selftest {arch.name} {name}'))
    return out / name


def has_selftest(tree, name):
    return (tree / f'tools/testing/selftests/mm/{name}.c').exists()


def selftests(arch, tree, topic='*'):
    """A topic's programs, and selftests that a tree has, for boot()."""
    lines = [line for listing in topic_has('selftests', topic)
             for line in listing.read_text().splitlines()]
    return programs(arch, tree, *(
        line for line in lines for name in line.split()[:1]
        if guest_source(name) or has_selftest(tree, name)))


def programs(arch, tree, *lines):
    """Commands and files for boot() of command lines, '' among them.

    A program is one of kunit/, or else a selftest of the tree.  What runs in
    Debian may name more of kunit/, scripts too.
    """
    lines = [line for line in lines if line]
    files = {}
    for word in (w for line in lines for w in line.split()[1:]):
        if script := next(KUNIT.glob(f'*/{word}'), None) \
                if re.fullmatch(r'\w+\.(sh|py)', word) else None:
            files[f'/{word}'] = script
        elif re.fullmatch(r'\w+', word) and guest_source(word):
            files[f'/{word}'] = guest_program(arch, word)
    for name in (line.split()[0] for line in lines):
        if guest_source(name):
            files[f'/{name}'] = guest_program(arch, name)
        elif has_selftest(tree, name):
            files[f'/{name}'] = selftest(arch, tree, name)
        else:
            raise Failure(f'no program "{name}"; of kunit/ there are: '
                          + ', '.join(sorted(
                              p.stem for p in KUNIT.glob('*/*.c')
                              if p.parent.name != 'guest')))
    return {'commands': [f'/{line}' for line in lines], 'files': files}


# File systems for the guest: its init mounts each at /NAME.
DISKS = {
    'ext4': ['mkfs.ext4'],
    'xfs': ['mkfs.xfs'],
    # Folios of its files cannot be smaller than 16 KiB.
    'xfs-16k': ['mkfs.xfs', '-b', 'size=16384'],
}


def disk(name):
    """An empty file system for the guest, sparse; nothing is written back."""
    image = OUT / 'guest' / f'{name}.img'
    if not image.exists():
        image.parent.mkdir(parents=True, exist_ok=True)
        new = image.with_suffix('.new')
        with open(new, 'wb') as f:
            f.truncate(512 << 20)
        # Not everybody has these programs on their path.
        output([*DISKS[name], '-q', str(new)],
               env={'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'})
        new.replace(image)
    return image


def debian_root():
    """A file system with Debian and the packages of kunit/guest/packages.

    For the kernel's machine it is this one's; made once, and kept.
    """
    packages = (KUNIT / 'guest/packages').read_text().split()
    digest = hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]
    image = CACHE / f'debian-{digest}.img'
    if image.exists():
        return image
    CACHE.mkdir(parents=True, exist_ok=True)
    suite, *packages = packages
    with tempfile.TemporaryDirectory(dir=CACHE) as tmp:
        root, new = f'{tmp}/root', f'{tmp}/image'
        run(['mmdebstrap', '--quiet', '--variant=minbase',
             f'--include={",".join(packages)}',
             *(f'--dpkgopt=path-exclude=/usr/share/{name}/*'
               for name in ('doc', 'locale', 'man')),
             suite, root, debian.archives()[0]], 'making a root of Debian',
            hint='tools/setup --debian installs mmdebstrap')
        with open(new, 'wb') as f:
            f.truncate(4 << 30)
        output(['mkfs.ext4', '-q', '-d', root, new],
               env={'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'})
        os.rename(new, image)
    return image


def initramfs(arch, image, where, commands, files):
    """An archive with our init, the files (guest path -> path) and commands."""
    script = where.with_suffix('.commands')
    script.write_text(''.join(c + '\n' for c in commands))
    entries = ['dir /dev 755 0 0', 'nod /dev/console 600 0 0 c 5 1',
               f'file /init {guest_program(arch, "init")} 755 0 0',
               f'file /commands {script} 644 0 0']
    entries += [f'file {guest} {path} 755 0 0' for guest, path in files.items()]
    listing = where.with_suffix('.list')
    listing.write_text('\n'.join(entries) + '\n')
    with open(where, 'wb') as out:
        # A kernel that can take an archive has built this.
        subprocess.run([image.parents[3] / 'usr/gen_init_cpio', listing],
                       stdout=out, check=True)
    return where


# Two nodes with a CPU and 1 GiB each; numa=fake=2 has all CPUs on the first.
TWO_NODES = ['-smp', '2,sockets=2'] + [arg for n in range(2) for arg in (
    '-object', f'memory-backend-ram,id=memory{n},size=1G',
    '-numa', f'node,cpus={n},memdev=memory{n}')]


def pmem():
    """Persistent memory with a file system, for QEMU; nothing is kept."""
    return ['-m', 'slots=1,maxmem=8G', '-object', 'memory-backend-file,id=pmem,'
            f'mem-path={disk("ext4")},size=512M,share=off',
            '-device', 'virtio-pmem-pci,memdev=pmem']


def qemu_cmd(arch, image, initrd, cmdline, accel, smp, memory, icount,
             disks):
    cmd = [arch.qemu, *arch.machine, '-accel', accel, '-smp', str(smp),
           '-m', memory, '-kernel', str(image), '-initrd', str(initrd),
           '-append', f'console={arch.console} panic=-1 {cmdline}',
           '-nodefaults', '-nographic', '-serial', 'stdio', '-no-reboot']
    for name, file in disks.items():
        cmd += ['-drive', f'file={file},format=raw,if=none,snapshot=on,'
                f'id={name}', '-device', f'{arch.disk},drive={name},'
                f'serial={name}']
    return cmd + (['-icount', 'shift=0'] if icount else [])


def accelerator(arch, image):
    """'kvm' where this very kernel boots with it in seconds, else 'tcg'.

    /dev/kvm alone proves nothing: nested or restricted, it may hang.
    """
    if not os.access('/dev/kvm', os.R_OK | os.W_OK) \
            or os.uname().machine != {'arm64': 'aarch64'}.get(arch.name,
                                                              arch.name):
        return 'tcg'
    boot_id = open('/proc/sys/kernel/random/boot_id').read().strip()
    known = CACHE / f'accelerator-{arch.name}'
    if known.exists() and known.read_text().startswith(boot_id):
        return known.read_text().split()[1]
    for accel in 'kvm', 'tcg':
        try:
            boot(arch, image, name=f'{accel} probe {arch.name}', accel=accel,
                 cmdline='kunit.enable=0',
                 timeout=15 if accel == 'kvm' else 300)
            break
        except Failure:
            continue
    else:
        return 'tcg'    # it is the kernel that does not boot
    CACHE.mkdir(parents=True, exist_ok=True)
    known.write_text(f'{boot_id} {accel}\n')
    return accel


SHELL = '/busybox mkdir -p /bin', '/busybox --install -s /bin'


def disks(commands):
    """The file systems of a guest, Debian among them if it is to run."""
    found = {name: disk(name) for name in DISKS}
    if any(c.split()[0] == '/debian' for c in commands):
        found['ext4-debian'] = debian_root()
    return found


def shell(arch, image, tree, cmdline, smp, memory, line=''):
    """Boot a kernel with a shell on this terminal, and the topics' programs.

    Or with what a command line says.
    """
    busybox = shutil.which('busybox')
    if arch.name != os.uname().machine or not busybox:
        raise Failure('a shell needs a static busybox of that architecture',
                      hint='tools/setup installs it for this machine\'s')
    asked = programs(arch, tree, line)
    files = selftests(arch, tree)['files'] | asked['files']
    files['/busybox'] = busybox
    for source in KUNIT.glob('*/*.c'):
        files[f'/{source.stem}'] = guest_program(arch, source.stem)
    last = [f'/bin/setsid /bin/cttyhack {command}'
            for command in asked['commands'] or ['/bin/sh']]
    initrd = initramfs(arch, image, log_path('shell').with_suffix('.cpio'),
                       [*SHELL, *last], files)
    cmd = qemu_cmd(arch, image, initrd, f'kunit.enable=0 quiet {cmdline}',
                   accelerator(arch, image), smp, memory, False,
                   disks(asked['commands']))
    cmd[cmd.index('stdio')] = 'mon:stdio'
    print('Topics\' programs are in /.  The end: exit, or Ctrl-A X.')
    return subprocess.run(cmd).returncode


def boot(arch, image, name=None, commands=(), files=None, cmdline='',
         timeout=600, smp=2, memory='2G', icount=False, accel=None,
         passes=True, machine=()):
    """Boot a kernel, run the commands in it, and return the checked Boot.

    @files maps paths in the guest to files here.  With @icount the guest's
    nanoseconds are instructions, one CPU at a time: figures repeat.  Without
    @passes tests may fail.  @machine is more of QEMU's command line.
    """
    name = name or f'boot {image.parents[3].name}'
    if not accel:
        accel = 'tcg' if icount else accelerator(arch, image)
    log = log_path(name)
    with making:
        initrd = initramfs(arch, image, log.with_suffix('.cpio'), commands,
                           files or {})
        cmd = qemu_cmd(arch, image, initrd, cmdline, accel, smp, memory,
                       icount, disks(commands)) + list(machine)
    for more in 2, 1, 0:
        failure = None
        try:
            run(cmd, name, log=log, timeout=timeout)
        except Failure as e:
            failure = e
        result = Boot(name, log)
        first = (result.splats() or [''])[0]
        if accel != 'tcg' or STALE_BREAKPOINT not in first or not more:
            break
        print(f'{name}: once more, as QEMU ended it: {first}', file=sys.stderr)
    if failure:
        # A guest that hung may have said why.
        raise Failure(failure.what + (f'; first: {first}' if first else ''),
                      log)
    result.check(passes)
    return result
