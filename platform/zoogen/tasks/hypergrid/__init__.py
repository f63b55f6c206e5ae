"""Hypergrid GFlowNets: policies on the grid {0, …, h−1}^n (GenFlowNet §3.1, Bengio et al. 2021)."""
