r"""The check of a module: how far it is from commuting with the group, and whether it passes.

.. math:: \Delta(g) = \frac{\lVert \Phi(g f) - g \Phi(f) \rVert}{\lVert \Phi(f) \rVert} \quad (E1)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from equinet.field import FieldType
from equinet.numerics.arguments import check_number
from equinet.testing.draws import Draw
from equinet.testing.experiments import Experiment, Outputs
from equinet.testing.outcomes import EquivarianceError, errors
from equinet.testing.trials import trials
from equinet.testing.verdicts import verdict


def equivariance_error(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: Outputs = None,
    *,
    count: int = 5,
    batch: int | None = None,
    band: int | None = None,
    sizes: tuple[int, ...] | None = None,
    smoothness: float | None = None,
    exact: bool | None = None,
    seed: int = 0,
    elements: Tensor | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> EquivarianceError:
    r"""Measure (E1) on random fields for several group elements.

    Works for any module: one of this library knows its types, for another say them. The module is
    measured in evaluation mode and left as it was. Elements of a continuous group are drawn from
    Haar measure, so their axes are neither polar nor on the grid; of a finite group there are
    generators and others.

    Over the sphere fields are moved exactly, through their spectra; over ``Points`` and ``Point``
    by rho(g), and positions by g and a translation; over a ``HomogeneousSpace`` by a permutation
    of its points and rho of the cocycle. Over a grid, elements that map the grid to
    itself (signed permutations of the axes) move white noise exactly, and outputs are compared
    everywhere. For other elements the input is a smooth function that fades before the end of the
    grid, which is moved exactly as well; the output is moved by cubic interpolation and compared in
    the largest ball of the grid. What this interpolation does is measured beside it.

    Args:
        module: Phi, from ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``. If it
            takes more fields, its attribute ``argument_types`` says their types by name.
        in_type: type of the input; ``module.in_type`` if None. What is no field, such as the
            species of points in ``net(kinds, positions, graph)``, is given among ``arguments``; the
            layers inside then say which group moves the points.
        out_type: type of the output; None means ``module.out_type`` where there is one, and
            otherwise that the output is invariant. Of a module that returns a NamedTuple or a dict
            it is a dict of the types by name, and the error the largest of those outputs.
        count: number of group elements.
        batch: number of fields for each of them, 2 by default; over points, of points, 8 by
            default.
        band: over the sphere, bound of the degrees of the random fields. By default all of the band
            of the space; half of it if a module inside has nonlinearities, whose products need room
            below the band.
        sizes: over a grid, of its axes; by default small odd ones (or even ones) at which every
            strided layer keeps the centre.
        smoothness: over a grid, of the smooth fields: the standard deviation, in steps of the grid,
            of the Gaussian that would make them of white noise; 2 by default.
        exact: over a grid, True for elements that map it to itself only, False for others only.
        seed: of fields and group elements.
        elements: use these group elements ``(count, n, n)`` instead.
        arguments: more keyword arguments of the module, over ``Points``: "positions" and "shifts"
            move with the group, and so does the cell of a ``transforms.Graph``. Positions and all
            pairs, as "edges" ``(2, count)`` or as "graph", are drawn if ``forward`` takes them and
            they are not given. The input itself may be among them, by its name: integers are
            species, which stay, floating numbers are fields of ``in_type``, or invariants if there
            is none.
    Returns:
        The errors, one for each element.
    Raises:
        TypeError, ValueError: if there is no type, an argument has no meaning over the space, or
            the output vanishes, is not finite or not a real tensor, so that there is nothing to
            compare.
    """
    draw = Draw(count, seed, batch, elements, band, sizes, smoothness, exact, arguments)
    experiment = Experiment.of(module, in_type, out_type, draw)
    return errors(experiment, trials(experiment))


def assert_equivariant(
    module: nn.Module,
    in_type: FieldType | None = None,
    out_type: Outputs = None,
    *,
    tolerance: float | None = None,
    count: int = 5,
    batch: int | None = None,
    band: int | None = None,
    sizes: tuple[int, ...] | None = None,
    smoothness: float | None = None,
    exact: bool | None = None,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
) -> EquivarianceError:
    """Raise AssertionError if a module does not commute with the group.

    Over the sphere, points and finite spaces no error may be above ``tolerance``. Over a grid this
    holds for the elements that map the grid to itself, generators of all of these among them.
    Others a grid can only follow approximately: the mean of their errors must fall when the same
    picture is sampled twice as finely, or be below 0.5, since a filter of few pixels leaves an
    error that no finer picture mends.

    Args:
        module: as in ``equivariance_error``, like all that follow but the tolerance.
        in_type: type of the input.
        out_type: type of the output.
        tolerance: by default what rounding leaves of a linear map, 1e-10 in float64 and 1e-4 in
            float32; with nonlinearities on a grid of a group, whose outputs have degrees above the
            band, 0.1. Given together with ``exact=False`` it stands in place of the refinement.
        count: number of group elements.
        batch: number of fields.
        band: bound of the degrees of the random fields over the sphere.
        sizes: of a grid.
        smoothness: of the fields on a grid.
        exact: over a grid, True to leave out the elements that do not map it to itself, False to
            leave out those that do.
        seed: of fields and group elements.
        arguments: more keyword arguments of the module.
    Returns:
        The measured errors: over a grid those of the elements that map it to itself, if there are
        any.
    Raises:
        AssertionError: if it does not commute with the group.
        TypeError, ValueError: as ``equivariance_error``.
    """
    if tolerance is not None:
        check_number(tolerance, "tolerance", 0)
    draw = Draw(count, seed, batch, None, band, sizes, smoothness, exact, arguments)
    found = verdict(Experiment.of(module, in_type, out_type, draw), tolerance)
    if found.failure is not None:
        raise AssertionError(found.failure)
    return found.error
