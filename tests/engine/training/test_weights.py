"""The exact copies that the optimiser moves."""

import pytest

from engine.lib.training.weights import Masters

pytestmark = pytest.mark.slow


def test_steps_too_small_for_bf16_add_up_in_the_masters() -> None:
    """Each step is less than the distance to the next bf16 number: without exact copies nothing would ever be learnt."""
    import torch

    model = torch.nn.Linear(2, 2, bias=False, dtype=torch.bfloat16)
    torch.nn.init.ones_(model.weight)
    assert torch.equal(model.weight - 1e-4, model.weight)
    masters = Masters(model)
    optimizer = torch.optim.SGD(masters.parameters(), lr=1e-4)
    for _ in range(100):
        model(torch.ones(1, 2, dtype=torch.bfloat16)).sum().backward()
        masters.take_gradients()
        optimizer.step()
        optimizer.zero_grad()
        masters.publish()
    assert masters.weights["weight"].tolist() == [[pytest.approx(0.99, abs=1e-5)] * 2] * 2
    assert model.weight.float().tolist() == [[pytest.approx(0.99, abs=0.004)] * 2] * 2


def test_weights_in_fp32_are_their_own_masters() -> None:
    import torch

    model = torch.nn.Linear(2, 2)
    masters = Masters(model)
    assert all(masters.weights[name] is weight for name, weight in model.named_parameters())
