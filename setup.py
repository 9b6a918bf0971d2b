"""Compiles the operators where there is a compiler. All metadata is in pyproject.toml.

Environment:
    EQUINET_BUILD: ``auto`` compiles what can be compiled, ``0`` nothing, ``require`` fails where
        there is no C++ compiler.
    EQUINET_CUDA: the same for GPU code by nvcc; without it, it is compiled at first use.

torch is not needed, and not looked for. What could not be compiled is in the log beside the
libraries, and ``python -m equinet.build`` does it later.
"""

import importlib.util
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
HOME = "https://github.com/equinet/equinet"
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
        if self.editable_mode and cpu != "0" and _up_to_date(out, cuda):
            self.announce(f"what is in {out} was compiled from these sources and stays", 2)
        else:
            self._compile(package, out, cpu, cuda)
        self.distribution.compiled = [path for path in out.iterdir() if path.name != compile.LOG]

    def _compile(self, package: Path, out: Path, cpu: str, cuda: str) -> None:
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

    def run(self) -> None:
        if not self.skip_build:
            self.run_command("build")
        self.root_is_pure = not self.distribution.has_ext_modules()  # now it is known
        super().run()

    def get_tag(self) -> tuple[str, str, str]:
        platform = super().get_tag()[2]
        if platform.startswith("linux_") and not self.plat_name_supplied:
            files = self.distribution.compiled or []
            libraries = [path.read_bytes() for path in files if path.suffix == ".so"]
            if found := libraries and compile.manylinux(libraries):
                platform = platform.replace("linux", found, 1)
            else:
                self.announce(f"{platform} is for this system only: package indexes refuse it", 3)
        return "py3", "none", platform


class WithOperators(Distribution):
    compiled = None  # what was compiled, once it has been tried

    def has_ext_modules(self) -> bool:
        return bool(_can_compile() if self.compiled is None else self.compiled)


def _can_compile() -> bool:
    return compile.setting("EQUINET_BUILD") != "0" and _is_there(compile.find_compiler)


def _is_there(find: Callable[[], str]) -> bool:
    try:
        find()
    except compile.BuildError:
        return False
    return True


def _up_to_date(out: Path, cuda: str) -> bool:
    """Has all been compiled from these sources, by an earlier installation of this checkout?"""
    libraries = [out / compile.library_name(name) for name in compile.instruction_sets()]
    made_from = compile.source_hash(SOURCES).encode()
    if not all(path.exists() and made_from in path.read_bytes() for path in libraries):
        return False
    has_code = cuda == "0" or (out / compile.fatbin_name(SOURCES)).exists()
    return has_code or not _is_there(compile.find_nvcc)


def absolute(text: str) -> str:
    """A page of Markdown with links and pictures that lead somewhere from a package index too."""
    inside = r"(?!https?:|mailto:|#)"
    places = {
        rf"(!\[[^\]]*\]\(){inside}": "/raw/HEAD/",  # pictures, before links: ![...](...)
        rf'(\b(?:src|srcset)="){inside}': "/raw/HEAD/",
        rf"(\]\(){inside}": "/blob/HEAD/",  # links, and pictures that are links
        rf'(\bhref="){inside}': "/blob/HEAD/",
        rf"(?m)(^\[[^\]]+\]: ){inside}": "/blob/HEAD/",
        r'(\]\(|\bhref=")(?=#)': "",  # a heading has no anchor there
    }
    for pattern, folder in places.items():
        text = re.sub(pattern, rf"\g<1>{HOME}{folder}", text)
    return text


setup(
    long_description=absolute((ROOT / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    distclass=WithOperators,
    cmdclass={"build": Build, "build_operators": BuildOperators, "bdist_wheel": Wheel},
)
