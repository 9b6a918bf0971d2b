"""Seeds, and torch's default dtype.

Tests run under torch's own default, float32, and say ``float64`` where they mean it: a constant
that is born in float32 then shows as an error of 1e-8 in a result that should be exact.
"""

import gc
import sys

import pytest
import torch
from hypothesis import settings

# The plugin as users have it, with the option --equinet-seed; and pytester, to test it.
pytest_plugins = ["equinet_pytest", "pytester"]

# Hypothesis draws structure, the same in every run; it keeps no database of examples on disk.
settings.register_profile(
    "equinet", derandomize=True, deadline=None, database=None, max_examples=20
)
settings.load_profile("equinet")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cases")
    group.addoption("--quick", action="store_true", help="the first case of every test and law")
    group.addoption("--case", default="", metavar="TEXT", help="cases of laws with this in a name")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch.compile warns of what torch itself does with an autograd.Function.

    Tests that forget all cached constants stand last, so that these are made once.
    """
    items.sort(key=lambda item: "default_dtype" in getattr(item, "fixturenames", ()))
    for item in items:
        if item.get_closest_marker("compile"):
            ignore = "ignore:.*should not be instantiated:DeprecationWarning"
            item.add_marker(pytest.mark.filterwarnings(ignore))


class Quick:
    """Of each test the first case that no other option leaves out."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]):
        first, others = {}, []
        for item in items:
            if first.setdefault(item.nodeid.partition("[")[0], item) is not item:
                others.append(item)
        config.hook.pytest_deselected(items=others)
        items[:] = first.values()


def pytest_collection_finish() -> None:
    """Modules and cases stay to the end, so the collector of garbage need not look at them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        config.pluginmanager.register(Quick())


@pytest.fixture
def generator(equinet_generator: torch.Generator) -> torch.Generator:
    """A torch.Generator, seeded anew for every test with ``--equinet-seed``."""
    return equinet_generator


@pytest.fixture
def default_dtype():
    """A function that sets torch's default dtype, and forgets all cached constants."""
    before = torch.get_default_dtype()

    def set_dtype(dtype: torch.dtype) -> None:
        torch.set_default_dtype(dtype)
        _clear_caches()

    yield set_dtype
    set_dtype(before)


def _clear_caches() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("equinet."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
