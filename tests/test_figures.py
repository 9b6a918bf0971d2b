"""Figures on the first pages are those that the benchmarks have measured."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="not a checkout")
SIZES = {"32x(0e + 1o)": 1, "32x(0e + 1o + 2e)": 2, "64x(0e + 1o + 2e)": 3}  # and the lmax


def rows(suite):
    return json.loads((ROOT / "benchmarks" / "results" / f"{suite}.json").read_text())["rows"]


def ratios(suite, peer, tasks=""):
    """How many times as long a peer takes, for every task that matches."""
    found = {(row["task"], row["by"]): row["median"] for row in rows(suite) if "median" in row}
    return [
        time / found[task, "equinet"]
        for (task, by), time in found.items()
        if by == peer and time and (task, "equinet") in found and re.search(tasks, task)
    ]


def cells(page, first):
    """The cells of the one row of a table that begins with these words."""
    (line,) = re.findall(
        rf"^\| {re.escape(first)} \|.*\|$", (ROOT / page).read_text(), re.MULTILINE
    )
    return [cell.strip() for cell in line.strip("|").split("|")]


def short(number):
    """Two digits."""
    return f"{number:.0f}" if number >= 9.95 else f"{number:.1f}"


def span(numbers):
    """From where to where."""
    return f"{min(numbers):.1f} to {max(numbers):.1f}"


def test_the_speeds_of_the_first_page():
    low, high = r"band (64|128|256),.*float32", r"band (512|720),.*float32"
    ours = {
        "training step of the network of *Spherical CNNs*": short(
            *ratios("spherical", "s2cnn git", "training step")
        ),
        "transforms of fields on the sphere, bands 64 to 256": span(
            ratios("sphere_grids", "torch-harmonics 0.9.3", "band (64|128|256),")
        ),
        "the same, in float32, and at bands 512 and 720": ", and ".join(
            span(ratios("sphere_grids", "ducc0 0.42.0", bands)) for bands in (low, high)
        ),
        "message passing of atoms, forward, three sizes": ", ".join(
            f"{r:.1f}" for r in ratios("points", "e3nn", r"^forward, Depthwise")
        ),
        "the same, training step with forces": ", ".join(
            f"{r:.1f}" for r in ratios("points", "e3nn", "^training step with forces, Depthwise")
        ),
        "all irreps of the octahedral group from nothing": short(
            *ratios("algebra", "escnn", "^O: all")
        ),
        "all kernels between 4 and 4 regular fields of it, 5 x 5 x 5": short(
            *ratios("algebra", "escnn", "^O, 4")
        ),
        "convolutions on grids, training step": " to ".join(
            f"{r:.2f}" for r in sorted(ratios("steerable", "torch.nn", r"^training step, Conv"))
        ),
    }
    for what, figure in ours.items():
        assert cells("README.md", what)[2] == figure, what


def test_a_row_is_found_by_its_words_only():
    assert cells("README.md", "the same, training step with forces")[1] == "e3nn"
    with pytest.raises(ValueError):
        cells("README.md", "the same")
    assert ratios("points", "e3nn", "^forward, Depthwise") != ratios("points", "e3nn", "forces")


def test_the_times_of_layers_on_points():
    """Those of e3nn and ours, in milliseconds and MiB, on the page for its users."""
    found = {(row["task"], row["by"]): row for row in rows("points")}

    def pair(task, value):
        return ", ".join(short(found[task, by][value]) for by in ("e3nn", "equinet"))

    for fields, lmax in SIZES.items():
        name = f"DepthwisePointConv, {fields}, lmax {lmax}"
        steps = ("forward", "training step", "training step with forces")
        times = [pair(f"{step}, {name}", "median") for step in steps]
        memory = pair(f"training step, {name}", "memory")
        line = cells("docs/guide/points.md", f"`{fields}`, lmax {lmax}")
        assert line[1:] == [*times, memory], fields


@pytest.mark.parametrize(
    "layer, by, note",
    [
        ("`SphereConv`, also directional, between spins", "SphereConv", "directional"),
        ("`SphereAttention` to all points", "SphereAttention", "all"),
        ("`SphereAttention` to near points", "SphereAttention", "near"),
        ("`SpectralConvS2`", "SpectralConvS2", ""),
        ("`DiscreteContinuousConvS2`, directional", "DiscreteContinuousConvS2", "directional"),
        ("`DiscreteContinuousConvS2`, isotropic", "DiscreteContinuousConvS2", "isotropic"),
        ("`AttentionS2`", "AttentionS2", ""),
        ("`NeighborhoodAttentionS2`", "NeighborhoodAttentionS2", ""),
    ],
)
def test_the_errors_on_the_sphere(layer, by, note):
    (errors,) = [
        row["errors"] for row in rows("equivariance") if row["layer"] == by and note in row["note"]
    ]
    for said, error in zip(cells("docs/index.md", layer)[2:], errors, strict=True):
        assert abs(float(said) / error - 1) < 0.07 or abs(float(said) - error) < 5e-8, (said, error)
