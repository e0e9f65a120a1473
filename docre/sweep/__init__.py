"""``docre sweep``: every combination of a few choices, with several seeds each, then compared.

A sweep is a small YAML file (``sweep_file``, ``axes``, ``choices``), its choices become cells
(``cells``), which ``docre fit`` has to understand (``understood``), each cell and seed a run with a
folder and a state of its own (``work``), and ``pool`` runs as many at a time as the machine can
take. On a cluster ``slurm`` writes the script.
"""
