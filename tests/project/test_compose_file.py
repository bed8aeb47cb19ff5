"""docker-compose.yaml and the image it builds: by the schema, and by the CIS Docker Benchmark."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.resources import ROOT
from tests.support.compose import FILE, VARIABLE, make_secrets

AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "worker", "init"}
ONCE = {"init", "databases"}  # end when they are done
SERVERS = {"metadata", "warehouse", "redis"}
OPTIONAL = {"spark-master": "spark", "spark-worker": "spark", "store": "store"}  # by profile


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(FILE.read_text())


@pytest.fixture
def secrets_folder(tmp_path) -> Path:
    return make_secrets(tmp_path)


def test_it_keeps_to_the_compose_schema():
    schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run([sys.executable, *schema], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_services_are_those_of_a_celery_airflow(compose):
    assert set(compose["services"]) == AIRFLOW | ONCE | SERVERS | OPTIONAL.keys()


def test_spark_and_the_store_start_where_their_profile_is_asked_for(compose):
    profiles = {name: service["profiles"] for name, service in compose["services"].items() if "profiles" in service}
    assert profiles == {name: [profile] for name, profile in OPTIONAL.items()}
    needed = {other for service in compose["services"].values() for other in service.get("depends_on", ())}
    assert needed & OPTIONAL.keys() == {"spark-master"}


def test_every_port_is_open_to_this_machine_only(compose):
    ports = {port for service in compose["services"].values() for port in service.get("ports", ())}
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_has_a_health_check_or_ends(compose):
    for name, service in compose["services"].items():
        if name in ONCE:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name


def test_services_start_in_order(compose):
    services = compose["services"]
    done, healthy = {"condition": "service_completed_successfully"}, {"condition": "service_healthy"}
    for name in AIRFLOW - ONCE:
        assert services[name]["depends_on"]["init"] == done, name
    assert services["init"]["depends_on"] == {"databases": done}
    assert services["databases"]["depends_on"] == {"metadata": healthy, "warehouse": healthy}


# What follows is of the CIS Docker Benchmark: images, container runtime.


def test_every_service_is_confined(compose):
    """User, capabilities, privileges, root file system, memory, CPU, processes; and its log is rotated."""
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["user"].split(":")[0] not in ("", "0", "root"), name
        assert all(service[limit] for limit in ("mem_limit", "cpus", "pids_limit")), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_no_service_is_given_anything_of_the_host_s(compose):
    """No namespace, no device, no capability, no socket of Docker's."""
    forbidden = {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"}
    for name, service in compose["services"].items():
        assert not forbidden & service.keys(), name
        assert "docker.sock" not in str(service.get("volumes")), name


def test_an_image_from_elsewhere_is_named_by_its_digest(compose):
    """The one that ours is built from too."""
    images = {service["image"] for service in compose["services"].values() if "build" not in service}
    assert images
    for image in images:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image
    build = compose["services"]["worker"]["build"]["dockerfile_inline"]
    assert re.findall(r"^FROM \S+?(?=:\?)", build, re.MULTILINE)[0].endswith("@${AIRFLOW_IMAGE_DIGEST")


def test_a_service_joins_the_networks_it_needs(compose):
    """What holds data is alone in a network without a way out; only what the world reaches or calls has one."""
    members = {
        network: {name for name, service in compose["services"].items() if network in service["networks"]}
        for network in compose["networks"]
    }
    readers = {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert members == {
        "metadata": {"metadata", "databases", "init"} | readers,
        "warehouse": {"warehouse", "databases", "init", "api-server", "worker"},
        "broker": {"redis", "scheduler", "worker"},
        "tasks": {"api-server", "worker"},
        "spark": {"spark-master", "spark-worker", "worker"},
        "store": {"store", "api-server", "worker"},
        "outside": {"api-server", "worker"},
    }
    assert {name for name, network in compose["networks"].items() if not network.get("internal")} == {"outside"}


def test_a_secret_is_a_file_and_goes_to_those_who_need_it(compose):
    assert all(secret == {"file": f"./secrets/{name}"} for name, secret in compose["secrets"].items())
    holders = {
        secret: {name for name, service in compose["services"].items() if secret in service.get("secrets", ())}
        for secret in compose["secrets"]
    }
    readers = {"api-server", "scheduler", "dag-processor", "triggerer", "init"}
    assert holders == {
        "airflow_admin_password": {"init"},
        "airflow_broker_url": {"redis", "scheduler", "worker"},
        "airflow_database_url": {"databases"} | readers,
        "airflow_fernet_key": readers,
        "airflow_session_key": {"api-server", "triggerer", "worker"},
        "airflow_token_key": {"api-server", "scheduler"},
        "aws_credentials": {"api-server", "store", "worker"},
        "gridgrade_source_url": {"worker"},
        "gridgrade_warehouse_url": {"api-server", "databases", "init", "worker"},
        "postgres_password": {"databases", "metadata", "warehouse"},
        "report_reader_password": {"databases"},
    }


def test_a_service_reads_no_secret_that_it_is_not_given_and_none_from_a_variable(compose):
    for name, service in compose["services"].items():
        text = str([service.get(key) for key in ("environment", "entrypoint", "command", "healthcheck")])
        named = set(re.findall(r"/run/secrets/(\w+)", text)) | set(re.findall(r"(?:secret|password_of) (\w+)", text))
        given = set(service.get("secrets", ()))
        ours = {secret for secret in given if secret.startswith("gridgrade_")}
        assert named - ours == given - ours, name
        assert not ours or name == "databases" or "GRIDGRADE_SECRETS" in service["environment"], name
        for key, value in service.get("environment", {}).items():
            assert not re.search(r"[@$]", value or ""), key


def test_make_secrets_makes_what_is_missing_and_keeps_what_is_there(compose, secrets_folder, tmp_path):
    files = {path.name: path for path in secrets_folder.iterdir()}
    assert files.keys() == compose["secrets"].keys() - {"gridgrade_source_url"}
    assert secrets_folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o444}
    assert len({path.read_text() for path in files.values()}) == len(files)
    before = {name: path.read_text() for name, path in files.items()}
    files["airflow_fernet_key"].unlink()
    make_secrets(secrets_folder.parent)
    after = {path.name: path.read_text() for path in secrets_folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"airflow_fernet_key"}


def test_every_dollar_is_compose_s_or_escaped():
    """Compose refuses the whole file for one that is followed by neither a name nor a dollar, as in $(command)."""
    assert not re.findall(r"\$(?!\$|\{\w|[A-Za-z_])", FILE.read_text().replace("$$", ""))


def test_every_variable_is_asked_for_and_explained():
    """No default, so that a missing one stops ``docker compose up``; and .env.example names each, and no value."""
    used = VARIABLE.findall(FILE.read_text())
    assert all(refusal for _, refusal in used)
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"]
    assert sorted(lines) == sorted({f"{name}=" for name, _ in used})


def test_what_may_be_set_in_env_is_explained_there(compose):
    """Compose takes a name without a value from .env, and leaves it out where it is not there."""
    services = compose["services"].values()
    given = [service.get("environment", {}) for service in services]
    given += [service["build"]["args"] for service in services if "build" in service]
    optional = {name for values in given for name, value in values.items() if value is None}
    assert {"GRIDGRADE_EXTRA", "GRIDGRADE_ENGINE", "GRIDGRADE_SPARK", "GRIDGRADE_LAKE"} < optional
    explained = re.findall(r"^# ?(\w+)=\S", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert optional | {"COMPOSE_PROFILES"} == set(explained)


def test_of_the_host_s_files_only_the_utility_s_own_folder_and_one_of_ours_are_mounted_read_only(compose):
    mounts = {mount for service in compose["services"].values() for mount in service.get("volumes", ())}
    own, ours = sorted(mount for mount in mounts if mount.split(":")[0] not in compose["volumes"])
    assert own.startswith("${GRIDGRADE_PROJECT:?")
    assert own.endswith(":/srv/gridgrade:ro")
    path, _, mode = ours.split(":")
    assert (ROOT / path).is_file()
    assert mode == "ro"


def test_the_image_holds_the_wheel_of_this_version(compose):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheel = f"gridgrade-{project['version']}-py3-none-any.whl"
    image = compose["services"]["worker"]["build"]["dockerfile_inline"]
    assert {service["image"] for service in compose["services"].values() if "build" in service} == {
        compose["services"]["worker"]["image"]
    }
    assert f"COPY dist/{wheel} " in image
    assert f"--no-deps {wheel}" in image
    assert compose["services"]["worker"]["image"] == f"gridgrade:{project['version']}"


def test_the_image_is_of_the_airflow_that_is_locked(compose):
    locked = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert f"FROM apache/airflow:slim-{locked}-python3" in compose["services"]["worker"]["build"]["dockerfile_inline"]
