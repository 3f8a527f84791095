"""How many videos a day, at what cost, and what binds: on paper, by simulation, checked against the product.

``python -m benchmarks.capacity measure`` runs real jobs here and writes ``measured.json``; ``validate`` runs
jobs at one and at two places and compares them with the simulation of the same; ``run`` simulates every
scenario and writes ``results.json``; ``write`` puts the tables of that file into docs/SCALING.md and its
pictures into docs/images.

The layers, each importing those above it only: ``stations`` (queues), ``assumptions`` (what others publish),
``demands`` (what one job asks for), ``job`` (its graph), ``simulation`` (a fleet under arrivals), ``paper``
(the same by arithmetic), ``costs``, ``scenarios``, ``tables`` and ``pictures``. ``measuring`` and
``validating`` run the product.
"""
