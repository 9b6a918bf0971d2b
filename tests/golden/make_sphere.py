"""Make ``sphere.npz``: coefficients and values that healpy, pyshtools and torch-harmonics give.

In an environment of its own, from the root of the repository::

    pip install healpy==1.20.1 pyshtools==4.14.1 scipy
    pip install --no-deps torch-harmonics==0.9.3    # torch is there
    python tests/golden/make_sphere.py

All arrays are float64 or complex128. Points are (beta, alpha) = (colatitude, longitude) in radians.
lmax = 6 inclusive for healpy and pyshtools, 7 exclusive for torch-harmonics: the band is 7.

==============================  ===============  ===================================================
``healpy_points``               (2, 192)         beta, alpha of nside 4 in the order RING
``healpy_alm``                  (3, 28)          T, E, B, the last two 0 below l = 2
``healpy_maps``                 (3, 192)         T, Q, U of alm2map(pol=True): COSMO
``healpy_spin_S``               (2, 192)         of alm2map_spin of E and B, for S = 1, 3
``healpy_cl``                   (6, 7)           TT, EE, BB, TE, EB, TB of alm2cl
``pyshtools_cilm``              (2, 7, 7)        C and S
``pyshtools_NORM_PHASE``        (192,)           the function with these at healpy's points, for
                                                 NORM 4pi, ortho, schmidt and PHASE 1, -1
``torch_harmonics_points``      (2, 30)          beta, alpha of 5 latitudes and 6 longitudes
``torch_harmonics_scalar``      (7, 7)           coefficients
``torch_harmonics_function``    (30,)            the function with these
``torch_harmonics_vector``      (2, 7, 7)        spheroidal and toroidal coefficients
``torch_harmonics_wind``        (2, 30)          the wind with these, along theta and lambda
``torch_harmonics_vordiv``      (2, 30)          its vorticity and divergence for radius 1, as the
                                                 package's shallow water solver takes them from
                                                 (u, v): RealVectorSHT times -l(l + 1), and back
==============================  ===============  ===================================================
"""

import math
from pathlib import Path

import healpy
import numpy as np
import pyshtools
import torch
import torch_harmonics

BAND = 7


def noise(rng: np.random.Generator, *lead: int) -> np.ndarray:
    """Coefficients of real functions, ``(*lead, l, m)``, 0 where m > l."""
    parts = rng.normal(size=(2, *lead, BAND, BAND))
    a = np.tril(parts[0] + 1j * parts[1])
    a[..., 0] = a[..., 0].real
    return a


def of_healpy(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Maps of T, Q, U, of other spins, and power spectra."""
    lmax = BAND - 1
    l, m = healpy.Alm.getlm(lmax)
    alm = noise(rng, 3)[:, l, m]
    alm[1:, l < 2] = 0
    arrays = {
        "healpy_points": np.array(healpy.pix2ang(4, np.arange(192))),
        "healpy_alm": alm,
        "healpy_maps": np.array(healpy.alm2map(alm, 4, pol=True, lmax=lmax)),
        "healpy_cl": np.array(healpy.alm2cl(alm)),
    }
    for spin in (1, 3):
        kept = np.ascontiguousarray(np.where(l < spin, 0, alm[1:]))
        arrays[f"healpy_spin_{spin}"] = np.array(healpy.alm2map_spin(list(kept), 4, spin, lmax))
    return arrays


def of_pyshtools(rng: np.random.Generator, points: np.ndarray) -> dict[str, np.ndarray]:
    """One set of coefficients in all conventions."""
    cilm = np.tril(rng.normal(size=(2, BAND, BAND)))
    cilm[1, :, 0] = 0
    arrays = {"pyshtools_cilm": cilm}
    beta, alpha = np.degrees(points)
    for norm in ("4pi", "ortho", "schmidt"):
        for phase in (1, -1):
            f = pyshtools.SHCoeffs.from_array(cilm, normalization=norm, csphase=phase)
            arrays[f"pyshtools_{norm}_{phase}"] = f.expand(lat=90 - beta, lon=alpha)
    return arrays


def of_torch_harmonics(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A function, and a wind with its vorticity and divergence."""
    sizes, options = (16, 16), dict(lmax=BAND, mmax=BAND, grid="equiangular")
    scalar, vector = (torch.from_numpy(noise(rng, *lead)) for lead in ((), (2,)))
    vector[:, 0] = 0
    function = torch_harmonics.InverseRealSHT(*sizes, **options)
    wind = torch_harmonics.InverseRealVectorSHT(*sizes, **options)(vector)
    south, east = wind
    l = torch.arange(BAND)[:, None]
    spectra = torch_harmonics.RealVectorSHT(*sizes, **options)(torch.stack([east, -south]))
    kept = {"function": function(scalar), "wind": wind, "vordiv": function(-l * (l + 1) * spectra)}
    inner, some = slice(1, 15, 3), slice(0, 16, 3)
    beta, alpha = np.meshgrid(
        np.linspace(0, math.pi, 16)[inner], 2 * math.pi * np.arange(16)[some] / 16, indexing="ij"
    )
    return {
        "torch_harmonics_points": np.array([beta.ravel(), alpha.ravel()]),
        "torch_harmonics_scalar": scalar.numpy(),
        "torch_harmonics_vector": vector.numpy(),
    } | {
        f"torch_harmonics_{name}": x[..., inner, some].flatten(-2).numpy()
        for name, x in kept.items()
    }


def main() -> None:
    """Compute everything and write the file beside this one."""
    torch.set_default_dtype(torch.float64)  # of the tables of torch-harmonics
    arrays = of_healpy(np.random.default_rng(1))
    arrays |= of_pyshtools(np.random.default_rng(2), arrays["healpy_points"])
    arrays |= of_torch_harmonics(np.random.default_rng(3))
    np.savez_compressed(Path(__file__).with_name("sphere.npz"), **arrays)


if __name__ == "__main__":
    main()
