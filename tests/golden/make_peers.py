"""Make ``peers.npz``: values that lie_learn, torch-harmonics and s2cnn give for known inputs.

They cannot be installed together with a current numpy, so the tests read this file instead. How to
get them is written in ``benchmarks/peers.py``, which also mends s2cnn. In that environment, from
the root of the repository::

    PYTHONPATH=.:path/to/s2cnn python tests/golden/make_peers.py

Made with lie_learn 0.0.2, torch-harmonics 0.9.3, s2cnn at commit 126af39, numpy 1.26, torch 2.13.
All arrays are float64 or complex128; s2cnn, which is written for float32, gets float64 tables.

Angles are in radians and ZYZ, R = Z(alpha) Y(beta) Z(gamma); a point of the sphere is (beta, alpha)
= (colatitude, longitude) and is R applied to the pole. b is a band: l < b. "Flat" is the order
l(4l^2-1)/3 + (2l+1)(m+l) + (n+l) on SO(3) and l^2 + m + l on the sphere, with m, n = -l..l.
d is the textbook's real Wigner d; the textbook's D^l_mn is e^{-i m alpha} d^l_mn e^{-i n gamma}.
Y_l^m are the textbook's complex harmonics: orthonormal, with the Condon-Shortley phase.

lie_learn, basis ('complex' | 'real', 'quantum', 'centered', 'cs')

==================================  ================  ==============================================
``lie_learn_angles``                (4, 3)            alpha, beta, gamma
``lie_learn_wigner_D_complex``      (4, 455)          flat, l = 0..6. e^{i m alpha} d^l_mn(beta)
                                                      e^{i n gamma}: the textbook's D, conjugated
``lie_learn_wigner_D_real``         (4, 455)          flat, l = 0..6. r(R x) = D r(x) with the real
                                                      harmonics r_{l,0} = Y_l^0 and, for m > 0,
                                                      r_{l,m} = sqrt2 (-1)^m Re Y_l^m,
                                                      r_{l,-m} = sqrt2 (-1)^m Im Y_l^m
``lie_learn_weights_4`` _10, _30    (2b,)             quadrature weights at beta_j = pi(2j+1)/4b;
                                                      (2b)^2 sum_j w_j = 1
==================================  ================  ==============================================

torch-harmonics, norm='ortho', csphase=True, lmax = mmax = 6 (exclusive), 12 x 12 points; GRID is
``legendre_gauss`` or ``equiangular`` (both poles included)

==================================  ================  ==============================================
``torch_harmonics_GRID_theta``      (12,)             colatitude, ascending
``torch_harmonics_GRID_phi``        (12,)             longitude 2 pi k/12
``torch_harmonics_GRID_values``     (2, 12, 12)       two real functions, [function, theta, phi],
                                                      f = sum_{l,m} c_lm Y_l^m, c_{l,-m} =
                                                      (-1)^m conj(c_lm)
``torch_harmonics_GRID_coefficients``  (2, 6, 6)      what RealSHT makes of the values:
                                                      c_lm, [function, l, m >= 0], 0 for m > l
==================================  ================  ==============================================

s2cnn; signals are sampled at beta_j = pi(2j+1)/4b, alpha_k = gamma_k = 2 pi k/2b, axes beta, alpha
(, gamma); both measures have integral 1; D below is lie_learn's complex one

==================================  ================  ==============================================
``s2cnn_so3_signal``                (2, 8, 8, 8)      real noise, b = 4 (not band-limited)
``s2cnn_so3_spectrum``              (2, 84)           flat; quadrature of int f conj(D^l_mn)
``s2cnn_s2_signal``                 (2, 8, 8)         real noise, b = 4 (not band-limited)
``s2cnn_s2_spectrum``               (2, 16)           flat; quadrature of int f conj(D^l_m0):
                                                      c_lm / sqrt(4 pi (2l+1))
``s2cnn_s2_layer_points``           (24, 2)           beta, alpha of the filter's points p_i
``s2cnn_s2_layer_input``            (2, 2, 12, 12)    batch, channel_in; noise, b = 6
``s2cnn_s2_layer_kernel``           (2, 3, 24)        k, channel_in, channel_out, point
``s2cnn_s2_layer_scaling``          ()                s = 1/sqrt(24 * 2 * 4^4 / 6^2)
``s2cnn_s2_layer_output``           (2, 3, 8, 8, 8)   S2Convolution, b 6 -> 4, bias 0:
                                                      z_o(R) = 2 b_out s sum_{c,i} k_coi f_c(R p_i),
                                                      f cut to l < 4
``s2cnn_so3_layer_points``          (72, 3)           beta, alpha, gamma of the rotations Q_i
``s2cnn_so3_layer_input``           (1, 2, 12, 12, 12)  batch, channel_in; noise, b = 6
``s2cnn_so3_layer_kernel``          (2, 3, 72)        as above
``s2cnn_so3_layer_scaling``         ()                s = 1/sqrt(72 * 2 * 4^3 / 6^3)
``s2cnn_so3_layer_output``          (1, 3, 8, 8, 8)   SO3Convolution, b 6 -> 4, bias 0:
                                                      z_o(R) = s sum_{c,i} k_coi f_c(R Q_i),
                                                      f cut to l < 4
==================================  ================  ==============================================
"""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers import (
    Points,
    S2cnn,
    load_lie_learn,
    load_s2cnn,
    load_torch_harmonics,
    s2_near_identity_grid,
    so3_near_identity_grid,
)

