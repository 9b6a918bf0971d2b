"""Transforms on the Gauss grid by another library, in a process and an environment of its own.

What comes in: a line with the library, the band, the batch, the spin (0 or 1), the type of numbers
and the threads; then lines ``synthesis`` or ``analysis`` with the number of calls to be timed and
of those before them, and ``memory``. What goes out: a line of JSON for each. The grid has ``band``
times ``2 band`` points.

It needs numpy, and ducc0 or torch and torch-harmonics; not equinet.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

Calls = dict[str, Callable[[], Any]]
Case = tuple[int, int, int, str, int]  # band, batch, spin, dtype, threads


def ducc0(package: Any, case: Case) -> Calls:
    band, batch, spin, dtype, threads = case
    real, complex_ = (np.float32, np.complex64) if dtype == "float32" else (float, complex)
    parts = 2 if spin else 1
    draw = np.random.default_rng(0).standard_normal
    alm = draw((batch, parts, band * (band + 1) // 2)).astype(complex_)
    signal = draw((batch, parts, 2 * band * band)).astype(real)
    rings = np.arange(band, dtype=np.uint64)
    sizes = {
        "theta": package.misc.GL_thetas(band),
        "nphi": 0 * rings + 2 * band,
        "phi0": np.zeros(band),
        "ringstart": 2 * band * rings,
        "spin": spin,
        "lmax": band - 1,
        "nthreads": threads,
    }
    weights = package.misc.GL_weights(band, 2 * band)
    sht = package.sht
    return {
        "synthesis": lambda: sht.synthesis(alm=alm, **sizes),
        "analysis": lambda: sht.adjoint_synthesis(map=signal, ringfactor=weights, **sizes),
    }


def torch_harmonics(package: Any, case: Case) -> Calls:
    band, batch, spin, dtype, threads = case
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    names = ("RealVectorSHT", "InverseRealVectorSHT") if spin else ("RealSHT", "InverseRealSHT")
    sizes = {"lmax": band, "mmax": band, "grid": "legendre-gauss"}
    to = getattr(torch, dtype)
    forward, inverse = (getattr(package, name)(band, 2 * band, **sizes).to(to) for name in names)
    signal = torch.randn(batch, *[2] * spin, band, 2 * band, dtype=to)
    coefficients = forward(signal)
    return {"synthesis": lambda: inverse(coefficients), "analysis": lambda: forward(signal)}


PEERS = {"ducc0": ducc0, "torch-harmonics": torch_harmonics}


def peak(forget: bool = False) -> float:
    """Peak of the resident memory in MiB; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0.0
    if forget:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    name, *sizes, dtype, threads = sys.stdin.readline().split()
    band, batch, spin = map(int, sizes)
    try:
        package = importlib.import_module(name.replace("-", "_"))
    except ImportError as error:
        print(json.dumps({"problem": str(error)}), flush=True)
        return
    before, start = peak(forget=True), time.perf_counter()
    calls = PEERS[name](package, (band, batch, spin, dtype, int(threads)))
    build = 1e3 * (time.perf_counter() - start)
    print(json.dumps({"version": version(name), "build": build}), flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            print(json.dumps(peak() - before), flush=True)
            continue
        way, repeats, warmup = line.split()
        times = []
        for _ in range(int(warmup) + int(repeats)):
            start = time.perf_counter()
            calls[way]()
            times.append(1e3 * (time.perf_counter() - start))
        print(json.dumps(times[int(warmup) :]), flush=True)


if __name__ == "__main__":
    main()
