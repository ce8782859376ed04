"""Ray is started and joined, or the reason why not is one sentence."""

import os
import socket
import sys

import pytest

from spacy_ner_ext.tools.cluster import Workers, ray_started, read_workers
from spacy_ner_ext.util.errors import UserError


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


def problem(**settings):
    with pytest.raises(UserError) as caught, ray_started(**settings):
        pytest.fail("Ray was started")
    return str(caught.value)


def test_numbers_of_workers():
    assert read_workers("2") == Workers(2, 2)
    assert read_workers("2:8") == Workers(2, 8)


@pytest.mark.parametrize("value", ["", "0", "-1", "8:2", "two", "2:", "2:3:4", "1.5"])
def test_other_numbers_of_workers_are_refused(value):
    with pytest.raises(UserError, match=r"--workers .* such as 2:8"):
        read_workers(value)


def test_ray_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert 'pip install "spacy-ner-ext[ray]"' in problem()


def test_a_cluster_that_does_not_answer():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        text = problem(address=address)
    assert f"--ray-address {address} does not answer" in text
    assert "ray start --head" in text


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:port", ":1"])
def test_an_address_is_a_host_and_a_port(address):
    assert "give HOST:PORT" in problem(address=address)


def test_an_address_that_is_not_of_this_machine():
    assert "--ray-node-ip 192.0.2.77 is not an address of this machine" in problem(
        node_ip="192.0.2.77"
    )


def name_of(variable):
    return os.environ.get(variable)


def test_ray_is_started_on_this_machine(monkeypatch):
    """With as many CPUs as there are workers, and the settings that they share."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with ray_started(node_ip="127.0.0.1", cpus=3) as ray:
        assert ray.cluster_resources()["CPU"] >= 3
        remote = ray.remote(name_of)
        shared = [
            remote.remote(n) for n in ("HF_HUB_OFFLINE", "RAY_USAGE_STATS_ENABLED")
        ]
        assert ray.get(shared, timeout=60) == ["1", "0"]
    assert not ray.is_initialized()
