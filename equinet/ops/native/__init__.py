"""The compiled part: how ``csrc`` is compiled, found, loaded and bound to torch.

``compile`` makes the files, ``library`` loads those for the CPU and ``cuda`` those for the GPU,
``first_use`` compares what runs on a GPU with its reference, and ``operator`` binds all of it to
one torch operator. Nothing here is needed to run: without it the references serve.
"""
