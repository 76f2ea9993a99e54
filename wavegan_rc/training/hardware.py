"""What device a training runs on, and what suits it."""

from pathlib import Path

from wavegan_rc.config.choices import Precision
from wavegan_rc.training.backend import on_jax
from wavegan_rc.utils.cores import usable_cores


def compiles_with_xla(devices: int) -> bool:
    """Whether steps are compiled with XLA: always under JAX, else on one GPU.

    On CPUs, TensorFlow's steps are several times slower with it, and what MirroredStrategy shares
    out among devices cannot be compiled so.

    Args:
        devices: That share a step.
    """
    return on_jax() or (devices == 1 and bool(gpu_names()))


def chosen_precision(precision: Precision) -> Precision:
    """What `auto` stands for here.

    That is mixed_bfloat16 where matrices are multiplied in bfloat16 by hardware of its own: on GPUs
    of compute capability 8 (NVIDIA Ampere) and later, and by TensorFlow on CPUs with AMX.

    Args:
        precision: A setting.

    Returns:
        `float32` or `mixed_bfloat16`.
    """
    if precision != "auto":
        return precision
    if gpu_names():
        suits = all(capability >= 8 for capability in _compute_capabilities())
    else:
        suits = not on_jax() and _cpu_has("amx_bf16")
    return "mixed_bfloat16" if suits else "float32"


def _compute_capabilities() -> list[float]:
    """Of the GPUs; 0 of those that have none."""
    if on_jax():
        import jax

        gpus = [device for device in jax.local_devices() if device.platform == "gpu"]
        found = [str(getattr(gpu, "compute_capability", "")) for gpu in gpus]
        # AMD's are names, as gfx90a.
        return [float(word) if word.replace(".", "").isdigit() else 0 for word in found]
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return [detail.get("compute_capability", (0, 0))[0] for detail in details]


def _cpu_has(feature: str) -> bool:
    try:
        return (
            feature in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
        )
    except OSError:  # not Linux
        return False


def device_name() -> str:
    """What training runs on, in words."""
    gpus = gpu_names()
    if gpus:
        return f"GPU: {', '.join(gpus)}"
    # Their number decides in which order sums are made, where there are more than two.
    return f"CPU, {usable_cores()} cores"


def gpu_names() -> list[str]:
    """Names of the GPUs that this process can train on."""
    if on_jax():
        import jax

        return [device.device_kind for device in jax.local_devices() if device.platform == "gpu"]
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", "") for gpu in gpus]
