"""Published character tables, correlation tables and products of irreps: data, no computation.

Typed in from the standard literature (F. A. Cotton, Chemical Applications of Group Theory;
S. L. Altmann and P. Herzig, Point-Group Theory Tables; the Bilbao Crystallographic Server; for the
symmetric groups A. Young's tables), never made by the library: they are its independent judge.
``test_character_tables.py`` checks them against themselves. One file, for all its length, because
it is one book of tables.

A head line reads: Schoenflies name, Hermann-Mauguin name in this orientation ("." if the group is
not crystallographic), order | operations. An operation is the size of its class, here a conjugacy
class joined with the class of the inverses, then its symbol. A line below reads: Mulliken name
("*": of complex type, that is, two conjugate one-dimensional irreps taken together, with the summed
character) and its characters | the functions and rotations that span it.

Symbols: ``E``, ``i``; ``Cn^k``, ``Sn^k`` about z or the axis in brackets; ``C2'`` about x; ``C2"``
about the axis in the xy plane at the angle in brackets, in degrees from x; ``sh`` z -> -z; ``sv``
y -> -y; ``sd`` the mirror plane through z at the angle in brackets; ``s(xz)`` the plane named.
Numbers: phi the golden ratio, psi = 1 - phi, r2 and r3 square roots, ck = 2 cos(2 pi k / 7).
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

PHI = (1 + 5**0.5) / 2

CRYSTALLOGRAPHIC = """
C1 1 1 | E
A    1 | x y z Rx Ry Rz x2 y2 z2 xy xz yz

Ci -1 2 | E i
Ag   1  1 | Rx Ry Rz x2 y2 z2 xy xz yz
Au   1 -1 | x y z

Cs m 2 | E sh
A'   1  1 | x y Rz x2 y2 z2 xy
A''  1 -1 | z Rx Ry xz yz

C2 2 2 | E C2
A    1  1 | z Rz x2 y2 z2 xy
B    1 -1 | x y Rx Ry xz yz

C2h 2/m 4 | E C2 i sh
Ag   1  1  1  1 | Rz x2 y2 z2 xy
Bg   1 -1  1 -1 | Rx Ry xz yz
Au   1  1 -1 -1 | z
Bu   1 -1 -1  1 | x y

C2v mm2 4 | E C2 s(xz) s(yz)
A1   1  1  1  1 | z x2 y2 z2
A2   1  1 -1 -1 | Rz xy
B1   1 -1  1 -1 | x Ry xz
B2   1 -1 -1  1 | y Rx yz

D2 222 4 | E C2(z) C2(y) C2(x)
A    1  1  1  1 | x2 y2 z2
B1   1  1 -1 -1 | z Rz xy
B2   1 -1  1 -1 | y Ry xz
B3   1 -1 -1  1 | x Rx yz

D2h mmm 8 | E C2(z) C2(y) C2(x) i s(xy) s(xz) s(yz)
Ag   1  1  1  1  1  1  1  1 | x2 y2 z2
B1g  1  1 -1 -1  1  1 -1 -1 | Rz xy
B2g  1 -1  1 -1  1 -1  1 -1 | Ry xz
B3g  1 -1 -1  1  1 -1 -1  1 | Rx yz
Au   1  1  1  1 -1 -1 -1 -1
B1u  1  1 -1 -1 -1 -1  1  1 | z
B2u  1 -1  1 -1 -1  1 -1  1 | y
B3u  1 -1 -1  1 -1  1  1 -1 | x

C4 4 4 | E 2C4 C2
A    1  1  1 | z Rz x2+y2 z2
B    1 -1  1 | x2-y2 xy
E*   2  0 -2 | (x,y) (Rx,Ry) (xz,yz)

S4 -4 4 | E 2S4 C2
A    1  1  1 | Rz x2+y2 z2
B    1 -1  1 | z x2-y2 xy
E*   2  0 -2 | (x,y) (Rx,Ry) (xz,yz)

C4h 4/m 8 | E 2C4 C2 i 2S4 sh
Ag   1  1  1  1  1  1 | Rz x2+y2 z2
Bg   1 -1  1  1 -1  1 | x2-y2 xy
Eg*  2  0 -2  2  0 -2 | (Rx,Ry) (xz,yz)
Au   1  1  1 -1 -1 -1 | z
Bu   1 -1  1 -1  1 -1
Eu*  2  0 -2 -2  0  2 | (x,y)

D4 422 8 | E 2C4 C2 2C2' 2C2"(45)
A1   1  1  1  1  1 | x2+y2 z2
A2   1  1  1 -1 -1 | z Rz
B1   1 -1  1  1 -1 | x2-y2
B2   1 -1  1 -1  1 | xy
E    2  0 -2  0  0 | (x,y) (Rx,Ry) (xz,yz)

C4v 4mm 8 | E 2C4 C2 2sv 2sd(45)
A1   1  1  1  1  1 | z x2+y2 z2
A2   1  1  1 -1 -1 | Rz
B1   1 -1  1  1 -1 | x2-y2
B2   1 -1  1 -1  1 | xy
E    2  0 -2  0  0 | (x,y) (Rx,Ry) (xz,yz)

