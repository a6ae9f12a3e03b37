# SPDX-License-Identifier: GPL-2.0
"""Test the series and its tools.

  tools/test            what CI runs: the tools' own tests, the static checks,
                        native stress, litmus tests, KUnit on UML, x86-64
                        and arm64, programs in the guest
  tools/test --fast     a turn: less than 3 minutes when caches are warm
  tools/test --full     all of it, for a night: debugging configurations, two
                        nodes, large pages, clang, modules, kernels without
                        this and that, upstream's selftests compared, stress
  tools/test --topic T  the same for one topic, and what it needs
  tools/test --only uml,litmus      some stages only; --list names them

Ends with one line, "N passed, N failed, N skipped".  All results are also in
build/results: test.ktap, test.json and test.junit.
"""

import contextlib
import datetime
import json
import re
import sys
import threading
import tomllib

import common
import kbuild
import litmus
import vm
from demo import base_tree
from common import (BUILD, LINUX, TOOLS, Failure, Steps, log_path, output,
                    parser, run)


TESTS = common.RESULTS / 'tests.json'


class Report:
    """One line a test, and the counts of all."""

    def __init__(self):
        self.counts = {'ok': 0, 'not ok': 0, 'skip': 0}
        self.groups = {}
        self.topics = {}

    def keep(self, group, name, verdict):
        self.counts[verdict] += 1
        self.groups.setdefault(group, []).append((name, verdict))

    def add(self, name, verdict, why=''):
        self.keep('stages', name, verdict)
        print(f'  {verdict:6} {name}' + (f': {why}' if why else ''),
              flush=True)

    def failure(self, name, e):
        self.add(name, 'not ok', e.what)
        print(e.shown(' ' * 9), end='')

    def ktap(self):
        """All results, a subtest a group."""
        yield from ('KTAP version 1', f'1..{len(self.groups)}')
        for n, (group, results) in enumerate(self.groups.items(), 1):
            yield from ('    KTAP version 1', f'    # Subtest: {group}',
                        f'    1..{len(results)}')
            for m, (name, verdict) in enumerate(results, 1):
                word, skip = (('ok', ' # SKIP') if verdict == 'skip'
                              else (verdict, ''))
                yield f'    {word} {m} {name.replace("#", "")}{skip}'
            bad = any(v == 'not ok' for _, v in results)
            yield f'{"not ok" if bad else "ok"} {n} {group}'

    def save(self):
        """Keep the results as KTAP, and what kunit.py makes of that."""
        where = BUILD / 'results' / common.BASE
        where.mkdir(parents=True, exist_ok=True)
        (where / 'test.ktap').write_text('\n'.join(self.ktap()) + '\n')
        for form in 'json', 'junit':
            run([sys.executable, LINUX / 'tools/testing/kunit/kunit.py',
                 'parse', f'--{form}={where}/test.{form}',
                 where / 'test.ktap'],
                f'results as {form}', check=False)

    def keep_counts(self, stages):
        """Note in Documentation/results what these stages came to."""
        kept = already_kept()
        rows = kept.setdefault(common.base()['version'], {})
        today = datetime.date.today().isoformat()
        for name, (counts, of_topics) in stages.items():
            rows[name] = [*counts, today, of_topics]
        common.put(TESTS, json.dumps(kept, indent=1, sort_keys=True) + '\n')

    def summary(self):
        return '{ok} passed, {not ok} failed, {skip} skipped'.format(
            **self.counts)


def already_kept():
    return common.parsed(TESTS, json.loads) if TESTS.exists() else {}


def add_kunit(report, prefix, results):
    """Add the results of a boot, a suite's many cases as single lines."""
    for name, verdict in results:
        report.keep(prefix, name, verdict)
        if verdict != 'ok':
            print(f'  {verdict:6} {prefix}: {name}')
    good = sum(v == 'ok' for _, v in results)
    print(f'  ok     {prefix}: {good} of {len(results)} tests', flush=True)
    if not good:
        report.add(prefix, 'not ok', 'no test ran')


