"""The losses of the Wasserstein GAN with gradient penalty, free of any backend's gradients."""

from typing import Any

from keras import ops

# Inside the root: its derivative is infinite at 0, which the first step of a critic can reach.
_EPSILON = 1e-12


def wasserstein_estimate(real_scores: Any, fake_scores: Any) -> Any:
    """Mean score of real minus mean score of generated segments.

    Args:
        real_scores: Shape (batch, 1).
        fake_scores: Shape (batch, 1).

    Returns:
        Scalar: the distance between the two distributions, as far as the critic can tell.

    Source:
        M. Arjovsky, S. Chintala, L. Bottou, "Wasserstein GAN" (2017), equation 2.

    Example:
        >>> float(wasserstein_estimate(ops.ones((4, 1)), ops.zeros((4, 1))))
        1.0
    """
    return ops.mean(ops.cast(real_scores, "float32")) - ops.mean(ops.cast(fake_scores, "float32"))


def interpolate(real: Any, fake: Any, mixing: Any) -> Any:
    """Points on the straight lines between real and generated segments.

    Args:
        real: Shape (batch, samples, channels).
        fake: Shape (batch, samples, channels).
        mixing: Uniform on [0, 1], one per example, shape (batch, 1, 1).

    Returns:
        Shape (batch, samples, channels).
    """
    return mixing * real + (1 - mixing) * fake


def gradient_penalty(gradients: Any) -> tuple[Any, Any]:
    """Mean squared deviation from 1 of the norm of the critic's gradient.

    Args:
        gradients: d score / d segment at the interpolated segments, shape (batch, samples,
            channels).

    Returns:
        The penalty and the mean norm, float32 scalars.

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
