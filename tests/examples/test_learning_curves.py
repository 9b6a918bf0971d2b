"""Learning curves: the solver, the kernels, the pictures, and the program from end to end."""

import hashlib
import io
import math
import pickle
import signal
import tarfile
import time

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize, nnls

from equinet.learning import Laplace, averaged, power_law
from examples.common.errors import InputError
from examples.common.sweep import Desk
from examples.learning_curves import __main__ as program
from examples.learning_curves import data, pictures, spheres, svm, symmetry, turned
from examples.learning_curves.claims import all_claims
from examples.learning_curves.fits import doubling, fit, longest_regression, points_on_sphere
from examples.learning_curves.measured import lattice_exponents
from examples.learning_curves.pairs import LATTICE, SPHERES, Pair
from examples.learning_curves.results import read_draws
from tests.tolerances import CONDITION, ROUNDING, assert_close

F64 = torch.float64
TINY = "--draws 1 --points 64 --shrink 16 --no-cifar --picture-draws 1 --pictures 200 --margin 200"


def _machine(n: int, generator: torch.Generator) -> torch.Tensor:
    """Q of two overlapping clouds, so that some points are no support vectors."""
    x = torch.randn(n, 2, generator=generator, dtype=F64)
    y = torch.where(x[:, 0] + 0.3 * torch.randn(n, generator=generator, dtype=F64) > 0, 1.0, -1.0)
    return y[:, None] * Laplace(3.0)(x, x) * y


# --- the support vector machine -------------------------------------------------------------------


