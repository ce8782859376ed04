"""The norm of all gradients: how it is measured, clipped, and when it is a spike."""

import gc
import math

import numpy
import pytest
from spacy.pipeline import TrainablePipe

from spacy_ner_ext.encoder.torch_shim import GradientScaler
from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.training.parameters import announced_optimizer
from spacy_ner_ext.training.spikes import Spikes
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.encoders import encoder_folder, warnings_of_spacy
from tests.helpers.pipelines import TOK2VEC, crf, step
from tests.helpers.weights import (
    LSTM,
    apply,
    gradients_of,
    nodes,
    normals,
    set_gradients,
    start,
    transformer,
    values_of,
)


def pipes(*names):
    """Components with weights of thinc, of torch by thinc, and of an encoder."""
    makers = {
        "cnn": lambda: TOK2VEC,
        "lstm": lambda: LSTM,
        "encoder": lambda: transformer(encoder_folder("bert")),
    }
    return {name: {"factory": "crf_ner", **crf(makers[name]())} for name in names}


ORDERS = [("cnn", "lstm", "encoder"), ("encoder", "cnn", "lstm"), ("lstm", "encoder")]


def bound(nlp, **settings):
    settings = {"weight_decay": 0.0, "grad_clip": 0.0, "learn_rate": 0.01, **settings}
    optimizer = make_adam(**settings)
    optimizer.bind(nlp)
    return optimizer


def norm_of(gradients):
    squares = [(g.astype("float64") ** 2).sum() for g in gradients.values()]
    return float(numpy.sqrt(sum(squares)))


def means_of(optimizer):
    """What Adam made of the gradients of a first step, a tenth of each, by key."""
    return {key: tensor.numpy() for key, tensor in optimizer.mom1.items()}


def encoder_of(nlp):
    shims = [shim for node in nodes(nlp) for shim in node.shims]
    return next(shim for shim in shims if hasattr(shim, "scaler"))


