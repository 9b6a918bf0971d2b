"""What installed libraries give today beside the values that the tests of the gate keep of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equinet.convert import from_healpy, from_lie_learn_so3, from_pyshtools, from_se3cnn
from equinet.harmonics import healpix, s2_ifft, so3_ifft
from equinet.harmonics.rings import Rings

GOLDEN = Path(__file__).parents[1] / "golden"
Rows = Iterator[tuple[str, float]]


def _compared(file: str, found: Mapping[str, np.ndarray]) -> Rows:
    """The largest difference of arrays from the kept ones, in parts of their largest entries."""
    worst = 0.0
    with np.load(GOLDEN / file) as kept:
        for name, value in found.items():
            scale = max(1.0, float(np.abs(kept[name]).max()))
            worst = max(worst, float(np.abs(kept[name] - value).max()) / scale)
    yield f"{len(found)} arrays of tests/golden/{file}", worst


def _maker(name: str) -> Any:
    return importlib.import_module(f"tests.golden.{name}")


def lie_learn() -> Rows:
    """Bases, spectra in all of them, Wigner matrices and quadrature weights."""
    maker = _maker("make_lie_learn")
    yield from _compared("lie_learn.npz", maker.bases())
    yield from _compared("lie_learn_spectra.npz", maker.sphere())
    yield from _spectra(maker.rotations(every=True))
    peers = _maker("make_peers")
    peers.load_lie_learn()  # which mends it
    yield from _compared("peers.npz", peers.lie_learn_values(np.random.default_rng(1)))


def _spectra(arrays: Mapping[str, np.ndarray]) -> Rows:
    """Functions on SO(3), of which each basis has matrices."""
    worst, count = 0.0, 0
    for name in arrays:
        if name.endswith("/F"):
            F, f = (torch.from_numpy(arrays[name[:-1] + key]) for key in "Ff")
            matrices = [F[..., :1, None], F[1:10].view(3, 3), F[10:].view(5, 5)]
            spectrum = from_lie_learn_so3(matrices, *name[:-2].split("_"))
            found = so3_ifft(spectrum, 3).transpose(0, 1)
            worst = max(worst, float((found - f).abs().max() / f.abs().max()))
            count += 1
    yield f"spectra on SO(3) in {count} bases", worst


def torch_harmonics() -> Rows:
    """Coefficients of functions."""
    package = importlib.import_module("torch_harmonics")
    values = _maker("make_peers").torch_harmonics_values(package, np.random.default_rng(2))
    yield from _compared("peers.npz", values)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of its tables
    try:
        maker = _maker("make_sphere")
        yield from _compared("sphere.npz", maker.of_torch_harmonics(np.random.default_rng(3)))
    finally:
        torch.set_default_dtype(before)


def healpy() -> Rows:
    """Coefficients, and the functions and spin fields that they are of."""
    package, maker = importlib.import_module("healpy"), _maker("make_sphere")
    arrays = maker.of_healpy(np.random.default_rng(1))
    yield from _compared("sphere.npz", arrays)
    yield from _compared("healpix.npz", _maker("make_healpix").transforms())
    alm, grid = arrays["healpy_alm"], healpix(8)
    for spin in range(4):
        if spin:
            l, _ = package.Alm.getlm(6)
            kept = np.where(l < spin, 0, alm[1:])
            theirs = np.array(package.alm2map_spin(list(kept), 8, spin, 6))
            theirs = theirs[0] + 1j * theirs[1]
        else:
            kept = alm[0]
            theirs = package.alm2map(kept, 8, lmax=6)
        yield f"from_healpy, spin {spin}", _apart(from_healpy(kept, spin), spin, grid, theirs)


def pyshtools() -> Rows:
    """Coefficients in all conventions, and the functions that they are of."""
    package, maker = importlib.import_module("pyshtools"), _maker("make_sphere")
    with np.load(GOLDEN / "sphere.npz") as kept:
        points = kept["healpy_points"]
    arrays = maker.of_pyshtools(np.random.default_rng(2), points)
    yield from _compared("sphere.npz", arrays)
    for norm in ("4pi", "ortho", "schmidt"):
        for phase in (1, -1):
            f = package.SHCoeffs.from_random(np.ones(7), seed=3, normalization=norm, csphase=phase)
            lat, lon = np.degrees([np.pi / 2 - points[0], points[1]])
            spectrum = from_pyshtools(f.coeffs, norm, phase)
            error = _apart(spectrum, 0, healpix(4), f.expand(lat=lat, lon=lon))
            yield f"from_pyshtools, {norm}, csphase {phase}", error


def _apart(spectrum: torch.Tensor, spin: int, grid: Rings, values: np.ndarray) -> float:
    """How far fields are from given values, in parts of the largest one."""
    found = s2_ifft(spectrum, 7, spin=spin, grid=grid).numpy()
    return float(np.abs(found - values).max() / np.abs(values).max())


def s2cnn() -> Rows:
    """Spectra and layers."""
    peers = _maker("make_peers")
    package, reason = peers.load_s2cnn()
    if package is None:
        raise RuntimeError(reason)
    peers.use_float64_tables()
    values = peers.s2cnn_transforms(package, np.random.default_rng(3))
    yield from _compared("peers.npz", values)
    yield from _compared("peers.npz", peers.s2cnn_layers(package.package, np.random.default_rng(4)))


def groupy() -> Rows:
    """Transformed filters."""
    yield from _compared("groupy.npz", _maker("make_groupy").transformed())


def e3nn() -> Rows:
    """Layers, each beside what it becomes, in float64."""
    cases = importlib.import_module("tests.convert.test_e3nn")
    before = torch.get_default_dtype()
    for name in cases.CASES:
        theirs, ours, inputs = cases._pair(name, torch.set_default_dtype)
        y = theirs.eval()(*inputs).detach()
        error = (ours.eval()(*inputs).detach() - y).abs().max() / y.abs().max()
        torch.set_default_dtype(before)
        yield name, float(error)


def se3cnn() -> Rows:
    """Layers, each beside what it becomes, in float32."""
    for name, layer, x in _maker("make_se3cnn").layers():
        y = layer(x).detach()
        yield (
            f"SE3Convolution, {name}",
            float((from_se3cnn(layer)(x) - y).detach().abs().max() / y.abs().max()),
        )
    package: Any = importlib.import_module("se3cnn.image.convolution")
    torch.manual_seed(0)
    strided = {"stride": 2, "padding": 1, "output_padding": 1}
    for label, options in (("", {}), (", stride 2", strided)):
        layer = package.SE3ConvolutionTranspose([(2, 0), (1, 1)], [(1, 2), (1, 0)], 3, **options)
        x = torch.randn(1, 5, 5, 5, 5)
        y = layer(x).detach()
        error = float((from_se3cnn(layer)(x) - y).detach().abs().max() / y.abs().max())
        yield f"SE3ConvolutionTranspose{label}", error
