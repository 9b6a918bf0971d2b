"""The inventory of public names, and what importing them costs."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import equinet

INVENTORY = {
    "equinet": """FieldType HomogeneousSpace Line Plane Point Points Sphere Volume act
        catalogue convert cyclic dihedral field group harmonics icosahedral input_sizes learning
        models nn o2 o3 octahedral ops point_group rep so2 so3 steerable summary symmetric taxonomy
        testing tetrahedral transforms""",
    "equinet.convert": """ResidualPathway Skeleton from_e3nn from_e3nn_convolution from_escnn
        from_escnn_type from_groupy from_healpy from_lie_learn from_lie_learn_so3 from_pyshtools
        from_s2cnn from_se3cnn from_torch from_torch_harmonics lie_learn_basis project_filter relax
        standard_basis to_healpy to_lie_learn to_lie_learn_so3 to_pyshtools to_torch_harmonics""",
    "equinet.field": """FieldAnalysis FieldSynthesis FieldType HomogeneousSpace Line Noise
        Plane Point Points Space Sphere Volume act act_on_mackey induced_matrices lift lower
        mackey_projection mackey_residual power_spectra random_field resample space_of sphere_of
        torus turn_fibres values_at""",
    "equinet.group": """Axial Cosets DoubleCosets FiniteGroup Group O2 O3 ProductGroup SO2 SO3
        Section alternating automorphisms axial conjugacy_classes cosets cyclic dihedral
        direct_product double_cosets find_subgroup generate icosahedral inversion is_subgroup
        named_group o2 o3 octahedral orbit_section permutation_group point_group section
        semidirect_product so2 so3 subgroup subgroup_classes symmetric tetrahedral trivial_group""",
    "equinet.harmonics": """Analysis Angular BSpline Bessel ConstantFunction FilterGrid
        GaussianShells Harmonics Orbits Pixels Radial Rings SteeredFunctions Synthesis Zernike
        angular_coefficients angular_harmonics circular_harmonics equiangular filter_grid gauss
        gaussian_shells harmonics_representation healpix healpix_nested octahedral power_spectrum
        rotate_s2 rotate_so3 s2_fft s2_ifft s2_irfft s2_rfft shell_harmonics so3_fft so3_ifft
        so3_irfft so3_rfft soft spherical_harmonics""",
    "equinet.learning": """Ensemble Flow Gaussian HessianSplit Inertia KernelRegression Laplace
        Linearized Matern NotPositiveError PowerLaw averaged expected_error exponent
        gradient_flow hessian_split hinge lattice_error ntk_parametrize power_law satisfied
        soft_hinge square tangent_kernel tangent_product violations""",
    "equinet.models": """MACE NequIP load_weights potential pretrained resnet save_weights
        spherical_operator spherical_resnet spherical_unet unet""",
    "equinet.nn": """AdaptiveAvgPool AdaptiveMaxPool AvgPool BatchNorm Canonicaliser Concat Conv1d
        Conv2d Conv3d
        ConvTranspose1d ConvTranspose2d ConvTranspose3d Curl DepthwisePointConv Divergence
        Downsample DropPath Dropout EBModes ELU EquivariantModule Eth EthBar FieldDropout
        FieldLoss FourierPointwise FromEBModes GELU Gate GlobalAvgPool GlobalMaxPool Gradient
        GroupNorm GroupPool Helmholtz HomogeneousConv Identity InducedNormActivation
        InstanceNorm Integrate InverseLaplacian KernelLayer Laplacian LayerNorm LayerScale
        LeakyReLU Linear MaxPool NormActivation NormMaxPool NormPool PixelShuffle PointAttention
        PointConv PointPool PointUnpool Pointwise Potential Prediction Product RMSNorm
        RadialNetwork ReLU Residual Restrict Select Sequential SiLU Sigmoid SkewGradient SobolevLoss
        Softplus SphereAttention SphereConv SqueezeExcite SumPool Summary SymmetricPower Tanh
        TensorProduct Typed Upsample VectorFieldPool convert_sync_batchnorm gated gated_layer
        shuffled species_energies spectral_norm squash summary""",
    "equinet.numerics": """Constant Constants angles_to_matrix eigenprojectors
        generic_symmetric legendre matrix_to_angles points_to_angles random_rotations
        range_basis real_from_complex rotation_generators soft_angles soft_weights
        solid_harmonics wigner_D wigner_d wigner_d_real""",
    "equinet.ops": """EdgeOrder EdgePlan FieldTables GroupTables IrrepMap LegendrePlan Plan
        Side SpectrumPlan SpectrumSide block_matmul chunks edge_harmonics edge_order edge_sum
        expand filter_spectrum full_precision irrep_product legendre_analysis legendre_synthesis
        relu s2_analysis s2_coefficients s2_synthesis s2_waves so3_analysis so3_synthesis status
        zero_where""",
    "equinet.plot": "character_table field globe harmonics kernels report",
    "equinet.rep": """Block CartesianTensor CharacterTable Fibre Irrep Representation
        character_table clebsch_gordan correlation_table couple decompose direct_sum dual
        exterior_power fibre fourier_basis hom induce irrep irreps named quotient regular
        restrict symmetric_power tensor_product trivial vector wigner_3j""",
    "equinet.steerable": """BlurredFilter DirectionKernels EquatorialFilter HomogeneousKernels
        Intertwiners KernelBasis KernelSpace NearIdentityFilter SampledKernels SmoothFilter
        SphereFilter SphereKernels TapKernels blurred equatorial homogeneous_kernels
        kernel_basis kernels_between near_identity smooth sphere_basis""",
    "equinet.taxonomy": "Measured Publication Row catalogue",
    "equinet.testing": """Certificate EquivarianceError LayerCertificate LayerReport Report
        Sources assert_equivariant certificate equivariance_error input_sizes report""",
    "equinet.transforms": """Graph Sample StereographicProjection calculator farthest_points
        from_atoms from_data from_polarisation from_voigt from_winds knn_graph neighbour_graph
        potentials radius_graph rays rotate_randomly to_atoms to_data to_polarisation to_voigt
        to_winds voxel_points voxelize""",
}
every_package = pytest.mark.parametrize("name", INVENTORY)


@every_package
def test_inventory(name):
    """A name that comes or goes is a decision; it is made here too."""
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(INVENTORY[name].split())
    assert len(set(module.__all__)) == len(module.__all__)


def test_every_package_is_in_the_inventory():
    packages = {f"equinet.{m.name}" for m in pkgutil.iter_modules(equinet.__path__) if m.ispkg}
    assert packages | {"equinet"} == set(INVENTORY)


@every_package
def test_public_things_exist_and_are_described(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for public in module.__all__:
        value = getattr(module, public)
        assert inspect.getdoc(value), f"{name}.{public} has no docstring"
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__.startswith("equinet."), f"{name}.{public} is somebody else's"


def test_version():
    assert equinet.__version__.count(".") == 2


@pytest.mark.process
def test_import_is_light_and_what_no_network_needs_comes_when_asked_for(tmp_path):
    """Nothing heavy comes that torch has not brought, nothing warns, nothing is written.

    In a Python of its own, in an empty folder.
    """
    program = """
import sys, torch
before = set(sys.modules)
import equinet
print("equinet.nn", *{name.partition(".")[0] for name in set(sys.modules) - before})
later = ("convert", "learning", "taxonomy", "testing", "transforms")
assert set(equinet.__all__) <= set(dir(equinet))
print(*(f"equinet.{name}" in sys.modules for name in later), "equinet.nn" in sys.modules)
print(*(getattr(equinet, name).__name__ for name in (*later, "catalogue")))
assert not hasattr(equinet, "nothing")
"""
    run = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    first, before, after = run.stdout.splitlines()
    loaded = set(first.split())
    assert "equinet" in loaded  # so the rest would show as well
    assert not loaded & {"scipy", "sympy", "matplotlib", "e3nn", "pytest", "hypothesis", "pandas"}
    assert not run.stderr and not list(tmp_path.iterdir())
    assert before == "False False False False False True"
    assert after == (
        "equinet.convert equinet.learning equinet.taxonomy equinet.testing equinet.transforms "
        "catalogue"
    )
