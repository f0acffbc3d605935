"""What holds for every rendering: the same findings, no secret, nothing that a terminal or a browser would obey."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from auditpipeline.report import explain, json_report
from auditpipeline.report.formats import Format, render
from auditpipeline.report.graph import dot, html, mermaid, svg
from auditpipeline.report.graph.model import graph_of
from auditpipeline.report.model import Report
from golden import ROOT
from reports import INPUTS, report_of

RENDERINGS: dict[str, Callable[[Report], str]] = {
    **{output: lambda report, output=output: render(report, output) for output in get_args(Format)},  # type: ignore[misc]
    "explain": lambda report: "".join(explain.render(report, verdict) for verdict in report.verdicts),
    "mermaid": lambda report: mermaid.render([graph_of(verdict) for verdict in report.verdicts]),
    "dot": lambda report: dot.render([graph_of(verdict) for verdict in report.verdicts]),
    "svg": lambda report: svg.render([graph_of(verdict) for verdict in report.verdicts]),
    "html": lambda report: html.render(report, [graph_of(verdict) for verdict in report.verdicts]),
}
SECRET = "s3cr3t"  # noqa: S105  (planted, to be searched for)
PLANTED = f"""
apiVersion: v1
kind: Secret
metadata: {{name: s, namespace: shop, annotations: {{a: {SECRET}}}}}
stringData: {{password: {SECRET}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: c, namespace: shop, annotations: {{a: {SECRET}}}}}
data:
  config.yaml: |
    database_password: {SECRET}
    data_storage_url: "http://user:{SECRET}@data-store.shop.svc:8080/{{{{x}}}}?token={SECRET}#{SECRET}"
  other.txt: {SECRET}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: d, namespace: shop, annotations: {{a: {SECRET}}}}}
