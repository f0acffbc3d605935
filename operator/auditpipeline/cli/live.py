"""From a running cluster to a report: `check` without a path, and `--over-cluster`."""

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from auditpipeline.api.findings import ObjectRef
from auditpipeline.cli.exits import CannotJudge
from auditpipeline.cli.judging import positions, unreadable
from auditpipeline.cli.output import complain
from auditpipeline.kube.client import ApiServer, NoAnswer, NoCredentials
from auditpipeline.probes import access
from auditpipeline.probes.reviews import answers
from auditpipeline.report.model import Position, Report, Unreadable
from auditpipeline.verdict import NO_HISTORY, Verdict, judge
from auditpipeline.views.cluster import ClusterReader, ClusterView, Unavailable, namespaces_of
from auditpipeline.views.manifests import Manifests
from auditpipeline.views.overlay import lay_over
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.wiring.discovery import covered_by, discover
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.evidence import NO_EVIDENCE, AccessQuestion, Evidence
from auditpipeline.world.reads import Key

T = TypeVar("T")
_READINGS: Final = {Reading.ALLOWED: True, Reading.DENIED: False, Reading.UNDECIDED: None}
_LIVE: Final = Evidence(live=True)
_REVIEW_SECONDS: Final = 5.0
_ROUNDS: Final = 4
"""Namespace by namespace, what one refers to may refer to the next: emitter, store, the store's own."""


def judged_cluster(args: argparse.Namespace) -> Report:
    """Judge the pipelines of the kubeconfig's cluster.

    Raises:
        CannotJudge: There is no cluster that could be read.
    """
    return _run(_judged_cluster(args))


def judged_overlay(args: argparse.Namespace, read: Callable[[str], Manifests]) -> Report:
    """Judge the pipelines that the manifests touch, as if they were applied to the kubeconfig's cluster.

    Args:
        args: The command line.
        read: Reads the manifests; it is told the namespace of objects that write none, as kubectl apply puts them.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: There is no cluster that could be read.
    """
    return _run(_judged_overlay(args, read))


def discovered_in_cluster(args: argparse.Namespace) -> tuple[list[Pipeline], frozenset[ObjectRef]]:
    """The pipelines that nobody declared, and the AuditPipelines that are there.

    Raises:
        CannotJudge: There is no cluster that could be read.
    """
    return _run(_discovered(args))


def _run(task: Coroutine[Any, Any, T]) -> T:
    gc.enable()  # a large cluster's answers come and go
    # The client library says by a line of log what it says by its exception too.
    logging.getLogger("kubernetes").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(task)
    except (NoCredentials, Unavailable) as error:
        raise CannotJudge(str(error)) from error


@asynccontextmanager
async def _connected(args: argparse.Namespace) -> AsyncIterator[tuple[ApiServer, str]]:
    """The API server, and the namespace that is asked for; empty for all."""
    api = await ApiServer.connect(args.kubeconfig, args.context)
    try:
        yield api, "" if args.all_namespaces else args.namespace or api.context.namespace
    finally:
        await api.close()


async def _judged_cluster(args: argparse.Namespace) -> Report:
    async with _connected(args) as (api, namespace):
        reader = ClusterReader(api)
        await reader.read([namespace or api.context.namespace])
        judging = Judging(reader.view, args.contract, namespace)
        # Where the whole cluster may not be listed, the look-ups tell which namespaces matter.
        for _ in range(_ROUNDS):
            if not reader.partial or not await reader.extend(namespaces_of(judging.looked_up(_LIVE))):
                break
        verdicts = await _reviewed(api, judging)
    _tell_refused(reader.view)
    return Report(
        mode="cluster", verdicts=tuple(verdicts), unreadable=_damaged(reader.view, namespace), objects=reader.view.objects
    )


