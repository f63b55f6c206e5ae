"""Image classifiers: p-diff trajectories, zoos of independent seeds, whole networks and subsets of their parameters."""