def count_topics(report, result):
    """Count what each topic's suites, named for it, and selftests came to."""
    groups = result.by_suite() | result.by_command()
    for topic in common.topics():
        mine = {f'/{line}' for path in kbuild.topic_has('selftests', topic)
                for line in path.read_text().splitlines()}
        row = report.topics.setdefault(topic, [0, 0, 0])
        for name, results in groups.items():
            if name in mine or name.startswith(topic.replace('-', '_')):
                for _, verdict in results:
                    row[[*report.counts].index(verdict)] += 1


def boot_suites(report, arch, configs=(), clang=False, kunit_only='', **kw):
    """Build and boot a test kernel: its KUnit suites, then selftests.

    With @kunit_only, which says what for, it boots without the selftests.
    """
    arch = kbuild.arch(arch)
    image = kbuild.build(arch, LINUX, configs, clang=clang)
    name = '-'.join([arch.name, *configs] + (['clang'] if clang else []))
    if kunit_only:
        name += f' {kunit_only}'
    else:
        kw |= vm.selftests(arch, LINUX)
    result = vm.boot(arch, image, name=f'boot {name}', **kw)
    count_topics(report, result)
    add_kunit(report, name, result.results())


def own(report, options):
    """the tools' own tests"""
    # These are not of the base at hand.
    env = {'MM_SERIES_BASE': ''}
    run([TOOLS / 'readme', '--check'], 'README is up to date', env=env)
    report.add('README is up to date', 'ok')
    env |= {'MM_SERIES_FULL': 'y'} if options.mode == 'full' else {}
    for path in sorted((TOOLS / 'tests').glob('test_*.py')):
        # Its seeds have to be compiled: minutes.
        if options.mode == 'fast' and path.stem == 'test_check':
            continue
        log = log_path(path.stem)
        rc = run([sys.executable, '-m', 'unittest', '-v', path.stem],
                 path.name, log=log, check=False, cwd=path.parent, env=env)
        cases = re.findall(r'^(\w+) \(.*\.\.\. .*?(ok|skipped|FAIL|ERROR)',
                           log.read_text(), re.MULTILINE)
        add_kunit(report, path.stem, [
            (name, {'ok': 'ok', 'skipped': 'skip'}.get(v, 'not ok'))
            for name, v in cases])
        if rc and not any(v in ('FAIL', 'ERROR') for _, v in cases):
            raise Failure(f'{path.name} failed', log)


def check(report, options):
    """the static checks, tools/check"""
    # A slow machine may not have compiled each patch when CI's time is up.
    mode = {'fast': ['--fast'], 'full': ['--all']}.get(
        options.mode, ['--ci', '--minutes', '25'])
    cmd = [TOOLS / 'check', *mode]
    cmd += [f'--topic={options.topic}'] if options.topic else []
    log = log_path('check')
    rc = run(cmd, 'check', log=log, check=False)
    lines = re.findall(r'^ *(ok|warn|fail|skip) +(.+)$', log.read_text(),
                       re.MULTILINE)
    verdict = {'ok': 'ok', 'warn': 'ok', 'skip': 'skip', 'fail': 'not ok'}
    add_kunit(report, 'check', [(n, verdict[v]) for v, n in lines])
    if rc:
        raise Failure('tools/check found faults', log)


def native(report, options):
    """the kernel's files in userspace, with and without sanitizers"""
    target = {'fast': 'check-fast', 'full': 'check-full'}.get(options.mode,
                                                              'check')
    if options.mode == 'full':
        common.setup('--clang')
    for makefile in kbuild.topic_has('native/Makefile'):
        topic = makefile.parent.parent.name
        log = log_path(f'native {topic}')
        run(['make', '-C', makefile.parent, f'KSRC={LINUX}',
             f'O={BUILD / "native" / topic}', target], 'native', log=log)
        add_kunit(report, f'native {topic}', [
            (m[2], m[1]) for m in
            re.finditer(r'^(ok|not ok) \d+ - (.*)$', log.read_text(), re.M)])


def litmus_tests(report, options):
    """the memory model's verdict on each ordering rule"""
    try:
        herd7 = output([TOOLS / 'herd7']).split()[-1]
    except Failure as e:
        report.add('litmus', 'skip', e.what.splitlines()[-1])
        return
    for path in litmus.added_tests(LINUX):
        try:
            litmus.check(herd7, LINUX, path)
            report.add(f'litmus {path.name}', 'ok')
        except Failure as e:
            report.failure(f'litmus {path.name}', e)


