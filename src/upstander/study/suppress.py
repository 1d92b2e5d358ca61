"""Withholds small counts, and as many others as are needed so that no withheld count follows from what is published.

All tables of a report are one system: every published count is a sum over cells of one joint table that nobody sees.
For each small count an integer programme looks for *another* joint table, with the least loss, in which that count is
not small. Whatever differs between the two is withheld. Both tables then agree with everything that is published, so
nothing published can tell them apart: that is the proof, and it is checked in integers, not taken from the solver.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import msgspec
import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from upstander.study.errors import StudyError

#: Cells of the joint tables that are held at once.
LARGEST = 50_000
#: Seconds for one programme. Any table that it has found by then serves; it may withhold more than the best one.
SECONDS = 10.0
Counts = NDArray[np.int64]


class Cell(msgspec.Struct, frozen=True, eq=False):
    """One published count: the sum over ``mask`` (a truth value for each combination of levels of ``fields``).
    ``weight``: how much is lost when it is withheld."""

    fields: tuple[str, ...]
    mask: NDArray[np.bool_]
    weight: float = 1.0


class Records:
    """The units as codes: for each field its levels, and for each unit the number of its level. ``never``: combinations
    that everybody knows cannot occur (the codebook says so), which makes guesses about withheld counts better."""

    def __init__(
        self,
        levels: Mapping[str, Sequence[str]],
        codes: Mapping[str, NDArray[np.integer]],
        size: int,
        never: Sequence[Cell] = (),
    ) -> None:
        self.levels, self._codes, self.size, self.never = dict(levels), codes, size, tuple(never)

    def joint(self, fields: Sequence[str]) -> Counts:
        """How many units have each combination of levels; the axes are the fields."""
        shape = tuple(len(self.levels[name]) for name in fields)
        flat = np.zeros(self.size, dtype=np.int64)
        for name, length in zip(fields, shape, strict=True):
            flat = flat * length + self._codes[name]
        return np.bincount(flat, minlength=math.prod(shape)).reshape(shape).astype(np.int64)


class Protection(msgspec.Struct, frozen=True):
    """Which cells are ``withheld`` (by number), which of them are ``small``, and how many other tables prove it."""

    withheld: frozenset[int]
    small: frozenset[int]
    proofs: int


class _System:
    """The joint tables (one for each clique of fields that are published together), and how they hang together."""

    def __init__(self, records: Records, cells: Sequence[Cell]) -> None:
        self.levels = records.levels
        self.cliques = _cliques([*cells, *records.never])
        shapes = [tuple(len(self.levels[name]) for name in clique) for clique in self.cliques]
        sizes = [math.prod(shape) for shape in shapes]
        if sum(sizes) > LARGEST:
            widest = " by ".join(self.cliques[int(np.argmax(sizes))])
            fix = "Leave out a table that ties these fields together, or group their levels"
            raise StudyError("tables", f"the joint table of {widest} has too many cells to protect", fix)
        self.starts = [0, *itertools.accumulate(sizes)]
        self.counts: Counts = np.concatenate([records.joint(clique).ravel() for clique in self.cliques])
        self.cells = sparse.vstack([sparse.csr_array(self._row(cell)[None, :]) for cell in cells], format="csr")
        self.ties = self._ties()
        self.possible = np.ones(self.size, dtype=bool)
        for cell in records.never:
            for number, clique in enumerate(self.cliques):
                if set(cell.fields) <= set(clique):
                    self.possible &= self._place(number, cell.fields, cell.mask) == 0

    @property
    def size(self) -> int:
        """How many cells the joint tables have."""
        return self.starts[-1]

    def _place(self, number: int, fields: Sequence[str], mask: NDArray[np.bool_]) -> Counts:
        """A mask over some fields as a row over all cells of joint table ``number``."""
        clique = self.cliques[number]
        order = sorted(range(len(fields)), key=lambda at: clique.index(fields[at]))
        placed = np.transpose(mask, order)
        shape = [len(self.levels[name]) if name in fields else 1 for name in clique]
        whole = np.broadcast_to(placed.reshape(shape), [len(self.levels[name]) for name in clique])
        row = np.zeros(self.starts[-1], dtype=np.int64)
        row[self.starts[number] : self.starts[number + 1]] = whole.ravel()
        return row

    def _row(self, cell: Cell) -> Counts:
        home = next(at for at, clique in enumerate(self.cliques) if set(cell.fields) <= set(clique))
        return self._place(home, cell.fields, cell.mask)

    def _ties(self) -> sparse.csr_array:
        """What every other table must keep: tables that share fields agree on them; all have the same total."""
        graph = nx.Graph()
        graph.add_nodes_from(range(len(self.cliques)))
        for one, other in itertools.combinations(range(len(self.cliques)), 2):
            common = set(self.cliques[one]) & set(self.cliques[other])
            if common:
                graph.add_edge(one, other, weight=len(common))
        rows = []
        for one, other in nx.maximum_spanning_edges(graph, data=False):
            shared = [name for name in self.cliques[one] if name in self.cliques[other]]
            shape = [len(self.levels[name]) for name in shared]
            for place in np.ndindex(*shape):
                mask = np.zeros(shape, dtype=bool)
                mask[place] = True
                rows.append(self._place(one, shared, mask) - self._place(other, shared, mask))
        for component in nx.connected_components(graph):
            row = np.zeros(self.size, dtype=np.int64)
            first = min(component)
            row[self.starts[first] : self.starts[first + 1]] = 1
            rows.append(row)
        return sparse.vstack([sparse.csr_array(row[None, :]) for row in rows], format="csr")


def _cliques(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """The fields that need one joint table: cliques of a chordal graph. Joint tables that agree on what they share then
    always come from one table over all fields, so nothing is lost by not holding that one."""
    graph = nx.Graph()
    for cell in cells:
        graph.add_nodes_from(cell.fields)
        graph.add_edges_from(itertools.combinations(cell.fields, 2))
    chordal, _ = nx.complete_to_chordal_graph(graph)
    return sorted(tuple(sorted(clique)) for clique in nx.chordal_graph_cliques(chordal))


def protect(records: Records, cells: Sequence[Cell], threshold: int) -> Protection:
    """Which cells to withhold so that no count from 1 to ``threshold`` - 1 is published or follows from what is.

    Guarantee: for each small cell there is a table of non-negative whole numbers with the same total that agrees with
    every published count and in which that cell is ``threshold`` or more; for each other withheld cell there is one in
    which it differs. Raises ``StudyError`` when there are fewer units than ``threshold``.
    """
    if not cells:
        return Protection(frozenset(), frozenset(), 0)
    if records.size < threshold:
        reason = f"there are {records.size} units, fewer than the threshold of {threshold}"
        raise StudyError("tables", f"nothing can be published: {reason}", "Wait for more items")
    system = _System(records, cells)
    values = system.cells @ system.counts
    small = [int(at) for at in np.flatnonzero((values > 0) & (values < threshold))]
    withheld, proofs = set(small), list[Counts]()
    for at in sorted(small, key=lambda number: int(values[number])):
        need = threshold - int(values[at])
        if any(proof[at] >= need for proof in proofs):
            continue
        moved = system.cells @ _other(system, cells, at, need, withheld)
        proofs.append(moved)
        withheld |= {int(number) for number in np.flatnonzero(moved)}
    return Protection(frozenset(withheld), frozenset(small), len(proofs))


def _other(system: _System, cells: Sequence[Cell], at: int, need: int, withheld: set[int]) -> Counts:
    """How another table differs from the true one, with cell ``at`` raised by ``need`` and the least loss elsewhere."""
    size, many = system.size, len(cells)
    loss = np.array([0.0 if number in withheld else cell.weight for number, cell in enumerate(cells)])
    # Unknowns: what is added to each cell of the joint tables, what is taken away, how far each published cell moves.
    cost = np.concatenate([np.full(2 * size, 1e-6), loss])
    total = int(system.counts[: system.starts[1]].sum())
    added = np.where(system.possible, float(total), 0.0)
    upper = np.concatenate([added, system.counts.astype(float), np.full(many, np.inf)])
    moves = sparse.hstack([system.cells, -system.cells])
    distance = sparse.eye_array(many)
    ties = sparse.hstack([system.ties, -system.ties, sparse.csr_array((system.ties.shape[0], many))])
    raised = sparse.hstack([moves[[at]], sparse.csr_array((1, many))])
    solved = milp(
        cost,
        integrality=np.concatenate([np.ones(2 * size), np.zeros(many)]),
        bounds=Bounds(0, upper),
        constraints=[
            LinearConstraint(ties, 0, 0),
            LinearConstraint(sparse.hstack([moves, -distance]), -np.inf, 0),
            LinearConstraint(sparse.hstack([-moves, -distance]), -np.inf, 0),
            LinearConstraint(raised, need, np.inf),
        ],
        options={"time_limit": SECONDS, "mip_rel_gap": 0.02},
    )
    if solved.x is None:
        raise StudyError("tables", f"the small cells cannot be protected ({solved.message})", "Publish fewer tables")
    whole = np.rint(solved.x[: 2 * size]).astype(np.int64)
    change = whole[:size] - whole[size:]
    # The solver works in floating point: what it found counts only if it holds in whole numbers.
    kept = not (system.ties @ change).any() and bool((system.counts + change >= 0).all())
    kept = kept and not (change[~system.possible] > 0).any()
    if not kept or int((system.cells @ change)[at]) < need:
        raise StudyError("tables", "the solver's answer does not hold in whole numbers", "Publish fewer tables")
    return np.asarray(change, dtype=np.int64)