D2d -42m 8 | E 2S4 C2 2C2' 2sd(45)
A1   1  1  1  1  1 | x2+y2 z2
A2   1  1  1 -1 -1 | Rz
B1   1 -1  1  1 -1 | x2-y2
B2   1 -1  1 -1  1 | z xy
E    2  0 -2  0  0 | (x,y) (Rx,Ry) (xz,yz)

D4h 4/mmm 16 | E 2C4 C2 2C2' 2C2"(45) i 2S4 sh 2sv 2sd(45)
A1g  1  1  1  1  1  1  1  1  1  1 | x2+y2 z2
A2g  1  1  1 -1 -1  1  1  1 -1 -1 | Rz
B1g  1 -1  1  1 -1  1 -1  1  1 -1 | x2-y2
B2g  1 -1  1 -1  1  1 -1  1 -1  1 | xy
Eg   2  0 -2  0  0  2  0 -2  0  0 | (Rx,Ry) (xz,yz)
A1u  1  1  1  1  1 -1 -1 -1 -1 -1
A2u  1  1  1 -1 -1 -1 -1 -1  1  1 | z
B1u  1 -1  1  1 -1 -1  1 -1 -1  1
B2u  1 -1  1 -1  1 -1  1 -1  1 -1
Eu   2  0 -2  0  0 -2  0  2  0  0 | (x,y)

C3 3 3 | E 2C3
A    1  1 | z Rz x2+y2 z2
E*   2 -1 | (x,y) (Rx,Ry) (x2-y2,xy) (xz,yz)

S6 -3 6 | E 2C3 i 2S6
Ag   1  1  1  1 | Rz x2+y2 z2
Eg*  2 -1  2 -1 | (Rx,Ry) (x2-y2,xy) (xz,yz)
Au   1  1 -1 -1 | z
Eu*  2 -1 -2  1 | (x,y)

D3 32 6 | E 2C3 3C2'
A1   1  1  1 | x2+y2 z2
A2   1  1 -1 | z Rz
E    2 -1  0 | (x,y) (Rx,Ry) (x2-y2,xy) (xz,yz)

C3v 3m 6 | E 2C3 3sv
A1   1  1  1 | z x2+y2 z2
A2   1  1 -1 | Rz
E    2 -1  0 | (x,y) (Rx,Ry) (x2-y2,xy) (xz,yz)

D3d -3m 12 | E 2C3 3C2' i 2S6 3sd(90)
A1g  1  1  1  1  1  1 | x2+y2 z2
A2g  1  1 -1  1  1 -1 | Rz
Eg   2 -1  0  2 -1  0 | (Rx,Ry) (x2-y2,xy) (xz,yz)
A1u  1  1  1 -1 -1 -1
A2u  1  1 -1 -1 -1  1 | z
Eu   2 -1  0 -2  1  0 | (x,y)

C6 6 6 | E 2C6 2C3 C2
A    1  1  1  1 | z Rz x2+y2 z2
B    1 -1  1 -1
E1*  2  1 -1 -2 | (x,y) (Rx,Ry) (xz,yz)
E2*  2 -1 -1  2 | (x2-y2,xy)

C3h -6 6 | E 2C3 sh 2S3
A'   1  1  1  1 | Rz x2+y2 z2
E'*  2 -1  2 -1 | (x,y) (x2-y2,xy)
A''  1  1 -1 -1 | z
E''* 2 -1 -2  1 | (Rx,Ry) (xz,yz)

C6h 6/m 12 | E 2C6 2C3 C2 i 2S3 2S6 sh
Ag   1  1  1  1  1  1  1  1 | Rz x2+y2 z2
Bg   1 -1  1 -1  1 -1  1 -1
E1g* 2  1 -1 -2  2  1 -1 -2 | (Rx,Ry) (xz,yz)
E2g* 2 -1 -1  2  2 -1 -1  2 | (x2-y2,xy)
Au   1  1  1  1 -1 -1 -1 -1 | z
Bu   1 -1  1 -1 -1  1 -1  1
E1u* 2  1 -1 -2 -2 -1  1  2 | (x,y)
E2u* 2 -1 -1  2 -2  1  1 -2

D6 622 12 | E 2C6 2C3 C2 3C2' 3C2"(30)
A1   1  1  1  1  1  1 | x2+y2 z2
A2   1  1  1  1 -1 -1 | z Rz
B1   1 -1  1 -1  1 -1
B2   1 -1  1 -1 -1  1
E1   2  1 -1 -2  0  0 | (x,y) (Rx,Ry) (xz,yz)
E2   2 -1 -1  2  0  0 | (x2-y2,xy)

C6v 6mm 12 | E 2C6 2C3 C2 3sv 3sd(30)
A1   1  1  1  1  1  1 | z x2+y2 z2
A2   1  1  1  1 -1 -1 | Rz
B1   1 -1  1 -1  1 -1
B2   1 -1  1 -1 -1  1
E1   2  1 -1 -2  0  0 | (x,y) (Rx,Ry) (xz,yz)
E2   2 -1 -1  2  0  0 | (x2-y2,xy)

