"""Training loops that are measured against each other: the cohort trainer's and those of other libraries.

Every module here has `PACKAGES` (whose versions are reported) and `build(workload)`, which gives a
function that trains for a number of iterations and returns the mean log Z. `worker.py` runs one of
them in an interpreter of its own. Keys of a workload: ndim, height, hidden, batch, models, lr,
logz_lr, warm_up, seed.
"""
