"""What the examples share: a training that can be stopped, shared among processes and repeated.

An example says what its samples are (:class:`~.training.Samples`) and builds its network;
:func:`~.training.fit` does the rest and leaves ``result.json`` and checkpoints in a folder::

    settings = Settings(network="plain", data=name, learning_rate=1e-3, epochs=10)
    train = Samples(len(labels), lambda indices, epoch: (images[indices], labels[indices]))
    with join("cpu") as team:
        result, network = fit(settings, build, train, {"upright": ..., "rotated": ...}, out, team)

Reading order: errors, checkpoint, parallel, streams, archive, digits, settings, training,
options, filters, table, figures.
"""
