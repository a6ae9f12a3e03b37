# SPDX-License-Identifier: GPL-2.0
"""Carrying the series to another base: what tools/port --to does.

The first process makes the tree and its pin.  It starts a second one, of which
the new base is the --base, so that all that works on a base does on that.
"""

import json
import shutil
import subprocess

import common
from apply import backup
from branches import (git_dir, listed, lock, noted, relative, tip, unfinished,
                      work_tree_edits)
from common import (BASE, HEADING, LINUX, PATCHES, REPOSITORY, SERIES, TOOLS,
                    Failure, git, put, ref, whole)
from merge import Merging

HEADER = '''\
# The patches of Linux {0} in order.  Where the main base's patch applies as it
# is, it is that file; tools/refresh --base {0} writes this one.
'''
# What can become of a patch, and the heads of the table's columns.
OUTCOMES = {'clean': 'as they are', 'merged': 'merged', 'hand': 'by hand',
            'there': 'there already', 'out': 'left out'}
REASONS = {'there': 'this kernel has it.', 'out': '(say why)'}


def prepare(name):
    """Make the tree of a base, and the base if there is none yet."""
    known = name in common.bases()[1:]
    if not known and not common.is_version(name):
        raise Failure(f'{name} is no version, and there is no '
                      f'patches/{name}/base to say what it is')
    if (PATCHES / name / 'series').exists():
        raise Failure(f'patches/{name}/series is there already',
                      hint=f'tools/apply --base {name} works on it; move it '
                      'away to port anew; --continue goes on if killed')
    version = common.base(name)['version'] if known else name
    tree = common.tree_of(version)
    if tree.name != f'linux-{name}':
        raise Failure(f'Linux {version} is a base already, in '
                      f'{relative(tree)}')
    for topic in common.topics():
        if not REPOSITORY.exists() or not tip(topic):
            raise Failure(f'there is no branch {ref(topic)}, and git am -3 '
                          'merges from what it holds', hint='tools/apply '
                          'makes it')
    if subprocess.run([TOOLS / 'fetch', '--version', version]).returncode:
        raise Failure(f'there is no tree of Linux {version} to port to')
    if not known:
        pin = noted('pin', tree)
        text = pin.read_text() if pin.exists() else ''
        if git('rev-parse', f'{name}/base', cwd=REPOSITORY) not in text:
            raise Failure(f'nothing says which file {relative(tree)} is from',
                          hint='move it away and delete its branch '
                          f'{name}/base, for tools/fetch to make it anew, or '
                          f'write patches/{name}/base')
        (PATCHES / name).mkdir(exist_ok=True)
        put(PATCHES / name / 'base', text)


def to(options):
    """tools/port --to V."""
    if options.source is not None:
        return port(options)
    if not options.go_on:
        prepare(options.to)
    return subprocess.run([
        TOOLS / 'port', '--base', options.to, '--to', options.to,
        f'--source={BASE}', *['--continue'] * options.go_on,
        *(f'--without={topic}' for topic in options.without)]).returncode


