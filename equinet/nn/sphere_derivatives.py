r"""Differential operators on the sphere: filters without weights.

In: fields of one spin. Out: fields of another, exact below the band.

A field f of spin s, whose two channels are Re f and Im f (see ``transforms.from_winds``), has a
spectrum \hat f^l_{ms} with l >= s, and an operator that commutes with rotations multiplies it by a
number for each degree. On the unit sphere the derivative along e_beta + i e_alpha leads from spin s
to s + 1, that along e_beta - i e_alpha to s - 1,

.. math::
    D_\pm f = \Bigl(\frac{\partial}{\partial\beta} \pm \frac{i}{\sin\beta}
              \frac{\partial}{\partial\alpha} \mp s \cot\beta\Bigr) f, \qquad
    (\widehat{D_\pm f})^l_m = \mp \sqrt{(l \mp s)(l \pm s + 1)}\, \hat f^l_m \quad (U1)

and all others are made of these. A tangent vector w = a e_beta + b e_alpha is f = a + i b, so

.. math::
    \operatorname{grad} \varphi = D_+ \varphi, \qquad
    \operatorname{div} w + i \operatorname{curl} w = D_- f, \qquad
    \Delta \varphi = D_- D_+ \varphi \quad (U2)

On a sphere of radius r each derivative has a factor 1 / r. Degrees above the band, which samples
may have and fields of the type have not, are dropped.

Where mirrors act, over ``Sphere(band, group="O(3)")``, real parts are functions and imaginary ones
pseudoscalars: phi and div w are ``0e``; psi, curl w and B modes are ``0o``. An operator takes and
gives fields of its parity, so that ``Curl`` leads to ``Nx0o``, and ``Gradient`` takes no ``Nx0o``.
Pairs, such as E and B of each of N fields, are then ``Nx0e + Nx0o``: first all E, then all B.
"""

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.nn.degree_filter import (
    BOTH,
    IMAGINARY_IN,
    IMAGINARY_OUT,
    REAL_IN,
    REAL_OUT,
    SPIN_IN,
    SPIN_OUT,
    DegreeFilter,
    Derivative,
    check_spin,
)
from equinet.numerics.arguments import check_integer


class Gradient(Derivative):
    r"""The gradient of functions on the sphere, tangent vectors.

    .. math:: \operatorname{grad} \varphi = \frac{1}{r} \Bigl(
              \frac{\partial \varphi}{\partial\beta} e_\beta + \frac{1}{\sin\beta}
              \frac{\partial\varphi}{\partial\alpha} e_\alpha\Bigr)

    with the channels (a, b) of a e_beta + b e_alpha, (south, east); ``transforms.to_winds`` names
    them.

    Args:
        in_type: functions, ``Nx0``, over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nx0`` to ``Nx1``; where mirrors act ``Nx0e`` to ``Nx1``.
    Raises:
        ValueError: for other fields, or a radius that is none.

    Example:
        >>> from equinet import Sphere
        >>> gradient = Gradient(Sphere(band=8).fields("3x0"), radius=6.371e6)
        >>> gradient.out_type
        Sphere(band=8).fields('3x1')
    """

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        check_spin(in_type, 0, 0)
        super().__init__(in_type, 1, REAL_IN, SPIN_OUT, radius)

    def kappa(self, l: Tensor) -> Tensor:
        return -(l * (l + 1)).sqrt()


class SkewGradient(Derivative):
    r"""The gradient of functions, turned by a quarter to the left: the wind of a stream function.

    .. math:: n \times \operatorname{grad} \psi = \frac{1}{r} \Bigl(-\frac{1}{\sin\beta}
              \frac{\partial\psi}{\partial\alpha} e_\beta + \frac{\partial \psi}{\partial\beta}
              e_\alpha\Bigr)

    n is the normal outwards. It has no divergence, and its curl is the Laplacian of psi.

    Args:
        in_type: functions, ``Nx0``, over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nx0`` to ``Nx1``; where mirrors act ``Nx0o`` to ``Nx1``.
    Raises:
        ValueError: for other fields, or a radius that is none.
    """

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        check_spin(in_type, 0, 0)
        super().__init__(in_type, 1, IMAGINARY_IN, SPIN_OUT, radius)

    def kappa(self, l: Tensor) -> Tensor:
        return -(l * (l + 1)).sqrt()


