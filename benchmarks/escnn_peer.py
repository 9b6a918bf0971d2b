"""The algebra done by other packages: adapters to escnn and e3nn.

What comes in: nothing; both peers are optional. What goes out: for each peer a pair
``(adapter, reason)`` of which exactly one is empty, so that a benchmark can write
``skipped: <reason>``::

    peer, reason = load_escnn()
    if peer is None:
        report(f"skipped: {reason}")
    peer.cold(ICOSAHEDRAL).seconds             # fresh process, nothing on disk
    peer.warm(ICOSAHEDRAL).seconds             # fresh process, escnn's files on disk from before
    milliseconds(peer.again(OCTAHEDRAL_5))     # in this process, the group and its irreps at hand

    peer, reason = load_e3nn()
    milliseconds(peer.wigner_D(8, rotations))  # l = 0..8 from rotation matrices

What is done (the values of ``Irreps`` and ``Kernels`` below):

* ``ICOSAHEDRAL``, ``OCTAHEDRAL``: the group and all its irreps.
* ``OCTAHEDRAL_5``, ``SO3_MANY_5``, ``SO3_HIGH_5``, ``C8_5``, ``C8_7``: the basis of steerable
  kernels, sampled on the grid, and one filter expanded in it.
* ``CONV3D``: the same for 16 scalars, 8 vectors and 4 tensors of degree 2 on 5^3.
* ``SO3_MANY_5_FULL``, ``SO3_HIGH_5_FULL``: the same with every angular degree that couples the
  fields, on every shell but that at the origin. escnn by itself stops at degree 2 on 5^3, and so
  does much less work than a complete basis; compare like with like by ``Report.elements``.

escnn keeps three things between calls, and a benchmark has to say which of them it found:

* joblib files in a folder inside the installed package. Here they go to a temporary folder, which
  is empty in ``cold``, filled by a run before in ``warm``, and removed afterwards.
* singletons of the groups with their irreps. ``cold`` and ``warm`` are new processes and have none.
* sampled bases. ``again`` passes ``recompute=True``, which makes escnn leave them alone.

The clock of ``cold`` and ``warm`` starts when escnn has been imported. To set equinet beside it,
time equinet in a fresh process too: the first call of a process loads parts of torch lazily.

How to get the peers: an environment of their own (Python 3.11) on a machine with a Fortran
compiler, which py3nj, a part of escnn, needs::

    pip install torch==2.13.0 "numpy<2" scipy tqdm
    pip install escnn==1.0.11 lie_learn==0.0.2 e3nn==0.6.0 torch==2.13.0 "numpy<2"

with equinet's checkout as the working folder. escnn 1.0.11 runs so without a mend (scipy 1.17,
numpy 1.26). Without py3nj it falls back to a slower numerical solver, and ``load_escnn`` refuses,
for that would not be escnn's own speed.
"""

import atexit
import functools
import importlib
import importlib.util
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor, nn

# What a package that is too old for the installed numpy raises when it is imported.
_IMPORT_FAILURES = (ImportError, AttributeError, ValueError)


@dataclass(frozen=True)
class Irreps:
    """All irreps of a finite group; ``group`` is the name of escnn's function for it."""

    group: str


@dataclass(frozen=True)
class Kernels:
    """The kernels of a layer from some fields to the same fields.

    Attributes:
        space: 'octahedral', 'SO(3)' or 'C8'.
        count: how many fields of each kind; SO(3) only: or of each degree.
        size: of the grid, along each axis.
        lmax: SO(3) only: there are fields of each degree 0..lmax. Otherwise they are regular.
        full: SO(3) only: all angular degrees that couple the fields, instead of those that escnn
            chooses.
    """

    space: str
    count: int | tuple[int, ...]
    size: int
    lmax: int = 0
    full: bool = False

    def __post_init__(self) -> None:
        if self.full and self.space != "SO(3)":
            raise ValueError(f"full: expected the space 'SO(3)', got {self.space!r}")