D3h -62m 12 | E 2C3 3C2' sh 2S3 3sv
A1'  1  1  1  1  1  1 | x2+y2 z2
A2'  1  1 -1  1  1 -1 | Rz
E'   2 -1  0  2 -1  0 | (x,y) (x2-y2,xy)
A1'' 1  1  1 -1 -1 -1
A2'' 1  1 -1 -1 -1  1 | z
E''  2 -1  0 -2  1  0 | (Rx,Ry) (xz,yz)

D6h 6/mmm 24 | E 2C6 2C3 C2 3C2' 3C2"(30) i 2S3 2S6 sh 3sd(30) 3sv
A1g  1  1  1  1  1  1  1  1  1  1  1  1 | x2+y2 z2
A2g  1  1  1  1 -1 -1  1  1  1  1 -1 -1 | Rz
B1g  1 -1  1 -1  1 -1  1 -1  1 -1  1 -1
B2g  1 -1  1 -1 -1  1  1 -1  1 -1 -1  1
E1g  2  1 -1 -2  0  0  2  1 -1 -2  0  0 | (Rx,Ry) (xz,yz)
E2g  2 -1 -1  2  0  0  2 -1 -1  2  0  0 | (x2-y2,xy)
A1u  1  1  1  1  1  1 -1 -1 -1 -1 -1 -1
A2u  1  1  1  1 -1 -1 -1 -1 -1 -1  1  1 | z
B1u  1 -1  1 -1  1 -1 -1  1 -1  1 -1  1
B2u  1 -1  1 -1 -1  1 -1  1 -1  1  1 -1
E1u  2  1 -1 -2  0  0 -2 -1  1  2  0  0 | (x,y)
E2u  2 -1 -1  2  0  0 -2  1  1 -2  0  0

T 23 12 | E 8C3(1,1,1) 3C2
A    1  1  1 | x2+y2+z2
E*   2 -1  2 | (2z2-x2-y2,x2-y2)
T    3  0 -1 | (x,y,z) (Rx,Ry,Rz) (xy,xz,yz)

Th m-3 24 | E 8C3(1,1,1) 3C2 i 8S6(1,1,1) 3sh
Ag   1  1  1  1  1  1 | x2+y2+z2
Eg*  2 -1  2  2 -1  2 | (2z2-x2-y2,x2-y2)
Tg   3  0 -1  3  0 -1 | (Rx,Ry,Rz) (xy,xz,yz)
Au   1  1  1 -1 -1 -1
Eu*  2 -1  2 -2  1 -2
Tu   3  0 -1 -3  0  1 | (x,y,z)

O 432 24 | E 8C3(1,1,1) 3C2 6C4 6C2(1,1,0)
A1   1  1  1  1  1 | x2+y2+z2
A2   1  1  1 -1 -1
E    2 -1  2  0  0 | (2z2-x2-y2,x2-y2)
T1   3  0 -1  1 -1 | (x,y,z) (Rx,Ry,Rz)
T2   3  0 -1 -1  1 | (xy,xz,yz)

Td -43m 24 | E 8C3(1,1,1) 3C2 6S4 6sd(45)
A1   1  1  1  1  1 | x2+y2+z2
A2   1  1  1 -1 -1
E    2 -1  2  0  0 | (2z2-x2-y2,x2-y2)
T1   3  0 -1  1 -1 | (Rx,Ry,Rz)
T2   3  0 -1 -1  1 | (x,y,z) (xy,xz,yz)

Oh m-3m 48 | E 8C3(1,1,1) 6C2(1,1,0) 6C4 3C2 i 6S4 8S6(1,1,1) 3sh 6sd(45)
A1g  1  1  1  1  1  1  1  1  1  1 | x2+y2+z2
A2g  1  1 -1 -1  1  1 -1  1  1 -1
Eg   2 -1  0  0  2  2  0 -1  2  0 | (2z2-x2-y2,x2-y2)
T1g  3  0 -1  1 -1  3  1  0 -1 -1 | (Rx,Ry,Rz)
T2g  3  0  1 -1 -1  3 -1  0 -1  1 | (xy,xz,yz)
A1u  1  1  1  1  1 -1 -1 -1 -1 -1
A2u  1  1 -1 -1  1 -1  1 -1 -1  1
Eu   2 -1  0  0  2 -2  0  1 -2  0
T1u  3  0 -1  1 -1 -3 -1  0  1  1 | (x,y,z)
T2u  3  0  1 -1 -1 -3  1  0  1 -1
"""

OTHERS = """
C5 . 5 | E 2C5 2C5^2
A    1    1    1 | z Rz x2+y2 z2
E1*  2 -psi -phi | (x,y) (Rx,Ry) (xz,yz)
E2*  2 -phi -psi | (x2-y2,xy)

C5v . 10 | E 2C5 2C5^2 5sv
A1   1    1    1  1 | z x2+y2 z2
A2   1    1    1 -1 | Rz
E1   2 -psi -phi  0 | (x,y) (Rx,Ry) (xz,yz)
E2   2 -phi -psi  0 | (x2-y2,xy)

