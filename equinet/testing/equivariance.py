r"""How far a module is from commuting with the group.

.. math:: \Delta(g) = \frac{\lVert \Phi(g f) - g \Phi(f) \rVert}{\lVert \Phi(f) \rVert} \quad (E1)
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equinet.field import FieldType, act, random_field, sphere_of

# What rounding leaves of an equivariant linear map.
_EXACT = {torch.float64: 1e-10, torch.float32: 1e-4}


@dataclass(frozen=True)
class EquivarianceError:
    """Relative errors (E1), one for each group element.

    Attributes:
        elements: the group elements, ``(count, n, n)``.
        errors: their errors, ``(count,)``.
    """

    elements: Tensor
    errors: Tensor

    @property
    def max(self) -> float:
        return float(self.errors.max())

    @property
    def mean(self) -> float:
        return float(self.errors.mean())

    def __str__(self) -> str:
        worst = self.elements[int(self.errors.argmax())].tolist()
        rows = ", ".join("[" + ", ".join(f"{v:+.3f}" for v in row) + "]" for row in worst)
        return (
            f"relative equivariance error: max {self.max:.2e}, mean {self.mean:.2e} over "
            f"{len(self.errors)} group elements; worst at [{rows}]"
        )


def equivariance_error(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    *,
    count: int = 5,
    batch: int = 2,
    band: int | None = None,
    seed: int = 0,
    elements: Tensor | None = None,
) -> EquivarianceError:
    """Measure (E1) on random band-limited fields for several group elements.

    Works for any module: one of this library knows its types, for another say them. Group elements
    are drawn from Haar measure, so their axes are neither polar nor on the grid; fields are moved
    exactly, through their spectra. The module is measured in evaluation mode and left as it was.

    Args:
        module: Phi, from ``in_type.shape(batch)`` to ``out_type.shape(batch)``.
        in_type: type of the input; ``module.in_type`` if None.
        out_type: type of the output; None means ``module.out_type`` where there is one, and
            otherwise that the output is invariant.
        count: number of group elements.
        batch: number of fields for each of them.
        band: bound of the degrees of the random fields. By default all of the band of the space;
            half of it if a module inside has nonlinearities, whose products need room below the
            band.
        seed: of fields and group elements.
        elements: use these group elements ``(count, n, n)`` instead.
    Raises:
        ValueError: if there is no type, or the output vanishes, so that there is nothing to
        compare.
    """
    in_type = getattr(module, "in_type", None) if in_type is None else in_type
    if not isinstance(in_type, FieldType):
        raise ValueError(
            f"in_type: expected a FieldType, since {type(module).__name__} does not know its own, "
            f"got {in_type!r}"
        )
    if out_type is None:
        out_type = getattr(module, "out_type", None)
    generator = torch.Generator().manual_seed(seed)
    sphere = sphere_of(in_type)
    if elements is None:
        elements = sphere.group.sample(count, generator=generator)
    like = _like(module)
    if band is None and any(getattr(m, "aliases", False) for m in module.modules()):
        band = (sphere.band + 1) // 2
    x = random_field(in_type, batch, band=band, generator=generator, dtype=torch.float64)
    mode = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            y = module(x.to(like)).double().cpu()
            size = y.norm()
            if not size > 0:
                raise ValueError("module: its output vanishes, so no error can be told from it")
            errors = []
            for g in elements:
                moved = y if out_type is None or _is_vector(y) else act(out_type, g, y)
                again = module(act(in_type, g, x).to(like)).double().cpu()
                errors.append((again - moved).norm() / size)
    finally:
        for m, training in mode.items():
            m.training = training
    return EquivarianceError(elements, torch.stack(errors))


def _like(module: nn.Module) -> Tensor:
    """A tensor with the dtype and on the device of the module."""
    tensors = [*module.parameters(), *module.buffers()]
    return next((t for t in tensors if t.is_floating_point()), torch.zeros(()))


def _is_vector(y: Tensor) -> bool:
    """Invariant output: a batch of vectors, such as the scores of a classifier."""
    return y.dim() <= 2


def assert_equivariant(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    *,
    tolerance: float | None = None,
    count: int = 5,
    batch: int = 2,
    band: int | None = None,
    seed: int = 0,
) -> EquivarianceError:
    """Raise AssertionError if ``equivariance_error`` is above ``tolerance`` for any group element.

    Args:
        module: as in ``equivariance_error``, like all that follow but the tolerance.
        in_type: type of the input.
        out_type: type of the output.
        tolerance: by default what rounding leaves of a linear map, 1e-10 in float64 and 1e-4 in
            float32; with nonlinearities on a grid, whose outputs have degrees above the band, 0.1.
        count: number of group elements.
        batch: number of fields.
        band: bound of the degrees of the random fields.
        seed: of fields and group elements.
    Returns:
        The measured errors.
    """
    error = equivariance_error(
        module, in_type, out_type, count=count, batch=batch, band=band, seed=seed
    )
    if tolerance is None:
        exact = _EXACT.get(_like(module).dtype, 1e-1)
        tolerance = 0.1 if any(getattr(m, "aliases", False) for m in module.modules()) else exact
    if not error.max <= tolerance:
        raise AssertionError(
            f"{type(module).__name__} is not equivariant within {tolerance:g}: {error}"
        )
    return error
