"""A finding points at the line of its field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.api.findings import ObjectRef
from auditpipeline.views.locate import line_of
from auditpipeline.views.manifests import position, read_stream

TEXT = """\
apiVersion: apps/v1          # 0
kind: Deployment
metadata: {name: gateway}    # 2
spec:
  template:
    spec:                    # 5
      containers:
      - image: gateway:1
        name: gateway        # 8
        args:
        - --config=/etc/x    # 10
        - --verbose
        env: [{name: A, value: b}, {name: KUBECONFIG, value: c}]
      - name: proxy          # 13
        ports:
        - containerPort: 8080
          name: http         # 16
  selector: {matchLabels: {app.kubernetes.io/name: gateway}}
"""
DEPLOYMENT = ObjectRef("Deployment", "default", "gateway")

CONFIG = """\
kind: ConfigMap
metadata: {name: config}
data:
  plain: http://x            # 3
  config.yaml: |
    server:
      port: 1                # 6
    datastorage:
      url: http://x          # 8
  folded: >-
    a: 1
"""
CONFIG_MAP = ObjectRef("ConfigMap", "default", "config")


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("", 0),
        ("metadata.name", 2),
        ("spec.template.spec", 5),
        ("spec.template.spec.containers[gateway]", 7),
        ("spec.template.spec.containers[gateway].args[0]", 10),
        ("spec.template.spec.containers[gateway].env[KUBECONFIG].value", 12),
        ("spec.template.spec.containers[proxy]", 13),
        ("spec.template.spec.containers[proxy].ports[8080].name", 16),
        ("spec.selector.matchLabels.app.kubernetes.io/name", 17),
        # What is not there is shown where it would stand.
        ("spec.template.spec.serviceAccountName", 5),
        ("spec.template.spec.containers[absent].env[X]", 6),
        ("spec.replicas", 3),
        ("status", 0),
    ],
)
def test_line_of_a_field(field: str, line: int) -> None:
    assert line_of(TEXT, DEPLOYMENT, field) == line


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("data[plain]", 3),
        ("data[config.yaml]", 4),
        ("data[config.yaml].datastorage.url", 8),
        ("data[config.yaml].datastorage.absent", 7),
        ("data[absent]", 2),
    ],
)
def test_line_inside_a_configuration_file(field: str, line: int) -> None:
    assert line_of(CONFIG, CONFIG_MAP, field) == line


def test_the_member_of_a_list_is_found_by_its_name() -> None:
    text = "kind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: other}\n- kind: ConfigMap\n  metadata: {name: config}\n  data: {a: b}\n"
    assert line_of(text, CONFIG_MAP, "data[a]") == 6


def test_comments_above_an_object_are_no_part_of_it() -> None:
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s}\n"
    text = "# one\n# two\n" + account % "gateway" + "---\n\n# three\n" + account % "other"
    manifests = read_stream(text, "file.yaml")
    assert position(manifests, ObjectRef("ServiceAccount", "default", "gateway"), "") == ("file.yaml", 3)
    assert position(manifests, ObjectRef("ServiceAccount", "default", "other"), "") == ("file.yaml", 9)
    assert position(manifests, ObjectRef("ServiceAccount", "default", "absent"), "") is None


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_and_field_give_a_line_of_the_text(text: str, field: str) -> None:
    assert 0 <= line_of(text, DEPLOYMENT, field) <= max(len(text.splitlines()), 1)
