"""The spherical part: Fourier transforms, the training step of spherical MNIST, set-up times."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from benchmarks.measure import Row, peak_memory, timed
from benchmarks.peers import load_lie_learn, load_s2cnn, load_torch_harmonics
from equinet import nn as enn
from equinet.field import Sphere
from equinet.harmonics import s2_irfft, s2_rfft, so3_irfft, so3_rfft
from equinet.steerable import near_identity
from examples.spherical_mnist.models import spherical_network

STEP = "training step, spherical MNIST, batch 32"
SO3 = "SO(3) real FFT, band 32, batch 8"
SO3_INVERSE = "SO(3) real inverse FFT, band 32, batch 8"
S2 = "S^2 transform, L = 128, batch 32"
S2_INVERSE = "S^2 inverse transform, L = 128, batch 32"
SMALL = "SO(3) FFT, band 16, one signal"


def run() -> list[Row]:
    """All rows, with a progress bar."""
    jobs: list[Callable[[], list[Row]]] = [_steps, _so3, _s2, _small, _builds, _imports]
    rows = []
    for job in tqdm(jobs, desc="spherical", unit="task"):
        rows += job()
    return rows


def _training_step(network: nn.Module) -> Callable[[], Any]:
    """Forward, backward and a step of Adam on a batch of 32."""
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    x, y = torch.rand(32, 1, 60, 60), torch.arange(32) % 10

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def our_step() -> Callable[[], Any]:
    return _training_step(spherical_network())


def their_step() -> Callable[[], Any]:
    peer, reason = load_s2cnn()
    if peer is None:
        raise RuntimeError(reason)
    return _training_step(peer.mnist_network())


def _steps() -> list[Row]:
    rows = [replace(timed(STEP, "equinet", our_step()), memory=peak_memory(our_step))]
    peer, reason = load_s2cnn()
    if peer is None:
        return [*rows, Row(STEP, "s2cnn", note=f"skipped: {reason}")]
    theirs = timed(STEP, f"s2cnn {peer.version}", their_step(), repeats=7)
    return [*rows, replace(theirs, memory=peak_memory(their_step))]


def _so3() -> list[Row]:
    signal = torch.randn(8, 64, 64, 64)
    spectrum = so3_rfft(signal)
    rows = [
        timed(SO3, "equinet", lambda: so3_rfft(signal)),
        timed(SO3_INVERSE, "equinet", lambda: so3_irfft(spectrum, 32)),
    ]
    peer, reason = load_s2cnn()
    if peer is None:
        return [*rows, Row(SO3, "s2cnn", note=f"skipped: {reason}")]
    return [*rows, timed(SO3, f"s2cnn {peer.version}", lambda: peer.so3_rfft(signal), repeats=7)]


def _s2() -> list[Row]:
    signal = torch.randn(32, 256, 256)
    spectrum = s2_rfft(signal)
    rows = [
        timed(S2, "equinet", lambda: s2_rfft(signal)),
        timed(S2_INVERSE, "equinet", lambda: s2_irfft(spectrum, 128)),
    ]
    peer, reason = load_torch_harmonics()
    if peer is None:
        return [*rows, Row(S2, "torch-harmonics", note=f"skipped: {reason}")]
    forward, inverse = peer.forward(128), peer.inverse(128)
    coefficients = forward(signal)
    name = f"torch-harmonics {peer.version}"
    return [
        *rows,
        timed(S2, name, lambda: forward(signal)),
        timed(S2_INVERSE, name, lambda: inverse(coefficients)),
    ]


def _small() -> list[Row]:
    signal = torch.randn(1, 32, 32, 32)
    rows = [timed(SMALL, "equinet", lambda: so3_rfft(signal))]
    peer, reason = load_lie_learn()
    if peer is None:
        return [*rows, Row(SMALL, "lie_learn", note=f"skipped: {reason}")]
    transform, array = peer.so3_fft(16), signal.numpy().astype("complex128")
    return [*rows, timed(SMALL, f"lie_learn {peer.version}", lambda: transform(array))]


def _builds() -> list[Row]:
    """How long a layer of band 128 takes to build."""
    sphere = Sphere(128)
    cases = [("1x trivial", 32, "50x regular"), ("8x0 + 4x1", 128, "8x0 + 4x1")]
    rows = []
    for given, band, wanted in cases:
        x, y = sphere.fields(given), sphere.at(band).fields(wanted)
        task = f"build SphereConv, band 128 {given} -> band {band} {wanted}"
        rows.append(
            timed(
                task,
                "equinet",
                lambda x=x, y=y: enn.SphereConv(x, y, near_identity(n_beta=2)),
                repeats=3,
            )
        )
    return rows


def _imports() -> list[Row]:
    """What ``import equinet`` adds to ``import torch``, in fresh processes."""
    code = "import time, torch; t = time.time(); import equinet; print(time.time() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    times = sorted(1e3 * float(run.stdout) for run in runs)
    return [Row("import equinet after import torch", "equinet", times[2], times[0], times[-1])]
