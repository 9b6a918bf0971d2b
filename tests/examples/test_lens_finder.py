"""Lenses: the deflection, a set that does not leak, exact networks, metrics, and a whole run."""

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from examples.common.training import parameter_count
from examples.lens_finder import metrics, models, runs
from examples.lens_finder.__main__ import main
from examples.lens_finder.features import oriented_gradients, radial_profiles
from examples.lens_finder.galaxies import pool, read_galaxies
from examples.lens_finder.images import KINDS, draw, linear, make, render, second_light, stretch
from examples.lens_finder.lensing import Lens, Sersic, deflection, grid, lensed, pixels, sersic
from examples.lens_finder.surveys import SIZE, SURVEYS

TINY = ["--epochs", "1", "--images", "64", "--negatives", "40", "--lenses", "20"]
TINY += ["--synthetic", "12"]


def values(*numbers):
    return [torch.tensor([number], dtype=torch.float64) for number in numbers]


def plane(n=200):
    """Points of the sky, (2, n), none near the centre."""
    points = torch.randn(2, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return points * (1 + 0.3 / points.norm(dim=0))


def jacobian(lens):
    """The derivatives of the deflection (n, 2, 2) at some points, and the points."""
    points = plane()

    def bent(point):
        return torch.stack(deflection(point[0], point[1], Lens(*(p[0] for p in lens))))

    return torch.vmap(torch.func.jacrev(bent), in_dims=1)(points), points


def test_the_deflection_is_a_gradient_whose_divergence_is_twice_the_density():
    """Against the density of the ellipsoid, and a shear that has none."""
    lens = Lens(*values(1.2, 0.6, 0.7, 0.05, -0.03))
    derivative, points = jacobian(lens)
    assert (derivative[:, 0, 1] - derivative[:, 1, 0]).abs().max() < 1e-6  # no curl
    c, s = math.cos(0.7), math.sin(0.7)
    u, v = c * points[0] + s * points[1], c * points[1] - s * points[0]
    kappa = 1.2 * math.sqrt(0.6) / (2 * (0.36 * u * u + v * v).sqrt())
    torch.testing.assert_close(derivative.diagonal(0, 1, 2).sum(1), 2 * kappa, rtol=1e-5, atol=0)
    # Of degree one: the potential is theta . alpha, and its gradient is alpha.
    free = lens._replace(shear_1=torch.zeros(1), shear_2=torch.zeros(1))
    x, y = (p.clone().requires_grad_() for p in points)
    a, b = deflection(x, y, free)
    slope = torch.autograd.grad((x * a + y * b).sum(), (x, y))
    torch.testing.assert_close(torch.stack(slope), torch.stack((a, b)), rtol=1e-5, atol=1e-6)


def test_a_sphere_has_a_ring_of_its_einstein_radius_and_the_images_of_its_lens_equation():
    lens = Lens(*values(0.9, 1.0, 0.3, 0.0, 0.0))
    phi = torch.linspace(0, 2 * math.pi, 50, dtype=torch.float64)
    x, y = 0.9 * phi.cos(), 0.9 * phi.sin()
    a, b = deflection(x, y, lens)
    assert torch.hypot(x - a, y - b).max() < 1e-5  # all of the ring comes from the centre
    for theta in (0.9 + 0.2, 0.2 - 0.9):  # both images of a source at 0.2
        a, _ = deflection(torch.tensor(theta), torch.tensor(0.0), lens)
        assert abs(theta - float(a) - 0.2) < 1e-5


@pytest.mark.parametrize("beta", [0.3, 0.6])
def test_a_source_is_magnified_as_a_sphere_magnifies(beta):
    """2 theta_E / beta, on the grid of pixels: brightness is kept, so magnification is area."""
    lens = Lens(*(v.float() for v in values(1.0, 1.0, 0.0, 0.0, 0.0)))
    source = Sersic(*(v.float() for v in values(beta, 0.0, 0.04, 0.5, 1.0, 0.0)))
    seen = pixels(lensed, (lens, source), 121, 0.04, fine=5, bright=1e-3).sum()
    plain = pixels(sersic, (source,), 121, 0.04, fine=5, bright=1e-3).sum()
    assert abs(float(seen / plain) * beta / 2 - 1) < 0.02


def test_fine_samples_only_where_it_is_bright_are_as_good_as_everywhere():
    survey = SURVEYS["space"]
    galaxies = pool(survey, None, 4, "train")
    c = draw(survey, galaxies, torch.ones(20, dtype=torch.bool), torch.Generator().manual_seed(0))
    parts = (c.lens, c.source)
    exact = pixels(lensed, parts, SIZE, survey.pixel, fine=9, bright=-1.0)
    peak = exact.amax((1, 2))
    error, coarse = (
        (pixels(lensed, parts, SIZE, survey.pixel, bright=bright) - exact).abs().amax((1, 2)) / peak
        for bright in (0.1, math.inf)
    )
    assert error.median() < 0.03 and error.median() < coarse.median() / 3


def test_no_lens_differs_from_the_others_in_flux_or_colour():
    """Of the second light, after lensing; and images are in units of their noise."""
    survey = SURVEYS["ground"]
    galaxies = pool(survey, None, 8, "train")
    labels = torch.arange(600) % 2 == 0
    c = draw(survey, galaxies, labels, torch.Generator().manual_seed(0))
    light = second_light(survey, c)
    torch.testing.assert_close(light.sum((1, 2)), torch.ones(600), rtol=0, atol=1e-4)
    assert set(c.kind.tolist()) == {0, 1, 2, 3, 4}
    for value in (c.flux, c.colour[:, 0], c.galaxy_flux, c.lens.theta_e):
        assert mannwhitneyu(value[labels].numpy(), value[~labels].numpy()).pvalue > 0.01
    # Another survey sees the same galaxies, lenses and sources.
    survey = SURVEYS["space"]
    other = draw(survey, pool(survey, None, 8, "train"), labels, torch.Generator().manual_seed(0))
    for name in ("kind", "galaxy", "pose", "free"):
        assert torch.equal(getattr(c, name), getattr(other, name))
    assert torch.equal(c.lens.theta_e, other.lens.theta_e)
    survey = SURVEYS["ground"]
    dark = c._replace(flux=torch.zeros(600), galaxy_flux=torch.zeros(600))
    noise = render(survey, galaxies, dark, torch.Generator().manual_seed(1))
    assert abs(float(noise.std()) - 1) < 0.01 and abs(float(noise.mean())) < 0.01


def galaxies_file(path):
    """A file like that of the real galaxies: 16 round ones in noise, one of them all sky."""
    generator = np.random.default_rng(0)
    x, y = (t.view(61, 61).numpy() for t in grid(61, 1.0))
    light = np.exp(-np.hypot(x, y) / 4)
    bands = np.array([20.0, 80, 100, 90, 50])[:, None, None]
    images = generator.normal(5, 1, (16, 5, 61, 61)) + bands * light
    np.savez(path, images=images.astype(np.float32))
    return path


def test_real_galaxies_lose_their_sky_keep_their_noise_and_are_split(tmp_path):
    real, name = read_galaxies(galaxies_file(tmp_path / "galaxies.npz"))
    assert name.startswith("galaxies.npz 16 ")
    survey = SURVEYS["ground"]
    train, test = (pool(survey, real, 5, part) for part in ("train", "test"))
    assert (train.real, test.real, len(train.stamps), len(test.stamps)) == (6, 10, 11, 15)
    assert torch.cdist(train.stamps.flatten(1), test.stamps.flatten(1)).min() > 1e-3  # disjoint
    torch.testing.assert_close(
        train.stamps[:, survey.reference].sum((1, 2)), torch.ones(11), rtol=1e-4, atol=0
    )
    labels = torch.arange(200) < 100
    images, c = make(survey, train, labels, 0, 0)
    corner = linear(images)[c.galaxy < train.real][..., :3, :3]
    assert abs(float(corner.std()) - 1) < 0.06  # its own noise and what was added
    again, _ = make(survey, train, labels, 0, 0)
    other, _ = make(survey, train, labels, 0, 1)
    assert torch.equal(images, again) and not torch.equal(images, other)


def test_every_pose_is_an_element_of_d4():
    """The picture of a galaxy in any pose is one of the eight turns of it."""
    survey = SURVEYS["space"]
    galaxies = pool(survey, None, 1, "train")
    galaxies = galaxies._replace(stamps=torch.rand(galaxies.stamps.shape))  # one without symmetry
    labels = torch.zeros(8, dtype=torch.bool)
    c = draw(survey, galaxies, labels, torch.Generator().manual_seed(0))
    still = c._replace(
        pose=torch.arange(8), row=torch.ones(8).long(), column=torch.ones(8).long(),
        flux=torch.zeros(8), galaxy_flux=torch.full((8,), 1e6),
    )  # fmt: skip
    seen = render(survey, galaxies, still, torch.Generator().manual_seed(0))[:, 0] / 1e6
    turned = torch.stack([models.d4(galaxies.stamps[0, 0, 1:-1, 1:-1], k) for k in range(8)])
    nearest = torch.cdist(seen.flatten(1), turned.flatten(1))
    assert sorted(nearest.argmin(1).tolist()) == list(range(8)) and nearest.amin(1).max() < 1e-3


def test_the_gate_passes_this_set_and_stops_one_without_the_second_light(desk):
    task = runs.GateTask("space", "synthetic", images=1200, synthetic=100)
    found = runs.gate(None, task, desk)
    leaking = runs.gate(None, replace(task, leaking=True), desk)
    assert runs.passes(found), found
    assert not runs.passes(leaking) and leaking["radial"] > 0.8, leaking


def test_hand_made_features_do_not_change_when_the_image_is_turned():
    survey = SURVEYS["space"]
    images, _ = make(survey, pool(survey, None, 4, "train"), torch.arange(6) < 3, 0, 0)
    image = linear(images)
    for features in (radial_profiles, oriented_gradients):
        expected = features(image)
        for number in range(1, 8):
            changed = (features(models.d4(image, number)) - expected).abs()
            # A gradient on the edge of a bin may change sides by rounding.
            assert (changed > 1e-3).double().mean() < 0.01


def test_parameters_are_those_of_the_paper_and_arms_are_equal_in_what_they_say():
    assert parameter_count(models.lastro(1)) == 5_674_145
    assert parameter_count(models.lastro(4)) == 5_674_913
    for bands in (1, 4):
        arms = {name: models.build(name, bands) for name in models.NETWORKS}
        count = {name: parameter_count(arm) for name, arm in arms.items()}
        cost = {name: models.cost(arm, bands) for name, arm in arms.items()}
        assert abs(count["parameters"] / count["invariant"] - 1) < 0.02
        assert abs(cost["compute"] / cost["invariant"] - 1) < 0.05


def test_only_the_invariant_network_is_exactly_invariant_and_the_product_always_is():
    torch.manual_seed(0)
    images = torch.randn(4, 4, SIZE, SIZE)
    for name in models.NETWORKS:
        network = models.build(name, 4).double().train()
        network(images.double())
        network.eval()
        with torch.no_grad():
            views = [network(models.d4(images.double(), number)) for number in range(8)]
        change = (torch.stack(views) - views[0]).abs().max() / views[0].abs().max()
        assert change < 1e-10 if name == "invariant" else change > 1e-5, name
    network.float()
    product = models.d4_product(network, images)[1]
    turned = models.d4_product(network, models.d4(images, 5))[1]
    torch.testing.assert_close(product, turned, rtol=1e-4, atol=1e-5)


def test_metrics_by_counting():
    """AUROC as SciPy counts pairs, TPRs by trying every threshold; with ties, and weights."""
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 4 == 0
    scores = (generator.normal(size=120) + labels).round(1)  # many are equal
    pairs = mannwhitneyu(scores[labels], scores[~labels]).statistic / (30 * 90)

    def best(allowed):
        fine = [t for t in scores if (scores[~labels] >= t).sum() <= allowed]
        return max([(scores[labels] >= t).mean() for t in fine], default=0.0)

    expected = [pairs, best(0), best(9)]
    np.testing.assert_allclose(metrics.measures(scores, labels), expected, atol=1e-12)
    galaxies = np.arange(120) // 6
    weights = metrics.galaxy_weights(galaxies, 30)
    assert (weights.sum(1) == 120).all()  # all galaxies have as many images
    assert all(len(set(weights[0][galaxies == g])) == 1 for g in range(20))
    repeated = np.repeat(np.arange(120), weights[0])
    curve = metrics._curve(metrics._levels(scores), labels, weights[0])
    np.testing.assert_allclose(
        metrics._measures(curve), metrics.measures(scores[repeated], labels[repeated])
    )


def test_a_difference_of_equal_scores_is_none_and_pairs_are_surer_than_single_arms():
    generator = np.random.default_rng(0)
    labels = np.arange(400) % 2 == 0
    galaxies = np.arange(400) // 10
    hard = generator.normal(size=40)[galaxies]  # a galaxy makes all its images hard alike
    scores = generator.normal(size=(2, 400)) * 0.1 + labels * (1 + hard)
    weights = metrics.galaxy_weights(galaxies, 100)
    none = metrics.difference(scores, scores, labels, weights)
    assert (none.value == 0).all() and (none.sigma == 0).all()
    near = metrics.difference(scores, scores + 0.1 * generator.normal(size=400), labels, weights)
    assert near.sigma[0] < metrics.estimate(scores, labels, weights).sigma[0]


def test_the_program_from_end_to_end(tmp_path, capsys):
    file = galaxies_file(tmp_path / "galaxies.npz")
    out = ["--out", str(tmp_path / "runs"), "--galaxies", str(file), *TINY]
    main(["demo", *out])
    text = capsys.readouterr().out
    assert "| 5,674,145 | 5,674,145 and 5,674,913 | exact | met |" in text
    assert "This is not the same test set" in text
    for name in ("purity.png", "examples.jpg", "mistakes.jpg"):
        assert (tmp_path / "runs" / name).stat().st_size > 5_000
    main(["gate", "--surveys", "space", "ground", *out])
    assert capsys.readouterr().out.startswith("| survey | fluxes (≤ 0.60) |")


@pytest.mark.slow
def test_a_training_that_was_killed_ends_with_the_same_scores(tmp_path, start):
    options = ["run", "--surveys", "space", "--seeds", "1", *TINY, "--epochs", "6", "--out"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    process = start("examples.lens_finder", *options, cut)
    while not list(cut.glob("space-0/step-*.ckpt")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.kill()  # SIGKILL
    process.wait()
    assert not (cut / "space-0.json").exists()
    for folder in (cut, whole):
        main([*options, str(folder)])
    one, other = (
        json.loads((path / "space-0.json").read_text())["result"] for path in (whole, cut)
    )
    for name, arm in one["arms"].items():
        assert arm["product"] == other["arms"][name]["product"], name
        assert len(arm["single"]) == 60


def test_a_leaking_set_is_refused_and_so_is_bad_input(tmp_path, refused, monkeypatch):
    out = ["--surveys", "space", "--out", str(tmp_path / "runs"), *TINY]
    with refused("survey: expected one of .*, got 'radio'"):
        main(["run", *out, "--surveys", "radio"])
    with refused("images: expected 32 or more, got 8"):
        main(["run", *out, "--images", "8"])
    with refused("data: .*nowhere.npz cannot be read"):
        main(["run", *out, "--galaxies", "nowhere.npz"])
    np.savez(tmp_path / "flat.npz", images=np.zeros((20, 3, 60, 60), np.float32))
    with refused(r"galaxies: expected images \(n, 5, side, side\)"):
        main(["run", *out, "--galaxies", str(tmp_path / "flat.npz")])
    with refused("runs: no result gate-space.json"):
        main(["table", *out])
    monkeypatch.setitem(runs.GATE_BARS, "radial", 0.0)
    with refused("gate: .* the images leak, nothing is trained"):
        main(["run", *out])
    assert not list((tmp_path / "runs").glob("space-*"))


@pytest.fixture
def desk(tmp_path):
    """A place to work that nobody watches."""
    return runs.Desk(tmp_path, lambda share: None)


def test_the_stretch_is_undone():
    image = torch.tensor([-3.0, 0.0, 1.0, 500.0])
    torch.testing.assert_close(linear(stretch(image)), image, rtol=1e-2, atol=1e-3)
    assert KINDS[0] == "lens"
