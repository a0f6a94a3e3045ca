"""What moves the weights: AdamW, or Muon for whatever is a matrix.

**Muon** moves weights of two and more dimensions by orthogonalised momentum (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/), by as much as AdamW would move them (Liu et al. 2025,
https://arxiv.org/abs/2502.16982), so that both take the same learning rates.
"""

import torch
from torch import Tensor, nn

OPTIMIZERS = ("adamw", "muon")
BETAS = (0.9, 0.98)
DECAY = 0.01  # of the weights


def as_matrix(x: Tensor, like: Tensor) -> Tensor:
    """A kernel as a matrix with a row for each output; the columns in the order in which `like`
    lies in memory, whose own matrix is then the same memory."""
    return (x if like.is_contiguous() else x.permute(0, 2, 3, 1)).flatten(1)


class Muon:
    """`torch.optim.Muon` for what it takes, kernels as matrices, and AdamW for the rest."""

    def __init__(self, models: nn.Module, lr: float):
        kinds = {True: [], False: []}
        for name, parameter in models.named_parameters():
            table = "embedding" in name and "time" not in name  # rows are looked up, not multiplied
            kinds[parameter.dim() > 1 and not table].append(parameter)
        self.matrices = [(p, nn.Parameter(as_matrix(p.data, p))) for p in kinds[True]]
        assert all(p.data_ptr() == matrix.data_ptr() for p, matrix in self.matrices)
        self.muon = torch.optim.Muon(
            [matrix for _, matrix in self.matrices],
            lr=lr,
            weight_decay=DECAY,
            adjust_lr_fn="match_rms_adamw",
        )
        self.adamw = adamw(kinds[False], lr)
        self.param_groups = self.muon.param_groups + self.adamw.param_groups

    def zero_grad(self) -> None:
        for parameter, _ in self.matrices:
            parameter.grad = None
        self.adamw.zero_grad()

    def step(self) -> None:
        for parameter, matrix in self.matrices:
            matrix.grad = as_matrix(parameter.grad, parameter)
        self.muon.step()
        self.adamw.step()

    @property
    def state(self) -> dict:
        """What AdamW remembers of each parameter that it moves."""
        return self.adamw.state

    def state_dict(self) -> dict:
        """What both remember."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Go on with what both remembered."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
        self.param_groups = self.muon.param_groups + self.adamw.param_groups


def adamw(parameters, lr: float) -> torch.optim.AdamW:
    """AdamW as everything here is trained with it."""
    return torch.optim.AdamW(parameters, lr=lr, betas=BETAS, weight_decay=DECAY, fused=True)


def make_optimizer(name: str, models: nn.Module, lr: float) -> torch.optim.AdamW | Muon:
    """The optimiser called `name`, one of `OPTIMIZERS`, for all parameters of `models`."""
    return Muon(models, lr) if name == "muon" else adamw(models.parameters(), lr)
