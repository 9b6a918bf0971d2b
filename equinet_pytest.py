"""The pytest plugin: equivariance checks as fixtures, and one seed for what they draw.

pytest loads this file in every run wherever equinet is installed, also in those that have nothing
to do with it. So it stands outside of the package ``equinet`` and imports neither that nor torch
before a test asks for a fixture.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --equinet-seed N``."""
    parser.getgroup("equinet").addoption(
        "--equinet-seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of the fields and group elements of equivariance checks (default: 0)",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say the seed where it is not the usual one."""
    seed = config.getoption("equinet_seed")
    return f"equinet: seed {seed}" if seed else None


@pytest.fixture
def equinet_seed(request: pytest.FixtureRequest) -> int:
    """The number of ``--equinet-seed``, 0 by default."""
    return int(request.config.option.equinet_seed)


@pytest.fixture
def equinet_generator(equinet_seed: int) -> torch.Generator:
    """A ``torch.Generator``, seeded anew for every test with ``--equinet-seed``."""
    return importlib.import_module("torch").Generator().manual_seed(equinet_seed)


@pytest.fixture
def equivariance_error(equinet_seed: int) -> Callable[..., Any]:
    """``equinet.testing.equivariance_error`` with the seed of the run."""
    return _seeded("equivariance_error", equinet_seed)


@pytest.fixture
def assert_equivariant(equinet_seed: int) -> Callable[..., Any]:
    """``equinet.testing.assert_equivariant`` with the seed of the run."""
    return _seeded("assert_equivariant", equinet_seed)


@pytest.fixture
def equivariance_report(equinet_seed: int) -> Callable[..., Any]:
    """``equinet.testing.report`` with the seed of the run."""
    return _seeded("report", equinet_seed)


def _seeded(name: str, seed: int) -> Callable[..., Any]:
    testing = importlib.import_module("equinet.testing")
    return functools.partial(getattr(testing, name), seed=seed)
