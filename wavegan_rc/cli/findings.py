"""The first three lines of `measure`: real or not, the strongest artifact, which stage."""

from wavegan_rc.measurement.measurement import Measurement
from wavegan_rc.measurement.quantities import COULD_TELL, Quantity

# Twice the power of the neighbouring frequencies.
_STANDS_OUT_DB = 3.0


def in_three_lines(measurement: Measurement) -> str:
    """Return whether a set is like real audio, its strongest artifact, and the stage it is from."""
    line = _strongest_line(measurement)
    return "\n".join(
        [_real_or_not(measurement), _artifact(measurement, line), _origin(measurement, line)]
    )


def _real_or_not(measurement: Measurement) -> str:
    (distance,) = _named(measurement, "frechet_distance")
    if measurement.measured.real is None:
        return "There is no real audio to compare with; --reference names some."
    if distance.estimate is None:
        return f"How like real audio it is was not measured: {distance.reason}."
    words = f"its Frechet distance is {max(distance.estimate.value, 0):.3g}"
    if distance.reference is not None:
        words += f", that of real audio {max(distance.reference.value, 0):.3g}"
    if distance.verdict == "above":
        return f"It is not like real audio: {words}."
    if distance.untold is not None:
        return f"How like real audio it is cannot be told ({distance.untold}): {words}."
    return f"With these segments it cannot be told from real audio ({COULD_TELL}): {words}."


def _artifact(measurement: Measurement, line: Quantity | None) -> str:
    place = ""
    if line is not None and line.estimate is not None:
        place = f"at {line.frequency_hz:g} Hz, {line.estimate.value:.0f} dB above its surroundings"
        if line.locked:
            return f"The strongest artifact is a line {place}."
    (noise,) = _named(measurement, "out_of_band_total_db")
    if noise.verdict == "above" and noise.difference is not None:
        above = f"above {measurement.measured.evaluator.stopband_hz:g} Hz"
        return (
            f"The strongest artifact is noise {above}: its share of the power is "
            f"{noise.difference.value:.0f} dB larger than in real audio."
        )
    if line is not None:
        why = "cannot be tested for locking" if line.locked is None else "is not locked in phase"
        return f"The strongest line, {place}, {why}: it may be a pitch of the sound."
    too_few = measurement.measured.sums.too_few
    if too_few is not None:
        most = _most_prominent(measurement)
        return f"Whether lines or noise are artifacts cannot be told: {too_few}.{most}"
    tone = next((peak for peak in measurement.findings.peaks if peak.is_locked), None)
    if tone is not None:
        origin = (
            f"{tone.predicted_by} would make it" if tone.predicted_by else "nothing predicts it"
        )
        return (
            f"A faint tone at {tone.frequency_hz:g} Hz, {tone.level_db:.0f} dB relative to the "
            f"signal, starts alike in all segments: {origin}."
        )
    evaluator = measurement.measured.evaluator
    lines = "No predicted line stands out" if evaluator.combs else "No lines could be predicted"
    if evaluator.stopband_hz is None:
        return f"{lines}, and no stopband is known above which sound would be an artifact."
    return f"{lines}, and nothing shows that there is noise out of band."


def _most_prominent(measurement: Measurement) -> str:
    lines = [
        (q.estimate.value, q.frequency_hz)
        for q in _named(measurement, "line_prominence_db")
        if q.frequency_hz is not None and q.estimate is not None
    ]
    if not lines:
        return ""
    value, hz = max(lines)
    return f" The most prominent line is at {hz:g} Hz, {value:.0f} dB above its surroundings."


def _origin(measurement: Measurement, line: Quantity | None) -> str:
    if not measurement.measured.evaluator.combs:
        return "Without the upsampling factors, no layer can be named."
    if line is not None and line.locked is not False:
        if line.locked:
            return f"It comes from upsampling stage {line.stage}."
        return f"The line at {line.frequency_hz:g} Hz may come from upsampling stage {line.stage}."
    images = _named(measurement, "image_coherence")
    above = [q for q in images if q.verdict == "above" and q.estimate is not None]
    if not above:
        return "No upsampling stage can be named."
    most = max(above, key=lambda q: q.estimate.value if q.estimate else 0.0)
    return f"Upsampling stage {most.stage} leaves images of the signal."


def _strongest_line(measurement: Measurement) -> Quantity | None:
    """Return the most prominent line that surely stands out, and more than in real audio.

    Lines that are locked in phase go before others, which may be pitches of the sound.
    """
    lines = [
        q
        for q in _named(measurement, "line_prominence_db")
        if q.frequency_hz is not None
        and q.estimate is not None
        and q.estimate.low > _STANDS_OUT_DB
        and (q.reference is None or q.verdict == "above")
    ]
    return max(
        lines, key=lambda q: (bool(q.locked), q.estimate.value if q.estimate else 0.0), default=None
    )


def _named(measurement: Measurement, name: str) -> list[Quantity]:
    return [quantity for quantity in measurement.quantities if quantity.name == name]