def uml(report, options):
    """KUnit on User Mode Linux, through the tree's kunit.py"""
    image = kbuild.build(kbuild.arch('um'), LINUX)
    log = log_path('kunit uml')
    run([sys.executable, str(LINUX / 'tools/testing/kunit/kunit.py'), 'exec',
         f'--build_dir={image.parent}', '--arch=um',
         '--kernel_args=seccomp=on', '--kernel_args=ncpus=2',
         '--raw_output=kunit', '--timeout=300'], 'KUnit on UML', log=log,
        cwd=LINUX)
    result = vm.Boot('KUnit on UML', log)
    if result.splats():
        raise Failure(f'UML: {result.splats()[0]}', log)
    add_kunit(report, 'um', result.results())


def suites(about, arch, *configs, **kw):
    """A stage that boots one test kernel."""
    def stage(report, options):
        boot_suites(report, arch, configs, **kw)
    stage.__doc__ = about
    return stage


def numa(report, options):
    """KUnit with two nodes, DAX, KFENCE, debug objects and others, x86-64"""
    boot_suites(report, 'x86_64', ['numa'], timeout=1800,
                cmdline='numa=fake=2', machine=vm.pmem())
    boot_suites(report, 'x86_64', ['numa'], timeout=1800,
                kunit_only='with a CPU on each node', machine=vm.TWO_NODES)


def distro(report, options):
    """KUnit and guest programs in a distribution's configuration, x86-64"""
    boot_suites(report, 'x86_64', ['distro'], timeout=1800)
    # The other LRU, zswap in front of zram, and huge pages of all sizes.
    boot_suites(report, 'x86_64', ['distro', 'no-mglru'], timeout=1800,
                cmdline='zswap.enabled=1 thp_anon=16K-1M:always;2M:inherit')


def bare(report, options):
    """KUnit without what a suite may take for granted, x86-64"""
    for configs in (['bare'], ['no-thp', 'no-compaction', 'bare']):
        boot_suites(report, 'x86_64', configs, kunit_only='alone')


def variants(report, options):
    """kernels that are only built: 32 bits, no MEMCG, no SMP, no THP"""
    for name, *configs in (('i386', 'small'), ('x86_64', 'small', 'no-memcg'),
                           ('x86_64', 'small', 'up'),
                           ('x86_64', 'small', 'no-thp')):
        what = '-'.join([name, *configs])
        try:
            kbuild.build(kbuild.arch(name), LINUX, configs)
            report.add(f'{what} builds', 'ok')
        except Failure as e:
            report.failure(f'{what} builds', e)


def printed(arch, image, program, name):
    """What a program of kunit/TOPIC prints in a guest of one CPU."""
    result = vm.boot(arch, image, name=f'upstream {program} {name}',
                     icount=True, smp=1, cmdline='kunit.enable=0',
                     **vm.programs(arch, LINUX, program))
    return [line for line in result.lines if line.startswith('# same:')]


def images_without_and_with(arch, configs=()):
    """Kernels of the pinned tree alone, and with the series."""
    return {'without': kbuild.build(arch, base_tree(), configs),
            'with': kbuild.build(arch, LINUX, configs)}


def upstream_suites(report, arch):
    """Whether upstream's KUnit suites tell the same with the series."""
    images = images_without_and_with(arch, ['upstream'])
    without, with_ = (
        vm.boot(arch, images[name], name=f'upstream KUnit {name}',
                passes=False, timeout=1800).by_suite() for name in images)
    for suite, results in without.items():
        report.add(f'upstream: KUnit {suite}', 'ok' if results and
                   results == with_.get(suite) else 'not ok',
                   f'{len(results)} results')
    if not without:
        report.add('upstream: KUnit', 'not ok', 'no suite ran')


