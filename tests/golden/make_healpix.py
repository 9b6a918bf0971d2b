"""Make ``healpix.npz``: points of HEALPix, and a transform there both ways, by healpy.

In an environment with healpy, from the root of the repository::

    python tests/golden/make_healpix.py

Made with healpy 1.20.1. ``theta`` and ``phi`` (108,) and ``xyz`` (108, 3) are the points of nside 3
in the order of rings. ``alm`` are the coefficients l < 6 of the values cos(.37 p^2) at pixel p by
one analysis (iter=0), m by m and then l; ``map`` (108,) is their sum at the points. ``nested_N`` is
for each pixel in nested order its number in the order of rings, of nside N.
"""

from pathlib import Path

import healpy
import numpy as np

NSIDE, LMAX = 3, 5


def transforms() -> dict[str, np.ndarray]:
    """Points, coefficients and the function with these."""
    pixels = np.arange(healpy.nside2npix(NSIDE))
    theta, phi = healpy.pix2ang(NSIDE, pixels)
    xyz = np.stack(healpy.pix2vec(NSIDE, pixels), -1)
    alm = healpy.map2alm(np.cos(0.37 * pixels**2), lmax=LMAX, iter=0)
    back = healpy.alm2map(alm, NSIDE, lmax=LMAX)
    orders = {
        f"nested_{n}": healpy.nest2ring(n, np.arange(healpy.nside2npix(n))).astype(np.int16)
        for n in (1, 2, 4, 16)
    }
    return {"theta": theta, "phi": phi, "xyz": xyz, "alm": alm, "map": back, **orders}


def main() -> None:
    """Write the file beside this one."""
    np.savez_compressed(Path(__file__).with_name("healpix.npz"), **transforms())


if __name__ == "__main__":
    main()
