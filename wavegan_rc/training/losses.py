"""Losses of the Wasserstein GAN with gradient penalty, and of the relativistic pairing GAN."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from wavegan_rc.config.choices import AdversarialLoss

# Added inside the root, whose derivative is infinite at 0: a critic's first step can reach it.
_EPSILON = 1e-12


def wasserstein_estimate(real_scores: Any, fake_scores: Any) -> Any:
    """Return the mean score of real minus the mean score of generated segments.

    It is the critic's estimate of the distance between the two distributions.

    Source:
        M. Arjovsky, S. Chintala, L. Bottou, "Wasserstein GAN" (2017), equation 2.

    Example:
        >>> float(wasserstein_estimate(ops.ones((4, 1)), ops.zeros((4, 1))))
        1.0
    """
    return ops.mean(ops.cast(real_scores, "float32")) - ops.mean(ops.cast(fake_scores, "float32"))


def interpolate(real: Any, fake: Any, mixing: Any) -> Any:
    """Return points on the straight lines between real and generated segments.

    `mixing` holds uniform draws from [0, 1], one per example, shape (batch, 1, 1).
    """
    return mixing * real + (1 - mixing) * fake


def gradient_penalty(gradients: Any) -> tuple[Any, Any]:
    """Return the mean squared deviation of the critic's gradient norm from 1, and the mean norm.

    The gradients are those of the scores by the interpolated segments.

    Source:
        I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), equation 3.

    Example:
        >>> penalty, norm = gradient_penalty(ops.ones((2, 9, 1)))
        >>> float(penalty), float(norm)
        (4.0, 3.0)
    """
    squares = ops.square(ops.cast(gradients, "float32"))
    norms = ops.sqrt(ops.sum(squares, axis=(1, 2)) + _EPSILON)
    return ops.mean(ops.square(norms - 1)), ops.mean(norms)


def relativistic_loss(higher: Any, lower: Any) -> Any:
    """Return the mean softplus of how much the scores that should be lower exceed the others.

    Those of real segments should be `higher` for the critic, those of generated ones for the
    generator. Scores are paired.

    Source:
        Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline" (2024),
        section 2.

    Example:
        >>> round(float(relativistic_loss(ops.ones((4, 1)), ops.ones((4, 1)))), 4)  # log 2
        0.6931
    """
    difference = ops.cast(lower, "float32") - ops.cast(higher, "float32")
    return ops.mean(ops.softplus(difference))


def zero_centred_penalty(gradients: Any) -> tuple[Any, Any]:
    """Return the mean squared norm of gradients, and the mean norm.

    The gradients are those of the scores by real and by generated segments, as many of each. The
    first value is the mean of R1 and R2 without their weight: times gamma it is gamma / 2 times the
    two mean squared norms.

    Source:
        Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline" (2024),
        section 2.

    Example:
        >>> penalty, norm = zero_centred_penalty(ops.ones((2, 9, 1)))
        >>> float(penalty), float(norm)
        (9.0, 3.0)
    """
    squares = ops.sum(ops.square(ops.cast(gradients, "float32")), axis=(1, 2))
    return ops.mean(squares), ops.mean(ops.sqrt(squares + _EPSILON))


@dataclass(frozen=True)
class Objective:
    """Losses of the critic and the generator, apart from the weight of the penalty.

    Attributes:
        points: Points whose gradients are penalized, from real and generated segments and uniform
            draws.
        penalty: Penalty of these gradients, and their mean norm.
        critic: Loss from the scores of real and of generated segments.
        generator: Loss from the scores of generated segments, and a function that scores real ones.
    """

    points: Callable[[Any, Any, Any], Any]
    penalty: Callable[[Any], tuple[Any, Any]]
    critic: Callable[[Any, Any], Any]
    generator: Callable[[Any, Callable[[], Any]], Any]


OBJECTIVES: dict[AdversarialLoss, Objective] = {
    "wgan_gp": Objective(
        interpolate,
        gradient_penalty,
        lambda real, fake: -wasserstein_estimate(real, fake),
        lambda fake, _: -ops.mean(ops.cast(fake, "float32")),
    ),
    # Each real segment is to score higher than a generated one; gradients at both are penalized.
    "relativistic": Objective(
        lambda real, fake, _: ops.concatenate([real, fake]),
        zero_centred_penalty,
        relativistic_loss,
        lambda fake, score_real: relativistic_loss(fake, score_real()),
    ),
}
