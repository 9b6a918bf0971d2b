"""Amino acids: which residue is it, from the atoms around it?

Reading order: pdb, data, models, figure, __main__; and paper, networks of the paper to look at.
"""
