"""A month's customers by grade, segment and move, of any revision that is kept."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.console.queries import rows
from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication

NEW = "new"


@dataclass(frozen=True)
class Cell:
    """Customers of one segment, basis of rating, grade before and grade now, and sums over them."""

    segment: str
    region: str | None
    rating_basis: str
    previous_grade: str | None
    grade: str
    customers: int
    score: float
    expected_defaults: float


@dataclass(frozen=True)
class Portfolio:
    """A revision of a month, as cells."""

    publication: Publication
    cells: tuple[Cell, ...]

    @property
    def customers(self) -> int:
        return sum(cell.customers for cell in self.cells)

    @property
    def expected_defaults(self) -> float:
        return sum(cell.expected_defaults for cell in self.cells)

    @property
    def default_rate(self) -> float | None:
        """Customers rated in default, of all."""
        in_default = sum(cell.customers for cell in self.cells if cell.rating_basis == "default")
        return in_default / self.customers if self.customers else None

    @property
    def mean_score(self) -> float | None:
        return sum(cell.score for cell in self.cells) / self.customers if self.customers else None

    def by(self, *names: str) -> Counter:
        """Customers by these columns of the cells: a value, or a tuple of them."""
        found: Counter = Counter()
        for cell in self.cells:
            key = tuple(getattr(cell, name) for name in names)
            found[key if len(names) > 1 else key[0]] += cell.customers
        return found

    def moves(self, before: "Portfolio | None") -> Counter:
        """Customers by (grade in the month before, grade now): ``new`` before, where not rated then, and ``closed``
        now, where not rated any more; the latter needs the month before."""
        found = Counter(
            {(was or NEW, now): number for (was, now), number in self.by("previous_grade", "grade").items()}
        )
        if before is not None:
            stayed: Counter = Counter()
            for (was, _), number in found.items():
                stayed[was] += number
            for grade, number in before.by("grade").items():
                if number > stayed[grade]:
                    found[grade, "closed"] = number - stayed[grade]
        return found

    def up_and_down(self, names: tuple[str, ...]) -> tuple[int, int]:
        """How many rose and how many fell; ``names``: the grades, best first."""
        rank = {name: place for place, name in enumerate(names)}
        up = down = 0
        for (was, now), number in self.by("previous_grade", "grade").items():
            if was in rank and now in rank:
                up += number * (rank[now] < rank[was])
                down += number * (rank[now] > rank[was])
        return up, down


def portfolio(settings: Settings, month: RatingMonth, revision: int | None = None) -> Portfolio:
    """A revision (None: the current one); NotPublishedError where it is not there, or its rows were removed."""
    with transaction(settings) as connection:
        if revision is None:
            found = publications.current(connection, month)
        else:
            of_month = publications.revisions_of(connection, month)
            found = next((one for one in of_month if one.revision == revision), None)
        if found is None:
            which = f"{month}" if revision is None else f"{month}, revision {revision}"
            raise NotPublishedError(f"nothing is published for {which}: gridgrade rate {month} rates it")
        if found.rows_removed_at is not None:
            raise NotPublishedError(f"{month}: the rows of revision {revision} were removed; choose another")
    return Portfolio(found, _cells(settings, found))


def earlier(settings: Settings, month: RatingMonth) -> Portfolio | None:
    """What readers see of a month; None where it is not published."""
    try:
        return portfolio(settings, month)
    except NotPublishedError:
        return None


def recovery(settings: Settings, month: RatingMonth) -> list[dict[str, Any]]:
    """Billed, collected, receivable and rebates of the last 24 months up to this one, newest first."""
    return rows(settings, "recovery", month=month.first_day)


def _cells(settings: Settings, publication: Publication) -> tuple[Cell, ...]:
    found = rows(settings, "portfolio_cells", publication_id=publication.publication_id)
    return tuple(Cell(**row) for row in found)
