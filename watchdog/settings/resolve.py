"""Turns targets as written into targets as guarded: packs read, probes made into rules, names checked.

Pure but for reading rule files. What is wrong is noted in `Problems`, with its place in the config.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from watchdog.errors import BadConfig
from watchdog.model.base import format_duration
from watchdog.model.rule import PLATFORM_KINDS, CompareMeasure, Measure, Rule, Trigger
from watchdog.model.target import CommandSpec, ComposeSpec, HelmSpec, PlatformSpec, RollbackPolicy, Target, WatchPolicy
from watchdog.settings import packs
from watchdog.settings.form import ConfigForm
from watchdog.settings.problems import Problems
from watchdog.settings.rules import RuleFile, read_rule, read_rule_file, unknown_names, unknown_names_in
from watchdog.settings.target_form import CommandTargetForm, ComposeForm, HelmForm, PackForm, ProbeForm, TargetForm
from watchdog.settings.wording import suggestion
from watchdog.settings.yaml import Loc
from watchdog.template import BUILT_IN, render


class TargetReader:
    """Resolves all targets of one config."""

    def __init__(self, problems: Problems, folder: Path, config: ConfigForm) -> None:
        self._problems = problems
        self._folder = folder
        self._config = config

    def targets(self) -> tuple[Target, ...]:
        """The targets. What is wrong with them is in the problems."""
        names: set[str] = set()
        guarded: dict[tuple[str | None, ...], str] = {}
        found = []
        for index, form in enumerate(self._config.targets):
            at = ("targets", index)
            if form.name in names:
                self._problems.add((*at, "name"), f"a target {form.name} is already there")
            names.add(form.name)
            self._only_once(form, at, guarded)
            found.append(self._target(form, at))
        return tuple(found)

    def _only_once(self, form: TargetForm, at: Loc, guarded: dict[tuple[str | None, ...], str]) -> None:
        """Two targets must not roll the same thing back."""
        if form.compose is not None:
            key: tuple[str | None, ...] = (form.compose.project, form.compose.docker_host)
            where, what = ("compose", "project"), f"project {form.compose.project}"
        elif form.helm is not None:
            key = (form.helm.namespace, form.helm.release, form.helm.kubeconfig, form.helm.context)
            where, what = ("helm", "release"), f"release {form.helm.release} of namespace {form.helm.namespace}"
        else:
            return
        if key in guarded:
            self._problems.add((*at, *where), f"the {what} is already guarded by target {guarded[key]}")
        guarded.setdefault(key, form.name)

    def _target(self, form: TargetForm, at: tuple[str | int, ...]) -> Target:
        variables, rules = self._rules(form, at)
        spec = self._spec(form, at, variables)
        return Target(
            name=form.name,
            environment=form.environment,
            spec=spec,
            vars=variables,
            rules=rules,
            watch=WatchPolicy(**dict(form.watch)),
            rollback=RollbackPolicy(**dict(form.rollback)),
            receivers=self._receivers(form, at),
            mode=form.mode,
        )

    def _receivers(self, form: TargetForm, at: Loc) -> tuple[str, ...]:
        known = list(dict.fromkeys(receiver.name for receiver in self._config.receivers))
        if form.receivers is None:
            return tuple(known)
        for index, name in enumerate(form.receivers):
            if name not in known:
                listed = ", ".join(known) or "none"
                text = f"there is no receiver {name!r}; {suggestion(name, known)}known receivers: {listed}"
                self._problems.add((*at, "receivers", index), text)
        return tuple(dict.fromkeys(form.receivers))

    def _spec(self, form: TargetForm, at: Loc, variables: Mapping[str, str]) -> PlatformSpec:
        if form.compose is not None:
            return _compose(form.compose, self._folder)
        if form.helm is not None:
            return _helm(form.helm, self._folder)
        assert form.command is not None
        for index, text in enumerate(form.command.rollback):  # the only one of the four that is a template
            for problem in unknown_names(text, variables, form.name, known=("revision", "target", "environment")):
                self._problems.add((*at, "command", "rollback", index), problem)
        return _command(form.command, self._folder)

    def _rules(self, form: TargetForm, at: tuple[str | int, ...]) -> tuple[dict[str, str], tuple[Rule, ...]]:
        """All variables, and all rules in the order written, the probes' last."""
        files = {index: file for index, entry in enumerate(form.rules) if isinstance(entry, PackForm)
                 and (file := self._pack(entry, form, (*at, "rules", index)))}  # fmt: skip
        variables = self._variables(form, files, at)
        found: list[tuple[tuple[str | int, ...], Rule]] = []
        for index, entry in enumerate(form.rules):
            where = (*at, "rules", index)
            if isinstance(entry, PackForm):
                found += [(where, rule) for rule in files[index].rules] if index in files else []
                continue
            try:
                found.append((where, read_rule(self._problems.document, where, variables, form.name)))
            except BadConfig as error:
                self._problems.include(where, error)
        for index, probe in enumerate(form.probes):
            where = (*at, "probes", index)
            rule = _probe_rule(probe)
            for problem in unknown_names_in(rule.measure, variables, form.name):
                self._problems.add((*where, probe.kind), problem)
            found.append((where, rule))
        self._check(found, form)
        known = _known_now(form) | variables
        return variables, tuple(_summarized(rule, known) for _, rule in found)

    def _pack(self, entry: PackForm, form: TargetForm, at: tuple[str | int, ...]) -> RuleFile | None:
        """The pack's rules as this target wants them, or None with the reason among the problems."""
        try:
            path = packs.find(entry.pack, self._folder)
            file = read_rule_file(path, form.vars, form.name, unwanted=entry.except_)
        except BadConfig as error:
            self._problems.include(at, error)
            return None
        except ValueError as error:
            self._problems.add(at, error)
            return None
        known = [*(rule.name for rule in file.rules), *file.left_out]
        wanted = {("except", index): name for index, name in enumerate(entry.except_)}
        for key, name in (wanted | {("override", name): name for name in entry.override}).items():
            if name not in known:
                text = f"{entry.pack} has no rule {name!r}; {suggestion(name, known)}its rules: {', '.join(known)}"
                self._problems.add((*at, *key), text)
        rules = [
            rule.model_copy(update=entry.override[rule.name].update()) if rule.name in entry.override else rule
            for rule in file.rules
        ]
        return RuleFile(file.vars, tuple(rules))

    def _variables(self, form: TargetForm, files: Mapping[int, RuleFile], at: Loc) -> dict[str, str]:
        """The target's variables over the defaults of its packs."""
        merged: dict[str, str] = {}
        for index, file in files.items():
            for name, value in file.vars.items():
                if merged.setdefault(name, value) != value:
                    text = f"packs differ in the default of {name} ({merged[name]!r} and {value!r}): set it in vars"
                    self._problems.add((*at, "rules", index), text)
        return merged | form.vars

    def _check(self, found: list[tuple[tuple[str | int, ...], Rule]], form: TargetForm) -> None:
        """What can be wrong with rules only together, or only in this target."""
        first: dict[str, tuple[str | int, ...]] = {}
        for where, rule in found:
            if rule.name in first:
                line = self._problems.document.locate(first[rule.name])[1].line
                hint = "leave one out with `{pack: NAME, except: [RULE]}`, or give it another name"
                self._problems.add(where, f"a rule {rule.name} is already there, from line {line}; {hint}")
            first.setdefault(rule.name, where)
            if _asks_prometheus(rule.measure) and self._config.sources.prometheus is None:
                text = f"rule {rule.name} asks Prometheus: add `sources: {{prometheus: {{url: …}}}}`"
                self._problems.add(where, text)
            needs, bake = _time_to_trip(rule, form), form.watch.bake_time
            if needs > bake:
                text = f"rule {rule.name} can never trip: it takes {format_duration(needs)} to"
                self._problems.add(where, f"{text}, and watch.bake_time is {format_duration(bake)}")


