"""The first use of an operator on a GPU, on the road of a real one, with the kernels emulated."""

import dataclasses
import shutil
import threading
import warnings
from pathlib import Path
from unittest import mock

import pytest
import torch

from equinet.ops import so3, so3_gpu, status
from equinet.ops.availability import ON_GPU, OPERATORS, check_on_gpus
from equinet.ops.native import compile, cuda, first_use
from tests.ops.emulation.gpu import compile_driver, dispatched_to_gpu
from tests.ops.operator_cases import SMALL, block_product, first
from tests.tolerances import ROUNDING, assert_close

pytestmark = pytest.mark.native

CPU, F32, F64 = torch.device("cpu"), torch.float32, torch.float64
DTYPES = [F32, F64]

# One for each operator: what stands in a kernel, and what is put in its place.
FAULTS = {
    "block_matmul": ("block_matmul", "if (to < p.n)", "if (to + 1 < p.n)"),
    "edge_sum": ("edge_sum", "starts[point + 1], count)", "starts[point + 1] - 1, count)"),
    "edge_sum_gradients": ("edge_sum_gradients", "lane % kHalf + kHalf)", "lane % kHalf)"),
    "expansion": ("expansion", "row[2] * p.dim_in + column[2]", "row[2] * p.dim_in + column[1]"),
    "filter_spectrum": ("filter_spectrum", "p < b.points; ++p", "p + 1 < b.points; ++p"),
    "s2_synthesis": ("s2", "f[0] = pp + mm, f[1] = pm - mp", "f[0] = pp + mm, f[1] = pm + mp"),
    "s2_analysis": ("s2", "f[2] -= there[part + 1]", "f[2] += there[part + 1]"),
    "s2_waves": ("s2", "here[0] = x * (q[1] - p[1])", "here[0] = x * (q[1] + p[1])"),
    "s2_coefficients": ("s2", "f[0] += here[part + 1]", "f[0] -= here[part + 1]"),
    "so3_synthesis": ("so3_waves", "if (zero && zero[mask]) value = 0;", ""),
    "so3_rectified": ("so3_waves", "negative[mask] = low;", "negative[mask + 1] = low;"),
    "so3_analysis": ("so3_degrees", "(cs - sc)", "(cs + sc)"),
}
# Faults in other branches of the same kernels.
MORE_FAULTS = {
    "block_matmul": [
        ("block_matmul", "columns, samples, rows, one", "columns, samples, rows, by_row"),
        ("block_matmul", "bias && l == 0 ?", "bias && l == 1 ?"),
        ("block_matmul", "k0 + k < depth;", "k0 + k + 1 < depth;"),
    ],
    "edge_sum": [
        ("edge_sum", "f < features; f += kWarp", "f < 1; f += kWarp"),
        ("edge_sum", "const i64 row = r0 + lane", "const i64 row = lane"),
        ("edge_sum", "const i64 column = c0 + at", "const i64 column = at"),
        ("edge_sum", "by_source ? order : order + count", "order"),
        ("edge_sum", "features + path.weight]", "features]"),
        (
            "edge_sum",
            "] : T(0);\n    }\n    __syncwarp();\n}\n\n// sum[i]",
            "] : T(0);\n    }\n}\n//",
        ),
    ],
    "edge_sum_gradients": [
        ("edge_sum", "last < paths.count && paths.path[last].x", "last < 0 && paths.path[last].x"),
        ("edge_sum", "by_source && first && paths", "by_source && !first && paths"),
        ("edge_sum_gradients", "entry += slopes[k]", "entry = slopes[k]"),
        ("edge_sum_gradients", "slope[i] += left", "slope[i] = left"),
        ("edge_sum_gradients", "is_there ? u0 + lane : u0", "is_there ? lane : 0"),
        ("edge_sum_gradients", "(path.weight + u0) * features", "path.weight * features"),
        ("edge_sum_gradients", "(part + 1) * run, count)", "(part + 1) * run, count - 1)"),
    ],
    "expansion": [
        ("expansion", "half = kWarp / 2", "half = kWarp / 4"),
        ("expansion", "starts[p.start_in + v]", "starts[p.start_in]"),
        ("expansion", "for (i64 k = 0; k < p.kernels", "for (i64 k = 1; k < p.kernels"),
    ],
    "filter_spectrum": [
        ("filter_spectrum", "for (i64 l = 0; l < degrees", "for (i64 l = 1; l < degrees"),
        ("filter_spectrum", "index % b.copies_in, n_in", "index % b.orders_in, n_in"),
    ],
    "s2_synthesis": [
        ("s2", "m0 + chunk <= m; m0", "m0 + chunk < m; m0"),
        ("s2", "f[2] = s.sign(l, m) * pp,", "f[2] = pp,"),
        ("s2", "j0 + column >= s.columns()", "j0 + column + 1 >= s.columns()"),
    ],
    "s2_analysis": [
        ("s2", "if (n && m) at(-m, -n) = a - e;", "if (n && m) at(-m, -n) = a + e;"),
        ("s2", "if (m) at(-m, n) = -b - g;", "if (m) at(-m, n) = b - g;"),
    ],
    "s2_waves": [("s2", "halve && m ? T(0.5)", "m ? T(0.5)")],
    "s2_coefficients": [("s2", "s.order || j != mirror ?", "true ?")],
    "so3_synthesis": [
        ("so3_degrees", "to.mm, at, p[r][0] - q[r][0]", "to.mm, at, p[r][0] + q[r][0]"),
        ("so3_degrees", "over * (over - 1)", "over * over"),
        ("so3_waves", "size - at, even[i][r] - odd", "size - at, even[i][r] + odd"),
    ],
    "so3_rectified": [
        ("so3_waves", "if (low) value = 0;", ""),
        ("so3_waves", "+ column / kGroup;", "+ 0;"),
    ],
    "so3_analysis": [
        ("so3_waves", "zero[field.masked(alpha, gamma)]", "zero[field.masked(gamma, alpha)]"),
        ("so3_degrees", "half >= wide; half", "half > wide; half"),
        ("so3_degrees", "m / unsigned(chunk) * chunk", "0"),
    ],
}  # fmt: skip