ICOSAHEDRAL, OCTAHEDRAL = Irreps("ico_group"), Irreps("octa_group")
OCTAHEDRAL_5 = Kernels("octahedral", count=4, size=5)
SO3_MANY_5 = Kernels("SO(3)", count=32, size=5, lmax=3)
SO3_MANY_5_FULL = Kernels("SO(3)", count=32, size=5, lmax=3, full=True)
SO3_HIGH_5 = Kernels("SO(3)", count=1, size=5, lmax=6)
SO3_HIGH_5_FULL = Kernels("SO(3)", count=1, size=5, lmax=6, full=True)
CONV3D = Kernels("SO(3)", count=(16, 8, 4), size=5, lmax=2)
C8_5, C8_7 = Kernels("C8", count=16, size=5), Kernels("C8", count=16, size=7)

Task = Irreps | Kernels


@dataclass(frozen=True)
class Report:
    """What a run in a fresh process took.

    Attributes:
        stages: seconds of each stage: 'group' (with its irreps and the field type), 'basis',
            'filter' (the first expansion).
        elements: irreps of the group, or kernels in the basis between one copy of each field (all
            of them if the fields are not equally many).
    """

    stages: dict[str, float]
    elements: int

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(self.stages.values())


# ---- escnn -------------------------------------------------------------------------------------


class Escnn:
    """escnn's groups and bases of steerable kernels.

    Attributes:
        version: what to print in a table.
    """

    def __init__(self) -> None:
        self.version = _version("escnn")

    def cold(self, task: Task) -> Report:
        """The task in a fresh process that finds no files of escnn's."""
        with tempfile.TemporaryDirectory() as folder:
            return _in_fresh_process(task, folder)

    def warm(self, task: Task) -> Report:
        """The task in a fresh process that finds the files which an earlier run has left."""
        with tempfile.TemporaryDirectory() as folder:
            _in_fresh_process(task, folder)
            return _in_fresh_process(task, folder)

    def layer(self, task: Kernels) -> nn.Module:
        """Its convolution from the fields to themselves, padded to keep the size, on plain tensors.

        Its bias is on the scalars, or on the constant of each regular field, as equinet's.
        """
        escnn = _escnn_here()
        return _Layer(escnn, _convolution(escnn, task, _fields(escnn, task), initialize=True))

    def again(self, task: Kernels) -> Callable[[], Tensor]:
        """A call that builds the basis anew and expands a filter, in this process.

        The group, its irreps and whatever else the first build has left are there: a second layer
        of a network, of another kind than the first, has no less to do.
        """
        escnn = _escnn_here()
        fields = _fields(escnn, task)

        def build() -> Tensor:
            return _filter(_convolution(escnn, task, fields))

        build()
        return build


class _Layer(nn.Module):
    """escnn's layers take tensors that carry their type; this one gives it to them."""

    def __init__(self, escnn: Any, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.given: Any = functools.partial(escnn.nn.GeometricTensor, type=convolution.in_type)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(self.given(x)).tensor


def load_escnn() -> tuple[Escnn | None, str]:
    """escnn, or ``None`` and the reason why it is not there. It is imported only when it runs."""
    for package in ("escnn", "py3nj", "lie_learn"):
        if importlib.util.find_spec(package) is None:
            return None, f"{package} is not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("py3nj")
            importlib.import_module("lie_learn.representations.SO3.wigner_d")
    except _IMPORT_FAILURES as error:
        return None, f"escnn's parts do not import: {type(error).__name__}: {error}"
    return Escnn(), ""


def _in_fresh_process(task: Task, folder: str) -> Report:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(task, folder, torch.get_num_threads(), send))
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        raise RuntimeError(f"escnn failed at {task}; its own error is above") from None
    finally:
        process.join()


def _child(task: Task, folder: str, threads: int, send: Any) -> None:
    torch.set_num_threads(threads)
    escnn = _import_escnn(folder)
    send.send(_irreps(escnn, task) if isinstance(task, Irreps) else _kernels(escnn, task))


