r"""The equivariance error of stacks of SO(3) correlations with random filters.

.. math:: \Delta = \frac1n \sum_{i=1}^n
    \frac{\mathrm{std}(L_{R_i} \Phi(f_i) - \Phi(L_{R_i} f_i))}{\mathrm{std}(\Phi(f_i))}

The rotation L_R is exact for band-limited signals: it multiplies Fourier blocks by Wigner
matrices. A correlation gives band-limited signals; a ReLU does not, and what it adds beyond the
band is where all of its error comes from.
"""

from dataclasses import asdict, dataclass
from math import pi
from typing import Any

import torch
from torch import Tensor

import equinet as eq
from equinet import nn as enn
from equinet.field import random_field
from equinet.harmonics import rotate_so3
from equinet.steerable import near_identity

CHUNK = 5  # rotations computed together; bounds the memory


@dataclass(frozen=True)
class Case:
    """One stack: ``depth`` layers of ``channels`` channels at band ``band``.

    Its inputs are white noise of the degrees l < ``input_band``.
    """

    band: int
    input_band: int
    depth: int
    relu: bool
    dtype: str
    channels: int = 10
    seed: int = 0


def field_type(case: Case) -> eq.FieldType:
    """Functions on SO(3), ``case.channels`` of them."""
    return eq.Sphere(band=case.band).fields(f"{case.channels}x regular")


def layers(case: Case) -> torch.nn.ModuleList:
    """The layers of the stack, each an SO(3) correlation with random filters, and a ReLU or not."""
    torch.manual_seed(case.seed)
    fields = field_type(case)
    grid = near_identity(max_beta=pi / 8, n_alpha=8, n_beta=3, max_gamma=pi / 8, n_gamma=3)
    stack = torch.nn.ModuleList()
    for _ in range(case.depth):
        layer = enn.SphereConv(fields, fields, functions=grid)
        stack.append(enn.Sequential(layer, enn.ReLU(fields)) if case.relu else layer)
    return stack.to(getattr(torch, case.dtype))


@torch.no_grad()
def equivariance_errors(case: Case, rotations: int) -> list[dict[str, Any]]:
    """Measure the stack after its first, second, ... layer.

    Args:
        case: the stack.
        rotations: n; every rotation meets an input of its own.
    Returns:
        One row for each depth from 1 to ``case.depth``: the case, ``delta``, its standard error
        ``delta_error``, and ``delta_in_band``, the same after both signals are projected on the
        degrees below the band, which leaves out what the grid can hold but a rotation cannot carry.
    """
    stack = layers(case)
    dtype = getattr(torch, case.dtype)
    generator = torch.Generator().manual_seed(case.seed)
    found: list[list[Tensor]] = [[] for _ in stack]
    for count in [CHUNK] * (rotations // CHUNK) + [rotations % CHUNK] * (rotations % CHUNK > 0):
        turns = eq.so3().sample(count, generator=generator).to(dtype)
        signal = random_field(
            field_type(case), count, band=case.input_band, generator=generator, dtype=dtype
        )
        turned = rotate_so3(signal, turns)
        for layer, errors in zip(stack, found, strict=True):
            signal, turned = layer(signal), layer(turned)
            expected = rotate_so3(signal, turns)
            identity = torch.eye(3, dtype=dtype)
            in_band = rotate_so3(turned, identity) if case.relu else turned
            scale = spread(signal)
            errors.append(
                torch.stack([spread(expected - turned) / scale, spread(expected - in_band) / scale])
            )
    rows = []
    for depth, errors in enumerate(found, start=1):
        delta, in_band = torch.cat(errors, dim=1).double()
        rows.append(
            asdict(case)
            | {
                "depth": depth,
                "delta": delta.mean().item(),
                "delta_error": delta.std().item() / len(delta) ** 0.5 if len(delta) > 1 else 0.0,
                "delta_in_band": in_band.mean().item(),
            }
        )
    return rows


def spread(signal: Tensor) -> Tensor:
    """Standard deviation over channels and grid points, (batch,)."""
    return signal.flatten(1).std(dim=1)