D5 . 10 | E 2C5 2C5^2 5C2'
A1   1    1    1  1 | x2+y2 z2
A2   1    1    1 -1 | z Rz
E1   2 -psi -phi  0 | (x,y) (Rx,Ry) (xz,yz)
E2   2 -phi -psi  0 | (x2-y2,xy)

C5h . 10 | E 2C5 2C5^2 sh 2S5 2S5^3
A'   1    1    1  1    1    1 | Rz x2+y2 z2
E1'* 2 -psi -phi  2 -psi -phi | (x,y)
E2'* 2 -phi -psi  2 -phi -psi | (x2-y2,xy)
A''  1    1    1 -1   -1   -1 | z
E1''* 2 -psi -phi -2  psi  phi | (Rx,Ry) (xz,yz)
E2''* 2 -phi -psi -2  phi  psi

D5h . 20 | E 2C5 2C5^2 5C2' sh 2S5 2S5^3 5sv
A1'  1    1    1  1  1    1    1  1 | x2+y2 z2
A2'  1    1    1 -1  1    1    1 -1 | Rz
E1'  2 -psi -phi  0  2 -psi -phi  0 | (x,y)
E2'  2 -phi -psi  0  2 -phi -psi  0 | (x2-y2,xy)
A1'' 1    1    1  1 -1   -1   -1 -1
A2'' 1    1    1 -1 -1   -1   -1  1 | z
E1'' 2 -psi -phi  0 -2  psi  phi  0 | (Rx,Ry) (xz,yz)
E2'' 2 -phi -psi  0 -2  phi  psi  0

D5d . 20 | E 2C5 2C5^2 5C2' i 2S10^3 2S10 5sd(90)
A1g  1    1    1  1  1    1    1  1 | x2+y2 z2
A2g  1    1    1 -1  1    1    1 -1 | Rz
E1g  2 -psi -phi  0  2 -psi -phi  0 | (Rx,Ry) (xz,yz)
E2g  2 -phi -psi  0  2 -phi -psi  0 | (x2-y2,xy)
A1u  1    1    1  1 -1   -1   -1 -1
A2u  1    1    1 -1 -1   -1   -1  1 | z
E1u  2 -psi -phi  0 -2  psi  phi  0 | (x,y)
E2u  2 -phi -psi  0 -2  phi  psi  0

C7 . 7 | E 2C7 2C7^2 2C7^3
A    1  1  1  1 | z Rz x2+y2 z2
E1*  2 c1 c2 c3 | (x,y) (Rx,Ry) (xz,yz)
E2*  2 c2 c3 c1 | (x2-y2,xy)
E3*  2 c3 c1 c2

S8 . 8 | E 2S8 2C4 2S8^3 C2
A    1   1  1   1  1 | Rz x2+y2 z2
B    1  -1  1  -1  1 | z
E1*  2  r2  0 -r2 -2 | (x,y)
E2*  2   0 -2   0  2 | (x2-y2,xy)
E3*  2 -r2  0  r2 -2 | (Rx,Ry) (xz,yz)

D4d . 16 | E 2S8 2C4 2S8^3 C2 4C2' 4sd(22.5)
A1   1   1  1   1  1  1  1 | x2+y2 z2
A2   1   1  1   1  1 -1 -1 | Rz
B1   1  -1  1  -1  1  1 -1
B2   1  -1  1  -1  1 -1  1 | z
E1   2  r2  0 -r2 -2  0  0 | (x,y)
E2   2   0 -2   0  2  0  0 | (x2-y2,xy)
E3   2 -r2  0  r2 -2  0  0 | (Rx,Ry) (xz,yz)

D6d . 24 | E 2S12 2C6 2S4 2C3 2S12^5 C2 6C2' 6sd(15)
A1   1   1  1  1  1   1  1  1  1 | x2+y2 z2
A2   1   1  1  1  1   1  1 -1 -1 | Rz
B1   1  -1  1 -1  1  -1  1  1 -1
B2   1  -1  1 -1  1  -1  1 -1  1 | z
E1   2  r3  1  0 -1 -r3 -2  0  0 | (x,y)
E2   2   1 -1 -2 -1   1  2  0  0 | (x2-y2,xy)
E3   2   0 -2  0  2   0 -2  0  0
E4   2  -1 -1  2 -1  -1  2  0  0
E5   2 -r3  1  0 -1  r3 -2  0  0 | (Rx,Ry) (xz,yz)

