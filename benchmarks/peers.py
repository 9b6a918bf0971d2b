"""Other packages at the same work: adapters to s2cnn, se3cnn, torch-harmonics and lie_learn.

What comes in: nothing; every peer is optional. What goes out: for each peer a pair
``(adapter, reason)`` of which exactly one is empty, so that a benchmark can write
``skipped: <reason>``::

    peer, reason = load_s2cnn()
    if peer is None:
        report(f"skipped: {reason}")

How to get the peers. They do not go together with numpy 2, so give them an environment of their own
(Python 3.11, torch 2.13, numpy 1.26, scipy) and install equinet there too:

* lie_learn: ``pip install lie_learn==0.0.2`` (its wheel needs numpy < 2), or build it from the
  GitHub repository ``AMLab-Amsterdam/lie_learn``.
* s2cnn is on no package index. Clone the GitHub repository ``jonkhler/s2cnn`` and put the clone on
  ``PYTHONPATH``. It needs lie_learn.
* se3cnn likewise: ``mariogeiger/se3cnn``. It needs lie_learn and scipy.
* torch-harmonics: ``pip install --no-deps torch-harmonics==0.9.3``. It asks for torch 2.14, but its
  transforms run on 2.13 as well. (0.9.1 accepts torch 2.13, but its compiled part does not load.)

s2cnn was last touched for a current torch years ago and does not run on a CPU as it stands. It is
mended in memory by ``_mend_lie_learn``, ``_silence_s2cnn`` and ``_mend_so3_rfft`` below, each of
which says what it replaces and why. Everything else that is timed is s2cnn's own code. So it is
with se3cnn and ``_mend_se3cnn``.
"""

import collections.abc
import functools
import importlib
import importlib.util
import math
import sys
import types
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# What a package that is too old for the installed numpy raises when it is imported.
_IMPORT_FAILURES = (ImportError, AttributeError, ValueError)

# What se3cnn asks for the name of a folder, which is not used.
_APPDIRS: Any = types.ModuleType("appdirs")
_APPDIRS.user_cache_dir = lambda name: name

Points = tuple[tuple[float, ...], ...]


# ---- s2cnn -------------------------------------------------------------------------------------


class S2cnn:
    """s2cnn on a CPU, mended.

    Its spectra are real tensors ``(spectral index, ..., 2)`` that hold real and imaginary parts.
    On SO(3) the spectral index is l(4l^2-1)/3 + (2l+1)(m+l) + (n+l), on S^2 it is l^2 + m + l, and

        x_hat^l_mn = int f(R) conj(e^{i m alpha} d^l_mn(beta) e^{i n gamma}) dR,    int dR = 1.

    Attributes:
        version: what to print in a table.
        package: the imported package, for what has no adapter here.
    """

    version = "git"

    def __init__(self, package: types.ModuleType) -> None:
        self.package = package

    def mnist_network(self) -> nn.Module:
        """The spherical MNIST network of the Spherical CNNs paper, 58,550 parameters.

        Maps ``(batch, 1, 60, 60)`` to ``(batch, 10)``, float32.
        """
        return _MnistNetwork(self.package)

    def so3_rfft(self, x: Tensor) -> Tensor:
        """Fourier transform of a real signal on SO(3).

        Args:
            x: ``(batch, 2b, 2b, 2b)``, axes beta, alpha, gamma, float32.
        Returns:
            ``(b(4b^2-1)/3, batch, 2)``.
        """
        return importlib.import_module("s2cnn.soft.so3_fft").so3_rfft(x)


def load_s2cnn() -> tuple[S2cnn | None, str]:
    """s2cnn with its CPU path mended, or ``None`` and the reason why it is not there."""
    _, reason = load_lie_learn()
    if reason:
        return None, f"s2cnn needs lie_learn; {reason}"
    if importlib.util.find_spec("s2cnn") is None:
        return None, "s2cnn is not on the Python path"
    _silence_s2cnn()
    try:
        package = importlib.import_module("s2cnn")
        _mend_so3_rfft()
    except _IMPORT_FAILURES as error:
        return None, f"s2cnn does not import: {type(error).__name__}: {error}"
    return S2cnn(package), ""


def s2_near_identity_grid(max_beta: float, n_alpha: int, n_beta: int) -> Points:
    """Points (beta, alpha) on rings around the north pole, in s2cnn's order.

    s2cnn has a function of this name, but it asks numpy for ``np.float``, which numpy 1.24 removed.
    """
    return tuple(
        (max_beta * j / n_beta, 2 * math.pi * k / n_alpha)
        for j in range(1, n_beta + 1)
        for k in range(n_alpha)
    )


def so3_near_identity_grid(
    max_beta: float, max_gamma: float, n_alpha: int, n_beta: int, n_gamma: int
) -> Points:
    """Rotations (beta, alpha, gamma) near the identity, in s2cnn's order.

    alpha + gamma runs over ``n_gamma`` values from -max_gamma to max_gamma.
    """
    twists = np.linspace(-max_gamma, max_gamma, n_gamma).tolist()
    rings = s2_near_identity_grid(max_beta, n_alpha, n_beta)
    return tuple((beta, alpha, twist - alpha) for beta, alpha in rings for twist in twists)


