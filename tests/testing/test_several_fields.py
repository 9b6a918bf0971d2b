"""Modules of several fields: all of them are drawn and moved."""

import pytest
import torch

from equinet import Plane, Point, Points, nn, summary
from equinet.testing import assert_equivariant, certificate, equivariance_error, report
from tests.tolerances import SYMMETRY

SPACES = [
    (Points("O(3)", dim=3), "2x0e + 2x1o", "1x1o", "2x0e + 2x1o + 2x1e"),
    (Point("SO(3)", dim=3), "2x0 + 2x1", "1x1 + 1x2", "1x1 + 2x2"),
    (Plane("C4"), "1x regular", "1x1", "1x regular + 1x1"),
    (Plane("SO(2)"), "2x0 + 1x1", "1x1", "1x0 + 1x1 + 1x2"),
]
every_space = pytest.mark.parametrize("case", SPACES, ids=lambda case: str(case[0]))


def _product(case):
    space, *texts = case
    types = map(space.fields, texts)
    return nn.Product(*types, generator=torch.Generator().manual_seed(0)).double()


class Twice(torch.nn.Module):
    """A product of the product; or one that leaves a component of the second field as it is."""

    def __init__(self, product, fixed=False):
        super().__init__()
        self.in_type, self.out_type = product.in_type, product.out_type
        self.argument_types = {"second": product.right_type}
        self.product, self.fixed = product, fixed

    def forward(self, x, second):
        if self.fixed:
            second = second + torch.ones_like(second[:1])
        return 2 * self.product(x, y=second)


@every_space
def test_both_fields_are_moved(case):
    product = _product(case)
    options = dict(exact=True) if case[0].grid is not None else {}
    for module in (product, Twice(product)):
        assert assert_equivariant(module, **options).max < SYMMETRY
        assert equivariance_error(module, **options).max < SYMMETRY
    with pytest.raises(AssertionError, match="Twice is not equivariant"):
        assert_equivariant(Twice(product, fixed=True), **options)


@every_space
def test_the_report_of_both(case):
    found = report(Twice(_product(case)), scales=(1,), count=2)
    (row,) = found.layers
    assert (row.name, row.kind) == ("product", "Product")
    assert row.sources.exact < SYMMETRY
    whole = found.error if case[0].grid is None else found.exact
    assert whole < SYMMETRY
    wrong = report(Twice(_product(case), fixed=True), scales=(), count=2)
    assert (wrong.error if case[0].grid is None else wrong.exact) > 0.01


@every_space
def test_the_certificate_of_both(case):
    product = _product(case)
    found = certificate(product)
    assert found.is_universal and found.layers[0].free == product.weight.numel()
    space, *texts = case
    assert not certificate(Twice(product, fixed=True)).is_equivariant


@every_space
def test_the_summary_of_both(case):
    product, sizes = _product(case), dict(sizes=(5, 5)) if case[0].grid is not None else {}
    found = summary(product, batch=3, **sizes)
    y = torch.randn(3, product.right_type.channels, dtype=torch.float64)
    (row,) = found.layers
    assert row.output == (3, product.out_type.channels, *sizes.get("sizes", ())) and row.flops > 0
    if not sizes:
        assert summary(product, batch=3, arguments={"y": y}) == found


def test_fields_that_are_given_are_moved(generator):
    product = _product(SPACES[0])
    y = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    assert assert_equivariant(product, arguments={"y": y}).max < SYMMETRY
    with pytest.raises(ValueError, match="^module: its output vanishes"):
        assert_equivariant(product, arguments={"y": 0 * y})  # it is this one that is taken
    with pytest.raises(ValueError, match="^y: expected"):
        assert_equivariant(product, arguments={"y": y[:, :2]})


def test_what_a_module_says_wrongly():
    product = _product(SPACES[0])
    module = Twice(product)
    module.argument_types = {"second": "1x1o"}
    with pytest.raises(TypeError, match="^module: expected argument_types with a FieldType"):
        equivariance_error(module)
    module.argument_types = {"second": SPACES[1][0].fields("1x1")}
    with pytest.raises(ValueError, match="^module: expected its argument second over Points"):
        equivariance_error(module)