D8h . 32 | E 2C8 2C4 2C8^3 C2 4C2' 4C2"(22.5) i 2S8 2S4 2S8^3 sh 4sv 4sd(22.5)
A1g  1   1  1   1  1  1  1  1   1  1   1  1  1  1 | x2+y2 z2
A2g  1   1  1   1  1 -1 -1  1   1  1   1  1 -1 -1 | Rz
B1g  1  -1  1  -1  1  1 -1  1  -1  1  -1  1  1 -1
B2g  1  -1  1  -1  1 -1  1  1  -1  1  -1  1 -1  1
E1g  2  r2  0 -r2 -2  0  0  2 -r2  0  r2 -2  0  0 | (Rx,Ry) (xz,yz)
E2g  2   0 -2   0  2  0  0  2   0 -2   0  2  0  0 | (x2-y2,xy)
E3g  2 -r2  0  r2 -2  0  0  2  r2  0 -r2 -2  0  0
A1u  1   1  1   1  1  1  1 -1  -1 -1  -1 -1 -1 -1
A2u  1   1  1   1  1 -1 -1 -1  -1 -1  -1 -1  1  1 | z
B1u  1  -1  1  -1  1  1 -1 -1   1 -1   1 -1 -1  1
B2u  1  -1  1  -1  1 -1  1 -1   1 -1   1 -1  1 -1
E1u  2  r2  0 -r2 -2  0  0 -2  r2  0 -r2  2  0  0 | (x,y)
E2u  2   0 -2   0  2  0  0 -2   0  2   0 -2  0  0
E3u  2 -r2  0  r2 -2  0  0 -2 -r2  0  r2  2  0  0

I . 60 | E 12C5(0,1,phi) 12C5^2(0,1,phi) 20C3(1,1,1) 15C2
A    1   1   1  1  1 | x2+y2+z2
T1   3 phi psi  0 -1 | (x,y,z) (Rx,Ry,Rz)
T2   3 psi phi  0 -1
G    4  -1  -1  1  0
H    5   0   0 -1  1 | (2z2-x2-y2,x2-y2,xy,xz,yz)

Ih . 120 | E 12C5(0,1,phi) 12C5^2(0,1,phi) 20C3(1,1,1) 15C2 \
           i 12S10(0,1,phi) 12S10^3(0,1,phi) 20S6(1,1,1) 15sh
Ag   1   1   1  1  1  1    1    1  1  1 | x2+y2+z2
T1g  3 phi psi  0 -1  3  psi  phi  0 -1 | (Rx,Ry,Rz)
T2g  3 psi phi  0 -1  3  phi  psi  0 -1
Gg   4  -1  -1  1  0  4   -1   -1  1  0
Hg   5   0   0 -1  1  5    0    0 -1  1 | (2z2-x2-y2,x2-y2,xy,xz,yz)
Au   1   1   1  1  1 -1   -1   -1 -1 -1
T1u  3 phi psi  0 -1 -3 -psi -phi  0  1 | (x,y,z)
T2u  3 psi phi  0 -1 -3 -phi -psi  0  1
Gu   4  -1  -1  1  0 -4    1    1 -1  0
Hu   5   0   0 -1  1 -5    0    0  1 -1
"""

# The axial continuous groups, the first irreps; the second name is that of molecular physics.
# C(t) and S(t) turn by the angle t about z; the character "2cos3" is 2 cos(3 t). A1u of Dinfh is
# even under C2' as in all D_nh, so that z is in A2u; some books exchange the names A1u and A2u.
AXIAL = """
Cinfv | E C(t) sv
A1 Sigma+  1  1      1 | z x2+y2 z2
A2 Sigma-  1  1     -1 | Rz
E1 Pi      2  2cos1  0 | (x,y) (Rx,Ry) (xz,yz)
E2 Delta   2  2cos2  0 | (x2-y2,xy)
E3 Phi     2  2cos3  0

Dinfh | E C(t) sv i S(t) C2'
A1g Sigmag+  1  1      1  1  1      1 | x2+y2 z2
A2g Sigmag-  1  1     -1  1  1     -1 | Rz
E1g Pig      2  2cos1  0  2 -2cos1  0 | (Rx,Ry) (xz,yz)
E2g Deltag   2  2cos2  0  2  2cos2  0 | (x2-y2,xy)
E3g Phig     2  2cos3  0  2 -2cos3  0
A1u Sigmau-  1  1     -1 -1 -1      1
A2u Sigmau+  1  1      1 -1 -1     -1 | z
E1u Piu      2  2cos1  0 -2  2cos1  0 | (x,y)
E2u Deltau   2  2cos2  0 -2 -2cos2  0
E3u Phiu     2  2cos3  0 -2  2cos3  0
"""

# Head: the cycle types of the classes, each with its size. Rows: the partition of the irrep.
SYMMETRIC = """
1*[1,1,1] 3*[2,1] 2*[3]
[3]          1  1  1
[2,1]        2  0 -1
[1,1,1]      1 -1  1

1*[1,1,1,1] 6*[2,1,1] 3*[2,2] 8*[3,1] 6*[4]
[4]          1  1  1  1  1
[3,1]        3  1 -1  0 -1
[2,2]        2  0  2 -1  0
[2,1,1]      3 -1 -1  0  1
[1,1,1,1]    1 -1  1  1 -1