def broken(out: Path, faults) -> Path:
    """A driver of kernels with these faults in them."""
    folder = Path(shutil.copytree(compile.source_folder(), out / "csrc"))
    for name, old, new in faults:
        path = folder / "cuda" / f"{name}.cu"
        text = path.read_text()
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new))
    return compile_driver(out, ("-O1",), folder)


@pytest.fixture(scope="module")
def faulty(driver, tmp_path_factory):
    """One driver with a fault in each operator."""
    return broken(tmp_path_factory.mktemp("faulty"), FAULTS.values())


def case_of(operator):
    return next(case for case in SMALL if case.operator is operator)


ON_GPUS = [operator for operator in OPERATORS if operator.gpu]
every_operator = pytest.mark.parametrize("operator", ON_GPUS, ids=lambda o: o.name)


# --- the check ------------------------------------------------------------------------------------


def test_every_operator_with_a_kernel_has_a_fault_and_a_status():
    assert {o.name for o in ON_GPU} == FAULTS.keys() == MORE_FAULTS.keys()
    assert {case.operator for case in SMALL} == set(OPERATORS)


def test_sound_kernels_pass_and_serve(driver):
    """In both precisions; a call reaches a kernel, and its derivative too."""
    with dispatched_to_gpu(driver), mock.patch.object(cuda, "launch", wraps=cuda.launch) as launch:
        assert status().checks == tuple(f"{o.name}: not used yet" for o in ON_GPU)
        assert check_on_gpus() == []
        assert len(status().checks) == 2 * len(ON_GPU)
        assert all(line.endswith(": passed") for line in status().checks)
        for operator in ON_GPUS:
            launch.reset_mock()
            case = case_of(operator)
            arguments = case.with_tensors(lambda x: x.clone().requires_grad_())
            found = first(operator.overload(*arguments))
            assert launch.called
            assert_close(found, first(operator.reference(*case.arguments)), ROUNDING)
            launch.reset_mock()
            found.sum().backward()
            assert launch.called


def test_examples_leave_nothing_to_chance():
    """Rounding decides of no sign in a mask, and integers are exact in the lowest precisions."""
    spectrum, *tables = so3.RECTIFIED.gpu.examples()[0]
    signal = so3.SYNTHESIS.reference(spectrum, None, *tables)
    assert signal.abs().min() > 2 * first_use.TOLERANCES[F32] * signal.abs().max()
    for operator in ON_GPUS[:3]:
        for arguments in operator.gpu.examples():
            result = operator.reference(*arguments)
            assert torch.equal(result, result.round()) and result.abs().max() < 2**11


