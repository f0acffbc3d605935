from pathlib import Path

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.views.manifests import Manifests, Origin, read_manifests, read_stream

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: b}\n"
PIPELINE = """apiVersion: auditpipeline.dev/v1alpha1
kind: AuditPipeline
metadata: {name: p, namespace: audit}
spec: {store: {serviceRef: {name: s}}, emitters: [{workloadRef: {name: g}}]}
"""


def refs(manifests: Manifests) -> dict[str, int]:
    return {ref.qualified: origin.line for ref, origin in manifests.origins.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(CONFIG % "x", {"ConfigMap/default/x": 1}, id="one"),
        pytest.param(
            f"# c\n\n---\n{CONFIG % 'x'}---\n\n{CONFIG % 'y'}",
            {"ConfigMap/default/x": 4, "ConfigMap/default/y": 10},
            id="documents",
        ),
        pytest.param(f"--- # first\n{CONFIG % 'x'}\n---\n---\n", {"ConfigMap/default/x": 2}, id="comments and empty documents"),
        pytest.param(
            (CONFIG % "x").replace("\n", "\r\n") + "---\r\n" + CONFIG % "y",
            {"ConfigMap/default/x": 1, "ConfigMap/default/y": 6},
            id="line ends of Windows",
        ),
        pytest.param(
            '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}', {"ConfigMap/default/x": 1}, id="JSON"
        ),
        pytest.param(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n"
            "- {apiVersion: v1, kind: Namespace, metadata: {name: n}}",
            {"ConfigMap/default/x": 1, "Namespace/n": 1},
            id="List",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: x}}]", {"ConfigMap/default/x": 1}, id="typed list"
        ),
        pytest.param(CONFIG % "x" + "---\n" + CONFIG % "x", {"ConfigMap/default/x": 6}, id="the last one counts"),
        pytest.param(PIPELINE, {"AuditPipeline/audit/p": 1}, id="pipeline"),
        pytest.param(
            "apiVersion: example.com/v1\nkind: AuditPipeline\nmetadata: {name: p}", {}, id="pipeline of another group"
        ),
        pytest.param("a: b\n---\n- 1\n---\ntext\n", {}, id="nothing of Kubernetes"),
        pytest.param("data: |\n  ---\n  apiVersion: v1\n", {}, id="indented dashes"),
    ],
)
def test_objects_with_their_lines(text: str, expected: dict[str, int]) -> None:
    manifests = read_stream(text)
    assert manifests.problems == []
    assert refs(manifests) == expected


@pytest.mark.parametrize(
    ("text", "line", "message", "ref"),
    [
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: [\n", 3, "stdin is no valid YAML.", None),
        (f"{CONFIG % 'x'}---\napiVersion: v1\nkind: [", 7, "stdin is no valid YAML.", None),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}", 1, "ConfigMap cannot be used: metadata.name must be set.", None),
        ("apiVersion: v1\nkind: ConfigMap", 1, "ConfigMap cannot be used: metadata.name must be set.", None),
        (
            "\n\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{}]}",
            3,
            "Service s cannot be used: spec.ports.port must be a number.",
            ObjectRef("Service", "default", "s"),
        ),
        (
            PIPELINE.replace("emitters", "emitter"),
            1,
            "AuditPipeline p cannot be used: spec.emitters must name at least one emitter.",
            ObjectRef("AuditPipeline", "audit", "p"),
        ),
    ],
)
def test_what_looks_like_kubernetes_and_cannot_be_used_is_a_problem(
    text: str, line: int, message: str, ref: ObjectRef | None
) -> None:
    (problem,) = read_stream(text).problems
    assert (problem.message, problem.origin, problem.object) == (message, Origin("stdin", line), ref)


def test_one_bad_document_hides_no_other() -> None:
    manifests = read_stream(f"{CONFIG % 'x'}---\napiVersion: v1\nkind: [\n---\n{CONFIG % 'y'}")
    assert set(refs(manifests)) == {"ConfigMap/default/x", "ConfigMap/default/y"}
    assert len(manifests.problems) == 1


def test_counts() -> None:
    manifests = read_stream(f"{CONFIG % 'x'}---\nvalues: 1\n---\n{{{{ template }}}}: [\n---\n{PIPELINE}")
    assert (manifests.files, manifests.objects, manifests.skipped, len(manifests.pipelines)) == (1, 2, 2, 1)


def test_folders_are_read_in_name_order_and_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.YML").write_text(CONFIG % "two")
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + (CONFIG % "one").encode())
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "notes.txt").write_text(CONFIG % "not")
    (tmp_path / "d.yaml").write_bytes(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \xff\x00}\n")
    manifests = read_manifests([tmp_path])
    assert list(refs(manifests)) == ["ConfigMap/default/one", "ConfigMap/default/two"]
    assert (manifests.files, manifests.skipped, [problem.message for problem in manifests.problems]) == (
        4,
        1,
        [f"{tmp_path / 'd.yaml'} is no valid YAML."],
    )
    with pytest.raises(FileNotFoundError):
        read_manifests([tmp_path / "gone.yaml"])


def test_a_known_namespace_is_that_of_objects_that_write_none(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: store}\nspec: {ports: [{port: 80}]}\n")
    (found,) = read_manifests([tmp_path], home="audit").world.services
    assert found.ref.namespace == "audit"
