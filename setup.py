"""Compiles the operators where there is a compiler. All metadata is in pyproject.toml.

Environment:
    EQUINET_BUILD: ``auto`` compiles what can be compiled, ``0`` nothing, ``require`` fails where
        there is no C++ compiler.
    EQUINET_CUDA: the same for GPU code by nvcc; without it, it is compiled at first use.

torch is not needed, and not looked for. What could not be compiled is in the log beside the
libraries, and ``python -m equinet.build`` does it later.
"""

import importlib.util
import shutil
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "csrc"

# By its path, as the package itself needs torch to be imported.
_spec = importlib.util.spec_from_file_location(
    "compile", ROOT / "equinet" / "ops" / "native" / "compile.py"
)
compile = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compile)


class BuildOperators(Command):
    """Ship ``csrc`` inside the package, and compile it; in an editable install only compile it."""

    user_options = []
    editable_mode = False  # set by setuptools

    def initialize_options(self) -> None:
        self.build_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        cpu, cuda = compile.setting("EQUINET_BUILD"), compile.setting("EQUINET_CUDA")
        package = ROOT / "equinet" if self.editable_mode else Path(self.build_lib) / "equinet"
        out = package / compile.INSTALLED.name
        for old in (out, package / "_csrc"):  # of an earlier build in the same folder
            shutil.rmtree(old, ignore_errors=True)
        if not self.editable_mode:
            shutil.copytree(SOURCES, package / "_csrc")
        self.announce(compile.build(SOURCES, out, cpu, "0" if cpu == "0" else cuda), 2)

    def get_source_files(self) -> list[str]:
        return [str(path.relative_to(ROOT)) for path in SOURCES.rglob("*") if path.is_file()]

    def get_outputs(self) -> list[str]:
        package = Path(self.build_lib) / "equinet"
        folders = [package / "_csrc", package / compile.INSTALLED.name]
        return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class Build(build):
    sub_commands = [*build.sub_commands, ("build_operators", None)]


class Wheel(bdist_wheel):
    """One wheel serves every Python: of one platform if it has compiled files, else of all."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2] if _compiles() else "any"


class WithOperators(Distribution):
    def has_ext_modules(self) -> bool:
        return _compiles()


def _compiles() -> bool:
    if compile.setting("EQUINET_BUILD") == "0":
        return False
    try:
        compile.find_compiler()
    except compile.BuildError:
        return False
    return True


setup(
    distclass=WithOperators,
    cmdclass={"build": Build, "build_operators": BuildOperators, "bdist_wheel": Wheel},
)