class Carry(Merging):
    """The port to a base; its @state is in a file, written at each step.

    There "stopped" is the patch that waits for the user.  If there is none,
    whoever was at work was killed, and what it left is done anew.
    """

    def __init__(self):
        super().__init__(LINUX, '-c', 'rerere.enabled=true')
        self.file, self.state = git_dir() / 'mm-series-port.json', None
        if self.file.exists():
            self.state = common.parsed(self.file, json.loads)

    def begin(self, source):
        if self.state:
            raise Failure(f'a port to {BASE} is under way', hint='--continue '
                          f'goes on; without {self.file} it begins anew')
        for _, why, _ in work_tree_edits():
            raise Failure(f'{relative(LINUX)}: {why}', hint='git commit or '
                          'git stash keeps them')
        self.state = {
            'source': source, 'without': [], 'tips': {}, 'done': {},
            'topic': None, 'head': tip('base'), 'stopped': None}

    def save(self, **changes):
        self.state |= changes
        put(self.file, json.dumps(self.state, indent=1) + '\n')

    def done(self, topic):
        """What became of a topic's patches so far: name -> outcome."""
        return self.state['done'].get(topic, {})

    def source(self):
        """The series that the patches are from."""
        source = self.state['source']
        return (PATCHES / source if source else common.ROOT) / 'series'

    def kept(self):
        """The topics to carry: none that needs one that is left out."""
        out, kept = set(self.state['without']), {}
        for topic in common.topics(self.source()).values():
            if out & {topic.name, *(t.needs for t in (topic, *topic.parts))}:
                out.add(topic.name)
            else:
                kept[topic.name] = topic
        return kept

    def leave_out(self, names):
        """Do without topics, and no more with what is under way of them."""
        known = common.topics(self.source())
        for name in set(names) - {*known}:
            raise Failure(f'no topic "{name}" to leave out; there are: '
                          + ', '.join(known))
        self.state['without'] += names
        gone = self.state['topic'] in {*known} - {*self.kept()}
        self.save(**{'stopped': None} if gone else {})

    def counts(self, outcome, *patches):
        """Patches are done with, in one way or another."""
        topic = self.state['topic']
        done = self.done(topic) | dict.fromkeys(patches, outcome)
        self.save(done=self.state['done'] | {topic: done}, stopped=None,
                  head=self.head())
        for name in patches if outcome in REASONS else ():
            print(f'{name}: {OUTCOMES[outcome]}', flush=True)

    def resume(self):
        """See what became of the patch that was under way."""
        patch, head = self.state['stopped'], self.state['head']
        if not patch:
            for name, _, commit in [] if unfinished() else work_tree_edits():
                if name == 'worktree':
                    backup(name, commit())
            self.checkout(head)
            # git am --abort cannot from each state in which it is killed.
            shutil.rmtree(git_dir() / 'rebase-apply', ignore_errors=True)
            return self.git('rerere', 'clear')
        where = f'git -C {relative(LINUX)}'
        if files := self.unmerged():
            raise Failure('not resolved: ' + ', '.join(files),
                          hint=f'{where} add FILE says that one is')
        if unfinished() == 'rebase or am' and not self.runs('am',
                                                            '--continue'):
            raise Failure('git am --continue failed', self.log(), self.hint())
        for name, why, _ in work_tree_edits():
            if name == 'worktree':
                raise Failure(f'{relative(LINUX)}: {why}', hint=f'{where} '
                              'commit --amend, or reset --hard to drop them')
        if not self.runs('merge-base', '--is-ancestor', head, 'HEAD'):
            raise Failure(f'{relative(LINUX)} has left the port', hint=
                          f'{where} checkout --detach {head[:12]} goes back')
        self.counts('hand' if self.head() != head else 'out', patch)

    def hint(self):
        topic = self.state['topic']
        return (f'resolve it in {relative(LINUX)}, git add, then tools/port '
                f'--to {BASE} --continue;\n  or git am --skip there, which '
                'leaves the patch out, then --continue;\n  or --continue '
                f'--without {topic}, which leaves the topic out')

    def stop(self, patch, why, log=None):
        self.save(stopped=patch.name)
        self.show()
        raise Failure(f'{relative(patch)}: {why}', log, self.hint())

    def step(self, patch):
        """Carry one patch."""
        before = self.state['head']
        clean = self.runs('apply', '--check', '--index', patch)
        how = [] if clean else ['-3', '--rerere-autoupdate']
        if not self.am(patch, *how):
            files = ', '.join(self.in_the_way())
            # It does not go on by itself where rerere has resolved all.
            resolved = not self.unmerged() and self.git(
                'diff', '--cached', '--name-only')
            if not resolved or not self.runs('am', '--continue'):
                self.stop(patch, f'conflict in {files}', self.log())
        elif strays := ', '.join(self.strays(patch, before)):
            self.stop(patch, f'the merge adds more than it to {strays}; git '
                      'commit --amend is needed')
        self.counts('there' if self.head() == before else
                    'clean' if clean else 'merged', patch.name)

    def carry(self, topic):
        """Carry what is left of a topic."""
        listed(topic)       # a patch may be missing
        if self.state['topic'] != topic.name:
            onto = self.state['tips'].get(topic.needs, tip('base'))
            there = self.there(topic.patches, onto)
            self.state['topic'] = topic.name
            self.counts('there', *(p.name for p in topic.patches
                                   if p in there))
        for patch in topic.patches:
            if patch.name not in self.done(topic.name):
                self.step(patch)
        self.save(tips=self.state['tips'] | {topic.name: self.state['head']})

    def series(self):
        """What the source's series says, of what came along."""
        kept, name, lines = self.kept(), None, []
        for line in self.source().read_text().splitlines():
            head = HEADING.fullmatch(line)
            if head and name != (name := whole(head[1])) and name not in kept:
                lines += [f'# {name} is left out: (say why)', '']
            if name in kept:
                file = line.rpartition('/')[2]
                what = REASONS.get(self.done(name).get(file))
                lines.append(f'# {int(file[:4])} is left out: {what}'
                             if what else line)
        return HEADER.format(BASE) + '\n'.join(lines).rstrip() + '\n'

    def finish(self):
        """Make the branches, and then series, which says that they are."""
        for name in self.kept():
            end = self.state['tips'][name]
            if (old := tip(name)) not in (None, end):
                backup(name, old)
            git('update-ref', f'refs/heads/{ref(name)}', end)
        put(SERIES, self.series())

    def show(self):
        """A line for each topic, how its patches came along."""
        rows, kept = [('topic', 'patches', *OUTCOMES.values())], self.kept()
        for topic in common.topics(self.source()).values():
            found = ([*self.done(topic.name).values()] if topic.name in kept
                     else ['out'] * len(topic.patches))
            rows.append((topic.name, f'{len(topic.patches)}', *(
                f'{found.count(what) or "-"}' for what in OUTCOMES)))
        print('\n'.join(common.aligned(rows)), flush=True)


def port(options):
    """The second process."""
    common.base()
    with lock():
        carry = Carry()
        if not options.go_on:
            carry.begin(options.source)
        elif not carry.state:
            raise Failure(f'no port to {BASE} is under way')
        if not SERIES.exists():
            carry.leave_out(options.without)
            carry.resume()
            todo = [t for t in carry.kept().values()
                    if t.name not in carry.state['tips']]
            say = common.Steps(len(todo))
            for topic in todo:
                say(topic.name)
                carry.carry(topic)
            carry.finish()
    for tool in 'refresh', 'apply':
        if subprocess.run([TOOLS / tool, '--base', BASE,
                           '--force']).returncode:
            raise Failure(f'the branches are made, but tools/{tool} failed',
                          hint='mend that, then --continue')
    carry.show()
    carry.file.unlink()
    return 0