def _asks_prometheus(measure: Measure) -> bool:
    if isinstance(measure, CompareMeasure):
        return measure.scrape is None
    return measure.kind in {"prometheus", "alert"}


def _time_to_trip(rule: Rule, form: TargetForm) -> timedelta:
    """From the settled rollout to the earliest trip. Crash and release rules are also measured before it settled."""
    early = rule.measure.kind in PLATFORM_KINDS
    delay = timedelta(0) if early else form.watch.initial_delay if rule.initial_delay is None else rule.initial_delay
    interval = rule.interval or form.watch.interval
    if rule.for_ is not None:
        return delay + rule.for_
    repeats = rule.consecutive_failures - 1 if rule.consecutive_failures else rule.failure_limit or 0
    return delay + repeats * interval


def _known_now(form: TargetForm) -> dict[str, str]:
    """The built-in names; those that need a deploy stay templates."""
    if form.helm is not None and "*" in (form.helm.release, form.helm.namespace):
        return {name: "{{ " + name + " }}" for name in BUILT_IN} | {"environment": form.environment}
    release = form.compose.project if form.compose else form.helm.release if form.helm else form.name
    namespace = form.helm.namespace if form.helm else release
    later = {name: "{{ " + name + " }}" for name in ("revision", "pods")}
    here = {"target": form.name, "service": form.name, "environment": form.environment}
    return here | later | {"release": release, "namespace": namespace}


def _summarized(rule: Rule, known: Mapping[str, str]) -> Rule:
    return rule.model_copy(update={"summary": render(rule.summary, known)})


def _probe_rule(probe: ProbeForm) -> Rule:
    measure = probe.how.measure()
    if probe.timeout is not None:
        measure = measure.model_copy(update={"timeout": probe.timeout})
    return Rule(
        name=f"probe-{probe.name}",
        trigger=Trigger.health,
        summary=f"probe {probe.name} fails",
        measure=measure,
        fail_when=probe.how.default_condition(),
        consecutive_failures=probe.consecutive_failures,
        interval=probe.interval,
        initial_delay=probe.initial_delay,
        action=probe.action,
        mode=probe.mode,
        probe=True,
    )


def _compose(form: ComposeForm, folder: Path) -> ComposeSpec:
    return ComposeSpec(**{**dict(form), "directory": _absolute(folder, form.directory)})


def _helm(form: HelmForm, folder: Path) -> HelmSpec:
    program = _absolute(folder, form.helm) if "/" in form.helm else form.helm
    kubeconfig = _absolute(folder, form.kubeconfig) if form.kubeconfig else None
    return HelmSpec(**{**dict(form), "helm": program, "kubeconfig": kubeconfig})


def _command(form: CommandTargetForm, folder: Path) -> CommandSpec:
    return CommandSpec(**{**dict(form), "directory": _absolute(folder, form.directory or ".")})


def _absolute(folder: Path, path: str) -> str:
    # Not Path.resolve(): a link such as /srv/current must be followed at each deploy, not once.
    return os.path.normpath(folder / path)
