r"""The Fourier transform of real fields on the sphere for large bands, without a table.

In: a real spectrum, or a signal. Out: the other.

These are the two maps (H5) of ``s2``, from spectra to signals and its transpose, and they mean the
same. But the amplitudes d^+ are not read: they are carried along while the sums over the degrees
are taken, order by order, by the recursion of ``numerics.wigner_d_real``,

.. math::
    \frac{\sqrt{((l+1)^2-m^2)((l+1)^2-n^2)}}{(l+1)(2l+1)} d_{l+1}
    = \Big(\cos\beta - \frac{mn}{l(l+1)}\Big) d_l
    - \frac{\sqrt{(l^2-m^2)(l^2-n^2)}}{l(2l+1)} d_{l-1} \quad (W3)

which starts at l = max(m, n). So nothing grows as the cube of the band, neither memory nor what is
read, and the recursion is in float64 whatever the transform is in.

The two are each other's adjoint: each has the other as its derivative. There is no form for a GPU:
transforms there have tables, as they have where there are no compiled operators. So have programs
that are exported, since the steps of the reference below grow with the band.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from equinet.ops.legendre_plan import LegendrePlan
from equinet.ops.native import library
from equinet.ops.native.checks import check_tables, check_tensor, check_tensors, split_columns
from equinet.ops.native.operator import Operator, looked_into
from equinet.ops.s2_reference import fourier, signal_of, waves_in

# Where a table is better, as measured on Gauss grids (``python -m benchmarks sphere_grids``): up to
# this number of bytes for the band numbers of a ring, 256 in float32 and 128 in float64, it serves
# many columns in 0.6 to 0.9 of the time, and takes some ten MB;
LARGEST = 1024
# but for less than these columns, from this band on, the recursion needs 0.25 to 0.7 of its time.
FEW, FEW_FROM = 4, 64


def needs_table(
    band: int, dtype: torch.dtype, device: torch.device, columns: int | None = None
) -> bool:
    """Whether a transform of fields on the sphere is done with a table, by ``s2``.

    Args:
        band: exclusive bound of the degree.
        dtype: of the transform.
        device: where it is done; a table serves where there is no compiled form of ``legendre``.
        columns: components of channels times batch; None for any, as when a table is made.
    Returns:
        True for a table.
    """
    if device.type not in ("cpu", "meta") or not library.available():
        return True
    is_small = band * dtype.itemsize <= LARGEST
    if not is_small or columns is None or band < FEW_FROM:
        return is_small
    # A graph serves any number of columns.
    return torch.compiler.is_compiling() or looked_into() or columns >= FEW


def legendre_synthesis(spectrum: Tensor, plan: LegendrePlan, channels: int) -> Tensor:
    """The signal (H1) of a spectrum, or its waves, as ``s2_synthesis`` finds it with a table.

    Args:
        spectrum: real, ``(rows, channel * batch)``; rows (l, m, n) as in ``harmonics.grid``.
        plan: constants on the device of ``spectrum``, whose factors fix the precision.
        channels: number of channels.
    Returns:
        ``(batch, channel, rings, longitudes)``, two components for each channel where n > 0; the
        amplitudes X of (H1), ``(batch, channel, rings, band, 2)``, if the plan has no longitudes.
    Raises:
        ValueError: for tensors of another shape than the plan says.
        TypeError: for what is no tensor, or a plan that is none.
    """
    check_tensors("legendre_synthesis", spectrum=spectrum)
    check_tables("legendre_synthesis", plan, LegendrePlan)
    batch = split_columns("legendre_synthesis", spectrum, channels)
    return SYNTHESIS(spectrum.to(plan.by_ring.dtype).unflatten(1, (channels, batch)), plan)


def legendre_analysis(signal: Tensor, plan: LegendrePlan) -> Tensor:
    """The transpose of ``legendre_synthesis`` with the same plan.

    Args:
        signal: real, ``(batch, channel, rings, longitudes)``, or waves, as ``legendre_synthesis``
            returns them.
        plan: as in ``legendre_synthesis``.
    Returns:
        A real spectrum, ``(rows, channel * batch)``.
    Raises:
        ValueError: for tensors of another shape than the plan says.
        TypeError: for what is no tensor, or a plan that is none.
    """
    check_tensors("legendre_analysis", signal=signal)
    check_tables("legendre_analysis", plan, LegendrePlan)
    return ANALYSIS(signal.to(plan.by_ring.dtype), plan).flatten(1)


# --- the reference --------------------------------------------------------------------------------


def _lowest(plan: LegendrePlan) -> Tensor:
    """d^+ at l = max(m, n) for each order and angle, ``(m, point)``; in logarithms at first."""
    beta = plan.angles[: plan.points]
    m, n = torch.arange(plan.band, dtype=torch.float64, device=beta.device)[:, None], plan.order
    high, low = m.clamp_min(n), m.clamp_max(n)
    binomial = torch.lgamma(2 * high + 1) - (high + low + 1).lgamma() - (high - low + 1).lgamma()
    cosine = torch.special.xlogy(high + low, (beta / 2).cos())  # 0 log 0 counts as 0
    sine = torch.special.xlogy(high - low, (beta / 2).sin())
    sign = torch.where(m < n, 1 - 2 * ((m + n) % 2), torch.ones_like(m))
    one = torch.ones_like(m)
    of_zeros = torch.where((m == 0) == (n == 0), one, one * (0.5 if n else 2) ** 0.5)  # as in (W2)
    return (binomial / 2 + cosine + sine).exp() * sign * of_zeros


def _amplitudes(plan: LegendrePlan) -> Iterator[tuple[int, Tensor]]:
    """For each degree l from n on d^+ as ``(m, point)`` in float64, 0 where m > l."""
    lowest, n = _lowest(plan), plan.order
    m = torch.arange(plan.band, dtype=torch.float64, device=lowest.device)[:, None]
    half = plan.angles[: plan.points] / 2
    is_north = half.cos() > half.sin()
    # cos(beta) = +-1 + y would lose the digits of y near a pole.
    pole = torch.where(is_north, 1.0, -1.0).to(half)
    y = torch.where(is_north, -2 * half.sin().square(), 2 * half.cos().square())
    old = now = torch.zeros_like(lowest)
    for l in range(n, plan.band):
        now = torch.where(m.clamp_min(n) == l, lowest, now)
        yield l, now
        root, above = (
            ((k * k - m * m).clamp_min(0) * (k * k - n * n)).sqrt() / max(k, 1) for k in (l, l + 1)
        )
        shift = pole - m * n / max(l * (l + 1), 1)
        shifted = (2 * l + 1) * (shift * now + y * now) - root * old
        old, now = now, torch.where(m <= l, shifted / above, 0)


def _signs(plan: LegendrePlan, l: int) -> Tensor:
    """(-1)^(l + m + n) as ``(m, 1, 1)``."""
    m = torch.arange(plan.band, device=plan.by_ring.device)[:, None, None]
    return (1 - 2 * ((l + m + plan.order) % 2)).to(plan.by_ring.dtype)


def _degree(plan: LegendrePlan, l: int) -> slice:
    """The rows of a degree."""
    return slice(plan.parts * (l * l - plan.order**2), plan.parts * ((l + 1) ** 2 - plan.order**2))


def _synthesis(spectrum: Tensor, plan: LegendrePlan) -> Tensor:
    channels, batch = spectrum.shape[1:]
    p = q = spectrum.new_zeros(plan.band, plan.points, 2, channels * batch)
    for l, d in _amplitudes(plan):
        rows = (spectrum[_degree(plan, l)].flatten(1) * plan.by_degree[l]).unflatten(
            0, (2 * l + 1, plan.parts)
        )
        positive, negative = rows[l:], rows[:l].flip(0)
        negative = torch.nn.functional.pad(negative, (0, 0, 0, 0, 1, 0))  # there is no m = -0
        if plan.order:
            (pm, pp), (mm, mp) = positive.unbind(1), negative.unbind(1)
            plus = torch.stack([pp + mm, pm - mp], 1)  # (H3), index (m, real or imaginary)
            minus = torch.stack([pp - mm, -mp - pm], 1)
        else:
            plus = minus = torch.cat([positive, -negative], 1)
        rest = (0, 0, 0, 0, 0, plan.band - l - 1)
        plus, minus = torch.nn.functional.pad(plus, rest), torch.nn.functional.pad(minus, rest)
        d = d.to(spectrum.dtype)[:, :, None, None]
        p, q = p + d * plus[:, None], q + d * (_signs(plan, l) * minus)[:, None]
    q = q.flip(1)
    if plan.order:  # (H4), index (part, m, ring, real or imaginary, column)
        difference = p - q
        turned = torch.stack([-difference[:, :, 1], difference[:, :, 0]], 2)
        waves = torch.stack([p + q, turned])
    else:
        waves = torch.cat([p, q[:, plan.rings % 2 :]], 1)[None]  # with one equator
    waves = (waves * plan.by_ring[:, None, None]).unflatten(-1, (channels, batch))
    waves = waves.permute(5, 4, 0, 2, 1, 3).flatten(1, 2)
    there = torch.arange(2 * plan.band, device=waves.device) != 1  # m = 0 has no imaginary part
    waves = torch.where(there.view(-1, 2), waves, 0)
    if not plan.longitudes:
        return waves.contiguous()
    # A real inverse FFT counts every m > 0 twice. The orders that are missing are added while the
    # numbers are real, as ONNX pads no complex ones.
    halves = torch.where(torch.arange(plan.band, device=waves.device) > 0, 0.5, 1.0).to(waves)
    missing = plan.longitudes // 2 + 1 - plan.band
    waves = torch.nn.functional.pad(waves * halves[:, None], (0, 0, 0, missing))
    return signal_of(torch.complex(waves[..., 0], waves[..., 1]), plan.longitudes)


def _analysis(signal: Tensor, plan: LegendrePlan) -> Tensor:
    batch, channels = signal.shape[0], signal.shape[1] // plan.parts
    waves = signal
    if plan.longitudes:
        waves = waves_in(signal, plan.band)
    waves = waves.unflatten(1, (channels, plan.parts))
    waves = waves.permute(2, 4, 3, 5, 1, 0).flatten(-2)  # (part, m, ring, real or imaginary, ...)
    waves = waves * plan.by_ring[:, None, None]
    if plan.order:
        turned = torch.stack([waves[1, :, :, 1], -waves[1, :, :, 0]], 2)
        p, q = waves[0] + turned, (waves[0] - turned).flip(1)
    else:
        p, q = waves[0][:, : plan.points], waves[0].flip(1)[:, : plan.points]
        if plan.rings % 2:  # the equator counts once
            q = torch.cat([q[:, :-1], torch.zeros_like(q[:, -1:])], 1)
    found: list[Tensor] = [signal.new_zeros(0, channels * batch)]
    for l, d in _amplitudes(plan):
        d = d.to(signal.dtype)[:, :, None, None]
        plus, minus = (d * p).sum(1), _signs(plan, l) * (d * q).sum(1)
        (a, b), (e, f) = plus[: l + 1].unbind(1), minus[: l + 1].unbind(1)
        if plan.order:
            positive, negative = torch.stack([b - f, a + e], 1), torch.stack([a - e, -b - f], 1)
        else:
            positive, negative = (a + e)[:, None], (-b - f)[:, None]
        rows = torch.cat([negative[1:].flip(0), positive]).flatten(0, 1)
        found.append(rows * plan.by_degree[l])
    return torch.cat(found).unflatten(1, (channels, batch))


# --- the operators --------------------------------------------------------------------------------


def _check_plan(operator: str, x: Tensor, plan: LegendrePlan) -> None:
    angles, by_degree, by_ring, band, longitudes, order = plan
    if not 0 <= order < band:
        raise ValueError(f"{operator}: order: expected 0 to {band - 1}, got {order}")
    if longitudes and longitudes < 2 * band - 1:
        raise ValueError(
            f"{operator}: longitudes: expected {2 * band - 1} or more for band {band}, got "
            f"{longitudes}"
        )
    check_tensor(operator, "angles", angles, (None,))
    if angles.dtype != torch.float64 or angles.device != x.device:
        raise TypeError(
            f"{operator}: angles: expected torch.float64 on {x.device}, got {angles.dtype} on "
            f"{angles.device}"
        )
    check_tensor(operator, "by_degree", by_degree, (band,), x)
    check_tensor(operator, "by_ring", by_ring, (plan.rings,), x)


def _check_synthesis(spectrum: Tensor, plan: LegendrePlan) -> None:
    check_tensors("legendre_synthesis", spectrum=spectrum)
    _check_plan("legendre_synthesis", spectrum, plan)
    check_tensor("legendre_synthesis", "spectrum", spectrum, (plan.rows, None, None))


def _check_analysis(signal: Tensor, plan: LegendrePlan) -> None:
    check_tensors("legendre_analysis", signal=signal)
    _check_plan("legendre_analysis", signal, plan)
    check_tensor("legendre_analysis", "signal", signal, (None, None, plan.rings, *plan.axes))
    if signal.shape[1] % plan.parts:
        raise ValueError(
            "legendre_analysis: signal: expected two components for each channel, got "
            f"{signal.shape[1]} in all"
        )


def _fake_synthesis(spectrum: Tensor, plan: LegendrePlan) -> Tensor:
    channels, batch = spectrum.shape[1:]
    return spectrum.new_empty(batch, plan.parts * channels, plan.rings, *plan.axes)


def _fake_analysis(signal: Tensor, plan: LegendrePlan) -> Tensor:
    return signal.new_empty(plan.rows, signal.shape[1] // plan.parts, signal.shape[0])


def _call(name: str, x: Tensor, plan: LegendrePlan, out: Tensor, positive: float) -> None:
    """The compiled form of either; ``positive`` is a factor of all orders m > 0."""
    spectrum, waves = (x, out) if name == "legendre_synthesis" else (out, x)
    constants = [x.double().contiguous() for x in plan[:3]]
    sizes = (plan.band, plan.rings, plan.order, *spectrum.shape[1:], waves.shape[3])
    library.call(name, x.dtype, x, *constants, out, *sizes, positive)


def _cpu_synthesis(spectrum: Tensor, plan: LegendrePlan) -> Tensor:
    channels, batch = spectrum.shape[1:]
    width = plan.longitudes // 2 + 1 if plan.longitudes else plan.band
    waves = spectrum.new_empty(batch, plan.parts * channels, plan.rings, width, 2)
    positive = 0.5 if plan.longitudes else 1.0  # a real inverse FFT counts them twice
    _call("legendre_synthesis", spectrum.contiguous(), plan, waves, positive)
    return signal_of(torch.view_as_complex(waves), plan.longitudes) if plan.longitudes else waves


def _cpu_analysis(signal: Tensor, plan: LegendrePlan) -> Tensor:
    waves = torch.view_as_real(fourier(signal)) if plan.longitudes else signal
    out = _fake_analysis(signal, plan)
    _call("legendre_analysis", waves.contiguous(), plan, out, 1.0)
    return out


def _examples(inverse: bool) -> list[tuple[Tensor, LegendrePlan]]:
    """Functions and fields of spin 2, to signals and to waves, beyond a register; an equator."""
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, LegendrePlan]] = []
    for (band, rings, longitudes, order), channels, batch in (
        ((5, 12, 12, 0), 3, 7),
        ((5, 7, 9, 0), 1, 2),
        ((5, 11, 0, 2), 3, 7),
        ((18, 19, 38, 1), 1, 3),
    ):
        angles = torch.pi * (torch.arange(rings, dtype=torch.float64) + 0.5) / rings
        by_degree, by_ring = (
            torch.rand(size, generator=generator, dtype=torch.float64) + 0.5
            for size in (band, rings)
        )
        plan = LegendrePlan(angles, by_degree, by_ring, band, longitudes, order)
        shape = plan.rows, channels, batch
        if not inverse:
            shape = batch, plan.parts * channels, rings, *plan.axes
        found.append((torch.randn(shape, generator=generator, dtype=torch.float64), plan))
    return found


_PLAN = "Tensor angles, Tensor by_degree, Tensor by_ring, int band, int longitudes, int order"
SYNTHESIS = Operator(
    f"legendre_synthesis(Tensor spectrum, {_PLAN}) -> Tensor",
    LegendrePlan,
    reference=_synthesis,
    fake=_fake_synthesis,
    check=_check_synthesis,
    examples=lambda: _examples(inverse=True),
    cpu=_cpu_synthesis,
    exact=("angles",),
)
ANALYSIS = Operator(
    f"legendre_analysis(Tensor signal, {_PLAN}) -> Tensor",
    LegendrePlan,
    reference=_analysis,
    fake=_fake_analysis,
    check=_check_analysis,
    examples=lambda: _examples(inverse=False),
    cpu=_cpu_analysis,
    exact=("angles",),
)
SYNTHESIS.adjoint_is(ANALYSIS, lambda spectrum, plan, _: plan)
ANALYSIS.adjoint_is(SYNTHESIS, lambda signal, plan, _: plan)