def test_hard_margin_is_that_of_other_solvers(generator):
    """Of SciPy: SLSQP on the dual, and non-negative least squares of its square root."""
    Q = _machine(14, generator)
    dual = minimize(
        lambda a: a @ Q.numpy() @ a / 2 - a.sum(), np.ones(14), jac=lambda a: Q.numpy() @ a - 1,
        bounds=[(0, None)] * 14, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert dual.success
    assert_close(svm.hard_margin(Q), dual.x, 1e-5)
    Q = _machine(150, generator)
    root = torch.linalg.cholesky(Q)
    ones = torch.ones(150, dtype=F64)
    target = torch.linalg.solve_triangular(root, ones[:, None], upper=False)[:, 0]
    a = svm.hard_margin(Q)
    assert_close(a, nnls(root.T.numpy(), target.numpy())[0], 1e-8)
    assert 0.1 < (a == 0).double().mean() < 0.9
    # The negative control: without a >= 0 it is the regression, and no margin.
    assert torch.linalg.solve(Q, ones).min() < -0.1


def test_hard_margin_meets_its_conditions_on_every_road(generator, monkeypatch):
    Q = _machine(60, generator)
    a = svm.hard_margin(Q)
    margin = Q @ a
    assert a.min() >= 0 and margin.min() > 1 - 1e-9
    assert_close(a * (margin - 1), torch.zeros(60, dtype=F64), 1e-9)
    none = svm.hard_margin(Q, free=torch.zeros(60, dtype=torch.bool))
    assert_close(none, a, CONDITION)
    monkeypatch.setattr(svm, "_PATIENCE", 0)  # one at a time, as soon as a block fails
    assert_close(svm.hard_margin(Q), a, CONDITION)
    with pytest.raises(ValueError, match="^Q: expected a positive definite"):
        svm.hard_margin(torch.ones(3, 3, dtype=F64))


# --- kernels and regressions ----------------------------------------------------------------------


def test_regression_on_the_first_pictures(generator):
    x, t = (torch.rand(n, 20, generator=generator, dtype=F64) for n in (30, 7))
    y = torch.randn(30, generator=generator, dtype=F64)
    assert_close(pictures.distances(x, t), torch.cdist(x, t), CONDITION)
    K, k = Laplace(2.0)(x, x), Laplace(2.0)(t, x)
    for n, answer in zip((3, 30), pictures.interpolate(K, k, y, (3, 30)), strict=True):
        assert_close(answer, k[:, :n] @ torch.linalg.solve(K[:n, :n], y[:n]), CONDITION)


def test_mean_over_turned_pictures_is_the_orbit_sum(generator):
    x, x2 = (torch.rand(n, 784, generator=generator, dtype=F64) for n in (3, 2))
    K = averaged(turned.kernel, turned.right_angles)(x, x2)
    for i, one in enumerate(x.numpy().reshape(-1, 28, 28)):
        for j, other in enumerate(x2.numpy().reshape(-1, 28, 28)):
            orbit = [np.exp(-np.linalg.norm(one - np.rot90(other, k)) / 10) for k in range(4)]
            assert_close(K[i, j], np.mean(orbit), CONDITION)
    moved = turned.right_angles(x2)[3]
    assert_close(averaged(turned.kernel, turned.right_angles)(x, moved), K, CONDITION)
    assert (turned.kernel(x, moved) - turned.kernel(x, x2)).abs().max() > 1e-3


@pytest.mark.parametrize("action", [*symmetry.FINITE, *symmetry.CONTINUOUS])
def test_symmetric_kernels(action, generator):
    """Teacher and student do not see the group; the plain student does."""
    tasks = [one for one in symmetry.tasks(1, 4).values() if one.action == action]
    assert len(tasks) == (1 if action in symmetry.FINITE else 2)
    x = points_on_sphere(6, tasks[0].d, generator)
    elements = symmetry.elements_of(action, tasks[0].elements)
    moved = x @ elements[len(elements) // 3].T
    for task in tasks:
        teacher, plain, invariant = symmetry.kernels(task)
        for kernel in (teacher, invariant):
            assert_close(kernel(moved, x), kernel(x, x), CONDITION)
            assert_close(kernel(x, moved), kernel(x, x), CONDITION)
        assert (plain(x, moved) - plain(x, x)).abs().max() > 0.05
        orbit = sum(plain(x, x @ g.T) for g in elements) / len(elements)
        assert_close(invariant(x, x), orbit, ROUNDING)


def test_the_quadrature_is_the_integral_over_turns(generator):
    """Of the student on S^2, against SciPy; it falls under refinement."""
    x = points_on_sphere(2, 2, generator)
    rho, z = x[:, :2].norm(dim=1).tolist(), x[:, 2].tolist()

    def between(angle: float) -> float:
        square = rho[0] ** 2 + rho[1] ** 2 - 2 * rho[0] * rho[1] * math.cos(angle)
        return math.exp(-math.sqrt(square + (z[0] - z[1]) ** 2) / 2)

    exact = quad(between, 0, math.pi, epsabs=1e-13)[0] / math.pi
    off = []
    for count in (4, 8, 256):
        elements = symmetry.elements_of("SO(2) on S^2", count)
        off.append(abs(float(averaged(Laplace(2.0), elements)(x[:1], x[1:])) - exact))
    assert off[0] > 5 * off[1] > 1000 * off[2] and off[2] < 1e-10


def test_orbits_of_hopf_have_one_length(generator):
    """And the invariants lie on a sphere, where all of it is reached evenly: its mean is zero."""
    x = points_on_sphere(4000, 3, generator)
    h = symmetry.invariants(x)
    assert_close(h.norm(dim=1), torch.ones(4000, dtype=F64), ROUNDING)
    assert h.mean(0).abs().max() < 5 / math.sqrt(3 * 4000)
    turn = symmetry.elements_of("SO(2) on S^3", 8)[1]
    step = (x @ turn.T - x).norm(dim=1)
    assert step.max() - step.min() < ROUNDING
    pole = torch.eye(3, dtype=F64)[2:]
    assert_close(pole @ symmetry.elements_of("SO(2) on S^2", 8)[1].T, pole, ROUNDING)


def test_pairs_and_fits():
    for d in (1, 2, 3):
        for pair in {*SPHERES, *LATTICE}:
            teacher, student = 2 * pair.teacher, 2 * (d + 2 * pair.student)
            assert pair.beta(d) == min(teacher, student) / d
            assert pair.is_limited_by_student(d) == (student < teacher)
    assert sum(pair.is_limited_by_student(1) for pair in LATTICE) == 3
    assert str(Pair(0.5, 2.5)) == "Laplace / Matérn 5/2"
    assert doubling(32, 2048) == (32, 64, 128, 256, 512, 1024, 2048)
    assert doubling(100, 3999) == (100, 200, 400, 800, 1600, 3200)
    n = doubling(10, 320)
    two = [[scale * m**-beta for m in n] for scale, beta in ((1, 0.5), (1, 0.7))]
    assert fit(n, two).deviation == pytest.approx(0.1)
    one = fit(n, [[*([1.0] * 3), *(8.0 * k**-2 for k in (1, 2, 4))]], 3)
    assert one.beta == pytest.approx(2) and math.isnan(one.deviation)
    circle = points_on_sphere(600, 1, torch.Generator().manual_seed(0))
    assert 10 < len(longest_regression(Laplace(1.0), circle).x) == 600
    smooth = longest_regression(symmetry.Matern(5.5), circle)
    assert 10 < len(smooth.x) < 600
    assert torch.equal(smooth.x, circle[: len(smooth.x)])


# --- data -----------------------------------------------------------------------------------------


@pytest.fixture
def cifar_tar(tmp_path, monkeypatch):
    """An archive laid out as the official one, of 12 pictures; and what is in it."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, 12)
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
        for i, name in enumerate(names):
            some = slice(2 * i, 2 * i + 2)
            rows = images[some].transpose(0, 3, 1, 2).reshape(2, -1)
            content = pickle.dumps({b"data": rows, b"labels": labels[some].tolist()})
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(data, "CIFAR_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path, images, labels


def test_cifar_from_both_kinds_of_file(cifar_tar, tmp_path):
    path, images, labels = cifar_tar
    npz = tmp_path / "cifar.npz"
    np.savez(npz, x_train=images[:10], y_train=labels[:10, None], x_test=images[10:],
             y_test=labels[10:, None])  # fmt: skip
    for file in (path, npz):
        found = data.cifar(file)
        assert_close(found.pixels, torch.from_numpy(images), 0)
        assert found.labels.tolist() == [1 if label < 5 else -1 for label in labels]
    assert data.cifar(path).fingerprint() == data.cifar(npz).fingerprint()
    x, y, t, truth = data.cifar(npz).draw(5, 7, seed=3)
    assert len({*map(float, torch.cat([x, t]).sum((1, 2, 3)))}) == 12 and x.max() <= 1
    again = data.cifar(npz).draw(3, 7, seed=3)
    assert torch.equal(again[0], x[:3]) and torch.equal(again[3], truth) and len(y) == 5


def test_an_archive_that_is_not_the_official_one_is_not_unpickled(cifar_tar, monkeypatch):
    path, *_ = cifar_tar
    monkeypatch.setattr(pickle, "load", pytest.fail)
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(InputError, match="^sha256 of cifar-10-python.tar.gz: expected"):
        data.cifar(path)


@pytest.mark.parametrize(
    "shapes, last, words",
    [
        ([(32, 32), (32, 32)], 3, "expected pictures uint8"),
        ([(32, 32, 3), (32, 32)], 3, "expected pictures of one size"),
        ([(32, 32, 3), (32, 32, 3)], 10, "expected a label from 0 to 9"),
    ],
)
def test_what_is_no_cifar(shapes, last, words, tmp_path):
    path = tmp_path / "data.npz"
    train, test = (np.zeros((2, *shape), np.uint8) for shape in shapes)
    labels = np.array([0, last])
    np.savez(path, x_train=train, x_test=test, y_train=labels, y_test=labels)
    with pytest.raises(InputError, match=f"^cifar: {words}"):
        data.cifar(path)


# --- the program ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_demo(tmp_path, monkeypatch, capsys, refused):
    """At tiny sizes: its tables, its pictures, and the values in them again."""
    monkeypatch.setattr(program, "DEMO", TINY)
    out = tmp_path / "demo"
    program.main(["demo", "--out", str(out)])
    said = capsys.readouterr().out
    for line in (
        "| lattice, d = 1",
        "| random points on S^2",
        "| MNIST, regression, Laplace 10",
        "error_plain(24 n) / error_invariant(n)",
        "| SO(2) on S^3, teacher of invariants",
    ):
        assert line in said
    assert {path.name for path in out.glob("*.png")} == {
        "theory.png", "symmetry.png", "pictures.png",
    }  # fmt: skip
    claims, details = all_claims(out)
    assert len(claims) == 24 and len(details) == 5
    (task, results), *_ = read_draws(out / "digits", pictures.Draw).items()
    again = pictures.work({"digits": None}, task, Desk(tmp_path, lambda share: None))
    assert again == results[0]
    one = lattice_exponents(out / "lattice")[0]
    assert one.here.beta == power_law(one.n[-2:], one.error[-2:]).beta and one.off < 0.1
    (out / "digits" / "digits-0.json").write_text("{}")
    with refused("runs: expected the result of a run"):
        program.main(["table", str(out)])


def test_pictures_of_a_file(digits_file, tmp_path, refused):
    """A bar whose place tells the class is soon learned; labels of other pictures are not."""
    files = {"digits": digits_file}
    task = pictures.Draw("digits", "", (50, 100), (100,), 36, 0)
    found = pictures.work(files, task, Desk(tmp_path, lambda share: None))
    assert found["square"]["Laplace 10"][1] < min(0.5, found["square"]["Laplace 10"][0])
    assert found["margin"]["Laplace 10"] == [0]
    arrays = dict(np.load(digits_file))
    arrays["y_train"] = np.random.default_rng(1).permutation(arrays["y_train"])
    np.savez(tmp_path / "other.npz", **arrays)
    other = {"digits": tmp_path / "other.npz"}
    found = pictures.work(other, task, Desk(tmp_path, lambda share: None))
    assert found["square"]["Laplace 10"][1] > 0.7
    command = ["run", "--part", "digits", "--no-cifar", "--data", str(digits_file)]
    with refused(r"data: expected at least 200 \+ 1000 pictures, got 136 in digits.npz"):
        program.main([*command, "--out", str(tmp_path)])


@pytest.mark.slow
def test_killed_and_gone_on(tmp_path, start):
    """The rest is done by the same command, with the results of a run that nothing stopped."""
    out = tmp_path / "killed"
    command = ["run", "--part", "spheres", "--points", "64", "--draws", "8", "--out"]
    process = start("examples.learning_curves", *command, out)
    for _ in range(600):
        if len(done := list(out.glob("spheres/*.json"))) >= 1:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.read_bytes() for path in done}
    total = len(spheres.tasks(64, 8))
    assert 1 <= len(before) < total
    program.main([*command, str(out)])
    program.main([*command, str(tmp_path / "whole")])
    whole = sorted((tmp_path / "whole/spheres").glob("*.json"))
    assert len(whole) == total
    for path in whole:
        assert (out / "spheres" / path.name).read_bytes() == path.read_bytes()
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["table", "nowhere"], "runs: no results in nowhere"),
        (["figure", "nowhere"], "runs: no results in nowhere"),
        (["run", "--part", "digits", "--no-cifar", "--data", "no.npz"], "data: no.npz cannot be"),
        (["run", "--part", "digits", "--cifar", "no.tar.gz"], "cifar: no.tar.gz cannot be read"),
        (["run", "--part", "digits", "--no-cifar", "--test", "4950"], "data: expected at least"),
        (["run", "--part", "all"], "argument --part: invalid choice"),
        (["run", "--points", "8"], "points: expected at least 64"),
        (["run", "--margin", "100"], "margin: expected at least 200"),
    ],
)
def test_what_a_user_does_wrongly(arguments, words, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    with refused(words):
        program.main(arguments)
