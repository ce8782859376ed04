"""The cost model of many workers finds what it was generated from."""

import json

import pytest

N_BYTES = 92e6


@pytest.fixture
def scale(load):
    return load("scale")


def results_of(scale, training, link):
    """The results of a benchmark on a machine that the model describes."""
    sizes = (384, 768, 1536)
    runs = []
    for ranks, size in [*((1, size) for size in sizes), (2, 768)]:
        words = size * 0.6
        sized = scale.Training(
            training.fixed, training.speed, training.n_bytes, words, link
        )
        seconds = sized.step(ranks)
        runs.append(
            {
                "ranks": ranks,
                "batch_pieces": size,
                "words_per_step": words,
                "seconds_per_step": seconds,
                "words_per_second": words / seconds,
            }
        )
    exchanges = [
        {"bytes": n, "seconds": link.exchange(2, n)} for n in (2**16, 2**20, 2**25)
    ]
    return {
        "runs": runs,
        "exchanges": exchanges,
        "batch_pieces": 768,
        "gradient_bytes": training.n_bytes,
        "bytes_per_word": 5.5,
    }


@pytest.fixture
def link(scale):
    return scale.Link(latency=1e-4, bandwidth=1e9)


@pytest.fixture
def training(scale, link):
    return scale.Training(0.05, 450.0, N_BYTES, 768 * 0.6, link)


def test_two_ranks_exchange_two_halves(scale, link):
    assert link.exchange(1, N_BYTES) == 0
    assert link.exchange(2, N_BYTES) == pytest.approx(2 * 1e-4 + N_BYTES / 1e9)
    # In a ring, many workers need hardly more than twice the time for the bytes.
    many = scale.Link(0.0, 1e9).exchange(64, N_BYTES)
    assert many == pytest.approx(2 * N_BYTES / 1e9, rel=0.02)


def test_the_fit_recovers_the_costs(scale, training, link):
    results = results_of(scale, training, link)
    found = scale.fit_link(results["exchanges"])
    assert found.latency == pytest.approx(link.latency)
    assert found.bandwidth == pytest.approx(link.bandwidth)
    fitted = scale.fit_training(results, found)
    assert fitted.fixed == pytest.approx(training.fixed)
    assert fitted.speed == pytest.approx(training.speed)
    checked = scale.check(results, fitted)
    assert checked["predicted"] == pytest.approx(checked["measured"])
    assert 1.5 < checked["measured"] < 2


def test_larger_batches_use_more_workers(scale, training):
    same = training.words_per_second(64) / training.words_per_second(1)
    grown = training.grown(64).words_per_second(64) / training.words_per_second(1)
    assert same < 10 < 50 < grown < 64


def test_annotation_scales_until_the_storage_is_the_limit(scale):
    free = scale.Annotation(1000.0, 10.0, 5.0, float("inf"))
    assert free.seconds(8, 5e9) == 10 + 1e9 / 8000
    bounded = scale.Annotation(1000.0, 10.0, 5.0, 20_000.0)
    assert bounded.words_per_second(2) == 2000
    assert bounded.words_per_second(8) == 4000


def test_the_cost_of_annotation_is_that_of_one_worker(scale):
    measured = {"words_per_second": {"1": [8000.0]}, "start_seconds": 10.0}
    found = scale.fit_annotation({"throughput": measured}, 5.5, 1e9)
    assert (found.start, found.speed) == (10.0, 8000.0)


def test_prints_and_writes_predictions(scale, training, link, tmp_path, capsys):
    measured, annotation = tmp_path / "train.json", tmp_path / "annotate.json"
    measured.write_text(json.dumps(results_of(scale, training, link)))
    throughput = {"words_per_second": {"1": [8000.0]}, "start_seconds": 10.0}
    annotation.write_text(
        json.dumps({"throughput": throughput, "settings": {"model": "cnn"}})
    )
    output = tmp_path / "scale.json"
    options = ["--gbit", "10", "--workers", "8", "64", "--output", output]
    scale.main([str(part) for part in (measured, "--annotation", annotation, *options)])
    shown = capsys.readouterr().out
    assert "| 64 |" in shown and "Annotation, cnn" in shown
    found = json.loads(output.read_text())
    assert found["fitted"]["speed"] == pytest.approx(450)
    (eight, many) = found["annotation, cnn"]
    assert eight["words_per_second"] == 64_000
    assert eight["worker_hours"] == pytest.approx(many["worker_hours"], rel=0.001)
    assert eight["days"] == pytest.approx(1e12 / 5.5 / 64_000 / 86_400, rel=0.001)
    (_, ranks) = found["training"]
    assert ranks["epoch_days"] > 0 and ranks["share_of_exchange"] > 0.5
