"""docs/examples/helm-values.yaml: for Airflow's official chart, by its schema where that is at hand."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.resources import ROOT
from pipeline.settings import Settings

FILE = ROOT / "docs" / "examples" / "helm-values.yaml"
CHART = os.environ.get("AIRFLOW_CHART")


@pytest.fixture(scope="module")
def values() -> dict:
    return yaml.safe_load(FILE.read_text())


@pytest.mark.skipif(not CHART, reason="AIRFLOW_CHART does not name the folder of Airflow's chart (helm pull --untar)")
def test_it_keeps_to_the_chart_s_schema():
    schema = ["-m", "check_jsonschema", "--schemafile", str(Path(CHART or "") / "values.schema.json"), str(FILE)]
    done = subprocess.run([sys.executable, *schema], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_for_this_version_and_the_airflow_that_is_locked(values):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert values["defaultAirflowTag"] == project["version"]
    assert values["airflowVersion"] == locked


def parts(values: dict) -> dict[str, dict]:
    """What becomes a container of its own, by name."""
    named = ("apiServer", "migrateDatabaseJob", "scheduler", "dagProcessor", "triggerer", "statsd")
    return {name: values[name] for name in named} | {"tasks": values["workers"]["kubernetes"]}


def test_every_part_has_requests_and_limits(values):
    for name, part in parts(values).items():
        for container in (part, part.get("logGroomerSidecar", part)):
            assert {key: set(value) for key, value in container["resources"].items()} == {
                "requests": {"cpu", "memory"},
                "limits": {"cpu", "memory"},
            }, name


def test_the_engine_s_memory_leaves_room_in_a_task_s_pod(values):
    limit = values["workers"]["kubernetes"]["resources"]["limits"]["memory"]
    assert int(Settings.model_fields["memory_limit"].default.removesuffix("MB")) < int(limit.removesuffix("Gi")) * 1000


def test_what_is_mounted_is_a_volume_and_secrets_are_where_they_are_looked_for(values):
    for name, part in parts(values).items():
        volumes = {volume["name"]: volume for volume in part.get("extraVolumes", ())}
        mounts = {mount["name"]: mount for mount in part.get("extraVolumeMounts", ())}
        assert mounts.keys() == volumes.keys(), name
        environment = {one["name"]: one["value"] for one in part.get("env", ())}
        if "gridgrade" in mounts:
            assert environment["GRIDGRADE_SECRETS"] == mounts["gridgrade"]["mountPath"]
            assert mounts["gridgrade"]["readOnly"] is True
        writes = "state" in mounts and not mounts["state"].get("readOnly")
        assert writes == (name == "tasks"), name


def test_only_tasks_know_the_billing_system_and_no_secret_stands_in_the_file(values):
    known = {
        name: {item["key"] for item in volume["secret"].get("items", ())} or "all"
        for name, part in parts(values).items()
        for volume in part.get("extraVolumes", ())
        if "secret" in volume
    }
    warehouse = {"gridgrade_warehouse_url"}
    assert known == {"tasks": "all", "apiServer": warehouse, "migrateDatabaseJob": warehouse}
    assert not re.search(r"://[^/\s]*@|[Pp]assword\s*:|fernetKey:|jwtSecret:|apiSecretKey:", FILE.read_text())


def test_containers_are_confined(values):
    pod, containers = values["securityContexts"]["pod"], values["securityContexts"]["containers"]
    assert (pod["runAsNonRoot"], pod["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert containers == confined
    tasks = values["workers"]["kubernetes"]
    assert tasks["securityContexts"]["container"] == confined | {"readOnlyRootFilesystem": True}
    assert tasks["serviceAccount"]["automountServiceAccountToken"] is False


def test_with_the_lake_in_an_object_store_no_pod_shares_a_disk(values):
    beside = yaml.safe_load(FILE.with_name("helm-values-object-store.yaml").read_text())
    own = {"tasks": beside["workers"]["kubernetes"], "apiServer": beside["apiServer"]}
    for name, part in own.items():
        volumes = {volume["name"]: volume for volume in part["extraVolumes"]}
        assert volumes.keys() == {mount["name"] for mount in part["extraVolumeMounts"]}, name
        assert all("emptyDir" in volume or "secret" in volume for volume in volumes.values()), name
        environment = {one["name"]: one["value"] for one in part["env"]}
        before = {one["name"]: one["value"] for one in parts(values)[name]["env"]}
        assert before.keys() <= environment.keys(), name
        assert Settings(lake=environment["GRIDGRADE_LAKE"]).lake_path == environment["GRIDGRADE_LAKE"]
        assert not any("KEY" in key or "SECRET_" in key for key in environment)
