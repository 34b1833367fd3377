"""How far a student's answer tokens lie from a teacher's, and the gradient of that; logits stand in memory a chunk at a time."""

from typing import Any

from engine.lib import batches, scoring

# Answer tokens at once: half as many as for the plain loss, for here the logits of two models and their logarithms stand at once
CHUNK = scoring.CHUNK // 2


def divergence(student: Any, teacher: Any, beta: float, temperature: float = 1.0) -> Any:
    """The generalised Jensen-Shannon divergence of each row, in nats (Agarwal et al. 2023, eq. 1, https://arxiv.org/abs/2306.13649).

    In: logits (rows × vocabulary). With M = beta·teacher + (1 - beta)·student it is beta·KL(teacher‖M) + (1 - beta)·KL(student‖M); at
    its ends, as limits that are scaled by 1/beta and 1/(1 - beta), 0 is the forward KL(teacher‖student), 1 the reverse KL(student‖teacher).
    Both distributions are softened by ``temperature`` first.
    """
    import torch

    p, q = (torch.log_softmax(logits / temperature, -1) for logits in (teacher, student))
    if beta == 0:
        return kl(p, q)
    if beta == 1:
        return kl(q, p)
    share = torch.tensor(beta, dtype=p.dtype, device=p.device)
    mixed = torch.logaddexp(q + torch.log1p(-share), p + torch.log(share))
    return share * kl(p, mixed) + (1 - share) * kl(q, mixed)


def kl(p: Any, q: Any) -> Any:
    """KL(p‖q) of each row of log-probabilities."""
    return (p.exp() * (p - q)).sum(-1)


def backward(
    student: Any, teacher: Any, batch: batches.Batch, scale: float, *, beta: float, temperature: float, share: float
) -> tuple[float, float]:
    """Add the gradient of ``scale`` × the summed loss of the batch's answer tokens to ``student``; out: that sum, unscaled, and of KL.

    A token's loss is ``share`` × temperature² × its divergence + (1 - ``share``) × its plain loss. The square keeps the gradients of both
    parts alike at any temperature (Hinton et al. 2015, https://arxiv.org/abs/1503.02531). The KL told is KL(teacher‖student) at
    temperature 1, to be compared between settings. ``teacher`` reads the batch once and gets no gradients.
    """
    import torch
    from torch.nn.functional import cross_entropy

    with torch.no_grad():
        known = scoring.hidden_states(teacher, batch.ids)[batch.positions]
    hidden = scoring.hidden_states(student, batch.ids)[batch.positions]
    leaf = hidden.detach().requires_grad_()
    total = away = 0.0
    for start in range(0, len(batch.targets), CHUNK):
        part = slice(start, start + CHUNK)
        with torch.no_grad():
            theirs = scoring.logits(teacher, known[part])
        with torch.enable_grad():
            ours, theirs = alike(scoring.logits(student, leaf[part]), theirs)
            loss = (1 - share) * cross_entropy(ours, batch.targets[part], reduction="sum")
            if share:
                loss = loss + share * temperature**2 * divergence(ours, theirs, beta, temperature).sum()
            (loss * scale).backward()
        total += loss.item()
        away += float(divergence(ours.detach(), theirs, 0.0).sum())
    hidden.backward(leaf.grad)
    return total, away


def mean_kl(student: Any, teacher: Any, rows: list[Any], pad: int, at_once: int) -> float:
    """KL(teacher‖student) in nats per answer token over ``rows``, ``at_once`` of them read together."""
    import torch

    was_training = student.training
    student.eval()
    total, tokens = 0.0, 0
    try:
        with torch.inference_mode():
            for chosen in batches.by_length([len(row.ids) for row in rows], at_once):
                batch = batches.collate([rows[i] for i in chosen], pad, str(student.device))
                mine, known = (scoring.hidden_states(model, batch.ids)[batch.positions] for model in (student, teacher))
                for start in range(0, len(batch.targets), CHUNK):
                    part = slice(start, start + CHUNK)
                    both = alike(scoring.logits(student, mine[part]), scoring.logits(teacher, known[part]))
                    total += float(divergence(*both, 0.0).sum())
                tokens += len(batch.targets)
    finally:
        student.train(was_training)
    return total / max(tokens, 1)


def alike(first: Any, second: Any) -> tuple[Any, Any]:
    """Both logits at the narrower width: families round the width of their heads up, and no token stands in what is beyond."""
    width = min(first.shape[-1], second.shape[-1])
    return first[..., :width], second[..., :width]