def upstream(report, options):
    """upstream's KUnit suites, mm selftests and what else is the same"""
    arch = kbuild.arch('x86_64')
    upstream_suites(report, arch)
    images = images_without_and_with(arch)
    lines = (kbuild.KUNIT / 'guest/upstream').read_text().splitlines()
    commands, files = vm.programs(arch, LINUX, *lines).values()
    seen = {(c, name): [] for c in commands for name in images}
    # Some fail now and then, on any kernel: what differs is run again.
    for _ in range(3):
        for name, image in images.items():
            result = vm.boot(arch, image, commands=commands, files=files,
                             name=f'upstream {name}', memory='3G',
                             timeout=3600, passes=False,
                             cmdline='kunit.enable=0')
            found = result.by_command()
            for command in commands:
                seen[command, name].append(found.get(command))
        commands = [c for c in commands if not any(
            found and found in seen[c, 'without']
            for found in seen[c, 'with'])]
        if not commands:
            break
    for command, name in seen:
        if name == 'with':
            report.add(f'upstream: {command}',
                       'not ok' if command in commands else 'ok',
                       f'{len(seen[command, name][0] or ())} results')
    for listing in kbuild.topic_has('same'):
        for program in listing.read_text().split():
            one, other = (printed(arch, image, program, name)
                          for name, image in images.items())
            report.add(f'upstream: {program}',
                       'ok' if one and one == other else 'not ok',
                       f'{len(one)} lines')


def before(report, options):
    """what of the selftests fails without the series, x86-64"""
    arch = kbuild.arch('x86_64')
    image = kbuild.build(arch, base_tree())
    commands, files = vm.selftests(arch, LINUX).values()
    # A boot for each: some find that the kernel loops for ever.
    for command in commands:
        try:
            result = vm.boot(arch, image, passes=False, name='before',
                             cmdline='kunit.enable=0', timeout=480,
                             commands=[command], files=files)
        except Failure as e:
            if 'no end after' not in e.what:
                raise
            report.add(f'before: {command}', 'ok', e.what)
            continue
        results = result.by_command().get(command, [])
        failed = [name for name, verdict in results if verdict == 'not ok']
        report.add(f'before: {command}', 'ok' if failed else 'skip',
                   f'{len(failed)} of {len(results)} fail: '
                   + '; '.join(failed))


def clang(report, options):
    """KUnit of a kernel built by clang, x86-64"""
    common.setup('--clang')
    boot_suites(report, 'x86_64', clang=True)


def modules(report, options):
    """the suites as modules, benchmarks 100 times, with kmemleak, x86-64"""
    arch = kbuild.arch('x86_64')
    image = kbuild.build(arch, LINUX, ['modules'])
    out = kbuild.OUT / 'x86_64-modules'
    kbuild.compile(arch, LINUX, out, ['modules'])
    order = (out / 'modules.order').read_text().split()
    built = [out / name.replace('.o', '.ko') for name in order]
    files = {f'/{ko.name}': ko for ko in built}
    files['/insmod'] = vm.guest_program(arch, 'insmod')
    # A library's name begins those of its suites, so it sorts before them.
    wanted = sorted(files.keys() - {'/insmod'})
    often = [ko for ko in wanted if not re.search('_(test|kunit|stress)', ko)]
    result = vm.boot(arch, image, name='boot x86_64-modules',
                     commands=[f'/insmod {" ".join(wanted)}',
                               f'/insmod -100 {" ".join(often)}'],
                     files=files, timeout=7200)
    if result.lines.count('# kmemleak has scanned') != 2:
        raise Failure('kmemleak has not scanned', result.log)
    add_kunit(report, 'x86_64-modules', result.results())


def stress(report, options):
    """minutes of stress: what kunit/TOPIC/stress.toml says"""
    for path in kbuild.topic_has('stress.toml'):
        boots = common.rows_of(
            path, common.parsed(path, tomllib.loads).get('boot', []),
            'arch', 'append')
        for n, wanted in enumerate(boots):
            arch = kbuild.arch(wanted['arch'])
            configs = wanted.get('config', '').split()
            image = kbuild.build(arch, LINUX, configs)
            what = '-'.join([arch.name, *configs, path.parent.name, str(n)])
            machine = {k: wanted[k] for k in ('smp', 'memory') if k in wanted}
            result = vm.boot(
                arch, image, name=f'stress {what}', timeout=2400,
                cmdline=wanted['append'], **machine,
                **vm.programs(arch, LINUX, wanted.get('program', '')))
            add_kunit(report, what, result.results())