spec:
  selector: {{matchLabels: {{app: d}}}}
  template:
    metadata: {{labels: {{app: d}}, annotations: {{a: {SECRET}}}}}
    spec:
      containers:
      - name: app
        image: app
        args:
        - --password={SECRET}
        - --data-storage-url=http://user:{SECRET}@data-store:8080?token={SECRET}
        - --kubeconfig=/home/{SECRET}/.kube/config
        env:
        - {{name: PASSWORD, value: {SECRET}}}
        - {{name: DATA_STORAGE_URL, value: "http://{SECRET}:{SECRET}@data-store:8080/?token={SECRET}"}}
        - {{name: KUBECONFIG, value: "/Users/{SECRET}/.kube/config"}}
        volumeMounts: [{{name: c, mountPath: /etc/app}}]
      volumes: [{{name: c, configMap: {{name: c}}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: broken}}
data: {{password: "{SECRET}
---
apiVersion: auditpipeline.dev/v1alpha1
kind: AuditPipeline
metadata: {{name: p, namespace: shop}}
spec:
  store: {{serviceRef: {{name: data-storage-service}}}}
  emitters: [{{workloadRef: {{name: d}}}}]
---
apiVersion: auditpipeline.dev/v1alpha1
kind: AuditPipeline
metadata: {{name: file, namespace: shop}}
spec:
  store: {{serviceRef: {{name: data-storage-service}}}}
  emitters:
  - workloadRef: {{name: d}}
    url: {{configMapKeyRef: {{name: c, key: config.yaml, path: data_storage_url}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: data-storage-service, namespace: shop}}
spec: {{selector: {{app: nothing}}, ports: [{{port: 8080}}]}}
"""


@pytest.fixture
def planted(tmp_path: Any) -> Report:
    file = tmp_path / "planted.yaml"
    file.write_text(PLANTED)
    report = report_of([str(file)])
    assert {str(finding.reason) for verdict in report.verdicts for finding in verdict.findings} >= {
        "ServiceNotFound",
        "HostPathEnv",
    }
    assert report.unreadable
    return report


@pytest.mark.parametrize("name", RENDERINGS)
def test_no_secret_reaches_a_rendering(name: str, planted: Report) -> None:
    assert SECRET not in RENDERINGS[name](planted)


def saying(report: Report, nasty: str) -> Report:
    """The report with this text wherever a finding or a name stands."""
    verdict = report.verdicts[0]
    findings = tuple(
        replace(each, message=nasty, field=nasty, fix=nasty, found=nasty, expected=nasty) for each in verdict.findings
    )
    emitter = verdict.wiring.emitters[0]
    wiring = replace(verdict.wiring, emitters=(replace(emitter, spec=replace(emitter.spec, name=nasty)),))
    pipeline = replace(verdict.pipeline, ref=verdict.pipeline.ref._replace(name=nasty))
    return replace(report, verdicts=(replace(verdict, pipeline=pipeline, findings=findings, wiring=wiring),))


@pytest.fixture(scope="module")
def broken() -> Report:
    return report_of([str(ROOT / INPUTS["gateway-broken"])])


@given(text=st.text(alphabet=st.characters(exclude_categories=())))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_rendered(broken: Report, text: str) -> None:
    report = saying(broken, text)
    rendered = {name: rendering(report) for name, rendering in RENDERINGS.items()}
    assert len(json.loads(rendered["json"])["findings"]) == len(report.verdicts[0].findings)
    assert yaml.safe_load(rendered["yaml"])["findings"][0]["message"] == text
    assert json.loads(rendered["sarif"])["runs"][0]["results"][0]["properties"]["check"] == "ServiceResolved"
    assert rendered["github"].replace("\r", "\n").count("\n") == len(report.verdicts[0].findings) + 1
    ET.fromstring(rendered["junit"])  # noqa: S314  (our own text)
    ET.fromstring(rendered["svg"])  # noqa: S314


def hostile() -> Report:
    """A report whose every text holds what some reader would obey."""
    report = report_of([INPUTS["gateway-broken"]])
    nasty = "\x1b]0;owned\x07\x1b[2J\x9b2J\u202e\ud800</text></svg><script>alert(1)</script>\"'`\\N\n::error::x"
    return saying(report, nasty)


@pytest.mark.parametrize("name", ["table", "explain", "svg", "html"])
def test_nothing_commands_the_terminal(name: str) -> None:
    text = RENDERINGS[name](hostile())
    assert not set(text) & set("\x1b\x07\x9b\u202e\ud800")


def test_only_colours_pass_in_colour() -> None:
    text = render(hostile(), "table", colour=True)
    assert "\x1b[31m✘\x1b[0m" in text
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text


def test_markup_of_names_stays_text() -> None:
    assert "<script" not in RENDERINGS["svg"](hostile())
    assert "<script" not in RENDERINGS["html"](hostile())
    assert "<script" not in RENDERINGS["mermaid"](hostile())
    ET.fromstring(RENDERINGS["svg"](hostile()))  # noqa: S314  (our own text)


def test_names_cannot_end_a_label_in_dot_and_mermaid() -> None:
    label = next(line for line in RENDERINGS["dot"](hostile()).splitlines() if "p0_emitter0 [" in line)
    assert r"<script>alert(1)</script>\"'`\\N ::error::x\l" in label
    for line in RENDERINGS["mermaid"](hostile()).splitlines():
        assert line.count('"') in {0, 2} or line.startswith("%%{init")


def test_html_needs_nothing_from_elsewhere() -> None:
    page = RENDERINGS["html"](report_of([INPUTS["gateway-broken"]]))
    assert "default-src 'none'" in page
    assert "src=" not in page.replace("default-src", "").replace("style-src", "")
    assert "href=" not in page


@pytest.mark.parametrize("name", INPUTS)
def test_yaml_and_json_are_one_document(name: str) -> None:
    report = report_of([INPUTS[name]])
    assert yaml.safe_load(render(report, "yaml")) == json.loads(render(report, "json")) == json_report.as_dict(report)


def test_every_format_tells_every_finding() -> None:
    report = report_of([INPUTS["every-mark"]])
    reasons = {str(finding.reason) for finding in report.verdicts[0].findings} | {"InputUnreadable"}
    for output in get_args(Format):
        text = render(report, output)
        assert {reason for reason in reasons if reason not in text} == set(), output
