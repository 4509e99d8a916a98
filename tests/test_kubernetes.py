"""The manifest for Kubernetes: by the schemas of Kubernetes, and by what the daemon needs."""
import subprocess

import kubernetes_validate
import pytest
import yaml

from conftest import PROGRAM, ROOT

MANIFEST = ROOT / "packaging/kubernetes/daemonset.yaml"
UNIT = ROOT / "tools/modelwatch.service"
# The first that has `appArmorProfile`, and the last that is known.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
# What a unit can say, and a pod has to leave to the daemon.
OF_A_POD = {"SYS_RESOURCE", "SYS_NICE"}


@pytest.fixture(scope="module")
def documents():
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def pod(documents):
    return next(document for document in documents if document["kind"] == "DaemonSet")["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_as_kubernetes_wants_it(version, documents):
    assert [document["kind"] for document in documents] == ["Namespace", "ServiceAccount", "ConfigMap", "DaemonSet"]
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_word_that_is_wrong_is_found(documents):
    wrong = dict(documents[-1], spec=dict(documents[-1]["spec"], templat={}))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_its_rights_are_those_of_the_unit(documents):
    container, = pod(documents)["containers"]
    context = container["securityContext"]
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("CapabilityBoundingSet="))
    of_unit = {word.removeprefix("CAP_") for word in line.split("=")[1].split()}
    assert set(context["capabilities"]["add"]) == of_unit | OF_A_POD and context["capabilities"]["drop"] == ["ALL"]
    assert not context["privileged"] and context["readOnlyRootFilesystem"] and pod(documents)["hostPID"]


def test_its_configuration_is_good(documents, tmp_path):
    config = tmp_path / "modelwatch.yaml"
    config.write_text(next(document for document in documents if document["kind"] == "ConfigMap")["data"]["modelwatch.yaml"])
    done = subprocess.run([PROGRAM, "daemon", "--validate", f"--config={config}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_volumes_are_all_mounted(documents):
    container, = pod(documents)["containers"]
    assert {volume["name"] for volume in pod(documents)["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