@functools.cache
def _escnn_here() -> Any:
    """escnn in this process, with a folder that goes when the process ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return _import_escnn(folder.name)


def _import_escnn(folder: str) -> Any:
    """escnn with its files in ``folder``.

    It decorates functions with ``joblib.Memory(<folder of the package>)`` while it is imported, and
    some of them announce each call on the screen. Another ``Memory`` stands in for that long.
    """
    joblib: Any = importlib.import_module("joblib")
    memory = joblib.Memory
    joblib.Memory = lambda location, **options: memory(folder, verbose=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in ("escnn", "escnn.group", "escnn.gspaces", "escnn.nn"):
                importlib.import_module(module)
    finally:
        joblib.Memory = memory
    return importlib.import_module("escnn")


def _irreps(escnn: Any, task: Irreps) -> Report:
    start = time.perf_counter()
    irreps = getattr(escnn.group, task.group)().irreps()
    return Report({"group": time.perf_counter() - start}, len(irreps))


def _kernels(escnn: Any, task: Kernels) -> Report:
    times = [time.perf_counter()]
    fields = _fields(escnn, task)
    times.append(time.perf_counter())
    layer = _convolution(escnn, task, fields)
    times.append(time.perf_counter())
    _filter(layer)
    times.append(time.perf_counter())
    stages = {
        "group": times[1] - times[0],
        "basis": times[2] - times[1],
        "filter": times[3] - times[2],
    }
    pairs = task.count**2 if isinstance(task.count, int) else 1
    return Report(stages, layer.basisexpansion.dimension() // pairs)


def _fields(escnn: Any, task: Kernels) -> Any:
    """Its field type, and thereby its space, group and representations."""
    spaces = {
        "octahedral": lambda: escnn.gspaces.octaOnR3(),
        "SO(3)": lambda: escnn.gspaces.rot3dOnR3(maximum_frequency=task.lmax),
        "C8": lambda: escnn.gspaces.rot2dOnR2(8),
    }
    space = spaces[task.space]()
    if task.space == "SO(3)":
        one = [space.irrep(l) for l in range(task.lmax + 1)]
    else:
        one = [space.regular_repr]
    # Copies of a field stand together: with gaps between them escnn would index them one by one.
    counts = [task.count] * len(one) if isinstance(task.count, int) else task.count
    copies = [[rep] * count for rep, count in zip(one, counts, strict=True)]
    return escnn.nn.FieldType(space, sum(copies, []))


def _convolution(escnn: Any, task: Kernels, fields: Any, initialize: bool = False) -> Any:
    # Its default initialisation of the weights is not what is compared in times of building (0.15 s
    # more for octahedral fields).
    options: dict[str, Any] = {
        "initialize": initialize,
        "recompute": True,
        "padding": task.size // 2,
    }
    if task.full:
        options["frequencies_cutoff"] = lambda radius: 2 * task.lmax if radius > 0 else 0
    layer = escnn.nn.R2Conv if task.space == "C8" else escnn.nn.R3Conv
    return layer(fields, fields, task.size, **options)


def _filter(layer: Any) -> Tensor:
    with torch.no_grad():
        return layer.expand_parameters()[0]


# ---- e3nn --------------------------------------------------------------------------------------


class E3nn:
    """e3nn's Wigner D matrices.

    Attributes:
        version: what to print in a table.
    """

    def __init__(self, o3: Any) -> None:
        self.o3 = o3
        self.version = _version("e3nn")

    def wigner_D(self, lmax: int, rotation: Tensor) -> Callable[[], list[Tensor]]:
        """A call that makes D^l(R) for l = 0..lmax from matrices, one degree after another.

        Args:
            lmax: highest degree, inclusive.
            rotation: R, shape ``(n, 3, 3)``. With float64, e3nn still makes its generators in
                torch's default dtype, so that its result is good to about 1e-5 only.
        """
        irreps = [self.o3.Irrep(l, 1) for l in range(lmax + 1)]
        return lambda: [irrep.D_from_matrix(rotation) for irrep in irreps]

    def wigner_D_by_angles(self, lmax: int, rotation: Tensor) -> Callable[[], list[Tensor]]:
        """The same by ``o3.wigner_D``, with the Euler angles taken once for all degrees."""

        def call() -> list[Tensor]:
            angles = self.o3.matrix_to_angles(rotation)
            return [self.o3.wigner_D(l, *angles) for l in range(lmax + 1)]

        return call


def load_e3nn() -> tuple[E3nn | None, str]:
    """e3nn, or ``None`` and the reason why it is not there."""
    if importlib.util.find_spec("e3nn") is None:
        return None, "e3nn is not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return E3nn(importlib.import_module("e3nn.o3")), ""
    except _IMPORT_FAILURES as error:
        return None, f"e3nn does not import: {type(error).__name__}: {error}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
