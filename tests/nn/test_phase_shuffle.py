import keras
import numpy as np
import pytest
from helpers.backends import compiled, derivatives
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.phase_shuffle import PhaseShuffle

pytestmark = pytest.mark.backend

RADIUS = 3


@pytest.fixture
def maps():
    return np.random.default_rng(0).standard_normal((4, 9, 2)).astype(np.float32)


def shifted(example, shift):
    """Shift by padding with NumPy's own reflection: an oracle that shares no code."""
    padded = np.pad(example, [(RADIUS, RADIUS), (0, 0)], mode="reflect")
    return padded[RADIUS + shift :][: len(example)]


def drawn_shifts(layer, maps, repeats):
    """The shift of each example at each call, found by comparing with all candidates."""
    found = []
    for _ in range(repeats):
        output = np.asarray(layer(maps, training=True))
        row = []
        for example, result in zip(maps, output, strict=True):
            matches = [
                shift
                for shift in range(-RADIUS, RADIUS + 1)
                if np.array_equal(shifted(example, shift), result)
            ]
            assert len(matches) == 1, "the output is no shift of the input"
            row += matches
        found.append(row)
    return np.array(found)


def test_every_shift_occurs_and_one_serves_the_whole_batch(maps):
    shifts = drawn_shifts(PhaseShuffle(RADIUS, seed=0), maps, 60)
    assert set(shifts.ravel()) == set(range(-RADIUS, RADIUS + 1))
    assert (shifts == shifts[:, :1]).all()


def test_per_example_draws_a_shift_for_each(maps):
    shifts = drawn_shifts(PhaseShuffle(RADIUS, per_example=True, seed=0), maps, 60)
    assert set(shifts.ravel()) == set(range(-RADIUS, RADIUS + 1))
    assert (shifts != shifts[:, :1]).any()
    for column in shifts.T:
        assert len(set(column)) > 3


def test_only_active_in_training(maps):
    layer = PhaseShuffle(RADIUS, seed=0)
    np.testing.assert_array_equal(layer(maps), maps)
    np.testing.assert_array_equal(layer(maps, training=False), maps)
    np.testing.assert_array_equal(PhaseShuffle(0)(maps, training=True), maps)


def test_the_seed_fixes_the_shifts_and_the_state_is_saved_with_the_weights(maps, tmp_path):
    first, second = PhaseShuffle(RADIUS, seed=5), PhaseShuffle(RADIUS, seed=5)
    np.testing.assert_array_equal(drawn_shifts(first, maps, 20), drawn_shifts(second, maps, 20))
    inputs = keras.Input(maps.shape[1:])
    models = [keras.Model(inputs, PhaseShuffle(RADIUS, seed=s)(inputs)) for s in (1, 2)]
    for _ in range(7):
        models[0](maps, training=True)
    models[0].save_weights(tmp_path / "w.weights.h5")
    models[1].load_weights(tmp_path / "w.weights.h5")
    after = [[np.asarray(m(maps, training=True)) for _ in range(10)] for m in models]
    np.testing.assert_array_equal(after[0], after[1])


@pytest.mark.parametrize("per_example", [False, True])
@pytest.mark.parametrize("xla", [False, True])
def test_first_and_second_gradients_flow_also_under_xla(maps, per_example, xla):
    layer = PhaseShuffle(RADIUS, per_example, seed=0)
    layer.build(maps.shape)
    weights = np.random.default_rng(1).standard_normal(maps.shape).astype(np.float32)

    def loss(x):
        y = layer(x, training=True)
        return ops.sum(weights * y**3), y

    def sum_of_gradients(x):
        y, (first,) = derivatives(loss, x)
        return ops.sum(first), (y, first)

    def gradients(x):
        (y, first), (second,) = derivatives(sum_of_gradients, x)
        return y, first, second

    run = compiled(gradients, layer.non_trainable_variables, xla=xla)
    for _ in range(5):
        y, first, second = map(np.asarray, run(maps))
        for b, example in enumerate(maps):
            # The shift as a matrix S: y = S x, so the gradient is S^T (3 w y^2), and so on.
            rows = next(
                matrix
                for shift in range(-RADIUS, RADIUS + 1)
                if np.allclose((matrix := shifted(np.eye(9), shift)) @ example, y[b])
            )
            w = weights[b]
            np.testing.assert_allclose(first[b], rows.T @ (3 * w * y[b] ** 2), atol=1e-4)
            np.testing.assert_allclose(second[b], rows.T @ (6 * w * y[b]), atol=1e-4)


@pytest.mark.parametrize(("radius", "length"), [(9, 9), (20, 9), (1, 1)])
def test_a_radius_that_reflection_cannot_serve_is_refused(radius, length):
    with pytest.raises(ParameterError, match=str(radius)):
        PhaseShuffle(radius).build((None, length, 1))


def test_a_radius_of_zero_takes_any_length(maps):
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, PhaseShuffle(0)(inputs))
    np.testing.assert_array_equal(model(maps, training=True), maps)


def test_negative_radius_is_refused():
    with pytest.raises(ParameterError, match="-1"):
        PhaseShuffle(-1)


def test_serialises():
    layer = PhaseShuffle(2, per_example=True, seed=4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