1*[1,1,1,1,1] 10*[2,1,1,1] 15*[2,2,1] 20*[3,1,1] 20*[3,2] 30*[4,1] 24*[5]
[5]          1  1  1  1  1  1  1
[4,1]        4  2  0  1 -1  0 -1
[3,2]        5  1  1 -1  1 -1  0
[3,1,1]      6  0 -2  0  0  0  1
[2,2,1]      5 -1  1 -1 -1  1  0
[2,1,1,1]    4 -2  0  1  1  0 -1
[1,1,1,1,1]  1 -1  1  1 -1 -1  1
"""

# Group, subgroup: irrep = its restriction. Where the subgroup is not in its own standard
# orientation inside the group, "at" gives the directions of its axes z and x.
CORRELATIONS = """
O D4: A1=A1 A2=B1 E=A1+B1 T1=A2+E T2=B2+E
O D3 at (1,1,1) (1,-1,0): A1=A1 A2=A2 E=E T1=A2+E T2=A1+E
O D2: A1=A A2=A E=2A T1=B1+B2+B3 T2=B1+B2+B3
O T: A1=A A2=A E=E T1=T T2=T
O C4: A1=A A2=B E=A+B T1=A+E T2=B+E
O C3 at (1,1,1) (1,-1,0): A1=A A2=A E=E T1=A+E T2=A+E
Td T: A1=A A2=A E=E T1=T T2=T
Td D2d: A1=A1 A2=B1 E=A1+B1 T1=A2+E T2=B2+E
Td C3v at (1,1,1) (1,1,-2): A1=A1 A2=A2 E=E T1=A2+E T2=A1+E
Td C2v at (0,0,1) (1,1,0): A1=A1 A2=A2 E=A1+A2 T1=A2+B1+B2 T2=A1+B1+B2
Td S4: A1=A A2=B E=A+B T1=A+E T2=B+E
Th T: Ag=A Eg=E Tg=T Au=A Eu=E Tu=T
Th D2h: Ag=Ag Eg=2Ag Tg=B1g+B2g+B3g Au=Au Eu=2Au Tu=B1u+B2u+B3u
Oh O: A1g=A1 A2g=A2 Eg=E T1g=T1 T2g=T2 A1u=A1 A2u=A2 Eu=E T1u=T1 T2u=T2
Oh Td: A1g=A1 A2g=A2 Eg=E T1g=T1 T2g=T2 A1u=A2 A2u=A1 Eu=E T1u=T2 T2u=T1
Oh Th: A1g=Ag A2g=Ag Eg=Eg T1g=Tg T2g=Tg A1u=Au A2u=Au Eu=Eu T1u=Tu T2u=Tu
Oh D4h: A1g=A1g A2g=B1g Eg=A1g+B1g T1g=A2g+Eg T2g=B2g+Eg \
        A1u=A1u A2u=B1u Eu=A1u+B1u T1u=A2u+Eu T2u=B2u+Eu
Oh D3d at (1,1,1) (1,-1,0): A1g=A1g A2g=A2g Eg=Eg T1g=A2g+Eg T2g=A1g+Eg \
        A1u=A1u A2u=A2u Eu=Eu T1u=A2u+Eu T2u=A1u+Eu
D6h C6v: A1g=A1 A2g=A2 B1g=B2 B2g=B1 E1g=E1 E2g=E2 A1u=A2 A2u=A1 B1u=B1 B2u=B2 E1u=E1 E2u=E2
D6h D3h: A1g=A1' A2g=A2' B1g=A1'' B2g=A2'' E1g=E'' E2g=E' \
         A1u=A1'' A2u=A2'' B1u=A1' B2u=A2' E1u=E' E2u=E''
