"""Functions of the norms of the parts of an induced field."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.nn.norm_activation import NormActivation
from equinet.numerics.arguments import check_integer, per_axis
from equinet.numerics.cached import on_cpu
from equinet.ops import relu
from equinet.rep import Representation


class InducedNormActivation(NormActivation):
    r"""A function of the norm of every part of a field, where H permutes the parts.

    .. math:: f_i \mapsto \frac{f_i}{n_i}\, \sigma(n_i + b), \qquad
              n_i = \sqrt{|f_i|^2 + \epsilon^2}

    In the representation induced from rho of a subgroup a field is a list of vectors f_i, one a
    coset, of the dimension of rho; H permutes them and applies orthogonal matrices to each. So
    their norms are permuted, and every vector may be changed by its own. b is one a field. With
    one part a field this is ``NormActivation``.

    Args:
        in_type: fields such as "2x induced(C4,1)".
        size: the number of components of a part, for each block if they differ.
        function: sigma, elementwise.
        bias: learn b; else b = 0.
        eps: epsilon, in units of the field.
        device, dtype: of the module, as in ``torch.nn``.
    Raises:
        ValueError: if H does not permute parts of that size, or it is no integer.

    Example:
        >>> from equinet.field import Plane
        >>> module = InducedNormActivation(Plane("D4").fields("3x induced(C4,1)"), size=2)
        >>> module.in_type.channels, module.sizes
        (12, [2])
    """

    def __init__(
        self,
        in_type: FieldType,
        size: int | Sequence[int],
        function: Callable[[Tensor], Tensor] = relu,
        bias: bool = True,
        eps: float = 1e-3,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, function, bias, eps, device=device, dtype=dtype)
        sizes = list(per_axis(size, len(in_type.blocks)))
        if len(sizes) != len(in_type.blocks):
            raise ValueError(
                f"size: expected one number, or one for each of the {len(in_type.blocks)} blocks "
                f"of {in_type!r}, got {size!r}"
            )
        for (_, rho), parts in zip(in_type.blocks, sizes, strict=True):
            check_integer(parts, "size")
            if not _permutes_parts(rho, parts):
                raise ValueError(
                    f"size: {rho.group} does not permute parts of {parts!r} components of "
                    f"{rho!r}, which has {rho.dim}; of an induced field it is the dimension of "
                    f"the representation of the subgroup, {_sizes(rho)}"
                )
        self.sizes = sizes


@on_cpu
def _permutes_parts(rho: Representation, size: int) -> bool:
    """Whether each rho(h), in square blocks of ``size``, has one in each row that is not zero."""
    if size < 1 or rho.dim % size:
        return False
    values = rho(rho.group.generators)  # products and limits of such matrices are such matrices
    blocks = values.unflatten(2, (-1, size)).unflatten(1, (-1, size)).abs().amax((2, 4))
    return bool(((blocks > 1e-9).sum(-1) == 1).all())


def _sizes(rho: Representation) -> str:
    fitting = [size for size in range(1, rho.dim + 1) if _permutes_parts(rho, size)]
    return f"here {' or '.join(map(str, fitting))}"