def bases(report, options):
    """the overlays: applied, written back, KUnit and guest programs, x86-64"""
    for base in common.bases()[1:]:
        for tool, *args in (('test', '--only', 'x86_64'),
                            ('refresh', '--check')):
            what = f'{tool} --base {base}'
            try:
                run([TOOLS / tool, '--base', base, *args], what)
                last = log_path(what).read_text().splitlines()[-1]
                report.add(what, 'ok', last if tool == 'test' else '')
            except Failure as e:
                report.failure(what, e)


FAST = {'own': own, 'check': check, 'native': native, 'litmus': litmus_tests,
        'uml': uml}
DEFAULT = FAST | {
    'x86_64': suites('KUnit and guest programs, x86-64 under QEMU', 'x86_64'),
    'arm64': suites('KUnit and guest programs, arm64 under QEMU', 'arm64')}
FULL = DEFAULT | {
    'debug': suites('KUnit under KASAN, lockdep and DEBUG_PREEMPT, x86-64',
                    'x86_64', 'debug', timeout=5400),
    'kcsan': suites('KUnit under KCSAN, x86-64', 'x86_64', 'kcsan',
                    timeout=3600),
    'rt': suites('KUnit with PREEMPT_RT, which excludes huge pages, x86-64',
                 'x86_64', 'no-thp', 'rt', timeout=900),
    'distro': distro, 'numa': numa, 'bare': bare,
    'pages64k': suites('KUnit with pages of 64 KiB, arm64', 'arm64', '64k',
                       timeout=1800, memory='4G'),
    'clang': clang, 'modules': modules, 'variants': variants,
    'before': before, 'upstream': upstream, 'bases': bases, 'stress': stress}


def build_ahead(stages):
    """Build kernels in the time that earlier stages leave a CPU idle."""
    # If one fails, so will its stage, which says so.
    with contextlib.suppress(Failure):
        for stage, name in {'uml': 'um', 'x86_64': 'x86_64',
                            'arm64': 'arm64'}.items():
            if stage in stages:
                kbuild.build(kbuild.arch(name), LINUX)


def main(argv):
    p = parser(__doc__)
    mode = p.add_mutually_exclusive_group()
    mode.add_argument('--fast', dest='mode', action='store_const',
                      const='fast', help='a turn of some minutes')
    mode.add_argument('--full', dest='mode', action='store_const',
                      const='full', help='a night')
    p.add_argument('--topic', help='the suites of this topic, and of those '
                   'that it needs, only')
    p.add_argument('--only', help='stages, comma separated')
    p.add_argument('--list', action='store_true', help='name the stages')
    p.add_argument('--save', action='store_true', help='note what the stages '
                   'came to in Documentation/results/tests.json')
    options = p.parse_args(argv)
    if options.topic:
        kbuild.only = [t.name for t in
                       common.with_branches(options.topic)]
    if options.list:
        for name, stage in FULL.items():
            print(f'{name:8} {stage.__doc__}')
        return
    stages = {'fast': FAST, 'full': FULL}.get(options.mode, DEFAULT)
    if options.only is not None:
        names = options.only.split(',')
        if unknown := set(names) - set(FULL):
            raise Failure(f'no such stage: "{", ".join(sorted(unknown))}"',
                          hint='tools/test --list names them')
        stages = {n: FULL[n] for n in names}

    if options.save:
        common.must_be_writable(TESTS)
        already_kept()
    common.setup()
    report, step = Report(), Steps(len(stages) + 1)
    step('the tree: fetch and apply')
    run([TOOLS / 'apply'], 'apply')
    if 'check' in stages:
        threading.Thread(target=build_ahead, args=[stages],
                         daemon=True).start()
    counted = {}
    for name, stage in stages.items():
        step(stage.__doc__)
        before = [*report.counts.values()]
        report.topics = {}
        try:
            stage(report, options)
        except Failure as e:
            report.failure(name, e)
        counted[name] = [now - then for now, then in
                         zip(report.counts.values(), before)], report.topics
    report.save()
    if options.save:
        report.keep_counts(counted)
    print(report.summary())
    return report.counts['not ok'] > 0