D6 D3: A1=A1 A2=A2 B1=A1 B2=A2 E1=E E2=E
D4 D2: A1=A A2=B1 B1=A B2=B1 E=B2+B3
D4 C4: A1=A A2=A B1=B B2=B E=E
D3h C3v: A1'=A1 A2'=A2 E'=E A1''=A2 A2''=A1 E''=E
I T: A=A T1=T T2=T G=A+T H=E+T
I D5 at (0,1,phi) (1,0,0): A=A1 T1=A2+E1 T2=A2+E2 G=E1+E2 H=A1+E1+E2
I D3 at (1,1,1) (psi,phi,-1): A=A1 T1=A2+E T2=A2+E G=A1+A2+E H=A1+2E
I D2: A=A T1=B1+B2+B3 T2=B1+B2+B3 G=A+B1+B2+B3 H=2A+B1+B2+B3
I C5 at (0,1,phi) (1,0,0): A=A T1=A+E1 T2=A+E2 G=E1+E2 H=A+E1+E2
Ih Th: Ag=Ag T1g=Tg T2g=Tg Gg=Ag+Tg Hg=Eg+Tg Au=Au T1u=Tu T2u=Tu Gu=Au+Tu Hu=Eu+Tu
"""

# The irreps of SO(3) by degree, and of O(3) by degree and parity, restricted to point groups.
ROTATION_CORRELATIONS = """
SO(3) O: 0=A1 1=T1 2=E+T2 3=A2+T1+T2 4=A1+E+T1+T2 5=E+2T1+T2 6=A1+A2+E+T1+2T2
SO(3) T: 0=A 1=T 2=E+T 3=A+2T 4=A+E+2T 5=E+3T 6=2A+E+3T
SO(3) I: 0=A 1=T1 2=H 3=T2+G 4=G+H 5=T1+T2+H 6=A+T1+G+H
SO(3) D4: 0=A1 1=A2+E 2=A1+B1+B2+E 3=A2+B1+B2+2E
SO(3) D3: 0=A1 1=A2+E 2=A1+2E 3=A1+2A2+2E
O(3) Td: 0e=A1 0o=A2 1e=T1 1o=T2 2e=E+T2 2o=E+T1 3e=A2+T1+T2 3o=A1+T1+T2
O(3) Oh: 0e=A1g 0o=A1u 1e=T1g 1o=T1u 2e=Eg+T2g 2o=Eu+T2u 3e=A2g+T1g+T2g 3o=A2u+T1u+T2u
O(3) D3h: 0e=A1' 0o=A1'' 1e=A2'+E'' 1o=A2''+E' 2e=A1'+E'+E'' 2o=A1''+E'+E''
O(3) C4v: 0e=A1 0o=A2 1e=A2+E 1o=A1+E 2e=A1+B1+B2+E 2o=A2+B1+B2+E
"""

# Products of irreps; the product with the trivial one and the order of the factors are left out.
PRODUCTS = """
C4: B*B=A B*E=E E*E=2A+2B
D3: A2*A2=A1 A2*E=E E*E=A1+A2+E
D4: A2*A2=A1 A2*B1=B2 A2*B2=B1 A2*E=E B1*B1=A1 B1*B2=A2 B1*E=E B2*B2=A1 B2*E=E E*E=A1+A2+B1+B2
D5: A2*A2=A1 A2*E1=E1 A2*E2=E2 E1*E1=A1+A2+E2 E1*E2=E1+E2 E2*E2=A1+A2+E1
D6: A2*A2=A1 A2*B1=B2 A2*B2=B1 A2*E1=E1 A2*E2=E2 B1*B1=A1 B1*B2=A2 B1*E1=E2 B1*E2=E1 \
    B2*B2=A1 B2*E1=E2 B2*E2=E1 E1*E1=A1+A2+E2 E1*E2=B1+B2+E1 E2*E2=A1+A2+E2
T: E*E=2A+E E*T=2T T*T=A+E+2T
O: A2*A2=A1 A2*E=E A2*T1=T2 A2*T2=T1 E*E=A1+A2+E E*T1=T1+T2 E*T2=T1+T2 \
   T1*T1=A1+E+T1+T2 T1*T2=A2+E+T1+T2 T2*T2=A1+E+T1+T2
Td: A2*A2=A1 A2*E=E A2*T1=T2 A2*T2=T1 E*E=A1+A2+E E*T1=T1+T2 E*T2=T1+T2 \
    T1*T1=A1+E+T1+T2 T1*T2=A2+E+T1+T2 T2*T2=A1+E+T1+T2
I: T1*T1=A+T1+H T1*T2=G+H T1*G=T2+G+H T1*H=T1+T2+G+H T2*T2=A+T2+H T2*G=T1+G+H \
   T2*H=T1+T2+G+H G*G=A+T1+T2+G+H G*H=T1+T2+G+2H H*H=A+T1+T2+2G+2H
"""


@dataclass(frozen=True)
class Operation:
    """One operation of a class of ``size`` elements: its symbol and its orthogonal matrix."""

    symbol: str
    size: int
    matrix: np.ndarray


@dataclass(frozen=True)
class Row:
    """One real irrep: name, kind, characters by operation, tuples of functions that span it."""

    name: str
    kind: str
    characters: tuple[float, ...]
    functions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """One character table; ``order`` is infinite for the axial continuous groups."""

    name: str
    hermann_mauguin: str | None
    order: float
    operations: tuple[Operation, ...]
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True)
class Correlation:
    """Restrictions {irrep: counted irreps of the subgroup}; ``frame @ h @ frame.T`` embeds h."""

    group: str
    subgroup: str
    frame: np.ndarray
    table: dict[str, Counter[str]]

    def __str__(self) -> str:
        return f"{self.group}-{self.subgroup}"


def terms(text: str) -> Counter[str]:
    """ "A1+2E" as counted names."""
    found = re.findall(r"(\d*)([A-Z][^+]*)", text)
    return Counter({name: int(count or 1) for count, name in found})


def number(text: str, angle: float = 0.0) -> float:
    """A character as it is written above; ``angle`` is the t of 2cosk."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    if text.startswith("2cos"):
        return sign * 2 * np.cos(int(text[4:]) * angle)
    if re.fullmatch(r"c\d", text):
        return sign * 2 * np.cos(2 * np.pi * int(text[1]) / 7)
    named = {"phi": PHI, "psi": 1 - PHI, "r2": 2**0.5, "r3": 3**0.5}
    return sign * (named[text] if text in named else float(text))


