"""What several tests of operators need."""

import sys

import pytest

from equinet.ops.native import compile
from tests.ops.emulation.gpu import compile_driver


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """The emulated driver of a GPU with the kernels as they are."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the emulation needs ucontext")
    try:
        compile.find_compiler()
    except compile.BuildError as error:
        pytest.skip(str(error))
    return compile_driver(tmp_path_factory.mktemp("emulation"))