Arrays = dict[str, np.ndarray]


def lie_learn_values(rng: np.random.Generator) -> Arrays:
    """Wigner D in two bases and the quadrature weights of the SOFT grid."""
    wigner_d: Any = importlib.import_module("lie_learn.representations.SO3.wigner_d")
    s3: Any = importlib.import_module("lie_learn.spaces.S3")
    angles = rng.uniform(0, [2 * np.pi, np.pi, 2 * np.pi], size=(4, 3))
    arrays = {"lie_learn_angles": angles}
    for field in ("complex", "real"):
        basis = (field, "quantum", "centered", "cs")
        blocks = [
            [wigner_d.wigner_D_matrix(l, *rotation, *basis).reshape(-1) for l in range(7)]
            for rotation in angles
        ]
        arrays[f"lie_learn_wigner_D_{field}"] = np.stack([np.concatenate(row) for row in blocks])
    for band in (4, 10, 30):
        arrays[f"lie_learn_weights_{band}"] = s3.quadrature_weights(band)
    return arrays


def torch_harmonics_values(package: Any, rng: np.random.Generator) -> Arrays:
    """Two real functions from random coefficients, and the coefficients found again."""
    lmax, size = 6, 12
    noise = rng.normal(size=(2, lmax, lmax)) + 1j * rng.normal(size=(2, lmax, lmax))
    noise = np.tril(noise)  # orders m <= l
    noise[:, :, 0] = noise[:, :, 0].real  # the function is real
    known = torch.from_numpy(noise)
    arrays = {}
    for grid in ("legendre-gauss", "equiangular"):
        options = dict(lmax=lmax, mmax=lmax, grid=grid, norm="ortho", csphase=True)
        values = package.InverseRealSHT(size, size, **options).double()(known)
        found = package.RealSHT(size, size, **options).double()(values)
        torch.testing.assert_close(found, known, rtol=0, atol=1e-12)
        theta, _ = package.quadrature.precompute_latitudes(size, grid=grid)
        name = f"torch_harmonics_{grid.replace('-', '_')}"
        arrays[f"{name}_theta"] = np.asarray(theta, dtype=np.float64)
        arrays[f"{name}_phi"] = 2 * np.pi * np.arange(size) / size
        arrays[f"{name}_values"] = values.numpy()
        arrays[f"{name}_coefficients"] = found.numpy()
    return arrays


