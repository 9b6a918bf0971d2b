"""The compiled part: how ``csrc`` is compiled, found, loaded and bound to torch.

``compile`` makes the files, ``cache`` keeps those that are made later, ``library`` loads those for
the CPU and ``cuda`` those for the GPU, ``first_use`` compares what runs on a GPU with its
reference, ``checks`` refuses wrong arguments, and ``operator`` binds all of it to one torch
operator. ``equinet.ops.status`` says what is in use; where nothing is compiled, the references
serve.
"""