@every_operator
def test_a_fault_is_found_and_the_reference_serves(driver, faulty, operator):
    case = case_of(operator)
    expected = operator.reference(*case.arguments)
    with dispatched_to_gpu(faulty):
        with pytest.warns(RuntimeWarning) as caught:
            found = operator.overload(*case.arguments)
        operator.overload(*case.arguments)  # with no second warning
        assert_close(first(found), first(expected), ROUNDING)
        (line,) = (line for line in status().checks if line.startswith(f"{operator.name} on "))
        assert "on cpu in torch.float64: plain PyTorch serves; example" in line
        said = str(dataclasses.replace(status(), gpus=("a GPU",)))
    assert line in said
    (warning,) = caught
    text = str(warning.message)
    assert f"equinet::{operator.name} failed the check" in text and "is wrong by" in text
    parts = "an emulated GPU", "CUDA 13.0", f"torch {torch.__version__}", "equinet ", "report"
    assert all(part in text for part in parts)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE_FAULTS)
def test_faults_of_every_kind_are_found(driver, tmp_path, name):
    form = next(form for form in ON_GPU if form.name == name)
    for i, fault in enumerate(MORE_FAULTS[name]):
        with dispatched_to_gpu(broken(tmp_path / str(i), [fault])):
            for dtype in DTYPES:
                with pytest.warns(RuntimeWarning, match="is wrong by"):
                    assert form.problem(CPU, dtype), fault


@every_operator
def test_a_launch_that_fails_is_found(driver, operator):
    case = case_of(operator)
    refusal = cuda.CudaError("cuLaunchKernel: no kernel image (209)")
    with dispatched_to_gpu(driver), mock.patch.object(cuda, "launch", side_effect=refusal):
        with pytest.warns(RuntimeWarning, match=r"failed: cuLaunchKernel: no kernel image \(209\)"):
            found = operator.overload(*case.arguments)
    assert torch.equal(first(found), first(operator.reference(*case.arguments)))


def test_a_launch_that_fails_later_is_an_error(driver):
    case = SMALL[0]
    with dispatched_to_gpu(driver):
        case.operator.overload(*case.arguments)
        with mock.patch.object(cuda, "launch", side_effect=cuda.CudaError("cuLaunchKernel")):
            with pytest.raises(cuda.CudaError):
                case.operator.overload(*case.arguments)


def test_want_of_memory_is_no_verdict(driver):
    case = SMALL[0]
    with dispatched_to_gpu(driver):
        with mock.patch.object(cuda, "launch", side_effect=torch.OutOfMemoryError):
            with pytest.raises(torch.OutOfMemoryError):
                case.operator.overload(*case.arguments)
        assert not case.operator.gpu.verdicts
        case.operator.overload(*case.arguments)
        assert set(case.operator.gpu.verdicts.values()) == {""}


