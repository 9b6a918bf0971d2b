r"""Product of a spectrum with one matrix per degree.

In: a spectrum and filter blocks. Out: a spectrum.

.. math:: z^l_m = W^l x^l_m, \qquad m = -l, \dots, l                                  \quad (B1)

By Schur's lemma these are all the linear maps between spectra that commute with SO(3). Its
derivatives are two more products, and together the three are closed under differentiation:

.. math:: x^l_m = (W^l)^T z^l_m \quad (B2), \qquad W^l = \sum_m z^l_m (x^l_m)^T \quad (B3)

Spectra are real throughout, in the real basis, so there is no complex form; and a function on S^2
has one column where one on SO(3) has 2l + 1, so the product from S^2 to SO(3) is this one too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from equinet.ops.block_padding import emptied, filled, padding
from equinet.ops.example_tables import integers
from equinet.ops.native import cuda, library
from equinet.ops.native.checks import check_counts, check_tensor, check_tensors
from equinet.ops.native.operator import Operator

FORWARD, ADJOINT, OUTER = 0, 1, 2  # (B1), (B2), (B3); as in csrc/cpu/block_matmul.cpp
GPU_TILE = 64  # kTile of csrc/cuda/block_matmul.cu


def block_matmul(
    spectrum: Tensor,
    weights: Tensor,
    rows: Sequence[int],
    columns: Sequence[int],
    batch: int,
    bias: Tensor | None = None,
) -> Tensor:
    """Apply the matrix of degree l to the columns of every order m of it.

    Args:
        spectrum: flat: for each degree ``(2l + 1, columns, batch)``, concatenated.
        weights: flat: for each degree a matrix ``(rows, columns)``, concatenated.
        rows: of each matrix; may be zero.
        columns: of each matrix; may be zero.
        batch: number of samples.
        bias: ``(rows at l = 0,)``, added to the coefficients of degree 0, that is, to the
            constants.
    Returns:
        The new spectrum, flat: for each degree ``(2l + 1, rows, batch)``, concatenated.
    Raises:
        ValueError: for tensors of another shape than the sizes say, or negative sizes.
        TypeError: for what is no tensor or no size, or tensors of different dtypes or devices.
    """
    check_tensors("block_matmul", spectrum=spectrum, weights=weights)
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        # A size is a tensor there, so that the program is for any batch; operators take numbers.
        return _reference(weights, Product(spectrum, bias, rows, columns, batch, FORWARD))
    _check_sizes(rows, columns, batch)
    return OPERATOR(weights, Product(spectrum, bias, rows, columns, batch, FORWARD))


class Product(NamedTuple):
    """The plan of one of the three products: its right factor, and the sizes of all.

    Attributes:
        right: x or, for (B2), z. The left factor is W or, for (B3), z.
        bias: as in ``block_matmul``; (B1) only.
        rows: of each matrix.
        columns: of each matrix.
        batch: number of samples.
        mode: which of the three.
    """

    right: Tensor
    bias: Tensor | None
    rows: Sequence[int]
    columns: Sequence[int]
    batch: int
    mode: int

    def with_factor(self, mode: int, right: Tensor) -> "Product":
        """The plan of another product of the same sizes.

        Args:
            mode: which of the three.
            right: its right factor.
        Returns:
            The plan, without a bias.
        """
        return Product(right, None, self.rows, self.columns, self.batch, mode)


def sizes_of(rows: Sequence[int], columns: Sequence[int], batch: int) -> tuple[int, int, int]:
    """The entries of W, of x and of z.

    Args:
        rows: of each matrix.
        columns: of each matrix.
        batch: number of samples.
    Returns:
        Three numbers.
    """
    weights = sum(k_out * k_in for k_out, k_in in zip(rows, columns, strict=True))
    x = sum((2 * l + 1) * k for l, k in enumerate(columns)) * batch
    return weights, x, sum((2 * l + 1) * k for l, k in enumerate(rows)) * batch


# --- the reference --------------------------------------------------------------------------------


def _reference(left: Tensor, plan: Product) -> Tensor:
    """Any of the three: left is W or, for (B3), z; right is x or, for (B2), z."""
    right, bias, rows, columns, batch, mode = plan
    rows, columns = tuple(rows), tuple(columns)
    orders = tuple(2 * l + 1 for l in range(len(rows)))
    matrices = padding(rows, columns, False)
    if mode == OUTER:
        z, x = _columns(left, orders, rows, batch), _columns(right, orders, columns, batch)
        w = [_product(a, b.mT) for a, b in zip(z, x, strict=True)]
        return emptied(w, matrices, ())
    w = filled(left, matrices)
    if mode == ADJOINT:
        rows, columns, w = columns, rows, [block.mT for block in w]
    x = _columns(right, orders, columns, batch)
    z = [_product(a, b) for a, b in zip(w, x, strict=True)]
    found = emptied(z, padding(orders, rows, True), (batch,))
    if bias is not None:
        if bias.shape != rows[:1]:
            raise ValueError(f"block_matmul: bias: expected {rows[:1]}, got {tuple(bias.shape)}")
        found = found + pad(bias, (0, found.shape[0] - rows[0])).unsqueeze(1)
    return found.flatten()


def _columns(
    flat: Tensor, orders: tuple[int, ...], sizes: tuple[int, ...], batch: int
) -> list[Tensor]:
    """A spectrum as a matrix ``(k, orders and samples)`` for each degree, in groups of degrees."""
    rows = flat.reshape(sum(m * k for m, k in zip(orders, sizes, strict=True)), batch)
    return filled(rows, padding(orders, sizes, True))


def _product(a: Tensor, b: Tensor) -> Tensor:
    if 0 not in (*a.shape, *b.shape[-1:]):
        return torch.bmm(a, b)
    zeros = a.new_zeros(a.shape[0], a.shape[1], b.shape[2])  # other runtimes refuse such products
    return zeros if 0 in a.shape else zeros + a.sum() + b.sum()  # no samples: keeps the graph


# --- the operator ---------------------------------------------------------------------------------


def _check_sizes(rows: Sequence[int], columns: Sequence[int], batch: int) -> None:
    check_counts("block_matmul", "rows", rows)
    check_counts("block_matmul", "columns", columns)
    check_counts("block_matmul", "batch", [batch])
    if len(rows) != len(columns):
        raise ValueError(
            f"block_matmul: columns: expected one number for each of {len(rows)} degrees, got "
            f"{len(columns)}"
        )


def _check(left: Tensor, plan: Product) -> None:
    right, bias, rows, columns, batch, mode = plan
    _check_sizes(rows, columns, batch)
    if mode not in (FORWARD, ADJOINT, OUTER):
        raise ValueError(f"block_matmul: mode: expected 0, 1 or 2, got {mode}")
    weights, x, z = sizes_of(rows, columns, batch)
    first, second = ("z", z) if mode == OUTER else ("weights", weights), ("x", x)
    if mode == ADJOINT:
        second = ("z", z)
    check_tensor("block_matmul", first[0], left, (first[1],), left)
    check_tensor("block_matmul", second[0], right, (second[1],), left)
    if bias is not None:
        check_tensor("block_matmul", "bias", bias, (rows[0],), left)


def _fake(left: Tensor, plan: Product) -> Tensor:
    weights, x, z = sizes_of(plan.rows, plan.columns, plan.batch)
    return left.new_empty({FORWARD: z, ADJOINT: x, OUTER: weights}[plan.mode])


def _cpu(left: Tensor, plan: Product) -> Tensor:
    right, bias, rows, columns, batch, mode = plan
    factors = left.contiguous(), right.contiguous(), None if bias is None else bias.contiguous()
    out = _fake(left, plan)
    sizes = (tuple(rows), tuple(columns), len(rows), batch)
    library.call("block_matmul", left.dtype, mode, *factors, out, *sizes)
    return out


def _tiles(plan: Product) -> int:
    """Blocks of threads on a GPU: tiles of the products of all degrees."""
    _, _, rows, columns, batch, mode = plan
    shapes = [(k_out, (2 * l + 1) * batch) for l, k_out in enumerate(rows)]
    if mode == ADJOINT:
        shapes = [(k_in, (2 * l + 1) * batch) for l, k_in in enumerate(columns)]
    elif mode == OUTER:
        shapes = list(zip(rows, columns, strict=True))
    return sum(-(m // -GPU_TILE) * -(n // -GPU_TILE) for m, n in shapes)


def _fits(left: Tensor, plan: Product) -> bool:
    return len(plan.rows) <= cuda.MAX_DEGREES and cuda.fits(_tiles(plan))


def _gpu(left: Tensor, plan: Product) -> Tensor:
    right, bias, rows, columns, batch, mode = plan
    factors = left.contiguous(), right.contiguous(), None if bias is None else bias.contiguous()
    out = _fake(left, plan)
    if tiles := _tiles(plan):
        arguments = (mode, *factors, out, cuda.degrees(rows, columns), batch)
        cuda.launch("block_matmul", left.dtype, left.device.index, (tiles,), (256,), *arguments)
    return out


def _examples() -> list[tuple[Tensor, Product]]:
    """The three, with degrees of no rows or no columns, and more than one tile."""
    rows, columns, batch = [3, 66, 0, 2], [2, 5, 2, 17], 23
    w, x, z = sizes_of(rows, columns, batch)
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, Product]] = []
    for mode, sizes in ((FORWARD, (w, x)), (ADJOINT, (w, z)), (OUTER, (z, x))):
        left, right = (integers((size,), generator) for size in sizes)
        bias = integers((rows[0],), generator) if mode == FORWARD else None
        found.append((left, Product(right, bias, rows, columns, batch, mode)))
    return found


def _gradients(
    needed: Sequence[bool], gradient: Tensor, left: Tensor, plan: Product
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Each of (B1) to (B3) is linear in both factors, with the two others as derivatives."""
    # For each product the factors of the two others, of which one is its gradient.
    to_left, to_right = {
        FORWARD: ((OUTER, gradient, plan.right), (ADJOINT, left, gradient)),
        ADJOINT: ((OUTER, plan.right, gradient), (FORWARD, left, gradient)),
        OUTER: ((FORWARD, gradient, plan.right), (ADJOINT, gradient, left)),
    }[plan.mode]

    def product(mode: int, left: Tensor, right: Tensor) -> Tensor:
        return OPERATOR(left, plan.with_factor(mode, right))

    bias = plan.rows[0] * plan.batch
    return (
        product(*to_left) if needed[0] else None,
        product(*to_right) if needed[1] else None,
        gradient[:bias].view(plan.rows[0], plan.batch).sum(1) if needed[2] else None,
    )


OPERATOR = Operator(
    "block_matmul(Tensor left, Tensor right, Tensor? bias, SymInt[] rows, SymInt[] columns, "
    "SymInt batch, int mode) -> Tensor",
    Product,
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=_gpu,
    fits=_fits,
    examples=_examples,
)
OPERATOR.differentiate(_gradients)