class _MnistNetwork(nn.Module):
    """S2Convolution 1->20, b 30->10; SO3Convolution 20->40, b 10->6; integral; Linear 40->10."""

    def __init__(self, s2cnn: Any) -> None:
        super().__init__()
        s2_grid = s2_near_identity_grid(max_beta=math.pi / 8, n_alpha=8, n_beta=3)
        so3_grid = so3_near_identity_grid(
            max_beta=math.pi / 8, max_gamma=math.pi / 8, n_alpha=8, n_beta=3, n_gamma=3
        )
        self.lift = s2cnn.S2Convolution(1, 20, b_in=30, b_out=10, grid=s2_grid)
        self.correlate = s2cnn.SO3Convolution(20, 40, b_in=10, b_out=6, grid=so3_grid)
        self.integrate = s2cnn.so3_integrate
        self.classify = nn.Linear(40, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.lift(x))
        x = torch.relu(self.correlate(x))
        return self.classify(self.integrate(x))


def _silence_s2cnn() -> None:
    """Keep s2cnn from writing pickles into the working directory and from printing.

    Its tables go through decorators that store them under ``./cache`` and print on the way. A
    module with the same two names, put in place before the import, keeps the tables in memory.
    Nothing that is timed changes.
    """
    quiet: Any = types.ModuleType("s2cnn.utils.decorator")
    quiet.cached_dirpklgz = lambda dirname: functools.cache
    quiet.show_running = lambda function: function
    sys.modules.setdefault(quiet.__name__, quiet)


def _mend_so3_rfft() -> None:
    """Give s2cnn a real SO(3) Fourier transform that runs on a CPU.

    Its own one hands a complex tensor to ``rfftn``, which torch refuses. Here ``fft2`` takes the
    real signal; the contraction with its own table of Wigner d functions goes degree by degree as
    in its complex transform. Of the ways to write these two steps that were tried, this is the
    fastest: half the time of making the signal complex and calling its complex transform.
    """
    so3_fft: Any = importlib.import_module("s2cnn.soft.so3_fft")

    def so3_rfft(x: Tensor, for_grad: bool = False, b_out: int | None = None) -> Tensor:
        b_in = x.shape[-1] // 2
        b_out = b_in if b_out is None else b_out
        if b_out > b_in:
            raise ValueError(f"b_out: expected at most the band {b_in} of the grid, got {b_out}")
        # [beta, l m n]; the quadrature weights belong to the transform, not to its adjoint
        wigner = so3_fft._setup_wigner(b_in, nl=b_out, weighted=not for_grad, device=x.device)
        spectrum = torch.fft.fft2(x.reshape(-1, *x.shape[-3:]))  # [batch, beta, m, n]
        spectrum = torch.view_as_real(torch.fft.fftshift(spectrum, dim=(2, 3)))
        blocks = []
        for l in range(b_out):
            size = 2 * l + 1
            start = l * (4 * l * l - 1) // 3
            d = wigner[:, start : start + size * size].reshape(-1, size, size)
            inner = slice(b_in - l, b_in + l + 1)  # the frequencies -l..l
            block = torch.einsum("zbmnc,bmn->mnzc", spectrum[:, :, inner, inner], d)
            blocks.append(block.reshape(size * size, -1, 2))
        return torch.cat(blocks).reshape(-1, *x.shape[:-3], 2)

    so3_fft.so3_rfft = so3_rfft


# ---- se3cnn ------------------------------------------------------------------------------------


