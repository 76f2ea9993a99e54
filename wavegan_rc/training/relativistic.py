"""The relativistic pairing GAN, an alternative to the Wasserstein GAN."""

from typing import Any

from keras import ops

from wavegan_rc.training.losses import relativistic_loss, zero_centred_penalty
from wavegan_rc.training.wgan_gp import WGANGP


class RelativisticGAN(WGANGP):
    """Relativistic pairing GAN with the penalties R1 and R2, trained as `WGANGP`.

    The critic is taught that each real segment scores higher than a generated one, and the
    generator the opposite. The penalty applies to gradients at real and at generated segments, and
    draws them to 0. `gradient_penalty_weight` is gamma.

    Source:
        Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline" (2024),
        section 2.
    """

    def penalized(self, real: Any, fake: Any, mixing: Any) -> Any:  # noqa: ARG002
        """Return the real and the generated segments."""
        return ops.concatenate([real, fake])

    def critic_loss(
        self, real_scores: Any, fake_scores: Any, gradients: Any
    ) -> tuple[Any, Any, Any]:
        """Return the critic's loss, its penalty without the weight, and the mean gradient norm."""
        penalty, norm = zero_centred_penalty(gradients)
        pairing = relativistic_loss(real_scores, fake_scores)
        return pairing + self.gradient_penalty_weight * penalty, penalty, norm

    def generator_loss(self, fake_scores: Any, real: Any) -> Any:
        """Return the generator's loss."""
        return relativistic_loss(fake_scores, self.critic(real, training=True))
