"""From unit to unit: what is chosen decides what the head is told next."""

from __future__ import annotations

import numpy as np

from semcom.compiled import compiled


@compiled
def walked(fixed, into, out, bias, offsets, uniform):  # type: ignore[no-untyped-def]
    """Choose an action for each unit in raster order, of each image of a batch.

    Args:
        fixed: what the hidden layer gets from all that no choice changes, float64
            ``[batch, rows, columns, hidden]``.
        into: its weights for the choices before, float64 ``[hidden, 5]``, see
            :func:`semcom.dmic.policy.contexts`.
        out: weights of the layer behind it, ``[actions, hidden]``.
        bias: of that, ``[actions]``.
        offsets: of the actions, as the head is told them, ``[actions]``.
        uniform: in [0, 1), ``[rows, columns, batch]``, draw by the probabilities, the first action
            below; where it is empty, the likeliest is taken.

    Returns:
        int64 ``[batch, rows, columns]``.
    """
    batch, rows, columns, width = fixed.shape
    count = len(bias)
    actions = np.zeros((batch, rows, columns), np.int64)
    logits = np.empty(count)
    known = np.zeros(5)
    for image in range(batch):
        above, here = np.zeros(columns + 2), np.zeros(columns + 2)
        total = 0.0
        for row in range(rows):
            for column in range(columns):
                known[0] = here[column]
                known[1:4] = above[column : column + 3]
                known[4] = total / max(row * columns + column, 1)
                logits[:] = bias
                for unit in range(width):
                    felt = fixed[image, row, column, unit]
                    for place in range(5):
                        felt += into[unit, place] * known[place]
                    felt = np.tanh(felt)
                    for action in range(count):
                        logits[action] += out[action, unit] * felt
                chosen = int(np.argmax(logits))
                if uniform.size:
                    chances = np.exp(logits - logits[chosen])
                    drawn = uniform[row, column, image] * chances.sum()
                    chosen, reached = 0, chances[0]
                    while reached < drawn and chosen < count - 1:
                        chosen += 1
                        reached += chances[chosen]
                actions[image, row, column] = chosen
                here[column + 1] = offsets[chosen]
                total += offsets[chosen]
            above, here = here, above
            here[:] = 0
    return actions