class Divergence(Derivative):
    r"""The divergence of tangent vectors a e_beta + b e_alpha, that is of winds (-v, u).

    .. math:: \operatorname{div} w = \frac{1}{r \sin\beta} \Bigl(
              \frac{\partial (a \sin\beta)}{\partial\beta} + \frac{\partial b}{\partial\alpha}\Bigr)
              = \frac{1}{r \cos\vartheta} \Bigl(\frac{\partial u}{\partial\lambda} +
              \frac{\partial (v \cos\vartheta)}{\partial\vartheta}\Bigr)

    the second at latitude theta and longitude lambda.

    Args:
        in_type: tangent vectors, ``Nx1``, over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nx1`` to ``Nx0``; where mirrors act to ``Nx0e``.
    Raises:
        ValueError: for other fields, or a radius that is none.
    """

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        check_spin(in_type, 1, 1)
        super().__init__(in_type, 0, SPIN_IN, REAL_OUT, radius)

    def kappa(self, l: Tensor) -> Tensor:
        return (l * (l + 1)).sqrt()


class Curl(Derivative):
    r"""The curl of tangent vectors along the normal outwards, the vorticity of a wind (-v, u).

    .. math:: \operatorname{curl} w = \frac{1}{r \sin\beta} \Bigl(
              \frac{\partial (b \sin\beta)}{\partial\beta} - \frac{\partial a}{\partial\alpha}\Bigr)
              = \frac{1}{r \cos\vartheta} \Bigl(\frac{\partial v}{\partial\lambda} -
              \frac{\partial (u \cos\vartheta)}{\partial\vartheta}\Bigr)

    the second at latitude theta and longitude lambda.

    Args:
        in_type: tangent vectors, ``Nx1``, over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nx1`` to ``Nx0``; where mirrors act to ``Nx0o``.
    Raises:
        ValueError: for other fields, or a radius that is none.

    Example:
        >>> from equinet import Sphere
        >>> from equinet.transforms import from_winds
        >>> u, v = torch.randn(2, 1, 1, 16, 16)
        >>> Curl(Sphere(band=8).fields("1x1"), radius=6.371e6)(from_winds(u, v)).shape
        torch.Size([1, 1, 16, 16])
    """

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        check_spin(in_type, 1, 1)
        super().__init__(in_type, 0, SPIN_IN, IMAGINARY_OUT, radius)

    def kappa(self, l: Tensor) -> Tensor:
        return (l * (l + 1)).sqrt()


class Laplacian(Derivative):
    r"""The Laplacian of fields of any spin s, the trace of their second derivatives.

    .. math:: \Delta f = \tfrac12 (D_- D_+ + D_+ D_-) f, \qquad
              (\widehat{\Delta f})^l_m = -\frac{l(l + 1) - s^2}{r^2} \hat f^l_m

    with the derivatives (U1) along e_beta + i e_alpha and e_beta - i e_alpha. Of functions it is
    that of Laplace and Beltrami. Of tangent vectors it is their rough Laplacian, which is w / r^2
    more than grad div w + n x grad curl w.

    Args:
        in_type: fields of one spin over a sphere.
        radius: r, in units of length.
    Shape:
        ``in_type`` to itself.
    Raises:
        ValueError: for other fields, or a radius that is none.
    """

    power = 2

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        s = check_spin(in_type, 0)
        reads, writes = (SPIN_IN, SPIN_OUT) if s else (REAL_IN, REAL_OUT)
        super().__init__(in_type, s, reads, writes, radius)

    def kappa(self, l: Tensor) -> Tensor:
        return self.spins[0] ** 2 - l * (l + 1)


class InverseLaplacian(Laplacian):
    """The field whose Laplacian is given; of functions the one of mean 0, of one less its mean.

    Args:
        in_type: fields of one spin over a sphere.
        radius: r, in units of length.
    Shape:
        ``in_type`` to itself.
    Raises:
        ValueError: for other fields, or a radius that is none.
    """

    power = -2

    def kappa(self, l: Tensor) -> Tensor:
        factor = super().kappa(l)
        return torch.where(factor == 0, 0, 1 / factor)


class Helmholtz(Derivative):
    r"""The potential phi and the stream function psi of tangent vectors, both of mean 0.

    .. math:: w = \operatorname{grad} \varphi + n \times \operatorname{grad} \psi, \qquad
              \Delta \varphi = \operatorname{div} w, \quad \Delta \psi = \operatorname{curl} w

    There is nothing else: on the sphere no tangent field but 0 is free of both. ``Gradient`` and
    ``SkewGradient`` lead back.

    Args:
        in_type: tangent vectors, ``Nx1``, over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nx1`` to ``2Nx0``, the channels (phi, psi) of each field; where mirrors act to
        ``Nx0e + Nx0o``, all phi and then all psi.
    Raises:
        ValueError: for other fields, or a radius that is none.
    """

    power = -1

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        check_spin(in_type, 1, 1)
        super().__init__(in_type, 0, SPIN_IN, BOTH, radius)

    def kappa(self, l: Tensor) -> Tensor:
        return -1 / (l * (l + 1)).sqrt()


