r"""Attention on the sphere, which all rotations commute with.

.. math:: y_i = M \sum_j a_{ij}\, E_i^T E_j\, v_j, \qquad
          a_{ij} = \frac{w_j\, e^{s_{ij}}}{\sum_k w_k\, e^{s_{ik}}}, \qquad
          s_{ij} = \frac{\langle E_i q_i, E_j k_j \rangle}{\sqrt d}
                   - \frac{1 - x_i \cdot x_j}{r^2} \quad (S1)

with the weights w of the quadrature. q, k and v are equivariant linear maps of the fields at a
point. E_i has the columns s and -s of D^s(R_i), where R_i takes the pole and the frame there to the
point x_i and the frame at it. It makes of a spin-weighted field a vector of SO(3) whose components
mean the same everywhere, so that two points can be compared, which parallel transport does only up
to the way. Where f becomes g f, E_i f_i is turned by D^s(g) and inner products stay; what is left
is the error of a sum in place of an integral.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.field import FieldType, sphere_of
from equinet.nn.linear import Linear
from equinet.nn.masks import point_weights, read
from equinet.nn.module import EquivariantModule
from equinet.numerics import Constant, angles_to_matrix, wigner_D
from equinet.numerics.arguments import check_integer, check_memory, check_number
from equinet.ops import full_precision
from equinet.rep import Irrep


class SphereAttention(EquivariantModule):
    r"""Attention of every point of a sphere to all others, or to those near it (S1).

    Scores and sums have the weights of the quadrature, so the layer is one of functions on the
    sphere and not of the samples: it commutes with rotations about any axis up to aliasing, which
    falls with the band, and which a finer grid for the same band takes away
    (``Sphere(16, grid=soft(24))``). Fields keep their spin and parity; a ``SphereConv`` mixes them.

    Its cost is that of all pairs of points, for each head.

    Args:
        in_type: spin-weighted fields over a sphere, no regular ones.
        out_type: fields over the same sphere, of the same spins.
        heads: how many softmaxes there are.
        key_copies: how many copies of each spin of ``in_type`` the query of a head has.
        reach: r, the standard deviation in radians of the Gaussian that neighbours are weighed
            with, at most pi; None for no weight but the score.
        bias: add a learned constant to the invariant fields of the output.
        generator: for the initial weights.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch)`` to ``out_type.shape(batch)``.
    Raises:
        ValueError: for regular fields, types over different spheres, or an argument out of range.

    Attributes:
        query, key, value: q, k and v, each a ``Linear``.
        mix: M, a ``Linear``.
    """

    aliases = True
    points: Tensor
    weights: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        heads: int = 4,
        key_copies: int = 2,
        reach: float | None = None,
        bias: bool = True,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        sphere = sphere_of(in_type)
        if out_type is None or out_type.space != sphere:
            raise ValueError(f"out_type: expected fields over {sphere}, got {out_type!r}")
        if in_type.is_sampled:
            raise ValueError(
                f"in_type: expected spin-weighted fields, got the regular ones {in_type!r}"
            )
        self.heads = check_integer(heads, "heads")
        check_integer(key_copies, "key_copies")
        self.reach = None if reach is None else check_number(reach, "reach", above=0)
        if self.reach is not None and self.reach > math.pi:
            raise ValueError(
                f"reach: expected an angle in radians in (0, {math.pi:.4f}], got {reach!r}; of "
                f"degrees it is math.radians({reach!r})"
            )
        count = sphere.rings.count
        check_memory(heads * count**2, "heads", f"scores of {heads} heads and {count} points")
        into, out = _spins(in_type), _spins(out_type)
        if out.keys() != into.keys():
            names = ", ".join(psi.name for psi in into)
            raise ValueError(
                f"out_type: expected fields of the spins of in_type, [{names}], which a SphereConv "
                f"mixes, got {out_type!r}"
            )
        keys = sphere.fields(" + ".join(f"{heads * key_copies}x{psi.name}" for psi in into))
        many = {psi: max(1, n // heads) for psi, n in into.items()}
        values = sphere.fields(" + ".join(f"{heads * n}x{psi.name}" for psi, n in many.items()))
        self._scale = (keys.channels / heads) ** -0.5
        self.query = Linear(in_type, keys, False, generator=generator)
        self.key = Linear(in_type, keys, False, generator=generator)
        self.value = Linear(in_type, values, False, generator=generator)
        self.mix = Linear(values, out_type, bias, generator=generator)
        self.set_constants()
        self.place(device, dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        sphere = sphere_of(self.in_type)
        beta, alpha = (angle.flatten() for angle in sphere.angles())
        R = angles_to_matrix(alpha, beta, torch.zeros_like(beta))
        spins = [psi.degree for psi in _spins(self.in_type)]
        frames = [wigner_D(s, R)[:, :, [2 * s, 0] if s else [0]] for s in spins]
        return {
            "frames": frames,  # E of each spin, (points, 2 s + 1, components)
            "points": sphere.positions().reshape(-1, 3),
            "weights": sphere.areas().flatten().log(),
        }

    def _vectors(self, layer: Linear, x: Tensor) -> Tensor:
        """E f in each head of what a layer makes, ``(batch, head, point, components)``."""
        found = []
        for part, frame in zip(layer.out_type.split(layer(x)), self.listed("frames"), strict=True):
            heads = part.flatten(3).unflatten(1, (self.heads, -1))  # (batch, head, copy, c, point)
            wide = torch.promote_types(heads.dtype, torch.float32)
            turned = torch.einsum("bhucp,pdc->bhpud", heads.to(wide), frame.to(wide))
            found.append(turned.flatten(3))
        return torch.cat(found, 3)

    def _fields(self, z: Tensor) -> Tensor:
        """E^T of the sums of values, ``(batch, channel, point)``."""
        frames = self.listed("frames")
        blocks = zip(self.value.out_type.blocks, frames, strict=True)
        sizes = [mul // self.heads * frame.shape[1] for (mul, _), frame in blocks]
        parts = []
        for part, frame in zip(z.split(sizes, 3), frames, strict=True):
            vectors = part.unflatten(3, (-1, frame.shape[1]))
            turned = torch.einsum("bhpud,pdc->bhucp", vectors, frame.to(z.dtype))
            parts.append(turned.flatten(1, 3))
        return torch.cat(parts, 1)

    def forward(self, x: Tensor, *, weights: Tensor | None = None) -> Tensor:
        """What every point makes of all others.

        Args:
            x: ``in_type.shape(batch)``.
            weights: of the points, as in ``GlobalAvgPool``, which multiply w in (S1). Where they
                are 0 the input is not read, and the output is 0.
        Returns:
            ``out_type.shape(batch)``.
        Raises:
            TypeError, ValueError: for ``weights``, as ``GlobalAvgPool``.
        """
        self.check(x)
        given = point_weights(self.in_type, x, weights)
        with full_precision(x):
            # The maps are in the dtype of their weights, scores and sums in single precision.
            own = torch.promote_types(x.dtype, self.points.dtype)
            y = read(x, given).to(own)
            q, k, v = (self._vectors(layer, y) for layer in (self.query, self.key, self.value))
            scores = (q * self._scale) @ k.mT + self.weights.to(q.dtype)
            if self.reach is not None:
                points = self.points.to(q.dtype)
                scores = scores + (points @ points.mT - 1) / self.reach**2
            if given is not None:
                here = given.flatten(2)[:, :, None]  # a number, not -inf, where nobody is there
                least = torch.finfo(q.dtype).min / 2
                scores = read(scores + read(here, here, 1.0).log(), here, least)
            z = self._fields(scores.softmax(-1) @ v).to(own)
            return read(self.mix(z.unflatten(2, x.shape[2:])), given).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, heads={self.heads}, reach={self.reach}"


def _spins(field_type: FieldType) -> dict[Irrep, int]:
    """How many fields there are of each irrep, ascending by spin and parity."""
    counts: dict[Irrep, int] = {}
    for mul, rho in field_type.blocks:
        (psi,) = rho.constituents
        counts[psi] = counts.get(psi, 0) + mul
    return dict(sorted(counts.items(), key=lambda item: (item[0].degree, item[0].name)))