def test_threads_check_once(driver):
    form = SMALL[0].operator.gpu
    asked = mock.Mock(wraps=form.examples)
    with dispatched_to_gpu(driver), mock.patch.object(form, "examples", asked):
        threads = [threading.Thread(target=form.problem, args=(CPU, F64)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert asked.call_count == 1


def test_defaults_of_the_user_do_not_reach_the_check(driver):
    """Another device, another dtype, inference mode and autocast."""
    with dispatched_to_gpu(driver), torch.device("meta"), torch.inference_mode():
        with torch.autocast("cpu", torch.bfloat16):
            for operator in (*ON_GPUS[:3], so3.RECTIFIED):
                assert operator.gpu.problem(CPU, F32) == ""


def test_what_is_not_a_number_is_wrong():
    x = torch.tensor([1.0, torch.nan])
    assert not first_use.error_of(x, torch.ones(2)) <= 1
    assert not first_use.error_of((torch.ones(2), x), (torch.ones(2), torch.ones(2))) <= 1
    assert first_use.error_of(torch.ones(3), torch.ones(2)) == torch.inf


# --- CUDA graphs ----------------------------------------------------------------------------------


def test_a_first_call_within_a_graph_is_refused(driver):
    """Loading and checking are no work that a graph can record; what is warm is."""
    case = SMALL[0]
    with (
        dispatched_to_gpu(driver),
        mock.patch.object(torch.cuda, "is_available", lambda: True),
        mock.patch.object(torch.cuda, "is_current_stream_capturing", lambda: True),
    ):
        with pytest.raises(RuntimeError, match="be checked while .* the network once before"):
            case.operator.overload(*case.arguments)
        with mock.patch.object(torch.cuda, "is_current_stream_capturing", lambda: False):
            case.operator.overload(*case.arguments)
        case.operator.overload(*case.arguments)
    with (
        mock.patch.object(compile, "setting", lambda name: "auto"),
        mock.patch.object(torch.cuda, "is_available", lambda: True),
        mock.patch.object(torch.cuda, "is_current_stream_capturing", lambda: True),
        pytest.raises(RuntimeError, match="cannot be loaded while a CUDA graph is recorded"),
    ):
        cuda._gpu.__wrapped__(0)


# --- limits ---------------------------------------------------------------------------------------


@every_operator
def test_beyond_a_grid_the_reference_serves(driver, operator):
    """At the limit of each dimension a kernel, one below it the reference and no launch."""
    for arguments in operator.gpu.examples():
        grids = []

        def launch(name, dtype, index, grid, *rest, seen=grids, **more):
            seen.append((*grid, *[1] * (3 - len(grid))))

        with mock.patch.object(cuda, "launch", launch):
            operator.gpu.compiled(*arguments)
        most = [max(sizes) for sizes in zip(*grids, strict=True)]
        with mock.patch.object(cuda, "GRID", tuple(most)):
            assert operator.gpu.fits(*arguments)
        used = max(len(grid) for grid in _grids_asked(operator, arguments))
        for i in range(used):
            less = [size - (i == j) for j, size in enumerate(most)]
            with mock.patch.object(cuda, "GRID", tuple(less)):
                assert not operator.gpu.fits(*arguments)
                refuse = mock.Mock(side_effect=AssertionError)
                with dispatched_to_gpu(driver), mock.patch.object(cuda, "launch", refuse):
                    found = operator.overload(*arguments)
                assert torch.equal(first(found), first(operator.reference(*arguments)))


def _grids_asked(operator, arguments):
    asked = []

    def fits(*grid):
        asked.append(grid)
        return True

    with mock.patch.object(cuda, "fits", fits):
        operator.gpu.fits(*arguments)
    return asked


def test_the_limits_of_every_gpu():
    assert cuda.fits(2**31 - 1, 65535, 65535)
    assert not cuda.fits(2**31) and not cuda.fits(1, 65536) and not cuda.fits(1, 1, 65536)
    with pytest.raises(cuda.CudaError, match="expected at most"):
        cuda.Gpu.launch(mock.Mock(signatures={"f": []}), "f", F32, (2**32 + 1,), (1,), ())


@pytest.mark.parametrize("degrees", [cuda.MAX_DEGREES, cuda.MAX_DEGREES + 1])
def test_degrees_of_a_product(driver, degrees):
    case = block_product([(1, 1)] * degrees, 1, 0, False)
    with dispatched_to_gpu(driver), mock.patch.object(cuda, "launch", wraps=cuda.launch) as launch:
        found = case.operator.overload(*case.arguments)
    assert (launch.call_count > 0) == (degrees == cuda.MAX_DEGREES)
    assert_close(found, case.operator.reference(*case.arguments), ROUNDING)


@pytest.mark.parametrize("bytes_each, size", [(4, 942), (8, 470)])
def test_angles_and_degrees_on_so3(bytes_each, size):
    """Shared memory for the angles of any band, and a grid for the pairs of orders."""
    for band in (1, 30, 200):
        assert so3_gpu.fits(band, size, 1, 1, bytes_each)
        assert not so3_gpu.fits(band, size + 2, 1, 1, bytes_each)
    assert so3_gpu.fits(255, 470, 1, 1, 4) and not so3_gpu.fits(256, 470, 1, 1, 4)
    assert so3_gpu.fits(1, 4, 1, 2**32, 4) and not so3_gpu.fits(1, 4, 1, 2**36, 4)


def test_too_little_shared_memory_for_a_tile(driver):
    """Where not one run of angles fits, whatever the other sizes."""
    case = case_of(so3.ANALYSIS)
    with mock.patch.object(cuda, "SHARED", 256):
        assert not case.operator.gpu.fits(*case.arguments)
        with dispatched_to_gpu(driver), warnings.catch_warnings():
            found = case.operator.overload(*case.arguments)
    assert torch.equal(found, case.operator.reference(*case.arguments))