def direction(text: str) -> np.ndarray:
    """The unit vector of "z", "0,1,phi", or "45": degrees from x in the xy plane."""
    if text in ("x", "y", "z"):
        return np.eye(3)["xyz".index(text)]
    if "," not in text:
        return np.array([np.cos(np.deg2rad(float(text))), np.sin(np.deg2rad(float(text))), 0.0])
    vector = np.array([number(part) for part in text.split(",")])
    return vector / np.linalg.norm(vector)


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues: cos + (1 - cos) u u^T + sin [u]x."""
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def mirror(normal: np.ndarray) -> np.ndarray:
    return np.eye(3) - 2 * np.outer(normal, normal)


def operation(text: str, angle: float = 0.0) -> Operation:
    """ "12S10^3(0,1,phi)" as an operation; ``angle`` is the t of C(t) and S(t)."""
    match = re.fullmatch(r"(\d*)([EiCS]|s[hvd]?)(\d*)(['\"]?)(?:\^(\d+))?(?:\((.*)\))?", text)
    assert match, text
    size, letter, order, prime, power, where = match.groups()
    if letter in "CS" and prime:
        matrix = rotation(direction(where or "x"), np.pi)
    elif letter in "CS":
        turn, times = (angle, 1) if where == "t" else (2 * np.pi / int(order), int(power or 1))
        axis = direction("z" if where in (None, "t") else where)
        matrix = rotation(axis, times * turn)
        if letter == "S" and times % 2:
            matrix = matrix @ mirror(axis)
    elif letter == "s":
        matrix = mirror(direction(({"x", "y", "z"} - set(where)).pop()))
    elif letter in ("sv", "sd"):
        matrix = mirror(direction(str(float(where or 0) + 90)))
    else:
        matrix = {"E": np.eye(3), "i": -np.eye(3), "sh": np.diag([1.0, 1.0, -1.0])}[letter]
    return Operation(text.lstrip("0123456789"), int(size or 1), matrix)


def _blocks(text: str) -> list[list[str]]:
    return [block.splitlines() for block in text.replace("\\\n", " ").strip().split("\n\n")]


def _lines(text: str) -> list[str]:
    return text.replace("\\\n", " ").strip().splitlines()


def _functions(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(part.strip("()").split(",")) for part in text.split())


def _table(lines: list[str]) -> Table:
    head, operations = lines[0].split("|")
    name, hermann_mauguin, order = head.split()
    rows = []
    for line in lines[1:]:
        characters, _, functions = line.partition("|")
        label, *numbers = characters.split()
        kind = "complex" if label.endswith("*") else "real"
        values = tuple(number(value) for value in numbers)
        rows.append(Row(label.rstrip("*"), kind, values, _functions(functions)))
    found = tuple(operation(symbol) for symbol in operations.split())
    named = None if hermann_mauguin == "." else hermann_mauguin
    return Table(name, named, int(order), found, tuple(rows))


def axial_table(name: str, angle: float) -> Table:
    """The table of Cinfv or Dinfh with C(t) and S(t) at the angle t; classes have no size."""
    lines = next(lines for lines in _blocks(AXIAL) if lines[0].startswith(name))
    operations = tuple(operation(text, angle) for text in lines[0].split("|")[1].split())
    rows = []
    for line in lines[1:]:
        characters, _, functions = line.partition("|")
        label, _, *numbers = characters.split()
        values = tuple(number(value, angle) for value in numbers)
        rows.append(Row(label, "real", values, _functions(functions)))
    return Table(name, None, float("inf"), operations, tuple(rows))


def _correlation(line: str) -> Correlation:
    head, body = line.split(":")
    group, subgroup, *place = head.split()
    frame = np.eye(3)
    if place:
        z, x = (direction(text.strip("()")) for text in place[1:])
        frame = np.stack([x, np.cross(z, x), z], axis=1)
    entries = (entry.split("=") for entry in body.split())
    return Correlation(group, subgroup, frame, {key: terms(value) for key, value in entries})


def _symmetric(lines: list[str]) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    classes = [head.split("*")[::-1] for head in lines[0].split()]
    rows = [line.split() for line in lines[1:]]
    return {kind: int(size) for kind, size in classes}, {
        name: tuple(int(value) for value in values) for name, *values in rows
    }


# {Schoenflies name: table} of the 32 crystallographic point groups, and of those and others.
CRYSTAL_TABLES = {t.name: t for t in map(_table, _blocks(CRYSTALLOGRAPHIC))}
TABLES = CRYSTAL_TABLES | {t.name: t for t in map(_table, _blocks(OTHERS))}
# {n: ({cycle type: size of the class}, {partition: characters in that order})}
SYMMETRIC_TABLES = {n: _symmetric(lines) for n, lines in enumerate(_blocks(SYMMETRIC), start=3)}
CORRELATION_TABLES = tuple(map(_correlation, _lines(CORRELATIONS)))
ROTATION_TABLES = tuple(map(_correlation, _lines(ROTATION_CORRELATIONS)))
# {group: {(irrep, irrep): counted irreps}}
PRODUCT_TABLES = {
    head: {
        tuple(pair.split("*")): terms(value)
        for pair, value in (entry.split("=") for entry in body.split())
    }
    for head, body in (line.split(":") for line in _lines(PRODUCTS))
}
