"""What the sample knows and the source does not tell: for tests of how much a model can find out, and no more."""

from dataclasses import dataclass

import numpy as np

from pipeline.month import RatingMonth
from pipeline.sample.customers import behaviour
from pipeline.sample.customers.population import ACTIVE, Block
from pipeline.sample.utility import Utility

HORIZON_MONTHS = 6
_PATHS = 200
_UNPAID_AT_DEFAULT = (3, 4)  # months: 60 days past due for households, 90 for all others


@dataclass(frozen=True)
class Hidden:
    """The customers at the end of a month, in the order of their ids, one array element each."""

    customer_id: np.ndarray
    creditworthiness: np.ndarray  # standard normal, constant, higher is better
    hardship: np.ndarray  # standard normal, moves from month to month, higher is worse
    is_active: np.ndarray
    default_probability: np.ndarray  # within HORIZON_MONTHS, given all that is hidden: no model can rank better


def hidden_state(customers: int, months: int, last: RatingMonth, *, at: RatingMonth, seed: int = 7) -> Hidden:
    """Live the utility of the same arguments up to the end of month ``at`` and look behind the scenes."""
    utility = Utility(customers, months, last, seed)
    for month in range(at - utility.calendar.names[0] + 1):
        for _ in utility.live(month):
            pass
    rng = np.random.default_rng(seed)
    blocks = utility.blocks
    return Hidden(
        customer_id=np.array([f"C{number:08d}" for number in range(1, customers + 1)]),
        creditworthiness=np.concatenate([block.creditworthiness for block in blocks]),
        hardship=np.concatenate([block.hardship for block in blocks]),
        is_active=np.concatenate([block.status == ACTIVE for block in blocks]),
        default_probability=np.concatenate([_default_probability(block, rng) for block in blocks]),
    )


def _default_probability(block: Block, rng: np.random.Generator) -> np.ndarray:
    """Share of simulated futures in which a customer reaches default or is disconnected for debt."""
    n, shielded = len(block), block.is_shielded
    limit = np.where(block.segment == 0, *_UNPAID_AT_DEFAULT)
    defaults = np.zeros(n, np.int64)
    for _ in range(_PATHS):
        hardship, unpaid, plan = block.hardship, block.unpaid_months.copy(), block.plan_months.copy()
        bad = np.zeros(n, bool)
        for _ in range(HORIZON_MONTHS):
            hardship = behaviour.next_hardship(hardship, rng.standard_normal(n, np.float32))
            stress = behaviour.stress(block.creditworthiness, hardship, block.segment)
            draw = rng.random((5, n), np.float32)
            in_spell = unpaid > 0
            out = in_spell & (
                (draw[0] < behaviour.chance_cure(stress, unpaid)) | (draw[1] < behaviour.chance_plan(unpaid))
            )
            unpaid[in_spell] += 1
            unpaid[out] = 0
            breaks = (plan > 0) & (draw[2] < behaviour.chance_plan_broken(stress))
            plan = np.where(breaks, 0, np.maximum(plan - 1, 0))
            unpaid[breaks] = behaviour.DISCONNECTION_AFTER
            unpaid[(unpaid == 0) & (plan == 0) & (draw[3] < behaviour.chance_spell(stress))] = 1
            bad |= (unpaid >= limit) | (draw[4] < behaviour.chance_disconnection(unpaid, shielded))
        defaults += bad
    return defaults / _PATHS
