"""The simulation of many workers: its limits have closed forms."""

from math import expm1, sqrt

import numpy as np
import pytest


@pytest.fixture
def simulate(load):
    return load("simulate")


def mean_seconds(simulate, cluster, runs=400, **settings):
    generator = np.random.default_rng(0)
    times = [
        simulate.train(cluster, generator=generator, **settings) for _ in range(runs)
    ]
    return np.mean(times), np.std(times) / sqrt(runs)


def test_without_failures_only_checkpoints_are_added(simulate):
    cluster = simulate.Cluster(8, checkpoint=3.0, restart=60.0)
    generator = np.random.default_rng(0)
    seconds = simulate.train(cluster, 1005, 2.0, 100, generator, exchange=0.5)
    assert seconds == pytest.approx(1005 * 2.5 + 11 * 3.0)
    assert simulate.expected(cluster, 2000.0, 200.0) == 2000.0 + 10 * 3.0


@pytest.mark.parametrize("interval", [100, 500, 2000])
def test_failures_cost_what_daly_expects(simulate, interval):
    cluster = simulate.Cluster(64, mtbf=64 * 3000.0, checkpoint=10.0, restart=120.0)
    settings = {"steps": 10_000, "step_seconds": 1.0, "every": interval}
    mean, error = mean_seconds(simulate, cluster, **settings)
    expected = simulate.expected(cluster, 10_000.0, interval)
    assert expected > 10_000 * 1.05
    assert abs(mean - expected) < 3 * error


def test_the_best_interval_is_that_of_young_and_daly(simulate):
    cluster = simulate.Cluster(64, mtbf=64 * 20_000.0, checkpoint=10.0, restart=60.0)
    grid = np.geomspace(100, 5000, 200)
    # Intervals that divide the work without a rest.
    cost = [simulate.expected(cluster, each * 100, each) / each for each in grid]
    best = grid[int(np.argmin(cost))]
    assert simulate.young(cluster) == pytest.approx(sqrt(2 * 10 * 20_000))
    assert simulate.daly(cluster) == pytest.approx(best, rel=0.02)
    assert simulate.young(cluster) == pytest.approx(best, rel=0.05)


def test_a_step_waits_for_the_slowest_worker(simulate):
    cluster = simulate.Cluster(64, slow_share=0.01, slow_factor=3.0)
    steps = simulate.step_durations(cluster, 20_000, np.random.default_rng(0))
    assert steps.mean() == pytest.approx(1 + 2 * (1 - 0.99**64), rel=0.01)
    alike = simulate.Cluster(64, spread=0.1)
    steps = simulate.step_durations(alike, 20_000, np.random.default_rng(0))
    # The expected maximum of 64 normal numbers is 2.36 standard deviations.
    assert np.log(steps).mean() == pytest.approx(0.236, abs=0.01)
    one = simulate.Cluster(1, spread=0.3)
    steps = simulate.step_durations(one, 50_000, np.random.default_rng(0))
    assert steps.mean() == pytest.approx(1, abs=0.01)
    assert steps.std() == pytest.approx(0.3, abs=0.01)


def test_annotation_without_failures_is_rounds_of_blocks(simulate):
    cluster = simulate.Cluster(8, restart=30.0)
    seconds = simulate.annotate(cluster, 81, 60.0, np.random.default_rng(0))
    assert seconds == 30 + 11 * 60


def test_annotation_with_failures_repeats_blocks_of_failed_workers(simulate):
    cluster = simulate.Cluster(8, mtbf=600.0, restart=50.0)
    seconds = simulate.annotate(cluster, 40_000, 120.0, np.random.default_rng(0))
    expected = (600 + 50) * expm1(120 / 600) * 40_000 / 8
    assert seconds == pytest.approx(expected, rel=0.02)


def test_the_same_seed_prints_the_same_tables(simulate, capsys):
    options = ["--runs=2", "--hours=0.5", "--workers=8", "--blocks", "60"]
    options += ["--mtbf-hours", "1", "24"]
    tables = []
    for seed in ("1", "1", "2"):
        simulate.main([*options, "--seed", seed])
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1] != tables[2]
    assert tables[0].count("| 24 h |") == 2
    assert "Young, s" in tables[0]
