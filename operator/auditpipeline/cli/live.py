"""From a running cluster to a report: `check` without a path, and `--over-cluster`."""

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import Iterable
from typing import Final

from auditpipeline.cli.exits import CannotJudge
from auditpipeline.cli.output import complain
from auditpipeline.kube.client import ApiServer, NoAnswer, NoCredentials
from auditpipeline.probes import access
from auditpipeline.probes.reviews import answers
from auditpipeline.report.model import Position, Report, Unreadable
from auditpipeline.verdict import NO_HISTORY, Verdict, judge
from auditpipeline.views.cluster import ClusterReader, ClusterView, Unavailable, namespaces_of
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.wiring.discovery import covered_by, discover
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.evidence import AccessQuestion, Evidence
from auditpipeline.world.reads import Key

_READINGS: Final = {Reading.ALLOWED: True, Reading.DENIED: False, Reading.UNDECIDED: None}
_REVIEW_SECONDS: Final = 5.0
_ROUNDS: Final = 4
"""Namespace by namespace, what one refers to may refer to the next: emitter, store, the store's own."""


def judged_cluster(args: argparse.Namespace) -> Report:
    """Judge the pipelines of the kubeconfig's cluster.

    Raises:
        CannotJudge: There is no cluster that could be read.
    """
    gc.enable()  # a large cluster's answers come and go
    # The client library says by a line of log what it says by its exception too.
    logging.getLogger("kubernetes").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_judged(args))
    except (NoCredentials, Unavailable) as error:
        raise CannotJudge(str(error)) from error


async def _judged(args: argparse.Namespace) -> Report:
    api = await ApiServer.connect(args.kubeconfig, args.context)
    try:
        namespace = "" if args.all_namespaces else args.namespace or api.context.namespace
        reader = ClusterReader(api)
        await reader.read([namespace or api.context.namespace])
        view = reader.view
        judging = Judging(view, args.contract, namespace)
        # Where the whole cluster may not be listed, the look-ups tell which namespaces matter.
        for _ in range(_ROUNDS):
            if not await reader.extend(namespaces_of(judging.looked_up())):
                break
        live = await _reviewed(api, judging)
    finally:
        await api.close()
    _tell_refused(view)
    return Report(
        mode="cluster",
        verdicts=tuple(live),
        unreadable=tuple(
            Unreadable(damaged.message, Position(), damaged.ref)
            for damaged in view.damaged
            if namespace in {"", damaged.ref.namespace}
        ),
        objects=view.objects,
    )


class Judging:
    """The pipelines of a view that were asked for, judged as the operator judges them."""

    def __init__(self, view: ClusterView, contract: str, namespace: str) -> None:
        self._view = view
        self._contract = contract
        self._namespace = namespace

    def looked_up(self) -> set[Key]:
        """What a judgement looks at, discovery included."""
        with self._view.world.reads.recording() as keys:
            self.verdicts(Evidence(live=True))
        return keys

    def verdicts(self, evidence: Evidence) -> list[Verdict]:
        """The verdicts, declared pipelines first."""
        now = time.time()
        view = self._view
        return [
            judge(view.world, pipeline, evidence, now=now, history=view.histories.get(pipeline.ref, NO_HISTORY))
            for pipeline in self._pipelines()
        ]

    def expected(self, question: AccessQuestion) -> bool | None:
        """The static reading of roles and bindings."""
        return _READINGS[read_access(self._view.world, question)]

    def _pipelines(self) -> Iterable[Pipeline]:
        view = self._view
        found = discover(view.world, covered_by(view.pipelines), contract=self._contract)
        return [pipeline for pipeline in (*view.pipelines, *found) if self._namespace in {"", pipeline.ref.namespace}]


async def _reviewed(api: ApiServer, judging: Judging) -> list[Verdict]:
    """The verdicts with live access reviews, where those may be asked; else by roles and bindings alone."""
    static = judging.verdicts(Evidence(live=True))
    questions = {question for verdict in static for question in verdict.questions}

    async def ask(question: AccessQuestion) -> bool | access.Trouble:
        try:
            answer = await api.request("POST", access.PATH, body=access.review(question), timeout=_REVIEW_SECONDS)
        except NoAnswer:
            return access.Trouble.FAILED
        return access.read_review(answer.status, answer.body)

    told = await answers(ask, questions, judging.expected)
    return judging.verdicts(Evidence(access=told, live=True)) if told else static


def _tell_refused(view: ClusterView) -> None:
    refused = ", ".join(sorted(view.coverage.refused))
    if refused:
        complain(f"not all of the cluster may be read, so emitters and faults may be missing; refused: {refused}")
