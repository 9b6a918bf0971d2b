"""Learning curves of kernels: theory on lattices and spheres, digits and pictures, symmetry."""