class Eth(Derivative):
    r"""The operator eth of Newman and Penrose, which raises the spin by one.

    .. math:: \eth f = -\frac{1}{r} \Bigl(\frac{\partial}{\partial\beta} + \frac{i}{\sin\beta}
              \frac{\partial}{\partial\alpha} - s \cot\beta\Bigr) f, \qquad
              \eth\, {}_sY_{lm} = \frac{1}{r} \sqrt{(l - s)(l + s + 1)}\, {}_{s+1}Y_{lm}

    It is minus the covariant derivative along e_beta + i e_alpha; of functions minus the gradient.

    Args:
        in_type: fields of one spin s >= 0 over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nxs`` to ``Nx(s + 1)``; where mirrors act from functions ``Nx0e``.
    Raises:
        ValueError: for other fields, or a radius that is none.

    References:
        Goldberg et al. 1967, Spin-s spherical harmonics and eth.
    """

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        s = check_spin(in_type, 0)
        super().__init__(in_type, s + 1, SPIN_IN if s else REAL_IN, SPIN_OUT, radius)

    def kappa(self, l: Tensor) -> Tensor:
        s = self.spins[0]
        return ((l - s) * (l + s + 1)).sqrt()


class EthBar(Derivative):
    r"""The conjugate of eth, which lowers the spin by one.

    .. math:: \bar\eth f = -\frac{1}{r} \Bigl(\frac{\partial}{\partial\beta} - \frac{i}{\sin\beta}
              \frac{\partial}{\partial\alpha} + s \cot\beta\Bigr) f, \qquad
              \bar\eth\, {}_sY_{lm} = -\frac{1}{r} \sqrt{(l + s)(l - s + 1)}\, {}_{s-1}Y_{lm}

    Of tangent vectors it is -(div w + i curl w), a complex function, which is two real ones.

    Args:
        in_type: fields of one spin s >= 1 over a sphere.
        radius: r, in units of length.
    Shape:
        ``Nxs`` to ``Nx(s - 1)``; for s = 1 to ``2Nx0``, real and imaginary part of each, where
        mirrors act to ``Nx0e + Nx0o``, all real parts and then all imaginary ones.
    Raises:
        ValueError: for other fields, or a radius that is none.
    """

    def __init__(self, in_type: FieldType, radius: float = 1.0) -> None:
        s = check_spin(in_type, 1)
        super().__init__(in_type, s - 1, SPIN_IN, BOTH if s == 1 else SPIN_OUT, radius)

    def kappa(self, l: Tensor) -> Tensor:
        s = self.spins[0]
        return -((l + s) * (l - s + 1)).sqrt()


class EBModes(DegreeFilter):
    r"""E and B of fields of spin s, such as of polarisation (Q, U): two functions.

    .. math:: f = \sum_{lm} {}_sa_{lm}\, {}_sY_{lm}, \qquad {}_sa_{lm} = -(a^E_{lm} + i\, a^B_{lm}),
              \qquad E = \sum_{lm} a^E_{lm} Y_{lm}, \quad B = \sum_{lm} a^B_{lm} Y_{lm}

    as healpy has them in ``map2alm`` and ``map2alm_spin``. Together they have the power of f. E is
    even in a mirror, B is odd; neither has degrees below s.

    Args:
        in_type: fields of one spin s >= 1 over a sphere.
    Shape:
        ``Nxs`` to ``2Nx0``, the channels (E, B) of each field; where mirrors act to
        ``Nx0e + Nx0o``, all E and then all B.
    Raises:
        ValueError: for other fields.

    Example:
        >>> from equinet import Sphere
        >>> from equinet.transforms import from_polarisation
        >>> q, u = torch.randn(2, 1, 1, 16, 16)
        >>> e, b = EBModes(Sphere(band=8).fields("1x2"))(from_polarisation(q, u)).unbind(1)
    """

    def __init__(self, in_type: FieldType) -> None:
        check_spin(in_type, 1)
        super().__init__(in_type, 0, SPIN_IN, BOTH)
        self.set_constants()

    def kappa(self, l: Tensor) -> Tensor:
        return -torch.ones_like(l)


class FromEBModes(DegreeFilter):
    """Fields of spin s from their E and B; inverse of ``EBModes`` on degrees l >= s.

    Args:
        in_type: an even number of functions, ``2Nx0``, over a sphere: (E, B) of each field; where
            mirrors act ``Nx0e + Nx0o``, all E and then all B.
        spin: s >= 1 of the fields.
    Shape:
        ``2Nx0`` to ``Nxs``, or ``Nx0e + Nx0o``.
    Raises:
        ValueError: for other fields, or a spin that is none.
    """

    def __init__(self, in_type: FieldType, spin: int = 2) -> None:
        check_spin(in_type, 0, 0)
        if in_type.channels % 2:
            raise ValueError(f"in_type: expected pairs of functions (E, B), got {in_type!r}")
        super().__init__(in_type, check_integer(spin, "spin"), BOTH, SPIN_OUT)
        self.set_constants()

    def kappa(self, l: Tensor) -> Tensor:
        return -torch.ones_like(l)
