"""The weights that are trained, and exact copies of them that the optimiser moves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from engine.lib.training import team


class Masters:
    """fp32 copies of the trained weights; those in lower precision inside the model follow them.

    bf16 has 8 bits of precision: small steps of the optimiser would be rounded away if it worked on those weights.
    Weights that are fp32 already are their own master and cost nothing more.
    """

    def __init__(self, model: Any) -> None:
        import torch

        live = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.weights = {name: p if p.dtype == torch.float32 else torch.nn.Parameter(p.detach().float().clone()) for name, p in live.items()}
        self._gathered: dict[str, Any] = {}
        self._followers = {name: p for name, p in live.items() if p.dtype != torch.float32}

    def take_gradients(self) -> None:
        """Add the model's gradients to the masters' and clear the model's. After every backward pass."""
        for name, live in self._followers.items():
            if live.grad is None:
                continue
            master = self.weights[name]
            grad = live.grad.float()
            master.grad = grad if master.grad is None else master.grad.add_(grad)
            live.grad = None

    def drop_gradients(self) -> None:
        """As if there had been no backward pass since the last step."""
        for weight in (*self.weights.values(), *self._followers.values()):
            weight.grad = None

    def publish(self) -> None:
        """Copy the masters into the model. After every step of the optimiser."""
        import torch

        with torch.no_grad():
            for name, live in self._followers.items():
                live.copy_(self.weights[name])

    def load(self, values: dict[str, Any]) -> None:
        """Set the masters, and with them the model, to ``values``: a tensor a name."""
        import torch

        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(team.like(values[name], weight))
        self.publish()

    def whole(self) -> dict[str, Any]:
        """The masters as they are saved: a tensor a name. Where they are sharded, every process of the team has to ask."""
        return self._gathered or {name: team.whole(weight.detach()) for name, weight in self.weights.items()}

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Within, one process can ask for the `whole` masters alone."""
        self._gathered = self.whole()
        try:
            yield
        finally:
            self._gathered = {}

    def parameters(self) -> Iterable[Any]:
        return self.weights.values()
