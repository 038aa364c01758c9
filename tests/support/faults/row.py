"""One row of the fault matrix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """asked = answered + refused (a 429, 503 or 504 in good order) + wrong. overspent_usd: by the provider's books,
    above the budget. reserved_usd: what is still held when nothing is left to do. healed_s: from the end of the fault
    to the last refusal before a whole second without one."""

    fault: str
    asked: int
    answered: int
    refused: int
    wrong: int
    overspent_usd: float
    reserved_usd: float
    healed_s: float
    # What is wanted of this row beside no wrong answer, nothing overspent and nothing reserved.
    heals_within_s: float = 5.0
    refuses: bool = True

    @property
    def misses(self) -> list[str]:
        """What is not as wanted."""
        wanted = {
            f"{self.wrong} wrong or lost": self.wrong == 0,
            f"{self.overspent_usd:.4f} USD overspent": self.overspent_usd <= 1e-9,
            f"{self.reserved_usd:.4f} USD left reserved": self.reserved_usd <= 1e-9,
            f"healed after {self.healed_s:.1f} s": self.healed_s <= self.heals_within_s,
            f"{self.refused} refused": self.refuses or self.refused == 0,
            f"{self.asked} asked": self.asked == self.answered + self.refused + self.wrong,
        }
        return [what for what, holds in wanted.items() if not holds]
