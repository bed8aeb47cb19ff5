"""How hidden credit turns into payment behaviour.

A customer carries a creditworthiness (constant, standard normal, higher is better) and a hardship (a slow AR(1) of the
same scale). Together they are the stress under which bills are paid late, a spell of unpaid months begins, and a
spell goes on. The past of a customer therefore tells the future, but never all of it.
"""

import numpy as np

PERSISTENCE = 0.92  # of hardship from month to month: half of it is gone after 8 months
DISCONNECTION_AFTER = 3  # unpaid months
CURE_DISCONNECTED, CURE_CLOSED = 0.4, 0.25  # chance a month that all debts are paid, once without supply
_DISCONNECTION_RATE = 0.25
_SEGMENT_STRESS = np.array([0.0, 0.15, -0.1, 0.3, -0.9], np.float32)  # in the order of population.SEGMENTS


def next_hardship(hardship: np.ndarray, shock: np.ndarray) -> np.ndarray:
    """Hardship a month later; ``shock`` is standard normal, and so is hardship in the long run."""
    return (PERSISTENCE * hardship + np.sqrt(1 - PERSISTENCE**2) * shock).astype(np.float32)


def stress(creditworthiness: np.ndarray, hardship: np.ndarray, segment: np.ndarray) -> np.ndarray:
    return 0.55 * hardship - 1.1 * creditworthiness + _SEGMENT_STRESS[segment]


def chance_late(stress: np.ndarray) -> np.ndarray:
    """That a bill is paid after its due date though the customer can pay."""
    return _sigmoid(-4.0 + 0.9 * stress)


def chance_spell(stress: np.ndarray) -> np.ndarray:
    """That a spell of unpaid months begins with this month's bill."""
    return _sigmoid(-4.85 + 1.45 * stress)


def chance_cure(stress: np.ndarray, unpaid_months: np.ndarray) -> np.ndarray:
    """That everything unpaid is paid this month."""
    return np.where(unpaid_months < DISCONNECTION_AFTER, _sigmoid(0.35 - 0.45 * stress), _sigmoid(0.2 - 0.25 * stress))


def chance_plan(unpaid_months: np.ndarray) -> np.ndarray:
    """That a payment plan is agreed this month."""
    return np.where(unpaid_months >= 2, 0.12, 0.0)


def chance_plan_broken(stress: np.ndarray) -> np.ndarray:
    """In each month of the plan."""
    return _sigmoid(-2.2 + 0.6 * stress)


def chance_disconnection(unpaid_months: np.ndarray, shielded: np.ndarray) -> np.ndarray:
    return np.where((unpaid_months >= DISCONNECTION_AFTER) & ~shielded, _DISCONNECTION_RATE, 0.0)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