class Se3cnn:
    """se3cnn: steerable convolutions in space, SO(3), the code of arXiv 1807.02547."""

    version = "git"

    def __init__(self, convolution: type[nn.Module]) -> None:
        self.convolution = convolution

    def layer(self, counts: tuple[int, ...], size: int) -> nn.Module:
        """The convolution from ``counts[l]`` fields of each degree l to the same, without a bias.

        Padded to keep the size. Components are m = -l..l along the axis z.
        """
        fields = [(count, l) for l, count in enumerate(counts)]
        return self.convolution(fields, fields, size, padding=size // 2)


@functools.cache
def load_se3cnn() -> tuple[Se3cnn | None, str]:
    """se3cnn, mended for today's scipy, or ``None`` and the reason why it is not there."""
    for package in ("lie_learn", "se3cnn"):
        if importlib.util.find_spec(package) is None:
            return None, f"{package} is not installed"
    try:
        _mend_se3cnn()
        return Se3cnn(importlib.import_module("se3cnn.image.convolution").SE3Convolution), ""
    except _IMPORT_FAILURES as error:
        return None, f"se3cnn does not import: {type(error).__name__}: {error}"


def _mend_se3cnn() -> None:
    """Give back two functions that scipy removed, and keep its tables in memory.

    It writes tables to the working folder and to the user's cache, and announces each on the
    screen; in memory they are remembered as well.
    """
    linalg: Any = importlib.import_module("scipy.linalg")
    caching: Any = importlib.import_module("se3cnn.util.cache_file")
    caching.cached_dirpklgz = lambda folder: functools.cache
    sys.modules.setdefault("appdirs", _APPDIRS)
    mend_harmonics()
    importlib.import_module("se3cnn.SO3")
    eigh = linalg.eigh

    def with_range(a: np.ndarray, eigvals: Any = None, **options: Any) -> Any:
        return (
            eigh(a, **options) if eigvals is None else eigh(a, subset_by_index=eigvals, **options)
        )

    linalg.eigh = with_range


# ---- torch-harmonics ---------------------------------------------------------------------------


class TorchHarmonics:
    """torch-harmonics: transforms of scalar functions on the sphere.

    Coefficients are complex ``(..., lmax, lmax)``, degree before order, orders m >= 0 only,
    orthonormal with the Condon-Shortley phase. ``lmax`` is exclusive there. The grid is
    'equiangular' (poles included) or 'legendre-gauss', colatitude before longitude.
    """

    def __init__(self, package: Any) -> None:
        self.package = package
        self.version = _version("torch-harmonics")

    def forward(self, lmax: int, grid: str = "equiangular") -> nn.Module:
        """Analysis: ``(batch, 2 lmax, 2 lmax)`` float32 to ``(batch, lmax, lmax)`` complex64."""
        return self._float(self.package.RealSHT, lmax, grid)

    def inverse(self, lmax: int, grid: str = "equiangular") -> nn.Module:
        """Synthesis: ``(batch, lmax, lmax)`` complex64 to ``(batch, 2 lmax, 2 lmax)`` float32."""
        return self._float(self.package.InverseRealSHT, lmax, grid)

    @staticmethod
    def _float(transform: Any, lmax: int, grid: str) -> nn.Module:
        # Its tables are float64 and would be cast again on every call.
        return transform(2 * lmax, 2 * lmax, lmax=lmax, mmax=lmax, grid=grid).float()


def load_torch_harmonics() -> tuple[TorchHarmonics | None, str]:
    """torch-harmonics, or ``None`` and the reason why it is not there."""
    if importlib.util.find_spec("torch_harmonics") is None:
        return None, "torch-harmonics is not installed"
    try:
        return TorchHarmonics(importlib.import_module("torch_harmonics")), ""
    except _IMPORT_FAILURES as error:
        return None, f"torch-harmonics does not import: {type(error).__name__}: {error}"


# ---- lie_learn ---------------------------------------------------------------------------------


class LieLearn:
    """lie_learn: Fourier transforms on SO(3) in numpy, float64."""

    def __init__(self) -> None:
        self.version = _version("lie_learn")

    def so3_fft(self, band: int) -> Callable[[np.ndarray], list[list[np.ndarray]]]:
        """Its semi-naive SO(3) FFT (``spectral/SO3FFT_Naive.py``), tables made beforehand.

        Args:
            band: b, exclusive: l < b.
        Returns:
            A function of ``(batch, 2b, 2b, 2b)``, axes alpha, beta, gamma, which is lie_learn's
            order. It knows no batch, so the signals go one by one. The result lists, for each
            signal, one matrix ``(2l+1, 2l+1)`` for every degree: s2cnn's coefficients times
            2 pi / (2b)^2.
        """
        transform: Any = importlib.import_module("lie_learn.spectral.SO3FFT_Naive")
        transform.weighted_d(band)

        def analyse(signals: np.ndarray) -> list[list[np.ndarray]]:
            return [transform.SO3_FFT_analyze(signal) for signal in signals]

        return analyse


def load_lie_learn() -> tuple[LieLearn | None, str]:
    """lie_learn, mended for today's Python, or ``None`` and the reason why it is not there."""
    if importlib.util.find_spec("lie_learn") is None:
        return None, "lie_learn is not installed"
    try:
        _mend_lie_learn()
        importlib.import_module("lie_learn.spectral.SO3FFT_Naive")
    except _IMPORT_FAILURES as error:
        return None, f"lie_learn does not import: {type(error).__name__}: {error}"
    return LieLearn(), ""


def mend_harmonics() -> None:
    """Give SciPy back the ``sph_harm`` that it removed, for which lie_learn and se3cnn ask."""
    special: Any = importlib.import_module("scipy.special")
    if not hasattr(special, "sph_harm"):
        special.sph_harm = lambda m, l, alpha, beta: special.sph_harm_y(
            np.asarray(l).astype(int), np.asarray(m).astype(int), beta, alpha
        )


def _mend_lie_learn() -> None:
    """Give one module of lie_learn back the ``collections.Iterable`` that Python 3.10 removed."""
    irrep_bases: Any = importlib.import_module("lie_learn.representations.SO3.irrep_bases")
    irrep_bases.collections = types.SimpleNamespace(Iterable=collections.abc.Iterable)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