async def _judged_overlay(args: argparse.Namespace, read: Callable[[str], Manifests]) -> Report:
    async with _connected(args) as (api, _):
        manifests = read(args.namespace or api.context.namespace)
        reader = ClusterReader(api)
        await reader.read([api.context.namespace, *(ref.namespace for ref in manifests.origins)])
        touched = lay_over(reader.view, manifests)
        judging = Judging(reader.view, args.contract, args.namespace)
        for _ in range(_ROUNDS):
            if not reader.partial or not await reader.extend(namespaces_of(judging.looked_up(NO_EVIDENCE))):
                break
            touched |= lay_over(reader.view, manifests)
    _tell_refused(reader.view)
    # How the pods stand now says nothing about those that the manifests would make.
    own = {pipeline.ref for pipeline in manifests.pipelines}
    verdicts = tuple(
        verdict
        for verdict, keys in judging.recorded(NO_EVIDENCE)
        if verdict.pipeline.ref in own or not touched.isdisjoint(keys)
    )
    return Report(
        mode="overlay",
        verdicts=verdicts,
        unreadable=unreadable(manifests),
        positions=positions(manifests, verdicts),
        objects=manifests.objects,
        files=manifests.files,
    )


async def _discovered(args: argparse.Namespace) -> tuple[list[Pipeline], frozenset[ObjectRef]]:
    async with _connected(args) as (api, namespace):
        reader = ClusterReader(api)
        await reader.read([namespace or api.context.namespace])
        judging = Judging(reader.view, args.contract, namespace)
        for _ in range(_ROUNDS):
            if not reader.partial or not await reader.extend(namespaces_of(judging.looked_up(NO_EVIDENCE))):
                break
    _tell_refused(reader.view)
    found = [pipeline for pipeline in judging.pipelines() if not pipeline.declared]
    return found, frozenset(pipeline.ref for pipeline in reader.view.pipelines)


class Judging:
    """The pipelines of a view that were asked for, judged as the operator judges them."""

    def __init__(self, view: ClusterView, contract: str, namespace: str) -> None:
        self._view = view
        self._contract = contract
        self._namespace = namespace

    def looked_up(self, evidence: Evidence) -> set[Key]:
        """What a judgement looks at, discovery included."""
        with self._view.world.reads.recording() as keys:
            self.verdicts(evidence)
        return keys

    def verdicts(self, evidence: Evidence) -> list[Verdict]:
        """The verdicts, declared pipelines first."""
        now = time.time()
        return [self._judge(pipeline, evidence, now) for pipeline in self.pipelines()]

    def recorded(self, evidence: Evidence) -> Iterator[tuple[Verdict, set[Key]]]:
        """Each verdict with what its judgement looked at."""
        now = time.time()
        for pipeline in self.pipelines():
            with self._view.world.reads.recording() as keys:
                verdict = self._judge(pipeline, evidence, now)
            yield verdict, keys

    def expected(self, question: AccessQuestion) -> bool | None:
        """The static reading of roles and bindings."""
        return _READINGS[read_access(self._view.world, question)]

    def pipelines(self) -> list[Pipeline]:
        """Declared ones, then those that nobody declared."""
        view = self._view
        found = discover(view.world, covered_by(view.pipelines), contract=self._contract)
        return [pipeline for pipeline in (*view.pipelines, *found) if self._namespace in {"", pipeline.ref.namespace}]

    def _judge(self, pipeline: Pipeline, evidence: Evidence, now: float) -> Verdict:
        history = self._view.histories.get(pipeline.ref, NO_HISTORY)
        return judge(self._view.world, pipeline, evidence, now=now, history=history)


async def _reviewed(api: ApiServer, judging: Judging) -> list[Verdict]:
    """The verdicts with live access reviews, where those may be asked; else by roles and bindings alone."""
    static = judging.verdicts(_LIVE)
    questions = {question for verdict in static for question in verdict.questions}

    async def ask(question: AccessQuestion) -> bool | access.Trouble:
        try:
            answer = await api.request("POST", access.PATH, body=access.review(question), timeout=_REVIEW_SECONDS)
        except NoAnswer:
            return access.Trouble.FAILED
        return access.read_review(answer.status, answer.body)

    told = await answers(ask, questions, judging.expected)
    return judging.verdicts(Evidence(access=told, live=True)) if told else static


def _damaged(view: ClusterView, namespace: str) -> tuple[Unreadable, ...]:
    return tuple(
        Unreadable(damaged.message, Position(), damaged.ref)
        for damaged in view.damaged
        if namespace in {"", damaged.ref.namespace}
    )


def _tell_refused(view: ClusterView) -> None:
    refused = ", ".join(sorted(view.coverage.refused))
    if refused:
        complain(f"not all of the cluster may be read, so emitters and faults may be missing; refused: {refused}")
