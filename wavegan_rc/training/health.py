"""Bad signs in a training's history, in words, with advice.

A training is judged by its logged numbers alone, so a history can be judged again at any time.

The thresholds come from healthy and unhealthy runs. 15 healthy runs have 2000 steps, 128 filters,
batches of 32, five critic updates and no emphasis (five upsamplers with one seed, resize and
transposed with five more). The other healthy runs are the nine of the reference experiment that
gave no warning: resize and transposed at the defaults. The unhealthy runs have one wrong setting
each: small runs (400 steps, batches of 8, 32 filters, 1024 samples), and one of 128 filters with a
learning rate of 1e-2.

Source:
    I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), section 4: gradients of
    norm 1; C. Villani, "Optimal Transport" (2009), section 5: the duality that bounds the estimate.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from wavegan_rc.config.choices import AdversarialLoss
from wavegan_rc.errors import DataError
from wavegan_rc.utils.atomic_files import write_json
from wavegan_rc.utils.text import printable

Row = Mapping[str, float]

# First step judged: healthy critics reach a gradient norm of 1 within 50 to 100 steps.
WARM_UP_STEPS = 200
# Steps of the means that are judged. Single lines of 10 steps vary: the Wasserstein estimate of one
# healthy run fell from 2.2 to 0.58 and rose again.
WINDOW_STEPS = 50


@dataclass(frozen=True)
class Rule:
    """A bad sign: the mean of a logged value lies beyond a limit.

    Attributes:
        value: Name of the value in the history.
        limit: Limit of the mean.
        above: Whether means above the limit are bad; otherwise means below it are.
        message: Meaning and advice, with a place for the value.
        in_norms: Whether the limit is in units of the norm of real segments.
        wgan_gp_only: Whether the rule suits no other loss.
        first_step: First step that is judged.
    """

    value: str
    limit: float
    above: bool
    message: str
    in_norms: bool = False
    wgan_gp_only: bool = False
    first_step: int = WARM_UP_STEPS

    @property
    def sign(self) -> str:
        """Name of the rule."""
        return f"{self.value} too {'high' if self.above else 'low'}"


RULES = (
    # Healthy: 1.06 to 1.23. With hardly a penalty (weight 0.01): 3 at step 150, 39 at 400. At a
    # learning rate of 1e-2: 2.5 and more.
    Rule(
        "gradient_norm",
        1.75,
        True,
        "the critic's gradient norm is {value:.3g}, far above 1: the penalty does not hold it; "
        "try a lower learning_rate, or a gradient_penalty_weight of 10",
        wgan_gp_only=True,
    ),
    # Healthy as above. A critic with a learning rate of 1e-6: 0.14 to 0.16.
    Rule(
        "gradient_norm",
        0.5,
        False,
        "the critic's gradient norm is {value:.2g}, far below 1: it hardly learns; try a higher "
        "learning_rate or more critic_steps",
        wgan_gp_only=True,
    ),
    # By the duality, a critic with gradients of norm 1 separates two sets by at most the distance
    # of their segments: twice the norm where both are equally loud. Healthy: 0.2 to 0.9.
    # At a learning rate of 1e-2: 15.
    Rule(
        "wasserstein_estimate",
        2,
        True,
        "the Wasserstein estimate is {value:.3g}, more than segments can differ: the critic's "
        "scores run away and teach nothing; try a lower learning_rate, or a "
        "gradient_penalty_weight of 10",
        in_norms=True,
        wgan_gp_only=True,
    ),
    # A critic of two filters, or with a learning rate of 1e-6: below 0.
    Rule(
        "wasserstein_estimate",
        0.02,
        False,
        "the Wasserstein estimate is {value:.2g}: the critic does not tell generated from real "
        "segments, and nothing can be learnt from it; try more critic_steps, more filters or "
        "another learning_rate",
        in_norms=True,
        wgan_gp_only=True,
    ),
    # Healthy: 0.7 in the first steps, then 3 to 500. A generator whose output is all at full scale,
    # where tanh is flat (learning rate 1e-2): exactly 0.
    Rule(
        "generator_gradient_norm",
        0.01,
        False,
        "the generator's gradient norm is {value:.2g}: it has vanished, and the generator stays "
        "as it is; start again with a lower learning_rate",
    ),
    # Healthy: -3 to 0.5. Beside the two weak critics above: 4 to 12.
    Rule(
        "relative_level_db",
        3,
        True,
        "the output is {value:.0f} dB louder than real segments; try more filters, more "
        "critic_steps or a lower learning_rate",
    ),
    # Healthy as above, later. Generators with transposed stages, whose noise a whitened critic
    # detects well, first learn to be silent: -20 to -35 dB up to step 700.
    Rule(
        "relative_level_db",
        -20,
        False,
        "the output is silent: {value:.0f} dB relative to real segments; try a lower "
        "learning_rate or another seed",
        first_step=1500,
    ),
    # Healthy: 0. Output all at full scale: 1.
    Rule(
        "clipped_share",
        0.01,
        True,
        "the output is clipped: a share of {value:.2g} of its samples is at full scale; start "
        "again with a lower learning_rate",
    ),
    # Healthy: 0.2 at step 100, 0.3 at 200, 0.5 to 0.7 in the end. One sound for all latents
    # (learning rate 1e-2), or a few: 0.
    Rule(
        "diversity",
        0.1,
        False,
        "the output has lost its diversity: a segment's nearest other one is {value:.2g} times "
        "as far away as among real ones; try a lower learning_rate, more critic_steps or another "
        "seed",
    ),
)


@dataclass(frozen=True)
class Finding:
    """A bad sign in a training, with the first and the last logged step that shows it."""

    sign: str
    first_step: int
    last_step: int
    message: str


def mean_norm(real: np.ndarray) -> float:
    """Return the root of the mean squared norm of segments of shape (count, samples)."""
    return float(np.sqrt(np.square(real, dtype=np.float64).sum(axis=1).mean()))


class Watch:
    """Judge a history line by line, given the `mean_norm` of real segments.

    Attributes:
        findings: Findings so far, by sign.

    Example:
        >>> watch = Watch(real_norm=7.2)
        >>> row = {"gradient_norm": 2.0}
        >>> [finding.sign for finding in watch.add({"step": 250, **row})]
        ['gradient_norm too high']
        >>> watch.add({"step": 260, **row})
        []
        >>> watch.findings["gradient_norm too high"].last_step
        260
    """

    def __init__(self, real_norm: float, loss: AdversarialLoss = "wgan_gp") -> None:
        self._rules = [rule for rule in RULES if loss == "wgan_gp" or not rule.wgan_gp_only]
        self.findings: dict[str, Finding] = {}
        self._real_norm = real_norm
        self._rows: deque[Row] = deque()

    def add(self, row: Row) -> list[Finding]:
        """Judge one more line, of a later step than those before; return new findings."""
        step = int(row["step"])
        self._rows.append(row)
        while self._rows[0]["step"] <= step - WINDOW_STEPS:
            self._rows.popleft()
        new = []
        for rule in self._rules:
            if step < rule.first_step:
                continue
            found = (line.get(rule.value) for line in self._rows)
            values = [value for value in found if isinstance(value, int | float)]
            if not values:
                continue
            value = sum(values) / len(values)
            limit = rule.limit * (self._real_norm if rule.in_norms else 1)
            if value <= limit if rule.above else value >= limit:
                continue
            known = self.findings.get(rule.sign)
            if known is None:
                message = f"step {step}: {rule.message.format(value=value)}"
                new.append(Finding(rule.sign, step, step, message))
                self.findings[rule.sign] = new[-1]
            else:
                self.findings[rule.sign] = replace(known, last_step=step)
        return new


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write findings as JSON."""
    write_json(path, {"warnings": [asdict(each) for each in findings]})


def format_findings(path: Path) -> str:
    """Return the findings in a file as text for the end of a run; empty without any."""
    if not path.is_file():
        return ""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["warnings"]
        found = [Finding(**each) for each in rows]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise DataError(f"{path}: not the bad signs of a run; it may be deleted") from None
    lines = [printable(f"- {each.message} (last seen at step {each.last_step})") for each in found]
    return "\n".join(["", "bad signs in training:", *lines]) if lines else ""
