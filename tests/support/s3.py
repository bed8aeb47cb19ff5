"""An S3 server on this machine: moto's, one for a session, with a bucket for each test that asks."""

import logging
import uuid
from collections.abc import Iterator

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from pipeline.engine import objects

SECRET = "not-to-be-seen"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Its address; the environment leads there for the rest of the session."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in client(address).items():
            environment.setenv(name, value)
        yield address
    server.stop()


def client(address: str) -> dict[str, str]:
    """What leads an S3 client there."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.fixture(scope="session")
def new_bucket(s3_server):
    """Make a bucket; returns the URL of a lake in it."""

    def make() -> str:
        name = f"lake-{uuid.uuid4().hex[:8]}"
        objects.objects("s3://").store.mkdir(name)
        return f"s3://{name}/grid"

    return make


@pytest.fixture
def bucket(new_bucket) -> str:
    """The URL of an empty lake in a bucket of its own."""
    return new_bucket()


@pytest.fixture
def elsewhere(s3_server, monkeypatch):
    """Let the clients that are opened from now on see other variables: ``elsewhere(AWS_ENDPOINT_URL=...)``."""

    def forget() -> None:
        objects._opened.cache_clear()
        fsspec.get_filesystem_class("s3").clear_instance_cache()

    def change(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget()

    yield change
    monkeypatch.undo()
    forget()
