"""Draw health.png from two histories: python docs/draw_health.py.

health-healthy.jsonl and health-ill.jsonl are the history.jsonl of
`train.py --upsampler transposed --measure-every 50 --steps 500`, the latter with
`--learning-rate 1e-2`.
"""

import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import save_figure

# Title, scale (linear around 0 up to a number, logarithmic beyond; None: linear), ideal value.
PANELS = {
    "wasserstein_estimate": ("Wasserstein estimate", 1, None),
    "gradient_norm": ("critic's gradient norm", None, 1),
    "generator_gradient_norm": ("generator's gradient norm", 1, None),
    "diversity": ("diversity (real audio: 1)", None, None),
}
RUNS = {
    "ill": ("gone wrong: learning rate 1e-2", "#D55E00", 1.0),
    "healthy": ("healthy: learning rate 1e-4", "#0072B2", 2.0),
}


def draw_panel(axis: Axes, name: str, histories: dict[str, list[dict]]) -> None:
    title, linear_up_to, ideal = PANELS[name]
    if ideal is not None:
        axis.axhline(ideal, color="0.5", linewidth=1, linestyle=":")
    for run, (label, colour, width) in RUNS.items():
        points = [(row["step"], row[name]) for row in histories[run] if name in row]
        axis.plot(*zip(*points, strict=True), color=colour, linewidth=width, label=label)
    if linear_up_to is None:
        axis.set_ylim(bottom=-0.02 * axis.get_ylim()[1])
    else:
        axis.set_yscale("symlog", linthresh=linear_up_to)
        axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xlim(0, 500)
    axis.set_title(title, loc="left", fontsize=10)
    axis.set_xlabel("step")
    axis.grid(alpha=0.3)


def draw_figure(histories: dict[str, list[dict]], out: Path) -> None:
    figure = Figure(figsize=(11, 3.2), dpi=120, layout="constrained")
    axes = figure.subplots(1, len(PANELS))
    for axis, name in zip(axes, PANELS, strict=True):
        draw_panel(axis, name, histories)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, out)


if __name__ == "__main__":
    folder = Path(__file__).parent
    files = {run: folder / f"health-{run}.jsonl" for run in RUNS}
    histories = {
        run: [json.loads(line) for line in file.read_text().splitlines()]
        for run, file in files.items()
    }
    draw_figure(histories, folder / "health.png")