# --- The norm -----------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("max_norm", [0.0, 3.0, 1e6])
def test_all_gradients_are_clipped_together(order, max_norm):
    nlp, _ = start(pipes(*order))
    set_gradients(nlp, normals())
    norm = norm_of(gradients_of(nlp))
    optimizer = bound(nlp, grad_max_norm=max_norm)
    apply(nlp, optimizer)
    assert optimizer.gradients.norm == pytest.approx(norm, rel=1e-5)
    expected = min(norm, max_norm or norm)
    found = norm_of(means_of(optimizer)) / 0.1
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_an_encoder_whose_gradients_are_scaled_counts_as_without(order):
    nlp, _ = start(pipes(*order))
    set_gradients(nlp, normals())
    norm = norm_of(gradients_of(nlp))
    shim = encoder_of(nlp)
    shim.scaler = GradientScaler(enabled=True, scale=1024.0)
    for weight in shim.model.parameters():
        weight.grad *= 1024
    optimizer = bound(nlp, grad_max_norm=2.0)
    apply(nlp, optimizer)
    assert optimizer.gradients.norm == pytest.approx(norm, rel=1e-5)
    assert norm_of(means_of(optimizer)) == pytest.approx(0.2, rel=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_what_a_gradient_scaler_skips_does_not_count(order):
    nlp, _ = start(pipes(*order))
    set_gradients(nlp, normals())
    gradients, before = gradients_of(nlp), values_of(nlp)
    shim = encoder_of(nlp)
    shim.scaler = GradientScaler(enabled=True)
    next(shim.model.parameters()).grad.fill_(math.inf)
    optimizer = bound(nlp, grad_max_norm=2.0, spikes="skip")
    apply(nlp, optimizer)
    others = {p: g for p, g in gradients.items() if ".transformer." not in p}
    assert optimizer.gradients.norm == pytest.approx(norm_of(others), rel=1e-5)
    assert optimizer.gradients.take()[2] == 0
    for path, value in values_of(nlp).items():
        changed = not numpy.array_equal(value, before[path])
        assert changed == (path in others), path


def test_the_norm_of_an_encoder_is_clipped_after_that_of_all():
    nlp, _ = start(pipes("cnn", "encoder"))
    set_gradients(nlp, normals())
    shim = encoder_of(nlp)
    optimizer = bound(nlp, grad_max_norm=10.0, grad_clip=4.0)
    apply(nlp, optimizer)
    means = {k: m for k, m in means_of(optimizer).items() if k[0] == shim.id}
    assert norm_of(means) == pytest.approx(0.4, rel=1e-5)


@pytest.mark.parametrize("schedules", [True, False])
def test_each_step_is_measured_once(schedules):
    nlp, _ = start(pipes("cnn", "encoder"))
    optimizer = bound(nlp)
    norms = []
    for scale in (1.0, 3.0, 2.0):
        set_gradients(nlp, normals(scale))
        norms.append(norm_of(gradients_of(nlp)))
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        if schedules:
            optimizer.step_schedules()
        assert optimizer.gradients.norm == pytest.approx(norms[-1], rel=1e-5)
    mean, highest, n_spikes = optimizer.gradients.take()
    assert (mean, highest) == pytest.approx((sum(norms) / 3, norms[1]), rel=1e-5)
    assert n_spikes == 0
    assert optimizer.gradients.take() == (0.0, 0.0, 0)


def test_the_optimizer_is_announced_while_it_lives():
    nlp, examples = start(pipes("cnn"))
    one, other = bound(nlp), bound(nlp)
    for optimizer in (one, other, one):
        step(nlp, examples, optimizer)
        assert announced_optimizer() is optimizer
    del one, optimizer
    gc.collect()
    assert announced_optimizer() is None


# --- Spikes -------------------------------------------------------------------


def expected_moments(norms, window):
    weights = (1 - 2 / (window + 1)) ** numpy.arange(len(norms))[::-1]
    mean = numpy.average(norms, weights=weights)
    return mean, numpy.average((norms - mean) ** 2, weights=weights)


@pytest.mark.parametrize("window", [2, 4, 50])
def test_mean_and_variance_are_weighted_exponentially(window):
    spikes = Spikes("clip_mean", window, deviations=1e9)
    norms = numpy.random.default_rng(0).lognormal(size=60)
    for n, norm in enumerate(norms, 1):
        assert spikes.limit(norm) == math.inf
        mean, variance = expected_moments(norms[:n], window)
        assert spikes.mean == pytest.approx(mean)
        assert spikes.variance == pytest.approx(variance, abs=1e-12)


@pytest.mark.parametrize("policy", ["none", "clip_mean", "clip_threshold", "skip"])
def test_a_spike_is_limited_and_leaves_the_mean_as_it_is(policy):
    spikes = Spikes(policy, window=5, deviations=2.0)
    norms = numpy.array([1.0, 2.0, 1.5, 1.0, 2.0])
    assert all(spikes.limit(norm) == math.inf for norm in [*norms[:4], norms[4]])
    mean, variance = expected_moments(norms, 5)
    threshold = mean + 2 * math.sqrt(variance)
    assert spikes.limit(threshold * 0.999) == math.inf
    mean, variance = expected_moments(numpy.append(norms, threshold * 0.999), 5)
    threshold = mean + 2 * math.sqrt(variance)
    limits = {"none": math.inf, "clip_mean": mean, "clip_threshold": threshold}
    for _ in range(2):
        limit = spikes.limit(threshold * 1.001)
        assert limit == pytest.approx(limits.get(policy, 0.0))
    assert spikes.n_found == (0 if policy == "none" else 2)


def test_there_are_no_spikes_before_the_window_is_full():
    spikes = Spikes("skip", window=10)
    assert [spikes.limit(1.0) for _ in range(9)] == [math.inf] * 9
    assert spikes.limit(1e6) == math.inf
    assert spikes.limit(math.inf) == 0


def test_after_a_window_of_spikes_statistics_restart():
    spikes = Spikes("skip", window=4)
    limits = [spikes.limit(1.0) for _ in range(4)]
    limits += [spikes.limit(100.0 + n) for n in range(8)]
    assert limits == [math.inf] * 4 + [0.0] * 4 + [math.inf] * 4
    assert spikes.limit(1000.0) == 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("policy", ["none", "clip_mean", "clip_threshold", "skip"])
def test_spikes_of_a_pipeline(policy, order):
    """Gradients of always the same direction: Adam's mean of them shows their norms."""
    nlp, _ = start(pipes(*order))
    optimizer = bound(nlp, spikes=policy, spike_window=3, spike_deviations=2.0)
    norms = []
    for scale in (1.0, 2.0, 1.0):
        set_gradients(nlp, normals(scale))
        norms.append(norm_of(gradients_of(nlp)))
        apply(nlp, optimizer)
    mean, variance = expected_moments(norms, 3)
    before, earlier = norm_of(means_of(optimizer)), values_of(nlp)
    set_gradients(nlp, normals(50.0))
    spike = norm_of(gradients_of(nlp))
    with warnings_of_spacy() as messages:
        apply(nlp, optimizer)
    threshold = mean + 2 * math.sqrt(variance)
    limit = {"clip_mean": mean, "clip_threshold": threshold, "none": spike}.get(policy)
    after = before if limit is None else 0.9 * before + 0.1 * limit
    assert norm_of(means_of(optimizer)) == pytest.approx(after, rel=1e-4)
    assert len(messages) == (policy != "none")
    assert optimizer.gradients.take()[2] == (policy != "none")
    unchanged = [numpy.array_equal(v, earlier[p]) for p, v in values_of(nlp).items()]
    assert all(unchanged) if policy == "skip" else not any(unchanged)


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("policy", ["clip_mean", "clip_threshold", "skip"])
@pytest.mark.parametrize("place", ["cnn", "lstm", "encoder"])
def test_a_step_that_is_not_finite_is_skipped(policy, value, place):
    """Training continues as if the step had not been made."""
    nlp, _ = start(pipes("cnn", "lstm", "encoder"))
    optimizer = bound(nlp, spikes=policy, grad_max_norm=5.0)
    set_gradients(nlp, normals())
    apply(nlp, optimizer)
    before, means = values_of(nlp), norm_of(means_of(optimizer))
    set_gradients(nlp, normals())
    component = nlp.get_pipe(place)
    spoil(component, value)
    apply(nlp, optimizer)
    for path, found in values_of(nlp).items():
        assert numpy.array_equal(found, before[path]), path
    assert norm_of(means_of(optimizer)) == pytest.approx(means)
    assert not any(g.any() for g in gradients_of(nlp).values())
    _, highest, n_spikes = optimizer.gradients.take()
    assert n_spikes == 1 and math.isfinite(highest)
    set_gradients(nlp, normals())
    apply(nlp, optimizer)
    assert all(numpy.isfinite(found).all() for found in values_of(nlp).values())


def spoil(component: TrainablePipe, value: float) -> None:
    for node in component.model.walk():
        for shim in node.shims:
            next(shim._model.parameters()).grad.fill_(value)
            return
    component.model.get_ref("output_layer").get_grad("b")[0] = value


def test_without_a_policy_a_norm_that_is_not_finite_is_counted():
    nlp, _ = start(pipes("cnn"))
    optimizer = bound(nlp)
    set_gradients(nlp, normals())
    spoil(nlp.get_pipe("cnn"), math.nan)
    apply(nlp, optimizer)
    assert math.isnan(optimizer.gradients.norm)
    assert optimizer.gradients.take() == (0.0, 0.0, 1)


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"spikes": "clip"}, "spikes = 'clip' .* clip_mean, clip_threshold, skip"),
        ({"spike_window": 1}, "spike_window = 1 .*at least 2"),
        ({"spike_deviations": 0.0}, "spike_deviations = 0.0 .*more than 0"),
        ({"grad_max_norm": -1.0}, "grad_max_norm = -1.0 .*0 for no limit"),
    ],
)
def test_invalid_settings_are_errors(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        make_adam(**settings)
    assert "\n" not in str(error.value)


# --- One call for all arrays of a component -----------------------------------


def one_by_one(optimizer):
    """The optimizer as thinc calls it, without its methods for many arrays."""
    return lambda key, weights, gradient: optimizer(key, weights, gradient)


@pytest.mark.parametrize("grad_clip", [0.0, 1.0])
def test_arrays_are_updated_together_as_one_by_one(grad_clip):
    found = []
    for wrap in (lambda optimizer: optimizer, one_by_one):
        nlp, _ = start(pipes("cnn"))
        optimizer = bound(nlp, grad_clip=grad_clip, grad_max_norm=5.0, averages=0.9)
        for scale in (1.0, 0.01):
            set_gradients(nlp, normals(scale))
            nlp.get_pipe("cnn").finish_update(wrap(optimizer))
            optimizer.step_schedules()
        found.append([values_of(nlp), gradients_of(nlp), means_of(optimizer)])
    for one, other in zip(*found):
        for values, others in zip(one.values(), other.values()):
            numpy.testing.assert_array_equal(values, others)


def test_gradients_that_came_after_the_norms_are_clipped_too():
    """As in a loop in which each component updates its weights by itself."""
    nlp, _ = start(pipes("cnn", "encoder"))
    optimizer = bound(nlp, grad_clip=1.0)
    gradients = normals(10.0)
    (_, first), *others = nlp.pipeline
    set_gradients(nlp, gradients)
    later = {}
    for name, pipe in others:
        for weight in iter_weights([(name, pipe)]):
            if weight.shim is None:
                later[weight.key] = weight.gradient.copy()
                weight.gradient.fill(0)
    first.finish_update(optimizer)
    for name, pipe in others:
        for weight in iter_weights([(name, pipe)]):
            if weight.key in later:
                weight.gradient[...] = later[weight.key]
        pipe.finish_update(optimizer)
    means = {key: mean for key, mean in means_of(optimizer).items() if key in later}
    assert means
    for mean in means.values():
        assert numpy.linalg.norm(mean) == pytest.approx(0.1, rel=1e-4)
