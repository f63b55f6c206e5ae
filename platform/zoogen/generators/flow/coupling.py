"""Which start goes to which latent of a batch."""

import torch
from torch import Tensor


def within_conditions(starts: Tensor, latents: Tensor, conditions: Tensor) -> Tensor:
    """For each of the latents [B, L] the row of its start [B, L], int64 [B]: optimal transport for the squared distance
    (Tong et al. 2024) among the rows whose conditions [B, C] are equal.

    Transport over a whole batch would pair starts with conditions, so that a condition's start would no longer be the
    start distribution.
    """
    import ot  # POT takes a second to import

    rows = torch.empty(len(latents), dtype=torch.int64, device=latents.device)
    _, groups = conditions.unique(dim=0, return_inverse=True)
    for group in groups.unique():
        members = (groups == group).nonzero().squeeze(1)
        cost = torch.cdist(latents[members].double(), starts[members].double()).square().cpu().numpy()
        plan = torch.from_numpy(ot.emd([], [], cost))  # equal masses: a permutation
        rows[members] = members[plan.argmax(1).to(members.device)]
    return rows