def s2cnn_transforms(peer: S2cnn, rng: np.random.Generator) -> Arrays:
    """Spectra of noise on SO(3) and on the sphere, band 4."""
    s2_fft: Any = importlib.import_module("s2cnn.soft.s2_fft")
    so3_signal = rng.normal(size=(2, 8, 8, 8))
    s2_signal = rng.normal(size=(2, 8, 8))
    so3_spectrum = peer.so3_rfft(torch.from_numpy(so3_signal))
    s2_spectrum = s2_fft.S2_fft_real.apply(torch.from_numpy(s2_signal))
    return {
        "s2cnn_so3_signal": so3_signal,
        "s2cnn_so3_spectrum": _complex(so3_spectrum).T.numpy(),
        "s2cnn_s2_signal": s2_signal,
        "s2cnn_s2_spectrum": _complex(s2_spectrum).T.numpy(),
    }


def s2cnn_layer(name: str, kind: Any, grid: Points, x: np.ndarray, kernel: np.ndarray) -> Arrays:
    """One layer of two channels in, three out, band 6 to 4, without bias."""
    layer = kind(2, 3, b_in=6, b_out=4, grid=grid).double()
    with torch.no_grad():
        layer.kernel.copy_(torch.from_numpy(kernel))
        layer.bias.zero_()
        output = layer(torch.from_numpy(x))
    return {
        f"s2cnn_{name}_layer_points": np.array(grid),
        f"s2cnn_{name}_layer_input": x,
        f"s2cnn_{name}_layer_kernel": kernel,
        f"s2cnn_{name}_layer_scaling": np.array(layer.scaling),
        f"s2cnn_{name}_layer_output": output.numpy(),
    }


def s2cnn_layers(package: Any, rng: np.random.Generator) -> Arrays:
    """A correlation from the sphere to SO(3) and one from SO(3) to SO(3), near-identity filters."""
    s2_grid = s2_near_identity_grid(math.pi / 8, n_alpha=8, n_beta=3)
    so3_grid = so3_near_identity_grid(math.pi / 8, math.pi / 8, n_alpha=8, n_beta=3, n_gamma=3)
    s2_noise = rng.normal(size=(2, 2, 12, 12))
    s2_kernel = rng.normal(size=(2, 3, len(s2_grid)))
    so3_noise = rng.normal(size=(1, 2, 12, 12, 12))
    so3_kernel = rng.normal(size=(2, 3, len(so3_grid)))
    return {
        **s2cnn_layer("s2", package.S2Convolution, s2_grid, s2_noise, s2_kernel),
        **s2cnn_layer("so3", package.SO3Convolution, so3_grid, so3_noise, so3_kernel),
    }


def use_float64_tables() -> None:
    """Let s2cnn compute in float64: replace the four functions that cast its tables to float32."""
    for transform in ("s2", "so3"):
        fft: Any = importlib.import_module(f"s2cnn.soft.{transform}_fft")
        fft._setup_wigner = _float64_wigner(getattr(fft, f"_setup_{transform}_fft"))
        ft: Any = importlib.import_module(f"s2cnn.{transform}_ft")
        setattr(ft, f"_setup_{transform}_ft", _float64_dft(getattr(ft, f"__setup_{transform}_ft")))


def _float64_wigner(table: Any) -> Any:
    return lambda b, nl, weighted, device: torch.from_numpy(table(b, nl, weighted))


def _float64_dft(table: Any) -> Any:
    return lambda b, grid, device_type, device_index: torch.from_numpy(table(b, grid))


def _complex(x: Tensor) -> Tensor:
    return torch.view_as_complex(x.contiguous())


def main() -> None:
    """Compute everything and write the file beside this one."""
    _, no_lie_learn = load_lie_learn()
    torch_harmonics, no_torch_harmonics = load_torch_harmonics()
    s2cnn, no_s2cnn = load_s2cnn()
    if no_lie_learn or torch_harmonics is None or s2cnn is None:
        reasons = (no_lie_learn, no_torch_harmonics, no_s2cnn)
        raise SystemExit("; ".join(reason for reason in reasons if reason))
    use_float64_tables()
    arrays = {
        **lie_learn_values(np.random.default_rng(1)),
        **torch_harmonics_values(torch_harmonics.package, np.random.default_rng(2)),
        **s2cnn_transforms(s2cnn, np.random.default_rng(3)),
        **s2cnn_layers(s2cnn.package, np.random.default_rng(4)),
    }
    np.savez_compressed(Path(__file__).with_name("peers.npz"), **arrays)


if __name__ == "__main__":
    main()
